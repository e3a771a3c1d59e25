//! A ledger as it is at noon on Sunday, 22 November 2026.

use super::stub::at;
use heptad::domain::account::Account;
use heptad::domain::ledger::Ledger;
use heptad::domain::policy::{Policy, Retention, Rhythm, When, Zone};
use heptad::domain::resource::{Binding, Kind, Resource};
use heptad::domain::slot_record::{Outcome, SlotRecord};
use heptad::domain::snapshot::Part;
use heptad::domain::snapshot::{Card, Facts, Fate, Handle, Health, Origin, Seq, Snapshot};
use heptad::domain::timeline::{Phase, Timeline};
use std::sync::Arc;

/// With so many resources: `web-1`, `web-2` and so on, alike.
pub fn ledger(count: u32) -> Ledger {
    let accounts = (1..=count).map(|n| web(&format!("web-{n}")));
    let accounts = accounts.map(|account| (account.name().clone(), Arc::new(account)));
    let mut ledger = Ledger::default();
    ledger.accounts = accounts.collect();
    ledger
}

/// Daily at 06:00 UTC, with the snapshots of the last seven days.
fn web(name: &str) -> Account {
    let when = When::Daily("06:00".parse().unwrap());
    let rhythm = Rhythm { when, zone: Zone::UTC, offset: 0 };
    let resource = Resource {
        name: name.parse().unwrap(),
        kind: Kind::Disk,
        backend: Binding { kind: "files".into(), options: "{}".into() },
        policy: Policy { rhythm: rhythm.clone(), retention: Retention::SEVEN, enabled: true },
        tags: Default::default(),
        plan: None,
        blueprint: None,
        enrolled: false,
    };
    let mut account = Account::new(resource, at("2026-11-15T00:00:00Z"));
    account.timeline = Timeline::new(vec![Phase { rhythm, from: account.since }]);
    for (day, seq) in (16..=22).zip(1..) {
        let due = at(&format!("2026-11-{day}T06:00:00Z"));
        let period = account.timeline.latest_due(due).unwrap();
        let card = Card {
            handle: Handle { seq: Seq(seq), id: uuid::Uuid::nil(), object: String::new() },
            origin: Origin::Automatic,
            name: None,
            slot: Some(period.slot),
            kept_from: None,
            taken_at: due,
            tags: Default::default(),
            kind: Kind::Disk,
            part: Part::Whole,
            plan: None,
            blueprint: None,
        };
        let snapshot = Snapshot {
            resource: account.name().clone(),
            card,
            health: Health::Complete,
            fate: Fate::Live,
            facts: Facts::default(),
        };
        account.snapshots.insert(Seq(seq), Arc::new(snapshot));
        account.next_seq = Seq(seq + 1);
        let record = SlotRecord {
            outcome: Some(Outcome::Complete),
            seq: Some(Seq(seq)),
            attempts: 1,
            started: Some(due),
            finished: Some(due),
            ..SlotRecord::open(period)
        };
        account.slots.insert(period.slot, record);
    }
    account
}
