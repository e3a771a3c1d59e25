//! Forgetting a resource: what becomes of its snapshots is said, and a last one offered.

use super::asking::{answer, ask, may_ask};
use super::destroy::until;
use super::error::CtlError;
use super::follow::{awaited, report};
use super::render::{self, Page, Span, units};
use super::session::{Done, Session};
use crate::api::wire::{ForgetBody, Leftovers, Origin, ResourceDetail, Snapshot, SnapshotsQuery};

pub(super) fn forget(
    session: &mut Session<'_, '_>,
    resource: &str,
    mut body: ForgetBody,
    yes: bool,
) -> Done {
    may_ask(session, yes)?;
    if !yes {
        // Refused with a way out before anything is asked.
        let detail = session.client.resource(resource)?;
        let rehearsal = session.client.rehearsal();
        let skip_final = body.last.is_none();
        rehearsal.forget(resource, &ForgetBody { skip_final, ..body.clone() })?;
        let query = SnapshotsQuery {
            resource: Some(resource.into()),
            origin: Some(Origin::Automatic),
            ..SnapshotsQuery::default()
        };
        let going = session.client.snapshots(&query)?.snapshots;
        if body.last.is_none() && !body.skip_final {
            farewell(session, &detail, &mut body)?;
            // The name may be taken.
            rehearsal.forget(resource, &body)?;
        }
        let page = outcome(session, &detail, &going, &body);
        ask(session, page, &format!("Forget {resource}?"))?;
    }
    let accepted = session.client.forget(resource, &body)?;
    let accepted = awaited(session, accepted)?;
    report(session, &accepted)
}

/// What becomes of everything.
fn outcome(
    session: &mut Session<'_, '_>,
    detail: &ResourceDetail,
    going: &[Snapshot],
    body: &ForgetBody,
) -> Page {
    let resource = &detail.resource.name;
    let view = session.view();
    let mut page = view.page();
    let manual = detail.resource.counts.manual;
    match (body.automatic, going.len() as u64) {
        (_, 0) => page.prose(0, &Span::plain("It has no automatic snapshots.")),
        (Leftovers::Keep, number) => {
            let (count, stay) = staying(number, "automatic", resource);
            let them = if number == 1 { "it" } else { "them" };
            let text = format!("{count} {stay}; nothing rotates {them} out.");
            page.prose(0, &Span::plain(text));
        }
        (Leftovers::Trash, _) => {
            page = render::gone(going, &view);
            page.gap();
            page.prose(0, &Span::plain(until(false, &view)));
        }
    }
    if manual > 0 {
        let (count, stay) = staying(manual, "manual", resource);
        page.prose(0, &Span::plain(format!("{count} {stay}.")));
    }
    if let Some(name) = &body.last {
        page.prose(0, &Span::plain(format!("A last one is taken before: {name}.")));
    }
    page.prose(0, &Span::plain("heptad will not miss it any more: its alarms end."));
    page
}

/// `2 manual snapshots of www`, `stay`.
fn staying(number: u64, origin: &str, resource: &str) -> (String, &'static str) {
    let count = units::count(number, &format!("{origin} snapshot"));
    (format!("{count} of {resource}"), if number == 1 { "stays" } else { "stay" })
}

/// Offers a last snapshot of an instance or a database that is there still.
fn farewell(
    session: &mut Session<'_, '_>,
    detail: &ResourceDetail,
    body: &mut ForgetBody,
) -> Result<(), CtlError> {
    let resource = &detail.resource;
    if resource.kind == "disk" {
        return Ok(());
    }
    let name = format!("{}-final", resource.name);
    let page = session.view().page();
    let prompt = format!("Name of a last snapshot, taken before [{name}; a dash for none]: ");
    let said = answer(session, page, &render::text::clean(&prompt))?;
    match said.as_str() {
        "-" => body.skip_final = true,
        "" => body.last = Some(name),
        _ => body.last = Some(said),
    }
    Ok(())
}
