//! A clock that was ahead, and is set right: the days that it filled are due again.

use super::promises::{alarms, ask, disable, enable, set_time};
use crate::support::simulated::{Scene, at, day, name, resource};
use heptad::catalogue::Catalogue;
use heptad::daemon::simulate::{Memory, OnDisk, Store, Violation};
use heptad::domain::event::Entry;
use heptad::domain::ledger::Ledger;
use heptad::domain::policy::{When, Zone};
use heptad::domain::request::Request;
use heptad::domain::resource::Resource;
use heptad::domain::slot::Slot;
use heptad::domain::slot_record::Outcome;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

/// How many snapshots were begun on the n-th day, as the clock shows it now.
fn set(scene: &mut Scene, by: i64, synchronised: bool) {
    let to = scene.machine.now().saturating_add(hours(by)).unwrap();
    scene.machine.set_clock(to, synchronised);
    scene.machine.settle();
}

#[test]
fn after_a_week_with_a_clock_five_days_ahead_no_day_is_without_a_snapshot() {
    let check = |what: &str, synchronised: bool, off: Option<i64>, act: &dyn Fn(&mut Scene)| {
        let mut scene = Scene::daily("06:00");
        scene.run_to(&day(10, "12:00"));
        set(&mut scene, 5 * 24, synchronised);
        act(&mut scene);
        // A week later it is set right.
        scene.run_to(&day(22, "12:00"));
        set(&mut scene, -5 * 24, synchronised);
        for n in 18..=25 {
            let before = scene.machine.oracle.taken;
            if let Some(off) = off {
                scene.run_to(&day(n, "01:00"));
                scene.cut(hours(off));
            }
            scene.run_to(&day(n, "05:59"));
            assert_eq!(scene.machine.oracle.taken, before, "{what}: not before its time, {n}");
            scene.run_to(&day(n, "12:00"));
            assert_eq!(scene.machine.oracle.taken, before + 1, "{what}: one on day {n}");
            let newest = scene.account().newest_complete().unwrap();
            assert_eq!(newest.to_string(), day(n, "06:00"), "{what}");
        }
        let alarmed = alarms(&scene);
        assert!(alarmed.iter().all(|code| *code == "clock-unsynchronised"), "{what}: {alarmed:?}");
        assert_eq!(scene.machine.oracle.violations, [], "{what}");
    };
    check("synchronised", true, None, &|_| {});
    check("by hand", false, None, &|_| {});
    check("restarted daily", true, Some(0), &|_| {});
    check("off for hours", true, Some(4), &|_| {});
    check("changed meanwhile", true, None, &|scene| {
        ask(scene, set_time("07:00"));
        ask(scene, set_time("06:00"));
    });
    check("off and on meanwhile", true, None, &|scene| {
        ask(scene, disable());
        set(scene, 1, true);
        ask(scene, enable());
        set(scene, -1, true);
    });
}

#[test]
fn a_clock_set_by_seconds_or_hours_within_the_day_makes_no_second_one() {
    let check = |time: &str, now: &str, by: SignedDuration| {
        let mut scene = Scene::daily(time);
        scene.run_to(&day(4, now));
        let to = scene.machine.now().saturating_sub(by).unwrap();
        scene.machine.set_clock(to, true);
        scene.machine.settle();
        let before = scene.machine.oracle.taken;
        scene.run_to(&day(4, "23:59"));
        assert_eq!(scene.machine.oracle.taken, before, "{time}, {now} back by {by}");
        scene.no_violations();
    };
    check("06:00", "06:01", SignedDuration::from_secs(90));
    check("06:00", "07:00", hours(3));
    check("00:00", "00:01", SignedDuration::from_mins(2));
    check("12:00", "13:00", hours(13));
}

#[test]
fn a_clock_that_nobody_believes_takes_no_day_a_second_time() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(9, "12:00"));
    let before = scene.machine.oracle.taken;
    // A dead battery, and half an hour until the network is there.
    scene.cut(hours(0));
    set(&mut scene, -24 * 365 * 10, false);
    scene.machine.advance(SignedDuration::from_mins(30));
    scene.machine.settle();
    scene.machine.set_clock(at(&day(9, "12:31")), true);
    scene.machine.settle();
    scene.run_to(&day(9, "23:00"));
    let old = scene.account().slots.values().filter(|r| r.due < at(&day(1, "00:00"))).count();
    assert!(scene.machine.oracle.taken <= before + old as u64, "none for the 9th again");
    scene.run_to(&day(12, "12:00"));
    scene.no_violations();
}

#[test]
fn a_clock_that_is_set_back_for_ever_is_no_silent_gap() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "07:00"));
    for _ in 0..9 {
        scene.machine.advance(hours(5));
        scene.machine.settle();
        set(&mut scene, -5, true);
    }
    assert_eq!(alarms(&scene), ["stale"]);
}

#[test]
fn a_catalogue_that_is_lost_after_that_makes_no_difference() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(10, "12:00"));
    set(&mut scene, 5 * 24, true);
    scene.run_to(&day(22, "12:00"));
    set(&mut scene, -5 * 24, true);
    let mut rebuilt = scene.with_lost_catalogue();
    for n in 18..=24 {
        let before = rebuilt.machine.oracle.taken;
        rebuilt.run_to(&day(n, "12:00"));
        assert_eq!(rebuilt.machine.oracle.taken, before + 1, "day {n}");
    }
    rebuilt.no_violations();
}

fn in_zone(zone: &str) -> Resource {
    let mut declared = resource("web", "06:00");
    declared.policy.rhythm.zone = Zone::new(jiff::tz::TimeZone::get(zone).unwrap());
    declared
}

#[test]
fn after_a_change_of_the_zone_no_date_is_without_a_snapshot_and_none_has_two_names() {
    let zones = [
        "Asia/Tokyo",
        "America/Los_Angeles",
        "UTC",
        "Asia/Kolkata",
        "America/St_Johns",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Pacific/Pago_Pago",
        "Europe/Berlin",
    ];
    let pairs = zones.iter().flat_map(|old| zones.iter().map(move |new| (*old, *new)));
    for ((old, new), hour) in pairs.flat_map(|pair| [1, 7, 13, 19, 22].map(|hour| (pair, hour))) {
        let what = format!("{old} to {new} at {hour}");
        let mut scene = Scene::on(Box::new(Memory::default()), vec![in_zone(old)]);
        scene.run_to(&day(5, &format!("{hour:02}:30")));
        scene.machine.configure(vec![in_zone(new)]);
        scene.run_to(&day(12, "00:00"));
        let zone = jiff::tz::TimeZone::get(new).unwrap();
        let mut taken: Vec<_> = scene.account().slots.values().filter_map(|r| r.finished).collect();
        taken.sort();
        let dates: Vec<_> = taken.iter().map(|at| at.to_zoned(zone.clone()).date()).collect();
        for pair in dates.windows(2) {
            assert!(pair[1] <= pair[0].tomorrow().unwrap(), "{what}: {dates:?}");
        }
        let apart = taken.windows(2).map(|pair| pair[1].duration_since(pair[0])).max().unwrap();
        assert!(apart <= hours(30), "{what}: {apart:?}");
        assert_eq!(alarms(&scene), [""; 0], "{what}");
        scene.no_violations();
    }
}

#[test]
fn a_daily_rhythm_and_a_cron_one_take_turns_without_a_gap() {
    let mut hourly = resource("web", "06:00");
    hourly.policy.rhythm.when = When::Cron("0 * * * *".parse().unwrap());
    let mut scene = Scene::daily("06:00");
    for n in 2..=12 {
        scene.run_to(&day(n, &format!("{:02}:30", (n * 7) % 24)));
        let daily = resource("web", "06:00");
        scene.machine.configure(vec![if n % 2 == 0 { hourly.clone() } else { daily }]);
    }
    let mut due: Vec<_> = scene.account().slots.values().map(|record| record.due).collect();
    due.sort();
    assert!(due.windows(2).all(|pair| pair[1].duration_since(pair[0]) <= hours(30)), "{due:?}");
    let missing = scene.machine.ask(Request::Disable { resource: name("none") });
    assert!(missing.is_err());
    scene.no_violations();
}

#[test]
fn a_name_never_stands_for_two_even_when_the_first_is_long_gone() {
    let mut scene = Scene::daily("06:00");
    let pass = |scene: &mut Scene, by: &[i64]| {
        for by in by {
            let until = scene.machine.now().saturating_add(hours(*by)).unwrap();
            scene.machine.run(until);
        }
    };
    pass(&mut scene, &[32]);
    set(&mut scene, 203 * 24, false);
    pass(&mut scene, &[49, 42, 28, 20, 50, 56, 15, 39, 37]);
    set(&mut scene, -218 * 24, false);
    scene.cut(hours(0));
    pass(&mut scene, &[1, 1, 24 * 30]);
    scene.no_violations();
}

#[test]
fn a_believed_clock_that_was_wrong_for_hours_takes_no_day_a_second_time() {
    let check = |wrong_by: i64, hours_wrong: i64| {
        let mut scene = Scene::daily("06:00");
        scene.run_to(&day(10, "12:00"));
        set(&mut scene, -wrong_by * 24, true);
        let until = scene.machine.now().saturating_add(hours(hours_wrong)).unwrap();
        scene.machine.run(until);
        let before = scene.machine.oracle.taken;
        set(&mut scene, wrong_by * 24, true);
        let end = scene.machine.now().saturating_add(hours(1)).unwrap();
        scene.machine.run(end);
        let what = format!("{wrong_by} days for {hours_wrong} h");
        // On the day after it has not had one of its own yet.
        let due = u64::from(hours_wrong == 20);
        assert_eq!(scene.machine.oracle.taken, before + due, "{what}");
        assert_eq!(scene.account().dating.rewound, None, "{what}");
        scene.run_to(&day(13, "05:59"));
        let before = scene.machine.oracle.taken;
        scene.run_to(&day(14, "05:59"));
        assert_eq!(scene.machine.oracle.taken, before + 1, "{what}");
        scene.no_violations();
    };
    check(5, 6);
    check(5, 20);
    check(1, 3);
    check(300, 6);
}

/// Remembers all that was ever recorded of slots.
#[derive(Debug)]
struct Scribe {
    store: Box<dyn Store>,
    outcomes: Arc<Mutex<BTreeMap<Slot, Vec<Option<Outcome>>>>>,
}

impl Store for Scribe {
    fn record(&mut self, entries: &[Entry]) {
        for entry in entries {
            if let Entry::Slot(_, record) = entry {
                let mut outcomes = self.outcomes.lock().unwrap();
                outcomes.entry(record.slot).or_default().push(record.outcome.clone());
            }
        }
        self.store.record(entries);
    }

    fn load(&self) -> Ledger {
        self.store.load()
    }

    fn fork(&self) -> Box<dyn Store> {
        Box::new(Self { store: self.store.fork(), outcomes: Arc::clone(&self.outcomes) })
    }
}

#[test]
fn no_history_of_a_fast_rhythm_is_told_as_missed_after_a_clock_that_was_wrong() {
    let check = |what: &str, by: i64, synchronised: bool, restart: bool| {
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        let store = Box::new(OnDisk::open(dir.path().to_path_buf()).unwrap());
        let outcomes = Arc::default();
        let scribe = Scribe { store, outcomes: Arc::clone(&outcomes) };
        let mut fast = resource("web", "06:00");
        fast.policy.rhythm.when = When::Cron("*/10 * * * *".parse().unwrap());
        let mut scene = Scene::on(Box::new(scribe), vec![fast]);
        scene.run_to(&day(1, "07:31"));
        set(&mut scene, by, synchronised);
        let until = scene.machine.now().saturating_add(hours(8)).unwrap();
        scene.machine.run(until);
        scene.machine.set_clock(at(&day(1, "15:31")), true);
        scene.machine.settle();
        for time in ["16:01", "16:21", "16:59"] {
            if restart {
                scene.cut(SignedDuration::ZERO);
            }
            scene.run_to(&day(1, time));
        }
        let twice = scene.machine.oracle.violations.iter();
        let twice = twice.filter(|broken| matches!(broken, Violation::Twice { .. }));
        assert_eq!(twice.count(), 0, "{what}");
        drop(scene);
        let catalogue = Catalogue::open(dir.path()).unwrap().catalogue;
        let known = catalogue.slots_of(&name("web"), Timestamp::MIN, Timestamp::MAX).unwrap();
        let known: BTreeMap<_, _> = known.into_iter().map(|r| (r.slot, r.outcome)).collect();
        let outcomes = outcomes.lock().unwrap();
        let taken = |outcome: &Option<Outcome>| outcome.as_ref().is_some_and(Outcome::is_taken);
        let missed = |outcome: &Option<Outcome>| matches!(outcome, Some(Outcome::Missed(_)));
        let mut again: Vec<&Slot> = Vec::new();
        for (slot, told) in outcomes.iter() {
            let first = told.iter().position(taken).unwrap_or(told.len());
            again.extend(told[first..].iter().any(missed).then_some(slot));
            assert_eq!(taken(&known[slot]), first < told.len(), "{what}: {slot} {told:?}");
        }
        // The last one before might have been waiting.
        assert!(again.len() <= 1, "{what}: {again:?}");
        for minute in [40, 50, 60, 70, 80] {
            let due = at(&day(1, &format!("{:02}:{:02}", 15 + minute / 60, minute % 60)));
            let outcome = known.get(&Slot::Instant(due)).cloned().flatten();
            assert_eq!(outcome, Some(Outcome::Complete), "{what}: {due}");
        }
    };
    check("ahead", 36, true, false);
    check("ahead, restarted", 36, true, true);
    check("ahead by hand", 36, false, false);
    check("a dead battery", -24 * 365 * 10, false, false);
}
