//! Ready-made accounts for the tests of this room.

use super::account::Account;
use super::clock::Belief;
use super::id::OperationId;
use super::operation::{Act, Cause, Operation, State};
use super::policy::{Policy, Retention, Rhythm, When, Zone};
use super::resource::{Binding, Kind, Resource};
use super::schedule::Period;
use super::slot_record::{Outcome, SlotRecord};
use super::snapshot::{Card, Facts, Fate, Handle, Health, Origin, Part, Seq, Snapshot};
use super::timeline::{Phase, Timeline};
use super::view::Moment;
use jiff::{SignedDuration, Timestamp};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// `22T12:00` of November 2026.
pub fn at(text: &str) -> Timestamp {
    format!("2026-11-{text}:00Z").parse().unwrap()
}

pub fn moment(now: &str) -> Moment {
    Moment {
        now: at(now),
        started: at("01T00:00"),
        settled: at("01T00:05"),
        belief: Belief::Trusted,
        elapsed: SignedDuration::ZERO,
        slept: SignedDuration::ZERO,
        synchronised: true,
    }
}

/// Operation 7 of `web-1`, asked for by user 1000 at noon; it took twelve seconds if it is over.
pub fn operation(act: Act, state: State) -> Operation {
    let (began, over) = (at("23T12:00"), !matches!(state, State::Queued | State::Running));
    Operation {
        id: OperationId(7),
        resource: "web-1".parse().unwrap(),
        act,
        cause: Cause::Peer(1000),
        key: None,
        created: began,
        started: (state != State::Queued).then_some(began),
        finished: over.then(|| began + SignedDuration::from_secs(12)),
        state,
        tries: 1,
        cancel_asked_by: None,
        output: String::new(),
    }
}

/// An account of `web-1`, daily at 06:00 UTC since 1 November, day by day.
pub struct Builder(Account);

impl Builder {
    pub fn daily() -> Self {
        Self::with(When::Daily("06:00".parse().unwrap()))
    }

    pub fn with(when: When) -> Self {
        let rhythm = Rhythm { when, zone: Zone::UTC, offset: 0 };
        let resource = Resource {
            name: "web-1".parse().unwrap(),
            kind: Kind::Disk,
            backend: Binding { kind: "files".into(), options: "{}".into() },
            policy: Policy { rhythm: rhythm.clone(), retention: Retention::SEVEN, enabled: true },
            tags: Default::default(),
            plan: None,
            blueprint: None,
            enrolled: false,
        };
        let mut account = Account::new(resource, at("01T00:00"));
        account.timeline = Timeline::new(vec![Phase { rhythm, from: at("01T00:00") }]);
        Self(account)
    }

    pub fn complete(mut self, days: RangeInclusive<u8>) -> Self {
        for day in days {
            self.taken(day, Health::Complete, Some(Outcome::Complete));
        }
        self
    }

    pub fn suspect(mut self, day: u8) -> Self {
        let why = "it is empty".to_owned();
        self.taken(day, Health::Suspect(why.clone()), Some(Outcome::Suspect(why)));
        self
    }

    pub fn slot(mut self, day: u8, outcome: Option<Outcome>) -> Self {
        let record = SlotRecord { outcome, ..SlotRecord::open(Self::period(day)) };
        self.0.slots.insert(record.slot, record);
        self
    }

    pub fn but(mut self, change: impl FnOnce(&mut Account)) -> Self {
        change(&mut self.0);
        self
    }

    pub fn account(self) -> Account {
        self.0
    }

    fn period(day: u8) -> Period {
        let slot = format!("2026-11-{day:02}").parse().unwrap();
        Period {
            slot,
            begin: at(&format!("{day:02}T00:00")),
            due: at(&format!("{day:02}T06:00")),
            end: at(&format!("{:02}T00:00", day + 1)),
        }
    }

    fn taken(&mut self, day: u8, health: Health, outcome: Option<Outcome>) {
        let (seq, period) = (self.0.next_seq, Self::period(day));
        let snapshot = Snapshot {
            resource: self.0.name().clone(),
            card: Card {
                handle: Handle { seq, id: uuid::Uuid::nil(), object: String::new() },
                origin: Origin::Automatic,
                name: None,
                slot: Some(period.slot),
                kept_from: None,
                taken_at: period.due,
                tags: Default::default(),
                kind: Kind::Disk,
                part: Part::Whole,
                plan: None,
                blueprint: None,
            },
            health,
            fate: Fate::Live,
            facts: Facts::default(),
        };
        self.0.next_seq = Seq(seq.0 + 1);
        self.0.snapshots.insert(seq, Arc::new(snapshot));
        let record = SlotRecord { outcome, seq: Some(seq), ..SlotRecord::open(period) };
        self.0.slots.insert(period.slot, record);
    }
}
