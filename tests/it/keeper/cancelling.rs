//! Taking back what has not begun, and what has.

use super::take;
use crate::support::simulated::{Scene, day, name, selector, snapshot_name};
use heptad::daemon::simulate::Moment;
use heptad::domain::denied::{Denied, Firm};
use heptad::domain::event::Event;
use heptad::domain::id::OperationId;
use heptad::domain::new_resource::NewResource;
use heptad::domain::operation::{Fault, Operation, State};
use heptad::domain::request::Request;
use heptad::domain::slot_record::Outcome;
use heptad::domain::snapshot::Health;
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
fn what_waits_is_taken_back_and_its_name_is_free() {
    let (mut scene, _, second) = busy();
    let taken_back = scene.machine.ask(cancel(second)).unwrap();
    assert!(is_cancelled(&taken_back), "{taken_back:?}");
    // Who lost the answer asks once more.
    assert_eq!(scene.machine.ask(cancel(second)).unwrap().id, taken_back.id);
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

/// What was asked for, under way; the simulated act heeds the wish that it stops as `heeds` says.
struct UnderWay {
    scene: Scene,
    id: OperationId,
}

/// When an act hears of the wish, by the number of its operation.
const AT_ONCE: u64 = 0;
const IN_THE_MIDDLE: u64 = 1;
const TOO_LATE: u64 = 2;

impl UnderWay {
    fn new(request: &Request, heeds: u64) -> Self {
        let mut scene = Scene::daily("06:00");
        scene.run_to(&day(3, "12:00"));
        // A number of an operation costs nothing.
        let before = u64::from(matches!(request, Request::Rollback { .. }));
        while (scene.machine.keeper().ledger().next_operation.0 + before) % 3 != heeds {
            scene.machine.ask(Request::Reset { resource: name("web") }).unwrap();
        }
        let id = scene.machine.ask(request.clone()).unwrap().id;
        let mut under_way = Self { scene, id };
        // Whatever is to be taken before it.
        while under_way.operation().state == State::Queued {
            assert!(under_way.scene.machine.step());
        }
        under_way
    }

    fn operation(&self) -> Operation {
        (*self.scene.machine.keeper().ledger().operations[&self.id]).clone()
    }

    fn cancel(&mut self) -> Operation {
        self.scene.machine.ask(cancel(self.id)).unwrap()
    }

    fn has(&self, label: &str) -> bool {
        self.scene.labels().contains(&label.to_owned())
    }
}

fn create() -> Request {
    let draft = NewResource::at(name("copy"), "/srv/copy");
    Request::Create { from: selector("web@latest"), draft: Box::new(draft) }
}

fn keep() -> Request {
    let (from, name) = (selector("web@latest"), snapshot_name("golden"));
    Request::Keep { from, name, tags: Default::default() }
}

fn roll_back() -> Request {
    let safety = Some(snapshot_name("safe"));
    Request::Rollback { resource: name("web"), to: selector("web@latest"), safety }
}

#[test]
fn what_is_under_way_stops_where_it_still_can_and_is_called_what_it_was() {
    for (request, made) in
        [(take("golden"), "golden"), (keep(), "golden"), (create(), ""), (roll_back(), "")]
    {
        for heeds in [AT_ONCE, IN_THE_MIDDLE, TOO_LATE] {
            let mut act = UnderWay::new(&request, heeds);
            let asked = act.cancel();
            assert_eq!((asked.state, asked.cancel_asked_by), (State::Running, Some(1000)));
            // Who lost the answer asks once more.
            assert_eq!(act.cancel().cancel_asked_by, Some(1000));
            act.scene.machine.settle();
            let (ended, what) = (act.operation(), format!("{request:?} {heeds}"));
            let is_done = heeds == TOO_LATE;
            if is_done {
                assert_eq!(ended.state, State::Succeeded, "{what}");
                let over = act.scene.machine.ask(cancel(act.id)).unwrap_err();
                assert_eq!(over, Denied::NotCancelled { operation: act.id, why: Firm::Over });
            } else {
                assert!(is_cancelled(&ended), "{what}: {ended:?}");
            }
            let world = act.scene.machine.disk.world();
            assert_eq!(
                world.restored.len(),
                usize::from(is_done && matches!(request, Request::Create { .. })),
                "{what}"
            );
            let turned = world.lives[&name("web")].turned.is_some();
            assert_eq!(turned, is_done && matches!(request, Request::Rollback { .. }), "{what}");
            drop(world);
            if !made.is_empty() {
                assert_eq!(act.has(made), is_done, "{what}");
            }
            let half = act.scene.account().snapshots.values().any(|s| s.health == Health::Taking);
            assert!(!half, "{what}");
            // The lane goes on.
            act.scene.machine.ask(take("next")).unwrap();
            act.scene.machine.settle();
            assert!(act.has("next"), "{what}");
            act.scene.no_violations();
        }
    }
}

#[test]
fn what_was_wished_away_is_not_begun_again_after_a_crash() {
    for request in [take("golden"), keep(), create(), roll_back()] {
        for moment in [Moment::Between, Moment::InTheAct] {
            let mut act = UnderWay::new(&request, IN_THE_MIDDLE);
            act.cancel();
            act.scene.machine.cut(moment, SignedDuration::from_mins(1));
            let what = format!("{request:?} {moment:?}");
            assert_eq!(act.operation().cancel_asked_by, Some(1000), "{what}");
            act.scene.machine.settle();
            let ended = act.operation();
            // Cut in the act, the simulated rollback is past its point of no return.
            let is_past =
                matches!((&request, moment), (Request::Rollback { .. }, Moment::InTheAct));
            match is_past {
                true => assert_eq!(ended.state, State::Succeeded, "{what}"),
                false => assert!(is_cancelled(&ended), "{what}: {ended:?}"),
            }
            assert!(!act.has("golden") && act.scene.machine.disk.world().restored.is_empty());
            let objects = act.scene.machine.disk.world().objects.len();
            assert_eq!(
                objects,
                act.scene.account().snapshots.len(),
                "{what}: nothing is left of it"
            );
            act.scene.no_violations();
        }
    }
}

#[test]
fn what_was_made_before_a_crash_is_not_told_to_be_cancelled() {
    let mut act = UnderWay::new(&take("golden"), TOO_LATE);
    act.cancel();
    // It is whole, and nobody heard of it.
    assert!(act.scene.machine.step());
    act.scene.cut(SignedDuration::from_mins(1));
    act.scene.machine.settle();
    assert_eq!(act.operation().state, State::Succeeded);
    assert!(act.has("golden"));
    act.scene.no_violations();
}

#[test]
fn what_a_crash_cut_off_can_be_wished_away_before_it_is_begun_again() {
    let mut act = UnderWay::new(&take("golden"), IN_THE_MIDDLE);
    act.scene.machine.cut(Moment::InTheAct, SignedDuration::from_mins(1));
    act.cancel();
    act.scene.machine.settle();
    assert!(is_cancelled(&act.operation()), "{:?}", act.operation());
    assert!(!act.has("golden"));
    assert_eq!(act.scene.machine.disk.world().objects.len(), act.scene.account().snapshots.len());
    act.scene.no_violations();
}

#[test]
fn a_slot_whose_snapshot_is_stopped_is_skipped_and_not_tried_again_that_day_crash_or_not() {
    for crash in [false, true] {
        for fault in [None, Some(Fault::NoSpace), Some(Fault::Absent)] {
            let mut scene = Scene::daily("06:00");
            scene.run_to(&day(3, "05:59"));
            scene.machine.advance(SignedDuration::from_mins(1));
            let due = scene.slot("2026-01-03").operation.unwrap();
            let begun = scene.machine.keeper().ledger().operations[&due].state == State::Running;
            assert!(begun, "{due:?}");
            // It fails by itself before it hears of the wish.
            scene.machine.disk.world().faults.extend(fault.filter(|_| !crash).map(Some));
            scene.machine.ask(cancel(due)).unwrap();
            if crash {
                scene.machine.cut(Moment::InTheAct, SignedDuration::from_mins(1));
            }
            scene.run_to(&day(3, "23:00"));
            let record = scene.slot("2026-01-03");
            let want = Outcome::Skipped("cancelled by uid 1000".into());
            if record.outcome == Some(Outcome::Complete) {
                assert!(!crash && due.0 % 3 == TOO_LATE && fault.is_none(), "{record:?}");
                continue;
            }
            assert_eq!((record.outcome, record.attempts), (Some(want), 1), "{crash} {fault:?}");
            assert!(!scene.alarms().contains(&"slot-lost"), "{:?}", scene.alarms());
            scene.run_to(&day(4, "12:00"));
            assert_eq!(scene.slot("2026-01-04").outcome, Some(Outcome::Complete));
            scene.no_violations();
        }
    }
}

#[test]
fn a_rollback_that_is_stopped_keeps_the_snapshot_of_before_and_says_so() {
    let mut act = UnderWay::new(&roll_back(), IN_THE_MIDDLE);
    act.cancel();
    act.scene.machine.settle();
    let State::Failed(failure) = act.operation().state else { panic!("{:?}", act.operation()) };
    assert_eq!(
        failure.message,
        "cancelled by uid 1000; safe, taken before, stays: `heptactl delete safe` removes it"
    );
    assert!(act.has("safe"));
}

#[test]
fn with_a_rollback_stops_the_snapshot_that_is_being_taken_before_it() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "12:00"));
    let rollback = scene.machine.ask(roll_back()).unwrap().id;
    let before = scene.account().running.unwrap();
    scene.machine.ask(cancel(rollback)).unwrap();
    let operations = &scene.machine.keeper().ledger().operations;
    assert!(is_cancelled(&operations[&rollback]));
    assert_eq!(operations[&before].cancel_asked_by, Some(1000));
    scene.no_violations();
}

#[test]
fn what_cannot_be_stopped_in_the_middle_goes_on() {
    let latest = || selector("web@latest");
    for request in [
        Request::Delete { snapshot: latest(), now: true },
        Request::Delete { snapshot: latest(), now: false },
        Request::Rotate { resource: name("web") },
    ] {
        let mut act = UnderWay::new(&request, AT_ONCE);
        let begun = act.scene.machine.ask(cancel(act.id)).unwrap_err();
        assert_eq!(begun, Denied::NotCancelled { operation: act.id, why: Firm::Begun });
        act.scene.machine.settle();
        assert_eq!(act.operation().state, State::Succeeded, "{request:?}");
    }
    let mut scene = Scene::daily("06:00");
    scene.machine.turn(Event::Sweep);
    let look = scene.account().running.unwrap();
    let own = scene.machine.ask(cancel(look)).unwrap_err();
    assert_eq!(own, Denied::NotCancelled { operation: look, why: Firm::Own });
}
