//! Commands that only look.

use super::error::CtlError;
use super::render::{self, Span};
use super::session::{Done, Session};
use super::values::Origin;
use super::{exit, follow};
use crate::api::client::ClientError;
use crate::api::wire::{
    OperationState, OperationsQuery, Resource, ResourceDetail, Snapshot, SnapshotsQuery,
};

pub(super) fn status(session: &mut Session<'_, '_>, resource: Option<&str>) -> Done {
    if let Some(name) = resource {
        let detail = session.client.resource(name)?;
        if !session.global.quiet || is_alarmed(&detail.resource) || session.global.json {
            session.show(&detail, |view| render::glance(&detail, view))?;
        }
        return Ok(verdict(is_alarmed(&detail.resource)));
    }
    let status = session.client.status()?;
    let quiet = session.global.quiet;
    session.show(&status, |view| render::status(&status, quiet, view))?;
    Ok(verdict(render::alarmed(&status)))
}

fn is_alarmed(resource: &Resource) -> bool {
    !resource.alarms.is_empty()
}

fn verdict(alarmed: bool) -> u8 {
    if alarmed { exit::ALARM } else { exit::OK }
}

pub(super) fn list(
    session: &mut Session<'_, '_>,
    resource: Option<String>,
    origin: Option<Origin>,
    all: bool,
) -> Done {
    let (origin, all) = (origin.map(Into::into), all.then_some(true));
    let query = SnapshotsQuery { resource, origin, all, ..SnapshotsQuery::default() };
    let answer = session.client.snapshots(&query)?;
    session.show(&answer, |view| render::snapshots(&answer.snapshots, view))
}

/// What a name means: resources and snapshots have their own name spaces.
pub(super) enum Meaning {
    Resource(Box<ResourceDetail>),
    Snapshot(Box<Snapshot>),
    Both(Box<ResourceDetail>),
}

pub(super) fn show(session: &mut Session<'_, '_>, name: &str, only_snapshot: bool) -> Done {
    // A resource's name has no `@`.
    let meaning = if only_snapshot || name.contains('@') {
        Meaning::Snapshot(Box::new(session.client.snapshot(name)?))
    } else {
        find(session, name)?
    };
    match &meaning {
        Meaning::Snapshot(snapshot) => {
            session.show(snapshot, |view| render::snapshot(snapshot, view))
        }
        Meaning::Resource(detail) | Meaning::Both(detail) => {
            session.show(detail, |view| render::detail(detail, view))?;
            if matches!(meaning, Meaning::Both(_)) && !session.global.quiet {
                let mut page = session.view().page();
                let way =
                    format!("a snapshot is called {name} too: `heptactl show --snapshot {name}`");
                page.prose(0, &Span::plain(way));
                session.note(&page)?;
            }
            Ok(exit::OK)
        }
    }
}

pub(super) fn find(session: &Session<'_, '_>, name: &str) -> Result<Meaning, CtlError> {
    let absent = |error: &ClientError| matches!(error, ClientError::Refused { status: 404, .. });
    let resource = session.client.resource(name);
    let snapshot = session.client.snapshot(name);
    match (resource, snapshot) {
        (Ok(resource), Ok(_)) => Ok(Meaning::Both(Box::new(resource))),
        (Ok(resource), Err(_)) => Ok(Meaning::Resource(Box::new(resource))),
        (Err(error), Ok(snapshot)) if absent(&error) => Ok(Meaning::Snapshot(Box::new(snapshot))),
        // A snapshot of this name was wanted once, so that is what is meant.
        (Err(_), Err(failed)) if failed.code() == "take-failed" => Err(failed.into()),
        (Err(first), Err(second)) if absent(&first) && absent(&second) => {
            let mut hints = vec![first.hint(), second.hint()];
            hints.retain(|hint| !hint.is_empty());
            hints.dedup();
            Err(CtlError::Unknown { name: name.into(), hints })
        }
        (Err(error), Ok(_)) => Err(error.into()),
        (Err(first), Err(second)) => Err(if absent(&first) { second } else { first }.into()),
    }
}

pub(super) fn forecast(
    session: &mut Session<'_, '_>,
    resource: Option<&str>,
    days: Option<u32>,
) -> Done {
    let answer = session.client.forecast(resource, days)?;
    session.show(&answer, |view| render::forecasts(&answer, view))
}

pub(super) fn fee(
    session: &mut Session<'_, '_>,
    resource: Option<&str>,
    month: Option<&str>,
) -> Done {
    let answer = session.client.fee(resource, month)?;
    session.show(&answer, |view| render::fees(&answer, resource.is_some(), view))
}

pub(super) fn plans(session: &mut Session<'_, '_>) -> Done {
    let answer = session.client.plans()?;
    session.show(&answer, |view| render::plans(&answer, view))
}

pub(super) fn blueprints(session: &mut Session<'_, '_>) -> Done {
    let answer = session.client.blueprints()?;
    session.show(&answer, |view| render::blueprints(&answer, view))
}

pub(super) fn why(session: &mut Session<'_, '_>, resource: &str, day: Option<&str>) -> Done {
    let answer = session.client.slots(resource, day)?;
    session.show(&answer, |view| render::slots(&answer, view))
}

pub(super) fn operations(
    session: &mut Session<'_, '_>,
    resource: Option<String>,
    open: bool,
    limit: Option<u32>,
) -> Done {
    let query = OperationsQuery { resource, open: open.then_some(true), before: None, limit };
    let answer = session.client.operations(&query)?;
    session.show(&answer, |view| render::operations(&answer.operations, view))
}

pub(super) fn operation(session: &mut Session<'_, '_>, id: u64, wait: bool) -> Done {
    let mut operation = session.client.operation(id, None)?;
    if wait {
        operation = follow::to_the_end(session, operation)?;
    }
    session.show(&operation, |view| render::operation(&operation, view))?;
    let failed = wait && operation.state == OperationState::Failed;
    Ok(if failed { exit::REFUSED } else { exit::OK })
}

pub(super) fn reload(session: &mut Session<'_, '_>) -> Done {
    let answer = session.client.reload()?;
    if session.global.quiet && !session.global.json && answer.findings.is_empty() {
        return Ok(exit::OK);
    }
    session.show(&answer, |view| render::reloaded(&answer, view))
}

pub(super) fn check(session: &mut Session<'_, '_>) -> Done {
    let answer = session.client.check()?;
    if !session.global.quiet || session.global.json || !answer.findings.is_empty() {
        session.show(&answer, |view| render::check(&answer, view))?;
    }
    let good = answer.loadable && answer.findings.iter().all(|found| found.remark);
    Ok(if good { exit::OK } else { exit::REFUSED })
}
