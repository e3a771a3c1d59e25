//! What was promised comes, or has a record: off and on, changes, restarts around the time itself.

use crate::support::simulated::{Scene, at, day, name, resource};
use heptad::backend::fake::Live;
use heptad::daemon::simulate::Memory;
use heptad::domain::alarm;
use heptad::domain::forecast;
use heptad::domain::operation::{Fault, Leftovers};
use heptad::domain::policy::When;
use heptad::domain::request::{FinalSnapshot, Request};
use heptad::domain::resource::Resource;
use heptad::domain::slot_record::{Beginning, Outcome, Why};
use heptad::domain::view::Moment;
use jiff::SignedDuration;

pub(super) fn disable() -> Request {
    Request::Disable { resource: name("web") }
}

pub(super) fn enable() -> Request {
    Request::Enable { resource: name("web"), time: None }
}

pub(super) fn set_time(time: &str) -> Request {
    Request::SetTime { resource: name("web"), time: time.parse().unwrap() }
}

fn enable_at(time: &str) -> Request {
    Request::Enable { resource: name("web"), time: Some(time.parse().unwrap()) }
}

fn with_cron(text: &str) -> Resource {
    let mut declared = resource("web", "06:00");
    declared.policy.rhythm.when = When::Cron(text.parse().unwrap());
    declared
}

fn switched_off() -> Resource {
    let mut declared = resource("web", "06:00");
    declared.policy.enabled = false;
    declared
}

pub(super) fn ask(scene: &mut Scene, request: Request) {
    scene.machine.ask(request).unwrap();
    scene.machine.settle();
}

fn configure(scene: &mut Scene, resources: Vec<Resource>) {
    scene.machine.configure(resources);
    scene.machine.settle();
}

pub(super) fn moment(scene: &Scene) -> Moment {
    let (started, settled) = scene.machine.keeper().beginnings();
    let belief = scene.machine.keeper().belief();
    let (elapsed, slept) = (scene.machine.elapsed(), SignedDuration::ZERO);
    let now = scene.machine.now();
    Moment { now, started, settled, belief, elapsed, slept, synchronised: true }
}

fn next(scene: &Scene) -> (String, Why) {
    let moment = moment(scene);
    let run = scene.account().next_run(moment.beginning(), moment.now).unwrap();
    (run.at.to_string(), run.why)
}

pub(super) fn alarms(scene: &Scene) -> Vec<&'static str> {
    let ledger = scene.machine.keeper().ledger();
    let found = alarm::alarms(ledger, scene.account(), &moment(scene));
    found.iter().map(|alarm| alarm.code.word()).collect()
}

fn outcome(scene: &Scene, n: i16) -> String {
    let record = scene.record(&day(n, "00:00")[..10]);
    record.and_then(|r| r.outcome).map_or("none".into(), |o| format!("{} {}", o.word(), o.reason()))
}

#[test]
fn off_and_on_before_the_time_loses_no_day_whatever_switches() {
    type Act = &'static dyn Fn(&mut Scene);
    let check = |what: &str, off: Act, between: Act, on: Act| {
        let mut scene = Scene::daily("06:00");
        for n in 2..=11 {
            scene.run_to(&day(n, "05:40"));
            off(&mut scene);
            scene.run_to(&day(n, "05:45"));
            between(&mut scene);
            scene.run_to(&day(n, "05:50"));
            on(&mut scene);
            assert_eq!(next(&scene), (day(n, "06:00"), Why::Scheduled), "{what}, day {n}");
            scene.run_to(&day(n, "12:00"));
            assert_eq!(outcome(&scene, n), "complete ", "{what}, day {n}");
        }
        assert_eq!(scene.labels().len(), 7, "{what}");
        assert_eq!(alarms(&scene), [""; 0], "{what}");
        assert!(scene.account().timeline.off().is_empty(), "{what}: nothing heaps up");
        scene.no_violations();
    };
    let nothing: Act = &|_| {};
    let restart: Act = &|scene| {
        scene.cut(SignedDuration::ZERO);
        scene.machine.settle();
    };
    let off: Act = &|scene| ask(scene, disable());
    let on: Act = &|scene| ask(scene, enable());
    check("commands", off, nothing, on);
    check("commands, restarted between", off, restart, on);
    check("reset", off, restart, &|scene| ask(scene, Request::Reset { resource: name("web") }));
    check(
        "again and again",
        &|scene| {
            (0..50).for_each(|_| {
                ask(scene, disable());
                ask(scene, enable());
            })
        },
        nothing,
        nothing,
    );
    let gone: Act = &|scene| configure(scene, Vec::new());
    let back: Act = &|scene| configure(scene, vec![resource("web", "06:00")]);
    check("left the file and came back", gone, nothing, back);
    check("the same, restarted between", gone, restart, back);
    check("off in the file", &|scene| configure(scene, vec![switched_off()]), restart, back);
    let forget: Act = &|scene| {
        let automatic = Leftovers::Keep;
        ask(scene, Request::Forget { resource: name("web"), automatic, last: FinalSnapshot::Skip });
    };
    check("forgotten and declared again", gone, forget, back);
    check(
        "a cron rhythm and back",
        &|scene| configure(scene, vec![with_cron("0 5 * * *")]),
        restart,
        back,
    );
    check("another time while off", off, &|scene| ask(scene, set_time("20:00")), &|scene| {
        ask(scene, enable());
        ask(scene, set_time("06:00"));
    });
    check("on with a later time", off, nothing, &|scene| {
        ask(scene, enable_at("06:10"));
        ask(scene, set_time("06:00"));
    });
}

#[test]
fn a_slot_that_waits_for_a_retry_survives_off_and_on() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(2, "12:00"));
    scene.machine.disk.world().faults.extend([None, Some(Fault::Transient), None]);
    scene.run_to(&day(3, "06:00"));
    scene.machine.settle();
    scene.machine.advance(SignedDuration::from_secs(0));
    scene.run_to(&day(3, "06:00"));
    assert_eq!(next(&scene), (day(3, "06:01"), Why::Retry(1)));
    ask(&mut scene, disable());
    assert_eq!(outcome(&scene, 3), "skipped automatic snapshots were disabled");
    scene.cut(SignedDuration::ZERO);
    scene.machine.settle();
    ask(&mut scene, enable());
    assert_eq!(outcome(&scene, 3), "none");
    assert_eq!(next(&scene).1, Why::Retry(1));
    scene.run_to(&day(3, "06:10"));
    assert_eq!(outcome(&scene, 3), "complete ");
    scene.no_violations();
}

#[test]
fn a_day_on_which_it_was_on_at_its_time_has_a_record_and_one_on_which_it_was_off_none() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(2, "12:00"));
    // Off at its time.
    scene.run_to(&day(3, "05:40"));
    ask(&mut scene, disable());
    scene.run_to(&day(3, "06:10"));
    ask(&mut scene, enable());
    scene.run_to(&day(4, "12:00"));
    assert_eq!((outcome(&scene, 3), outcome(&scene, 4)), ("none".into(), "complete ".into()));
    assert!(scene.record("2026-01-03").is_none());
    // On at its time, but switched off before it was caught up.
    scene.run_to(&day(5, "05:00"));
    scene.cut(SignedDuration::from_hours(2));
    scene.machine.settle();
    scene.run_to(&day(5, "07:02"));
    ask(&mut scene, disable());
    assert_eq!(outcome(&scene, 5), "skipped automatic snapshots were disabled");
    // On while heptad was not running, and off when it came back.
    ask(&mut scene, Request::Reset { resource: name("web") });
    scene.run_to(&day(6, "05:00"));
    scene.machine.cut_with(vec![switched_off()], SignedDuration::from_hours(48));
    scene.machine.settle();
    scene.run_to(&day(12, "12:00"));
    assert_eq!(outcome(&scene, 6), "missed heptad was not running");
    assert_eq!(outcome(&scene, 7), "missed heptad was not running");
    assert!(scene.record("2026-01-09").is_none(), "a disabled day has no slot");
}

#[test]
fn the_thirty_six_hours_count_on_through_off_and_on() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(2, "12:00"));
    for n in 3..=5 {
        scene.run_to(&day(n, "05:40"));
        ask(&mut scene, disable());
        scene.run_to(&day(n, "06:10"));
        ask(&mut scene, enable());
        scene.run_to(&day(n, "17:59"));
        assert_eq!(alarms(&scene), if n > 3 { &["stale"][..] } else { &[] }, "day {n}");
        scene.run_to(&day(n, "18:01"));
        assert_eq!(alarms(&scene), ["stale"], "day {n}");
    }
    assert_eq!(scene.labels().len(), 2);
    // Changing the time each day is no new beginning either, though there was never one.
    let mut never = Scene::daily("06:00");
    never.live().identity = None;
    for n in 1..=9 {
        never.run_to(&day(n, "12:00"));
        ask(&mut never, set_time(if n % 2 == 0 { "06:00" } else { "07:00" }));
    }
    assert!(alarms(&never).contains(&"stale"), "{:?}", alarms(&never));
}

#[test]
fn a_change_soon_after_the_start_drops_nothing_that_was_promised() {
    let check = |start: &str, old: &str, now: &str, new: &str, next_run: String| {
        let mut scene = Scene::on(Box::new(Memory::default()), vec![switched_off()]);
        scene.run_to(&day(1, start));
        ask(&mut scene, enable_at(old));
        scene.run_to(&day(1, now));
        ask(&mut scene, set_time(new));
        assert_eq!(next(&scene).0, next_run, "{start}: {old}; {now}: {new}");
        scene.run_to(&day(4, "00:00"));
        let promised = if next_run < day(2, "00:00") { 3 } else { 2 };
        assert_eq!(scene.labels().len(), promised, "{start}: {old}; {now}: {new}");
    };
    check("10:00", "10:31", "10:05", "10:34", day(1, "10:31"));
    check("10:00", "10:31", "10:05", "20:00", day(1, "10:31"));
    check("10:00", "12:00", "10:05", "11:00", day(1, "12:00"));
    check("10:00", "12:00", "10:05", "13:00", day(1, "13:00"));
    check("10:00", "10:20", "10:05", "10:30", day(2, "10:30"));
    check("10:00", "10:20", "10:05", "10:50", day(1, "10:50"));
    check("23:50", "23:55", "23:52", "00:10", day(2, "00:10"));
}

#[test]
fn while_todays_snapshot_is_taken_it_is_told_so_and_as_no_failure() {
    let begun = || {
        let mut scene = Scene::daily("06:00");
        scene.run_to(&day(2, "05:59"));
        scene.machine.advance(SignedDuration::from_mins(1));
        assert_eq!(scene.account().under_way().unwrap().slot.to_string(), "2026-01-02");
        assert_eq!(next(&scene), (day(3, "06:00"), Why::Scheduled));
        scene
    };
    let scene = begun();
    let takes =
        forecast::forecast(scene.account(), &moment(&scene), at(&day(4, "00:00")), &|_| false);
    let takes: Vec<_> = takes.takes.iter().map(|take| (take.label.as_str(), take.why)).collect();
    assert_eq!(takes, [("web@2026-01-02", None), ("web@2026-01-03", Some(Why::Scheduled))]);
    for new in ["20:00", "04:00", "06:00"] {
        let mut scene = begun();
        scene.machine.ask(set_time(new)).unwrap();
        assert_eq!(next(&scene), (day(3, new), Why::Scheduled), "nothing more today");
        scene.run_to(&day(3, "23:00"));
        assert_eq!(scene.labels().len(), 3, "{new}");
    }
}

#[test]
fn a_day_that_is_lost_is_an_alarm_at_once_and_until_the_next_complete_one() {
    let mut scene = Scene::daily("22:00");
    scene.run_to(&day(3, "23:00"));
    scene.machine.disk.world().faults.extend(vec![Some(Fault::Transient); 500]);
    scene.run_to(&day(4, "23:49"));
    assert_eq!(alarms(&scene), [""; 0], "it is tried again");
    // The next try would be tomorrow.
    scene.run_to(&day(4, "23:51"));
    assert_eq!(alarms(&scene), ["slot-lost"]);
    scene.run_to(&day(5, "08:00"));
    assert_eq!(alarms(&scene), ["slot-lost"], "it failed");
    scene.machine.disk.world().faults.clear();
    scene.run_to(&day(5, "23:00"));
    assert_eq!(alarms(&scene), [""; 0], "there is a complete one");
    // Missed, as the machine was off.
    scene.cut(SignedDuration::from_hours(32));
    scene.machine.settle();
    assert_eq!(alarms(&scene), ["slot-lost"]);
    // What a person switched off is no loss.
    scene.run_to(&day(7, "22:30"));
    scene.run_to(&day(8, "21:00"));
    scene.cut(SignedDuration::from_hours(2));
    ask(&mut scene, disable());
    assert_eq!(outcome(&scene, 8), "skipped automatic snapshots were disabled");
    scene.run_to(&day(9, "01:00"));
    ask(&mut scene, enable());
    assert_eq!(alarms(&scene), [""; 0]);
}

#[test]
fn a_boot_just_before_midnight_catches_up_all_the_same() {
    let check = |boot: &str, taken: &str| {
        let mut scene = Scene::daily("06:00");
        scene.run_to(&day(2, "12:00"));
        let off = at(&day(3, boot)).duration_since(scene.machine.now());
        scene.cut(off);
        scene.run_to(&day(4, "00:30"));
        assert_eq!(outcome(&scene, 3), "complete ", "booted at {boot}");
        let finished = scene.slot("2026-01-03").finished.unwrap();
        assert_eq!(finished.to_string(), format!("2026-01-03T{taken}Z"), "booted at {boot}");
        scene.no_violations();
    };
    check("09:00", "09:04:40");
    check("23:57", "23:57:00");
    check("23:59", "23:59:00");
}

/// What the daemon would say of the outcome is not lost with the memory of it.
#[test]
fn an_acknowledged_day_is_complete() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "12:00"));
    scene.live().entries = 0;
    scene.run_to(&day(4, "12:00"));
    assert!(outcome(&scene, 4).starts_with("suspect"));
    ask(&mut scene, Request::Acknowledge { resource: name("web") });
    assert_eq!(scene.slot("2026-01-04").outcome, Some(Outcome::Complete));
    scene.cut(SignedDuration::ZERO);
    scene.machine.settle();
    assert_eq!(scene.slot("2026-01-04").outcome, Some(Outcome::Complete));
    let beginning = Beginning { started: at(&day(1, "00:00")), settled: at(&day(1, "00:00")) };
    assert!(scene.account().next_run(beginning, scene.machine.now()).is_some());
}

#[test]
fn what_never_had_a_snapshot_leaves_with_its_declaration() {
    let typo = || resource("typo", "06:00");
    let known = |scene: &Scene| scene.machine.keeper().ledger().account(&name("typo")).is_some();
    let mut scene = Scene::daily("06:00");
    configure(&mut scene, vec![resource("web", "06:00"), typo()]);
    // Three days on which nothing could be taken of it, and one that waits right now.
    scene.run_to(&day(4, "05:59"));
    assert!(scene.machine.keeper().ledger().account(&name("typo")).unwrap().slots.len() >= 2);
    scene.machine.advance(SignedDuration::from_mins(1));
    scene.machine.configure(vec![resource("web", "06:00")]);
    scene.machine.settle();
    assert!(!known(&scene));
    let open = scene.machine.keeper().ledger().open_operations();
    assert_eq!(open.filter(|operation| operation.resource == name("typo")).count(), 0);
    scene.cut(SignedDuration::ZERO);
    scene.machine.settle();
    assert!(!known(&scene), "nor after a restart");
    // Under the right name it is a newcomer; one with a snapshot stays.
    let live = Live { identity: Some("disk-9".into()), entries: 1, turned: None };
    scene.machine.disk.world().lives.insert(name("typo"), live);
    configure(&mut scene, vec![resource("web", "06:00"), typo()]);
    scene.run_to(&day(6, "12:00"));
    configure(&mut scene, Vec::new());
    assert!(known(&scene));
    assert_eq!(alarms(&scene), ["undeclared"]);
    scene.no_violations();
}
