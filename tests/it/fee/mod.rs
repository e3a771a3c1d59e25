//! What is billed: a month through the simulated clock, and real bytes on a real btrfs with quotas.

mod btrfs;
mod occupied;

use crate::support::simulated::{at, name, resource};
use heptad::catalogue::{Catalogue, Found};
use heptad::daemon::engine::Engine;
use heptad::domain::clock::Reading;
use heptad::domain::event::Entry;
use heptad::domain::fee::{self, HISTORY_DAYS, Month, ResourceUsage, Tariff, UsageDay};
use heptad::domain::keeper::Keeper;
use heptad::domain::resource::Kind;
use heptad::domain::snapshot::Part;
use heptad::domain::snapshot::{Card, Facts, Fate, Handle, Health, Origin, Seq, Snapshot};
use heptad::host::clock::{Clock, Simulated};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use std::path::PathBuf;
use tempfile::TempDir;

const GB: u64 = 1_000_000_000;

/// A catalogue with one resource, counted as the daemon does, on a clock in a file.
struct Meter {
    dir: TempDir,
    clock: Simulated,
    /// Boot clock when this run began, and the running time before it.
    began: SignedDuration,
    before: SignedDuration,
    engine: Option<Engine>,
}

impl Meter {
    fn start(now: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let hands = dir.path().join("clock");
        Simulated::set(&hands, at(now)).unwrap();
        let clock = Simulated::open(&hands).unwrap();
        let (began, before) = (clock.read().boot, SignedDuration::ZERO);
        let mut meter = Self { dir, clock, began, before, engine: None };
        meter.boot();
        let account = heptad::domain::account::Account::new(resource("web", "06:00"), at(now));
        meter.record(&[Entry::Account(Box::new(account))]);
        meter.boot();
        meter.count();
        meter
    }

    fn hands(&self) -> PathBuf {
        self.dir.path().join("clock")
    }

    fn record(&mut self, entries: &[Entry]) {
        self.engine.as_mut().unwrap().catalogue().record(entries).unwrap();
    }

    /// What the daemon does at its start; the last one's end is a crash unless it counted before.
    fn boot(&mut self) {
        self.engine = None;
        let opened = Catalogue::open(&self.dir.path().join("state")).unwrap();
        assert!(!matches!(opened.state, Found::Damaged { .. }));
        let (ledger, _) = opened.catalogue.load().unwrap();
        (self.began, self.before) = (self.clock.read().boot, ledger.elapsed);
        let keeper = Keeper::new(ledger, Timestamp::UNIX_EPOCH, self.reading(), 7);
        self.engine = Some(Engine::new(keeper, opened.catalogue));
    }

    fn reading(&self) -> Reading {
        let moment = self.clock.read();
        Reading {
            wall: moment.wall,
            boot: moment.boot,
            synchronised: moment.synchronised,
            elapsed: self.before + (moment.boot - self.began),
            slept: SignedDuration::ZERO,
        }
    }

    /// What the hourly chore does.
    fn count(&mut self) {
        let reading = self.reading();
        let engine = self.engine.as_mut().unwrap();
        engine.turn(vec![heptad::domain::event::Event::Tick], reading);
        engine.count_usage(reading).unwrap();
        engine.note_clock();
    }

    fn pass(&mut self, hours: i64) {
        for _ in 0..hours {
            Simulated::advance(&self.hands(), SignedDuration::from_hours(1)).unwrap();
            self.count();
        }
    }

    /// A snapshot of so many bytes is there from now on.
    fn hold(&mut self, seq: u64, stored: u64, exclusive: Option<u64>) {
        let facts = Facts { stored: Some(stored), exclusive, ..Facts::default() };
        self.record(&[Entry::Snapshot(Box::new(snapshot(seq, facts)))]);
        self.boot();
    }

    fn drop_snapshot(&mut self, seq: u64) {
        self.record(&[Entry::SnapshotErased(name("web"), Seq(seq))]);
        self.boot();
    }

    fn days(&mut self, from: &str, until: &str) -> Vec<UsageDay> {
        let (from, until) = (from.parse().unwrap(), until.parse().unwrap());
        self.engine.as_mut().unwrap().catalogue().usage(from, until).unwrap()
    }

    /// Byte-hours of every day, in GB-hours.
    fn gb_hours(&mut self) -> Vec<(String, f64)> {
        let all = self.engine.as_mut().unwrap().catalogue().usage(Date::MIN, Date::MAX).unwrap();
        all.iter().map(|day| (day.day.to_string(), day.byte_hours as f64 / GB as f64)).collect()
    }
}

fn snapshot(seq: u64, facts: Facts) -> Snapshot {
    let handle =
        Handle { seq: Seq(seq), id: uuid::Uuid::from_u128(seq.into()), object: "x".into() };
    Snapshot {
        resource: name("web"),
        card: Card {
            handle,
            origin: Origin::Manual,
            name: Some(format!("by-hand-{seq}").parse().unwrap()),
            slot: None,
            kept_from: None,
            taken_at: at("2026-11-01T00:00:00Z"),
            tags: Default::default(),
            kind: Kind::Disk,
            part: Part::Whole,
            plan: None,
            blueprint: None,
        },
        health: Health::Complete,
        fate: Fate::Live,
        facts,
    }
}

#[test]
fn a_month_adds_up_to_the_byte_hour() {
    let mut meter = Meter::start("2026-11-01T00:00:00Z");
    meter.hold(1, 28 * GB, None);
    // Fifteen days of 28 GB; then a second one that shares all but 2 GB with it.
    meter.pass(15 * 24);
    let month = Month::of(meter.reading().wall);
    let used = |meter: &mut Meter| -> u128 {
        let days = meter.days("2026-11-01", "2026-12-01");
        days.iter().map(|day| u128::from(day.byte_hours)).sum()
    };
    let so_far = used(&mut meter);
    assert_eq!(so_far, u128::from(28 * GB) * 360);
    let forecast = fee::foretell(so_far, 28 * GB, month, meter.reading().wall).unwrap();
    assert_eq!(forecast, u128::from(28 * GB) * 720, "as long as nothing changes");
    meter.hold(2, 28 * GB, Some(2 * GB));
    meter.pass(5 * 24);
    meter.drop_snapshot(2);
    meter.pass(10 * 24);
    let whole = used(&mut meter);
    assert_eq!(whole, u128::from(28 * GB) * 720 + u128::from(2 * GB) * 120);
    let days = meter.days("2026-11-01", "2026-12-01");
    assert_eq!(days.len(), 30);
    assert_eq!((days[19].stored, days[19].exclusive), (Some(56 * GB), Some(2 * GB)));
    let charge = fee::charge(whole, &Tariff::default());
    assert_eq!(format!("{:.4} {:.4}", charge.gb_months, charge.cost), "27.9452 1.3973");
    assert_eq!(Month::of(meter.reading().wall).to_string(), "2026-12");
    assert_eq!(fee::foretell(whole, 28 * GB, month, meter.reading().wall), None);
}

#[test]
fn restarts_crashes_and_hours_without_heptad_make_no_byte_hours() {
    let mut meter = Meter::start("2026-11-01T00:00:00Z");
    meter.hold(1, GB, None);
    meter.pass(3);
    // Three days off: the boot clock begins anew when the daemon does.
    Simulated::advance(&meter.hands(), SignedDuration::from_hours(72)).unwrap();
    meter.boot();
    meter.pass(2);
    // A crash: half an hour was run and noted, but not counted.
    Simulated::advance(&meter.hands(), SignedDuration::from_mins(30)).unwrap();
    let reading = meter.reading();
    let engine = meter.engine.as_mut().unwrap();
    engine.turn(vec![heptad::domain::event::Event::Tick], reading);
    engine.note_clock();
    meter.boot();
    meter.count();
    meter.count();
    let want = [("2026-11-01".to_owned(), 3.0), ("2026-11-04".to_owned(), 2.5)];
    assert_eq!(meter.gb_hours(), want);
    // Running time that is behind what was counted: nothing until it has caught up.
    let clock = Entry::Clock {
        floor: at("2026-11-04T05:30:00Z"),
        elapsed: SignedDuration::from_mins(4 * 60 + 30),
    };
    meter.record(&[clock]);
    meter.boot();
    meter.pass(1);
    assert_eq!(meter.gb_hours()[1].1, 2.5);
    meter.pass(1);
    assert_eq!(meter.gb_hours()[1].1, 3.5);
}

#[test]
fn a_clock_that_is_set_moves_hours_to_another_day_and_makes_none() {
    let mut meter = Meter::start("2026-11-10T12:00:00Z");
    meter.hold(1, GB, None);
    meter.pass(1);
    let step = |meter: &Meter, to: &str| Simulated::set(&meter.hands(), at(to)).unwrap();
    step(&meter, "2031-05-05T12:00:00Z");
    meter.pass(1);
    step(&meter, "2026-11-10T14:00:00Z");
    meter.pass(1);
    let want = [("2026-11-10".to_owned(), 2.0), ("2031-05-05".to_owned(), 1.0)];
    assert_eq!(meter.gb_hours(), want);
    // A sleep of two days is running time: what is held is held.
    Simulated::advance(&meter.hands(), SignedDuration::from_hours(48)).unwrap();
    meter.count();
    let all: f64 = meter.gb_hours().iter().map(|(_, hours)| hours).sum();
    assert_eq!(all, 51.0);
    assert_eq!(meter.gb_hours()[1], ("2026-11-11".to_owned(), 24.0));
}

#[test]
fn four_hundred_days_are_remembered_and_the_clock_cannot_forget_them() {
    let mut meter = Meter::start("2026-01-01T00:00:00Z");
    let held =
        [(name("web"), ResourceUsage { snapshots: 1, billed: GB, ..ResourceUsage::default() })];
    let mut elapsed = meter.reading().elapsed;
    let mut now = at("2026-01-01T12:00:00Z");
    for _ in 0..HISTORY_DAYS + 50 {
        (elapsed, now) =
            (elapsed + SignedDuration::from_hours(24), now + SignedDuration::from_hours(24));
        let catalogue = meter.engine.as_mut().unwrap().catalogue();
        catalogue.add_usage(now, elapsed, &held).unwrap();
    }
    let days = meter.gb_hours();
    assert_eq!(days.len(), usize::from(HISTORY_DAYS));
    let (first, last) = (days.first().unwrap().0.clone(), days.last().unwrap().0.clone());
    assert_eq!((first.as_str(), last.as_str()), ("2026-02-21", "2027-03-27"));
    let far = at("2999-01-01T12:00:00Z");
    let catalogue = meter.engine.as_mut().unwrap().catalogue();
    catalogue.add_usage(far, elapsed + SignedDuration::from_hours(1), &held).unwrap();
    let days = meter.gb_hours();
    assert_eq!((days.len(), days[0].0.as_str()), (usize::from(HISTORY_DAYS), "2026-02-22"));
}
