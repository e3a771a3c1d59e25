//! Commands that make something of a snapshot.

use super::args::CreateArgs;
use super::asking::{ask, may_ask};
use super::change::{conclude, tags};
use super::error::CtlError;
use super::render::Span;
use super::session::{Done, Session};
use super::{exit, look, manual};
use crate::api::wire::{CreateBody, RollbackBody, Size};
use std::collections::BTreeMap;

/// Nothing is done: the word means three things, and the answer says how to say which.
pub(super) fn restore(session: &mut Session<'_, '_>, named: Option<&str>) -> Done {
    let unnamed = || ("RESOURCE".to_owned(), "SNAPSHOT".to_owned());
    let (resource, snapshot) = match named {
        Some(name) => meant(session, name)?.unwrap_or_else(unnamed),
        None => unnamed(),
    };
    let mut page = session.view().page();
    let sentence = "what shall come back, and where to? `restore` alone changes nothing";
    page.prose(0, &Span::plain(sentence));
    for line in manual::restore(&resource, &snapshot) {
        page.line([Span::plain(format!("  {line}"))]);
    }
    session.print(&page)?;
    Ok(exit::OK)
}

/// The resource and the snapshot that a name leads to: of a resource the newest of all, also where
/// none is automatic. Nothing where no daemon can be asked, as the words are of use all the same.
fn meant(session: &Session<'_, '_>, name: &str) -> Result<Option<(String, String)>, CtlError> {
    let found = match name.contains('@') {
        true => {
            let found = session.client.snapshot(name).map_err(CtlError::from);
            found.map(|snapshot| look::Meaning::Snapshot(Box::new(snapshot)))
        }
        false => look::find(session, name),
    };
    match found {
        Ok(look::Meaning::Snapshot(found)) => Ok(Some((found.resource, found.label))),
        Ok(look::Meaning::Resource(detail) | look::Meaning::Both(detail)) => {
            let newest = detail.resource.newest.map(|newest| newest.snapshot);
            Ok(Some((detail.resource.name, newest.unwrap_or_else(|| "SNAPSHOT".into()))))
        }
        Err(error) if error.exit_code() == exit::UNREACHABLE => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn create(
    session: &mut Session<'_, '_>,
    name: &str,
    from: &str,
    wish: &CreateArgs,
) -> Done {
    let mut disks = BTreeMap::new();
    for (disk, name) in &wish.disks {
        if disks.insert(disk.clone(), name.clone()).is_some() {
            return Err(CtlError::DiskTwice(disk.clone()));
        }
    }
    let path = wish.path.as_ref().map(|path| {
        let path = session.directory.join(path);
        path.to_str().map(str::to_owned).ok_or(CtlError::Path(path))
    });
    let body = CreateBody {
        name: name.into(),
        path: path.transpose()?,
        plan: wish.plan.clone(),
        size: wish.size.map(Size::bytes),
        port: wish.port,
        time: wish.time.clone(),
        tags: tags(&wish.tags)?,
        attached_disks: disks,
    };
    let accepted = session.client.create(from, &body)?;
    conclude(session, accepted)
}

pub(super) fn rollback(
    session: &mut Session<'_, '_>,
    resource: &str,
    to: &str,
    backup_name: Option<String>,
    yes: bool,
) -> Done {
    may_ask(session, yes)?;
    // By the label that was shown: `latest` may mean another one by then.
    let found = session.client.snapshot(to)?;
    let body = RollbackBody { to: found.label.clone(), backup_name };
    if !yes {
        // What is against it is said before anything is asked.
        session.client.rehearsal().rollback(resource, &body)?;
        let view = session.view();
        let mut page = view.page();
        let (label, taken) = (&found.label, view.wall(found.taken_at));
        let text = format!("The content of {resource} becomes that of {label}, taken {taken}.");
        page.prose(0, &Span::plain(text));
        let text = "A snapshot of what is there now is taken before; nothing is lost.";
        page.prose(0, &Span::plain(text));
        ask(session, page, &format!("Roll {resource} back?"))?;
    }
    let accepted = session.client.rollback(resource, &body)?;
    conclude(session, accepted)
}

pub(super) fn attach(session: &mut Session<'_, '_>, disk: &str, instance: &str) -> Done {
    let accepted = session.client.attach(instance, disk)?;
    conclude(session, accepted)
}

pub(super) fn detach(session: &mut Session<'_, '_>, disk: &str, instance: &str) -> Done {
    let accepted = session.client.detach(instance, disk)?;
    conclude(session, accepted)
}
