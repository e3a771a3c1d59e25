//! Commands that change something.

use super::asking::{ask, may_ask};
use super::destroy::until;
use super::error::CtlError;
use super::exit;
use super::follow::{awaited, report};
use super::output::each;
use super::render::{self, Span, units};
use super::session::{Done, Session};
use super::values::TagArgs;
use crate::api::wire::{Accepted, Tags, TakeBody};

pub(super) fn tags(args: &TagArgs) -> Result<Tags, CtlError> {
    args.collect().map_err(CtlError::TagTwice)
}

pub(super) fn take(
    session: &mut Session<'_, '_>,
    resource: &str,
    name: Option<&str>,
    system_disk: bool,
    args: &TagArgs,
) -> Done {
    let body = TakeBody { name: name.map(Into::into), tags: tags(args)?, system_disk };
    let accepted = session.client.take(resource, &body)?;
    conclude(session, accepted)
}

pub(super) fn keep(
    session: &mut Session<'_, '_>,
    snapshot: &str,
    name: &str,
    args: &TagArgs,
) -> Done {
    let accepted = session.client.keep(snapshot, name, tags(args)?)?;
    conclude(session, accepted)
}

/// Brings one after the other back; a refusal of one does not stop the others.
pub(super) fn undelete(session: &mut Session<'_, '_>, snapshots: &[String]) -> Done {
    each(session, snapshots, |session, snapshot| {
        let accepted = session.client.undelete(snapshot)?;
        conclude(session, accepted).map(|_| ())
    })
}

pub(super) fn acknowledge(session: &mut Session<'_, '_>, resource: &str) -> Done {
    let accepted = session.client.acknowledge(resource)?;
    conclude(session, accepted)
}

pub(super) fn rotate(session: &mut Session<'_, '_>, resource: &str, yes: bool) -> Done {
    may_ask(session, yes)?;
    // Without a question it is only for the answer, and what is wrong is said by the act itself.
    let detail = match session.client.resource(resource) {
        Err(error) if !yes => return Err(error.into()),
        looked => looked.ok(),
    };
    // What is in doubt is refused, with the reason.
    let idle = detail.as_ref().filter(|all| all.beyond.is_empty() && all.doubt.is_none());
    if let Some(idle) = idle.filter(|_| !session.global.json) {
        let keep = idle.resource.retention.latest;
        session.say(&format!("nothing of {resource} is beyond the {keep} that stay"))?;
        return Ok(exit::OK);
    }
    if let Some(detail) = detail.filter(|_| !yes) {
        let view = session.view();
        let mut page = view.page();
        for label in &detail.beyond {
            page.prose(2, &Span::plain(label));
        }
        page.gap();
        page.prose(0, &Span::plain(until(false, &view)));
        let number = units::count(detail.beyond.len() as u64, "snapshot");
        ask(session, page, &format!("Drop {number} of {resource}?"))?;
    }
    let accepted = session.client.rotate(resource)?;
    conclude(session, accepted)
}

pub(super) fn enable(session: &mut Session<'_, '_>, resource: &str, time: Option<&str>) -> Done {
    let accepted = session.client.enable(resource, time)?;
    scheduled(session, accepted)
}

pub(super) fn disable(session: &mut Session<'_, '_>, resource: &str) -> Done {
    let accepted = session.client.disable(resource)?;
    scheduled(session, accepted)
}

pub(super) fn set_time(session: &mut Session<'_, '_>, resource: &str, time: &str) -> Done {
    let accepted = session.client.set_time(resource, time)?;
    scheduled(session, accepted)
}

pub(super) fn reset(session: &mut Session<'_, '_>, resource: &str) -> Done {
    let accepted = session.client.reset(resource)?;
    scheduled(session, accepted)
}

/// Says what was wished and what will happen.
fn scheduled(session: &mut Session<'_, '_>, accepted: Accepted) -> Done {
    let accepted = awaited(session, accepted)?;
    let Some(schedule) = accepted.schedule.as_ref() else { return report(session, &accepted) };
    if session.global.json {
        return session.json(&accepted);
    }
    if session.global.quiet {
        return Ok(exit::OK);
    }
    let operation = &accepted.operation;
    // Only the resource says how much later than its wished time a slot is due.
    let detail = session.client.resource(&operation.resource);
    let spread = detail.map(|detail| detail.resource.spread_seconds).unwrap_or(0);
    let view = session.view();
    let page = render::schedule(&operation.resource, schedule, spread, operation.created, &view);
    session.print(&page)?;
    Ok(exit::OK)
}

pub(super) fn conclude(session: &mut Session<'_, '_>, accepted: Accepted) -> Done {
    let accepted = awaited(session, accepted)?;
    report(session, &accepted)
}
