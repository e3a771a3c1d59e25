//! Putting something under protection: what was found is shown, and a first snapshot offered.

use super::args::ProtectArgs;
use super::asking::line;
use super::change;
use super::error::CtlError;
use super::exit;
use super::render::{self, Span};
use super::session::{Done, Session};
use super::values::TagArgs;
use crate::api::wire::{ProtectBody, Protected};
use std::path::Path;

pub(super) fn protect(session: &mut Session<'_, '_>, wish: &ProtectArgs) -> Done {
    let (path, domain) = target(session, &wish.what)?;
    let body = ProtectBody {
        path,
        domain,
        name: wish.name.clone(),
        time: wish.time.clone(),
        first: wish.take.clone(),
        dry_run: wish.dry_run,
    };
    let protected = session.client.protect(&body)?;
    tell(session, &protected)?;
    let first = match &wish.take {
        _ if wish.dry_run => None,
        Some(name) => Some(name.clone()),
        None => asked(session, &protected)?,
    };
    match first {
        Some(name) => {
            change::take(session, &protected.name, Some(&name), false, &TagArgs::default())
        }
        None => Ok(exit::OK),
    }
}

/// A path, or the name of a guest where nothing here has it.
fn target(
    session: &Session<'_, '_>,
    what: &Path,
) -> Result<(Option<String>, Option<String>), CtlError> {
    let path = session.directory.join(what);
    let text = |path: &Path| path.to_str().map(str::to_owned).ok_or(CtlError::Path(path.into()));
    let is_name =
        what.components().count() == 1 && !what.as_os_str().as_encoded_bytes().contains(&b'/');
    if is_name && path.symlink_metadata().is_err() {
        return Ok((None, Some(text(what)?)));
    }
    Ok((Some(text(&path)?), None))
}

/// What was found, the table that declares it, and when it is snapshotted first.
fn tell(session: &mut Session<'_, '_>, protected: &Protected) -> Result<(), CtlError> {
    if session.global.json {
        return session.json(protected).map(|_| ());
    }
    if session.global.quiet {
        return Ok(());
    }
    let Protected { name, what, place, file, table, written, .. } = protected;
    let mut page = session.view().page();
    // A guest has no other place than its name.
    let found = match place.starts_with('/') {
        true => format!("{place} is {what}"),
        false => what.clone(),
    };
    page.prose(0, &Span::plain(format!("{name}: {found}")));
    for note in &protected.notes {
        page.prose(2, &Span::plain(note));
    }
    page.gap();
    for line in table.lines().filter(|line| !line.is_empty()) {
        page.line([Span::plain(format!("  {line}"))]);
    }
    page.gap();
    let end = match written {
        false => format!("nothing is changed; without --dry-run this would be in {file}"),
        true => match next_run(session, name) {
            Some(next) => {
                format!("protected from now on; next run {next}; `heptactl forget {name}` ends it")
            }
            None => format!("protected from now on; `heptactl forget {name}` ends it"),
        },
    };
    page.prose(0, &Span::plain(end));
    session.print(&page)
}

fn next_run(session: &Session<'_, '_>, name: &str) -> Option<String> {
    let resource = session.client.resource(name).ok()?.resource;
    Some(session.view().wall(resource.next_run?.at))
}

/// The name of a first snapshot, where somebody can be asked and wants one.
fn asked(session: &mut Session<'_, '_>, protected: &Protected) -> Result<Option<String>, CtlError> {
    let terminals = session.io.terminals;
    if !(terminals.stdin && terminals.stderr) || session.global.json || session.global.quiet {
        return Ok(None);
    }
    let name = format!("{}-first", protected.name);
    let prompt = format!("Take a first snapshot now? Its name [{name}; a dash for none]: ");
    let page = session.view().page();
    let said = line(session, page, &render::text::clean(&prompt))?;
    Ok(match said.as_deref() {
        None | Some("-") => None,
        Some("") => Some(name),
        Some(_) => said,
    })
}
