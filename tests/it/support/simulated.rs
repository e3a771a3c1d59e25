//! A simulated machine with one resource, and words to ask about it.

use heptad::backend::fake::{FakeDisk, Live};
use heptad::daemon::simulate::{Machine, Memory, Moment, Store};
use heptad::domain::account::Account;
use heptad::domain::name::{ResourceName, SnapshotName};
use heptad::domain::policy::{Policy, Retention, Rhythm, When, Zone};
use heptad::domain::resource::{Binding, Kind, Resource};
use heptad::domain::slot_record::SlotRecord;
use heptad::domain::snapshot::{Fate, Health, Selector, Seq};
use jiff::{SignedDuration, Timestamp};
use std::ops::DerefMut;

pub struct Scene {
    pub machine: Machine,
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The n-th day of 2026 at a time, UTC.
pub fn day(n: i16, time: &str) -> String {
    let date = jiff::civil::date(2026, 1, 1).checked_add(jiff::Span::new().days(n - 1)).unwrap();
    format!("{date}T{time}:00Z")
}

pub fn name(text: &str) -> ResourceName {
    text.parse().unwrap()
}

pub fn snapshot_name(text: &str) -> SnapshotName {
    text.parse().unwrap()
}

pub fn selector(text: &str) -> Selector {
    text.parse().unwrap()
}

pub fn resource(text: &str, time: &str) -> Resource {
    let when = When::Daily(time.parse().unwrap());
    Resource {
        name: name(text),
        kind: Kind::Disk,
        backend: Binding { kind: "fake".into(), options: "{}".into() },
        policy: Policy {
            rhythm: Rhythm { when, zone: Zone::UTC, offset: 0 },
            retention: Retention::SEVEN,
            enabled: true,
        },
        tags: Default::default(),
        plan: None,
        blueprint: None,
        enrolled: false,
    }
}

impl Scene {
    /// One resource, `web`, daily; switched on at 2026-01-01 00:00.
    pub fn daily(time: &str) -> Self {
        Self::on(Box::new(Memory::default()), vec![resource("web", time)])
    }

    pub fn on(store: Box<dyn Store>, resources: Vec<Resource>) -> Self {
        let disk = FakeDisk::default();
        for resource in &resources {
            let live = Live { identity: Some("disk-1".into()), entries: 100, turned: None };
            disk.world().lives.insert(resource.name.clone(), live);
        }
        let mut machine = Machine::new(store, disk, resources, at(&day(1, "00:00")));
        machine.settle();
        Self { machine }
    }

    pub fn run_to(&mut self, until: &str) {
        self.machine.run(at(until));
    }

    pub fn cut(&mut self, off: SignedDuration) {
        self.machine.cut(Moment::Between, off);
    }

    pub fn account(&self) -> &Account {
        self.machine.keeper().ledger().account(&name("web")).unwrap()
    }

    pub fn labels(&self) -> Vec<String> {
        let mut labels: Vec<String> =
            self.account().snapshots.values().map(|snapshot| snapshot.label()).collect();
        labels.sort();
        labels
    }

    /// Those that are neither in the trash nor about to go.
    pub fn live_labels(&self) -> Vec<String> {
        let all = self.account().snapshots.values();
        let mut labels: Vec<String> =
            all.filter(|s| s.fate == Fate::Live).map(|snapshot| snapshot.label()).collect();
        labels.sort();
        labels
    }

    /// The codes of its alarms.
    pub fn alarms(&self) -> Vec<&'static str> {
        let keeper = self.machine.keeper();
        let (started, settled) = keeper.beginnings();
        let reading = keeper.reading();
        let moment = heptad::domain::view::Moment {
            now: reading.wall,
            started,
            settled,
            belief: keeper.belief(),
            elapsed: reading.elapsed,
            slept: reading.slept,
            synchronised: reading.synchronised,
        };
        let found = heptad::domain::alarm::alarms(keeper.ledger(), self.account(), &moment);
        found.iter().map(|alarm| alarm.code.word()).collect()
    }

    /// What a rebuild must bring back, as text.
    pub fn cards(&self) -> Vec<String> {
        let line = |s: &std::sync::Arc<heptad::domain::snapshot::Snapshot>| {
            let trashed = matches!(s.fate, heptad::domain::snapshot::Fate::Trashed { .. });
            format!("{:?} {:?} {trashed}", s.card, s.health)
        };
        self.account().snapshots.values().map(line).collect()
    }

    pub fn record(&self, slot: &str) -> Option<SlotRecord> {
        self.account().slots.get(&slot.parse().unwrap()).cloned()
    }

    pub fn slot(&self, slot: &str) -> SlotRecord {
        self.record(slot).unwrap_or_else(|| panic!("no record of slot {slot}"))
    }

    pub fn health(&self, seq: u64) -> Health {
        self.account().snapshots[&Seq(seq)].health.clone()
    }

    pub fn live(&self) -> impl DerefMut<Target = Live> {
        struct Guard<'a>(std::sync::MutexGuard<'a, heptad::backend::fake::World>);
        impl std::ops::Deref for Guard<'_> {
            type Target = Live;
            fn deref(&self) -> &Live {
                &self.0.lives[&name("web")]
            }
        }
        impl DerefMut for Guard<'_> {
            fn deref_mut(&mut self) -> &mut Live {
                self.0.lives.get_mut(&name("web")).unwrap()
            }
        }
        Guard(self.machine.disk.world())
    }

    /// The same disk under a machine that knows nothing.
    pub fn with_lost_catalogue(&self) -> Self {
        let disk = self.machine.disk.fork();
        let resources = vec![resource("web", "06:00")];
        let now = self.machine.now();
        Self { machine: Machine::new(Box::new(Memory::default()), disk, resources, now) }
    }

    pub fn no_violations(&self) {
        assert_eq!(self.machine.oracle.violations, []);
    }
}
