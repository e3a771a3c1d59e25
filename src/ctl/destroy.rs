//! Deleting snapshots: what goes is named, and somebody asked.

use super::asking::{ask, may_ask};
use super::error::CtlError;
use super::follow::{awaited, report};
use super::output::each;
use super::render::{self, Span, View, units};
use super::session::{Done, Session};
use crate::api::wire::{Fate, OperationState, Snapshot, SnapshotState};
use jiff::SignedDuration;

/// How long the trash holds a snapshot, counted while heptad runs (the design's section 2.2).
const TRASH: SignedDuration = SignedDuration::from_hours(24);

pub(super) fn delete(
    session: &mut Session<'_, '_>,
    names: &[String],
    now: bool,
    yes: bool,
) -> Done {
    may_ask(session, yes)?;
    let mut going: Vec<Snapshot> = Vec::new();
    for name in names {
        let found = session.client.snapshot(name)?;
        if going.iter().all(|snapshot| snapshot.id != found.id) {
            going.push(found);
        }
    }
    let mut refused = false;
    if !yes {
        let all = going.len();
        going = possible(session, &going, now)?;
        refused = going.len() < all;
        let view = session.view();
        let mut page = render::gone(&going, &view);
        page.gap();
        let gone = going.iter().all(|snapshot| snapshot.state == SnapshotState::Missing);
        let end = match gone {
            true => "Its backend has it no more: it is only taken off the list.".into(),
            false => until(now, &view),
        };
        page.prose(0, &Span::plain(end));
        let question = match going.len() as u64 {
            1 => "Delete this snapshot?".to_owned(),
            number => format!("Delete these {}?", units::count(number, "snapshot")),
        };
        ask(session, page, &question)?;
    }
    // By the labels that were shown: `latest` may mean another one by now.
    match each(session, &going, |session, snapshot| one(session, snapshot, now)) {
        Ok(_) if refused => Err(CtlError::Partly),
        done => done,
    }
}

/// Those that may go; why the others may not is told before anything is asked.
fn possible(
    session: &mut Session<'_, '_>,
    going: &[Snapshot],
    now: bool,
) -> Result<Vec<Snapshot>, CtlError> {
    let (rehearsal, mut possible) = (session.client.rehearsal(), Vec::new());
    let asked = each(session, going, |_, snapshot| {
        rehearsal.delete(&snapshot.label, now)?;
        possible.push(snapshot.clone());
        Ok(())
    });
    match asked {
        Err(CtlError::Partly) if !possible.is_empty() => Ok(possible),
        asked => asked.map(|_| possible),
    }
}

/// What can be undone, and until when.
pub(super) fn until(now: bool, view: &View) -> String {
    if now {
        return "They are destroyed at once; nothing brings them back.".into();
    }
    let end = view.now.saturating_add(TRASH).unwrap_or(view.now);
    let end = view.wall(end);
    format!(
        "They go into the trash. `heptactl undelete` brings them back for {} of heptad's \
         running time, so at least until {end}.",
        units::span(TRASH.as_secs())
    )
}

fn one(session: &mut Session<'_, '_>, snapshot: &Snapshot, now: bool) -> Result<(), CtlError> {
    let accepted = session.client.delete(&snapshot.label, now)?;
    let mut accepted = awaited(session, accepted)?;
    if !session.global.json {
        // Once it is gone the daemon has only its number.
        accepted.operation.snapshot = Some(snapshot.label.clone());
    }
    let settled = !accepted.operation.state.is_open();
    if snapshot.state == SnapshotState::Missing && settled && !session.global.json {
        let done = accepted.operation.state == OperationState::Succeeded;
        if done && !session.global.quiet {
            let label = &snapshot.label;
            let why = "it was gone already, so nothing brings it back";
            return session.say(&format!("{label}: taken off the list; {why}"));
        }
    }
    if now || !settled || session.global.json || session.global.quiet {
        return report(session, &accepted).map(|_| ());
    }
    let left = session.client.snapshot(&snapshot.label).ok();
    let left = left.filter(|left| left.fate == Fate::Trashed);
    let left = left.and_then(|left| left.trash_seconds_left);
    let time = left.map(|left| format!(" within {} of heptad's running time", units::span(left)));
    let (label, time) = (&snapshot.label, time.unwrap_or_default());
    let done = render::ending(&accepted.operation);
    session.say(&format!("{done}; `heptactl undelete {label}` brings it back{time}"))?;
    let mut page = session.view().page();
    accepted.operation.output.lines().for_each(|line| page.prose(2, &Span::plain(line)));
    session.note(&page)
}
