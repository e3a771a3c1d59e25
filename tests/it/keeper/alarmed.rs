//! What is in alarm at once, since waiting mends nothing.

use super::promises::{alarms, ask, disable, enable, moment};
use crate::support::simulated::{Scene, day, name, selector};
use heptad::domain::account::Barred;
use heptad::domain::alarm::{self, Alarm};
use heptad::domain::event::Event;
use heptad::domain::operation::{Fault, State};
use heptad::domain::request::Request;
use heptad::domain::snapshot::Part;

fn raised(scene: &Scene) -> Vec<Alarm> {
    alarm::alarms(scene.machine.keeper().ledger(), scene.account(), &moment(scene))
}

#[test]
fn what_no_later_try_can_mend_is_an_alarm_at_once() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "07:00"));
    scene.machine.disk.world().faults.extend(vec![Some(Fault::Permanent); 500]);
    scene.run_to(&day(4, "06:00"));
    assert_eq!(alarms(&scene), ["slot-lost"]);
    let hint = raised(&scene).remove(0).hint;
    assert!(hint.starts_with("mend that before the next try, 2026-01-04 06:01"), "{hint}");
    scene.machine.disk.world().faults.clear();
    scene.run_to(&day(4, "06:30"));
    assert_eq!(alarms(&scene), [""; 0]);
}

#[test]
fn what_the_daemon_is_not_allowed_is_an_alarm_before_anything_is_due() {
    let mut scene = Scene::daily("06:00");
    let barred = || {
        let (why, way_out) = ("heptad is not allowed CAP_SETUID".into(), "`install …`".into());
        Event::Barred([("web".parse().unwrap(), Barred { why, way_out })].into())
    };
    scene.machine.turn(barred());
    assert_eq!(alarms(&scene), ["not-allowed"]);
    let alarm = raised(&scene).remove(0);
    assert!(alarm.sentence.contains("heptad is not allowed CAP_SETUID"), "{alarm:?}");
    assert_eq!(alarm.hint, "`install …`");
    // Nobody waits for a snapshot of it.
    ask(&mut scene, disable());
    assert_eq!(alarms(&scene), [""; 0]);
    ask(&mut scene, enable());
    assert_eq!(alarms(&scene), ["not-allowed"]);
    scene.machine.turn(Event::Barred(Default::default()));
    assert_eq!(alarms(&scene), [""; 0]);
}

fn by_hand() -> Request {
    Request::Take { resource: name("web"), name: None, tags: Default::default(), part: Part::Whole }
}

#[test]
fn what_was_made_anew_is_doubted_by_the_taking_that_saw_it_and_accepted_at_once() {
    // With a taking that fails before, and without.
    for tried in [true, false] {
        let mut scene = Scene::daily("06:00");
        scene.run_to(&day(3, "07:00"));
        scene.live().identity = Some("disk-2".into());
        if tried {
            ask(&mut scene, by_hand());
            assert_eq!(alarms(&scene), ["identity-changed"]);
            let alarm = raised(&scene).remove(0);
            assert!(alarm.hint.contains("`heptactl acknowledge web`"), "{alarm:?}");
        }
        ask(&mut scene, Request::Acknowledge { resource: name("web") });
        assert_eq!(alarms(&scene), [""; 0], "tried before: {tried}");
        assert_eq!(scene.account().identity.as_deref(), Some("disk-2"));
        ask(&mut scene, by_hand());
        scene.no_violations();
    }
}

#[test]
fn a_wrong_disk_that_is_away_again_is_not_accepted_and_not_in_alarm() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "07:00"));
    scene.live().identity = Some("disk-2".into());
    ask(&mut scene, by_hand());
    assert_eq!(alarms(&scene), ["identity-changed"]);
    scene.live().identity = Some("disk-1".into());
    // Who looks has it looked at again; who says that it is right sees what is there now.
    let mut other = Scene { machine: scene.machine.fork() };
    other.machine.disk = scene.machine.disk.fork();
    scene.machine.turn(Event::Look);
    scene.machine.settle();
    assert_eq!(alarms(&scene), [""; 0]);
    let acknowledge = Request::Acknowledge { resource: name("web") };
    let asked = other.machine.ask(acknowledge).unwrap().id;
    other.machine.settle();
    let state = &other.machine.keeper().ledger().operations[&asked].state;
    assert!(matches!(state, State::Failed(_)), "{state:?}");
    assert_eq!(other.account().identity.as_deref(), Some("disk-1"));
    assert_eq!(alarms(&other), [""; 0]);
}

#[test]
fn a_rollback_goes_by_what_is_there_when_its_turn_comes() {
    for away_again in [true, false] {
        let mut scene = Scene::daily("06:00");
        scene.run_to(&day(3, "07:00"));
        scene.live().identity = Some("disk-2".into());
        ask(&mut scene, by_hand());
        assert_eq!(alarms(&scene), ["identity-changed"]);
        if away_again {
            scene.live().identity = Some("disk-1".into());
        }
        let to = selector("web@2026-01-02");
        let rollback = Request::Rollback { resource: name("web"), to, safety: None };
        let asked = scene.machine.ask(rollback).unwrap().id;
        scene.machine.settle();
        let state = &scene.machine.keeper().ledger().operations[&asked].state;
        assert_eq!(*state == State::Succeeded, away_again, "{state:?}");
        assert_eq!(scene.live().turned.is_some(), away_again);
        scene.no_violations();
    }
}

#[test]
fn what_waiting_does_not_mend_is_in_alarm_after_a_try_by_hand() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "07:00"));
    // The first act is a listing.
    scene.machine.disk.world().faults = [None, Some(Fault::Permanent)].into();
    ask(&mut scene, by_hand());
    assert_eq!(alarms(&scene), ["trouble"]);
    let alarm = raised(&scene).remove(0);
    assert!(alarm.sentence.starts_with("the last snapshot by hand failed: "), "{alarm:?}");
    ask(&mut scene, by_hand());
    assert_eq!(alarms(&scene), [""; 0]);
}

#[test]
fn what_is_away_is_told_in_the_words_of_who_looked() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "07:00"));
    scene.live().identity = None;
    scene.machine.sweep();
    scene.machine.settle();
    assert_eq!(alarms(&scene), ["trouble"]);
    let alarm = raised(&scene).remove(0);
    assert_eq!(alarm.sentence, "looking at it: it is not there");
    assert!(alarm.hint.contains("`heptactl rollback web --to web@2026-01-03`"), "{alarm:?}");
}
