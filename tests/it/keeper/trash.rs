//! What lies in the trash goes by the same rules at every try, and what could not go is owed.

use super::delete;
use crate::support::simulated::{Scene, at, day, name, resource, selector};
use heptad::domain::operation::{Act, Doom, Fault, State};
use heptad::domain::request::Request;
use heptad::domain::snapshot::{Fate, Seq};
use jiff::SignedDuration;

/// Seven days, of which two are to stay: what rotation threw away lies in the trash.
fn thrown() -> Scene {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(7, "12:00"));
    let mut lowered = resource("web", "06:00");
    lowered.policy.retention.latest = 2;
    scene.machine.configure(vec![lowered]);
    scene.run_to(&day(7, "12:10"));
    scene.machine.ask(Request::Rotate { resource: name("web") }).unwrap();
    scene.machine.settle();
    assert_eq!(scene.live_labels(), ["web@2026-01-06", "web@2026-01-07"]);
    scene
}

/// The trash is due, and the first try to empty it of the oldest fails.
fn failed_once(scene: &mut Scene) {
    scene.run_to(&day(8, "12:09"));
    // What looks first, and then the act.
    scene.machine.disk.world().faults.extend([None, Some(Fault::Busy)]);
    scene.machine.advance(SignedDuration::from_mins(2));
    scene.machine.settle();
    assert!(scene.account().snapshots[&Seq(1)].fate.is_doomed());
}

fn sweep(scene: &mut Scene) {
    scene.machine.sweep();
    scene.machine.settle();
}

#[test]
fn a_second_try_to_empty_the_trash_asks_what_the_first_asked() {
    // The source is away: nothing of it goes.
    let mut scene = thrown();
    failed_once(&mut scene);
    let identity = scene.live().identity.take();
    sweep(&mut scene);
    assert!(scene.labels().contains(&"web@2026-01-01".to_owned()), "the source is away");
    scene.live().identity = identity;
    // The newest is in doubt: what rotation threw away may be the last that is good.
    let mut scene = thrown();
    failed_once(&mut scene);
    scene.live().entries = 0;
    scene.run_to(&day(9, "06:30"));
    sweep(&mut scene);
    assert!(scene.labels().contains(&"web@2026-01-01".to_owned()), "in doubt");
    scene.cut(SignedDuration::ZERO);
    scene.machine.settle();
    sweep(&mut scene);
    assert!(scene.labels().contains(&"web@2026-01-01".to_owned()), "and after a restart");
    // It can still be had back.
    scene.machine.ask(Request::Undelete { snapshot: selector("web@2026-01-01") }).unwrap();
    scene.machine.settle();
    assert!(scene.live_labels().contains(&"web@2026-01-01".to_owned()));
    // Without doubt it goes with the second try.
    let mut scene = thrown();
    failed_once(&mut scene);
    sweep(&mut scene);
    assert!(!scene.labels().contains(&"web@2026-01-01".to_owned()));
    scene.no_violations();
}

#[test]
fn what_a_person_threw_away_goes_with_the_second_try_though_the_newest_is_in_doubt() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "12:00"));
    scene.machine.ask(delete("web@2026-01-02", false)).unwrap();
    scene.run_to(&day(4, "11:59"));
    scene.live().entries = 0;
    scene.machine.disk.world().faults.extend([None, Some(Fault::Busy)]);
    scene.machine.advance(SignedDuration::from_mins(2));
    scene.machine.settle();
    scene.run_to(&day(5, "12:00"));
    assert!(scene.account().doubt().is_some());
    sweep(&mut scene);
    assert!(!scene.labels().contains(&"web@2026-01-02".to_owned()));
}

#[test]
fn what_was_paid_for_and_could_not_go_is_owed_whatever_stopped_it() {
    // A destruction that waits behind a snapshot by hand, after which something else is in the
    // place of the source.
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(8, "05:59"));
    scene.machine.advance(SignedDuration::from_mins(1));
    scene.machine.ask(super::take("by-hand")).unwrap();
    let chosen = |scene: &Scene| {
        let mut open = scene.machine.keeper().ledger().open_operations();
        open.any(|o| matches!(o.act, Act::Destroy { why: Doom::Rotated { .. }, .. }))
    };
    while !chosen(&scene) {
        assert!(scene.machine.step());
    }
    assert_eq!(scene.account().credit, 0);
    // The taking of the other has begun; what comes back with it shows the stranger.
    scene.machine.step();
    scene.live().identity = Some("disk-2".into());
    scene.machine.settle();
    assert_eq!((scene.labels().len(), scene.account().credit), (9, 1), "{:?}", scene.labels());
    scene.live().identity = Some("disk-1".into());
    sweep(&mut scene);
    assert_eq!((scene.labels().len(), scene.account().credit), (8, 0), "{:?}", scene.labels());

    // A way into the trash that fails.
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(7, "12:00"));
    let mut lowered = resource("web", "06:00");
    lowered.policy.retention.latest = 5;
    scene.machine.configure(vec![lowered]);
    scene.run_to(&day(8, "05:59"));
    // The taking with its looks, and then two marks.
    let marks = [Some(Fault::Transient), Some(Fault::Permanent)];
    scene.machine.disk.world().faults.extend([None, None, None].into_iter().chain(marks));
    scene.run_to(&day(8, "06:10"));
    let trashed = |scene: &Scene| {
        let all = scene.account().snapshots.values();
        all.filter(|s| matches!(s.fate, Fate::Trashed { .. })).count()
    };
    assert_eq!((trashed(&scene), scene.account().credit), (0, 2), "{:?}", scene.account().payment);
    assert!(scene.account().payment.lowered, "by way of the trash, as before");
    sweep(&mut scene);
    assert_eq!((trashed(&scene), scene.account().credit), (2, 0));
    scene.no_violations();
}

#[test]
fn a_day_whose_snapshot_waits_for_a_long_operation_is_not_lost_at_midnight() {
    let begun = |time: &str| {
        let mut scene = Scene::daily(time);
        scene.run_to(&day(2, "23:40"));
        scene.machine.ask(super::take("by-hand")).unwrap();
        scene
    };
    let outcome = |scene: &Scene| {
        let outcome = scene.slot("2026-01-02").outcome;
        outcome.map(|outcome| (outcome.word(), outcome.reason().to_owned()))
    };
    // It runs until ten past midnight.
    let mut scene = begun("23:50");
    scene.machine.advance(SignedDuration::from_mins(10));
    scene.machine.advance(SignedDuration::from_mins(20));
    assert_eq!(outcome(&scene), None, "it waits");
    scene.machine.settle();
    assert_eq!(outcome(&scene), Some(("complete", String::new())));
    assert_eq!(scene.slot("2026-01-02").finished, Some(at(&day(3, "00:10"))));
    scene.run_to(&day(4, "12:00"));
    assert!(scene.labels().contains(&"web@2026-01-03".to_owned()));
    scene.no_violations();
    // Until after the next one is due: that takes its place.
    let mut scene = begun("23:50");
    scene.machine.advance(SignedDuration::from_mins(10));
    scene.machine.advance(SignedDuration::from_mins(24 * 60 + 5));
    scene.machine.settle();
    assert_eq!(outcome(&scene).unwrap().0, "skipped");
    assert!(scene.labels().contains(&"web@2026-01-03".to_owned()));
    scene.no_violations();
    // heptad was stopped meanwhile: only the current day is caught up.
    let mut scene = begun("23:50");
    scene.machine.advance(SignedDuration::from_mins(10));
    scene.cut(SignedDuration::from_hours(8));
    scene.machine.settle();
    assert_eq!(outcome(&scene).unwrap().0, "skipped");
    scene.no_violations();
}

#[test]
fn the_last_try_of_a_day_comes_before_it_ends() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "12:00"));
    scene.run_to(&day(4, "05:59"));
    scene.machine.disk.world().faults.extend(vec![Some(Fault::Transient); 500]);
    scene.run_to(&day(4, "23:45"));
    scene.machine.disk.world().faults.clear();
    let tried = scene.slot("2026-01-04").attempts;
    scene.run_to(&day(4, "23:51"));
    let record = scene.slot("2026-01-04");
    assert_eq!(record.attempts, tried + 1);
    assert_eq!(record.outcome.map(|outcome| outcome.word()), Some("complete"));
    let failed = |o: &heptad::domain::operation::Operation| matches!(o.state, State::Failed(_));
    assert!(scene.machine.keeper().ledger().operations.values().any(|o| failed(o)));
    scene.no_violations();
}
