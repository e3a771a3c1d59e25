//! Taking back what has not begun.

use super::take;
use crate::support::simulated::{Scene, day, name, selector};
use heptad::domain::agenda::Outcome;
use heptad::domain::event::{Denied, Firm, Request};
use heptad::domain::operation::{Fault, Operation, OperationId, State};
use jiff::SignedDuration;

fn cancel(operation: OperationId) -> Request {
    Request::Cancel { operation }
}

fn is_cancelled(operation: &Operation) -> bool {
    matches!(&operation.state, State::Failed(why) if why.fault == Fault::Cancelled)
}

/// One that is busy with the first of two takings.
fn busy() -> (Scene, OperationId, OperationId) {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "12:00"));
    let first = scene.machine.ask(take("first")).unwrap().id;
    let second = scene.machine.ask(take("second")).unwrap().id;
    (scene, first, second)
}

#[test]
fn what_waits_is_taken_back_and_its_name_is_free_and_what_has_begun_goes_on() {
    let (mut scene, first, second) = busy();
    let taken_back = scene.machine.ask(cancel(second)).unwrap();
    assert!(is_cancelled(&taken_back), "{taken_back:?}");
    // Who lost the answer asks once more.
    assert_eq!(scene.machine.ask(cancel(second)).unwrap().id, taken_back.id);
    let begun = scene.machine.ask(cancel(first)).unwrap_err();
    assert_eq!(begun, Denied::NotCancelled { operation: first, why: Firm::Begun });
    let none = OperationId(99_999);
    let unknown = scene.machine.ask(cancel(none)).unwrap_err();
    assert_eq!(unknown, Denied::NoSuchOperation { operation: none });
    scene.machine.ask(take("second")).unwrap();
    scene.machine.settle();
    let labels = scene.labels();
    assert!(["first", "second"].iter().all(|name| labels.contains(&(*name).to_owned())));
    scene.no_violations();
}

#[test]
fn a_crash_brings_back_nothing_that_was_taken_back() {
    let (mut scene, _, second) = busy();
    scene.machine.ask(cancel(second)).unwrap();
    scene.cut(SignedDuration::from_mins(1));
    scene.run_to(&day(3, "13:00"));
    assert!(!scene.labels().contains(&"second".to_owned()), "{:?}", scene.labels());
    scene.no_violations();
}

#[test]
fn a_slot_that_is_taken_back_is_skipped_and_not_tried_again_that_day() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "05:59"));
    scene.machine.ask(take("first")).unwrap();
    // The slot falls due while that is under way.
    scene.machine.advance(SignedDuration::from_mins(1));
    let ledger = scene.machine.keeper().ledger();
    let due = scene.slot("2026-01-03").operation.unwrap();
    let waits = ledger.operations[&due].state == State::Queued;
    assert!(waits, "{:?}", ledger.operations[&due]);
    scene.machine.ask(cancel(due)).unwrap();
    scene.run_to(&day(3, "23:00"));
    let record = scene.slot("2026-01-03");
    let want = Outcome::Skipped("cancelled by uid 1000".into());
    assert_eq!((record.outcome, record.attempts), (Some(want), 1));
    assert!(!scene.alarms().contains(&"slot-lost"), "{:?}", scene.alarms());
    scene.run_to(&day(4, "12:00"));
    assert_eq!(scene.slot("2026-01-04").outcome, Some(Outcome::Complete));
    scene.no_violations();
}

#[test]
fn with_a_rollback_goes_the_snapshot_that_was_to_be_taken_before() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "12:00"));
    scene.machine.ask(take("first")).unwrap();
    let to = selector("web@latest");
    let rollback = Request::Rollback { resource: name("web"), to, safety: None };
    let rollback = scene.machine.ask(rollback).unwrap().id;
    scene.machine.ask(cancel(rollback)).unwrap();
    scene.machine.settle();
    let safety = |label: &String| label.contains("before-rollback");
    assert!(!scene.labels().iter().any(safety), "{:?}", scene.labels());
    scene.no_violations();
}
