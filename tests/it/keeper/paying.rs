//! Whether time has passed is not for the wall clock to say: what lets old snapshots go.

use crate::support::simulated::{Scene, at, day, name};
use heptad::domain::request::Request;
use jiff::SignedDuration;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Seven real days, and from then on nobody vouches for the clock.
fn a_week(synchronised: bool) -> Scene {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(7, "12:00"));
    scene.machine.set_clock(at(&day(7, "12:00")), synchronised);
    scene.machine.settle();
    scene
}

fn has_the_real_week(scene: &Scene) {
    let labels = scene.live_labels();
    for n in 1..=7 {
        let label = format!("web@{}", &day(n, "00:00")[..10]);
        assert!(labels.contains(&label), "{label} is gone: {labels:?}");
    }
}

#[test]
fn a_clock_that_is_set_ahead_day_by_day_rotates_nothing_out() {
    let mut scene = a_week(false);
    for n in 8..=17 {
        scene.machine.set_clock(at(&day(n, "12:00")), false);
        scene.machine.settle();
        scene.machine.sweep();
        scene.machine.settle();
    }
    assert_eq!(scene.labels().len(), 17, "each day has one");
    has_the_real_week(&scene);
    assert_eq!(scene.alarms(), ["clock-unsynchronised"]);
    scene.no_violations();
}

#[test]
fn restarts_under_a_clock_that_is_a_day_further_each_time_rotate_nothing_out() {
    let mut scene = a_week(false);
    for _ in 0..8 {
        scene.cut(DAY);
        scene.machine.settle();
        scene.machine.advance(SignedDuration::from_mins(6));
        scene.machine.settle();
    }
    assert_eq!(scene.labels().len(), 15);
    has_the_real_week(&scene);
    scene.no_violations();
}

#[test]
fn a_laptop_that_is_on_for_an_hour_a_day_keeps_seven_under_a_synchronised_clock() {
    let mut scene = a_week(true);
    for _ in 0..10 {
        scene.cut(DAY.saturating_sub(HOUR));
        let until = scene.machine.now().saturating_add(HOUR).unwrap();
        scene.machine.run(until);
    }
    assert_eq!(scene.labels().len(), 7);
    assert_eq!(scene.alarms(), [""; 0]);
    scene.no_violations();
}

#[test]
fn a_host_that_never_synchronises_keeps_seven_while_it_runs_or_sleeps() {
    let ways: [fn(&mut Scene, &str); 2] = [
        |scene, until| scene.run_to(until),
        |scene, until| {
            scene.machine.settle();
            scene.machine.sleep(DAY.saturating_sub(HOUR));
            scene.run_to(until);
        },
    ];
    for pass in ways {
        let mut scene = a_week(false);
        for n in 8..=17 {
            pass(&mut scene, &day(n, "12:00"));
        }
        assert_eq!(scene.labels().len(), 7);
        assert_eq!(scene.alarms(), [""; 0]);
        scene.no_violations();
    }
}

#[test]
fn one_that_never_synchronises_and_is_mostly_off_keeps_more_says_why_and_loses_none() {
    let mut scene = a_week(false);
    for _ in 0..10 {
        scene.cut(DAY.saturating_sub(HOUR));
        let until = scene.machine.now().saturating_add(HOUR).unwrap();
        scene.machine.run(until);
    }
    assert!(scene.labels().len() > 12, "{:?}", scene.labels());
    assert_eq!(scene.alarms(), ["clock-unsynchronised"]);
    // A person vouches, or a time server does.
    scene.machine.ask(Request::Rotate { resource: name("web") }).unwrap();
    scene.machine.settle();
    assert_eq!(scene.live_labels().len(), 7);
    assert_eq!(scene.alarms(), [""; 0]);
    scene.no_violations();
}

#[test]
fn the_trash_is_not_emptied_by_sleep() {
    let mut scene = a_week(true);
    let snapshot = "web@2026-01-03".parse().unwrap();
    scene.machine.ask(Request::Delete { snapshot, now: false }).unwrap();
    scene.machine.settle();
    let there = |scene: &Scene| scene.labels().contains(&"web@2026-01-03".to_owned());
    scene.machine.sleep(DAY * 3);
    scene.machine.settle();
    assert!(there(&scene), "it lay there for no time at all");
    let until = scene.machine.now().saturating_add(DAY).unwrap();
    scene.machine.run(until);
    scene.machine.settle();
    assert!(!there(&scene));
}
