//! From a cron expression to a time of day and back: what rules, and what rotation leaves alone.

use super::promises::ask;
use crate::support::simulated::{Scene, day, name, resource, selector, snapshot_name};
use heptad::domain::operation::State;
use heptad::domain::policy::When;
use heptad::domain::request::Request;
use heptad::domain::resource::Resource;
use jiff::SignedDuration;

fn cron(text: &str) -> Resource {
    let mut declared = resource("web", "06:00");
    declared.policy.rhythm.when = When::Cron(text.parse().unwrap());
    declared
}

fn configure(scene: &mut Scene, declared: Resource) {
    scene.machine.configure(vec![declared]);
    scene.machine.settle();
}

fn days(scene: &Scene) -> Vec<String> {
    let all = scene.live_labels().into_iter();
    all.filter_map(|label| label.strip_prefix("web@2026-01-").map(str::to_owned))
        .filter(|label| label.len() == 2)
        .collect()
}

/// A week of days, and then an hour of five minutes.
fn slipped() -> Scene {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(9, "12:00"));
    assert_eq!(days(&scene), ["03", "04", "05", "06", "07", "08", "09"]);
    configure(&mut scene, cron("*/5 * * * *"));
    assert_eq!(scene.alarms(), ["rhythm-denser"], "before anything goes");
    scene.run_to(&day(9, "12:59"));
    assert_eq!(days(&scene).len(), 7, "{:?}", scene.labels());
    assert_eq!(scene.labels().len(), 14, "those of the minutes make way for each other");
    scene
}

#[test]
fn a_slip_of_the_pen_that_is_mended_costs_none_of_the_seven() {
    let mut scene = slipped();
    configure(&mut scene, resource("web", "06:00"));
    let minutes = scene.labels().len();
    scene.run_to(&day(9, "23:59"));
    assert_eq!(scene.labels().len(), minutes, "the old rhythm ended at once");
    assert_eq!(scene.alarms(), [""; 0], "it mends itself");
    // Each new day takes the place of a minute; then the old days go, one by one.
    for n in 10..=16 {
        scene.cut(SignedDuration::ZERO);
        scene.run_to(&day(n, "12:00"));
        let old = days(&scene).iter().filter(|day| day.as_str() < "10").count();
        assert!(n == 16 || old == 7, "on day {n}: {:?}", scene.labels());
    }
    scene.run_to(&day(30, "12:00"));
    assert_eq!(days(&scene), ["24", "25", "26", "27", "28", "29", "30"]);
    assert_eq!(scene.labels().len(), 7);
    scene.no_violations();
}

#[test]
fn a_second_slip_holds_also_what_was_made_since_the_first() {
    let mut scene = slipped();
    configure(&mut scene, resource("web", "06:00"));
    scene.run_to(&day(14, "12:00"));
    configure(&mut scene, cron("* * * * *"));
    assert_eq!(scene.alarms(), ["rhythm-denser"]);
    let before = days(&scene);
    assert!(before.ends_with(&["14".to_owned()]), "{before:?}");
    scene.run_to(&day(14, "14:00"));
    assert_eq!(days(&scene), before);
    scene.no_violations();
}

#[test]
fn who_accepts_a_snapshot_has_not_said_that_the_days_may_go() {
    let acknowledge = Request::Acknowledge { resource: name("web") };
    let mut scene = slipped();
    scene.live().entries = 0;
    scene.run_to(&day(9, "13:07"));
    assert_eq!(scene.alarms(), ["suspect", "rhythm-denser"]);
    let said = scene.machine.ask(acknowledge.clone()).unwrap().output;
    assert!(said.contains("accepted: web@2026-01-09T13:05:00Z: it is empty"), "{said}");
    assert!(said.contains("still to be acknowledged: its denser rhythm"), "{said}");
    scene.machine.settle();
    assert_eq!(scene.alarms(), ["rhythm-denser"]);
    scene.run_to(&day(9, "14:00"));
    assert_eq!(days(&scene).len(), 7);
    ask(&mut scene, acknowledge);
    assert_eq!(scene.alarms(), [""; 0]);
}

#[test]
fn what_a_slower_rhythm_made_goes_when_a_person_says_so() {
    let acknowledge = Request::Acknowledge { resource: name("web") };
    let mut scene = slipped();
    ask(&mut scene, acknowledge.clone());
    assert_eq!(scene.alarms(), [""; 0]);
    scene.run_to(&day(9, "14:00"));
    assert_eq!((days(&scene).len(), scene.labels().len()), (0, 7), "{:?}", scene.labels());
    let asked = scene.machine.ask(acknowledge).unwrap().id;
    scene.machine.settle();
    let state = &scene.machine.keeper().ledger().operations[&asked].state;
    assert!(matches!(state, State::Failed(_)), "there is nothing more to say");
    scene.no_violations();

    let mut scene = slipped();
    ask(&mut scene, Request::Rotate { resource: name("web") });
    assert_eq!((days(&scene).len(), scene.live_labels().len()), (0, 7));
    assert_eq!(scene.labels().len(), 14, "by way of the trash");
    assert_eq!(scene.alarms(), [""; 0]);
    ask(&mut scene, Request::Undelete { snapshot: selector("web@2026-01-05") });
    assert_eq!(days(&scene), ["05"]);
    scene.no_violations();

    // A rotation that lets nothing go has not been one.
    let mut scene = slipped();
    scene.live().identity = None;
    scene.machine.ask(Request::Rotate { resource: name("web") }).unwrap();
    scene.machine.settle();
    scene.live().identity = Some("disk-1".into());
    scene.run_to(&day(9, "14:00"));
    assert_eq!(days(&scene).len(), 7);
}

#[test]
fn a_command_that_makes_the_rhythm_denser_asks_as_the_file_does() {
    // A time of day by command over a file that says a cron expression, which is reset.
    let mut scene = Scene::daily("06:00");
    ask(&mut scene, Request::SetTime { resource: name("web"), time: "07:00".parse().unwrap() });
    scene.run_to(&day(9, "12:00"));
    configure(&mut scene, cron("*/10 * * * *"));
    scene.run_to(&day(9, "14:00"));
    assert_eq!(scene.alarms(), [""; 0], "the time by command is in force");
    ask(&mut scene, Request::Reset { resource: name("web") });
    scene.run_to(&day(9, "18:00"));
    assert_eq!(days(&scene).len(), 7);
    assert_eq!(scene.alarms(), ["rhythm-denser"]);
    // Those by hand are no matter of rotation.
    let keep = Request::Keep {
        from: selector("web@2026-01-03"),
        name: snapshot_name("golden"),
        tags: Default::default(),
    };
    ask(&mut scene, keep);
    ask(&mut scene, Request::Acknowledge { resource: name("web") });
    scene.run_to(&day(10, "05:00"));
    assert_eq!(scene.labels().len(), 8, "{:?}", scene.labels());
    scene.no_violations();
}

#[test]
fn what_is_in_force_until_the_new_one_counts_is_told() {
    let mut scene = Scene::daily("20:00");
    scene.run_to(&day(3, "12:00"));
    let still = |scene: &Scene| {
        let still = scene.account().timeline.still(scene.machine.now());
        still.map(|(rhythm, until)| format!("{rhythm} {until}"))
    };
    assert_eq!(still(&scene), None);
    // A Saturday; the next Monday is the fifth.
    configure(&mut scene, cron("0 6 * * MON"));
    assert_eq!(still(&scene).as_deref(), Some("20:00 UTC 2026-01-03T20:00:00.000000001Z"));
    scene.run_to(&day(3, "21:00"));
    assert_eq!(still(&scene), None);
    scene.run_to(&day(6, "12:00"));
    assert_eq!(scene.labels().len(), 4, "{:?}", scene.labels());
    ask(&mut scene, Request::Disable { resource: name("web") });
    assert_eq!(still(&scene), None);
    scene.no_violations();
}
