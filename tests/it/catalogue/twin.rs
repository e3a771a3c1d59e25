//! The catalogue and the ledger are told the same and must know the same.

use super::{assert_twin, open, record, scribe};
use heptad::domain::account::{Account, SLOTS_IN_MEMORY};
use heptad::domain::event::Entry;
use heptad::domain::id::OperationId;
use heptad::domain::ledger::{Ledger, OPERATIONS_IN_MEMORY};
use heptad::domain::operation::State;
use heptad::domain::snapshot::Seq;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn whatever_is_recorded_is_loaded(
        steps in proptest::collection::vec((0..20_u64, 0..3_u64, 0..500_u64, 0..10_u8), 1..250)
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (mut catalogue, mut ledger) = (open(dir.path()), Ledger::default());
        let mut next = std::collections::BTreeMap::new();
        let mut batch = Vec::new();
        for (what, n, flavour, cut) in steps {
            for mut entry in scribe::write(&ledger, what, n, flavour) {
                if let Entry::Account(head) = &mut entry {
                    let next: &mut Seq = next.entry(n).or_default();
                    head.next_seq = head.next_seq.max(*next);
                    *next = head.next_seq;
                }
                ledger.apply(&entry);
                batch.push(entry);
            }
            if cut < 2 {
                catalogue.record(&std::mem::take(&mut batch)).unwrap();
            }
            if cut == 0 {
                drop(catalogue);
                catalogue = open(dir.path());
            }
        }
        catalogue.record(&batch).unwrap();
        assert_twin(&catalogue, &ledger);
        // Every entry is an upsert or an erasure: twice is once.
        if !batch.iter().any(|entry| matches!(entry, Entry::AccountErased(_))) {
            catalogue.record(&batch).unwrap();
        }
        drop(catalogue);
        assert_twin(&open(dir.path()), &ledger);
    }
}

#[test]
fn only_the_newest_slots_and_finished_operations_are_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let (mut catalogue, mut ledger) = (open(dir.path()), Ledger::default());
    let mut batch = vec![Entry::Account(Box::new(scribe::account(1, 1)))];
    for n in 0..3 * SLOTS_IN_MEMORY as u64 {
        batch.push(Entry::Slot(scribe::name(1), scribe::slot_record(0, n, n)));
    }
    for id in 0..5 * OPERATIONS_IN_MEMORY as u64 {
        // The first ones are still open, the others are done.
        let state = if id < 3 { State::Queued } else { State::Succeeded };
        let mut operation = scribe::operation(OperationId(id), 1, id);
        operation.state = state;
        batch.push(Entry::Operation(operation));
    }
    record(&mut catalogue, &mut ledger, &batch);
    assert_twin(&catalogue, &ledger);
    let (loaded, _) = catalogue.load().unwrap();
    let slots = &loaded.account(&scribe::name(1)).unwrap().slots;
    // Those noted last, and every open one.
    let newest = (2 * SLOTS_IN_MEMORY as u64..).map(|n| scribe::slot(0, n));
    let newest: Vec<_> = newest.take(SLOTS_IN_MEMORY).collect();
    assert!(newest.iter().all(|slot| slots.contains_key(slot)));
    let others = slots.values().filter(|record| !newest.contains(&record.slot));
    let (open, settled): (Vec<_>, Vec<_>) = others.partition(|record| record.outcome.is_none());
    assert!(open.len() > 10 && settled.is_empty(), "{open:?} {settled:?}");
    assert_eq!(loaded.operations.len(), OPERATIONS_IN_MEMORY + 3);
}

#[test]
fn an_entry_for_a_resource_that_is_not_there_is_no_fact() {
    let dir = tempfile::tempdir().unwrap();
    let (mut catalogue, mut ledger) = (open(dir.path()), Ledger::default());
    let snapshot = heptad::domain::snapshot::Snapshot {
        health: heptad::domain::snapshot::Health::Complete,
        ..scribe::taking(&scribe::name(9), Seq(1), 1)
    };
    let batch = [
        Entry::Snapshot(Box::new(snapshot)),
        Entry::SnapshotErased(scribe::name(9), Seq(1)),
        Entry::Slot(scribe::name(9), scribe::slot_record(0, 1, 1)),
        Entry::AccountErased(scribe::name(9)),
    ];
    record(&mut catalogue, &mut ledger, &batch);
    assert_twin(&catalogue, &ledger);
}

#[test]
fn a_resource_that_was_erased_leaves_its_history_and_never_its_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let (mut catalogue, mut ledger) = (open(dir.path()), Ledger::default());
    let name = scribe::name(1);
    let head = |next_seq| {
        Entry::Account(Box::new(Account { next_seq: Seq(next_seq), ..scribe::account(1, 1) }))
    };
    let first = scribe::taking(&name, Seq(41), 3);
    let batch = [
        head(42),
        Entry::Snapshot(Box::new(first.clone())),
        Entry::Slot(name.clone(), scribe::slot_record(0, 1, 1)),
        Entry::AccountErased(name.clone()),
    ];
    record(&mut catalogue, &mut ledger, &batch);
    assert_twin(&catalogue, &ledger);
    let slots = |catalogue: &heptad::catalogue::Catalogue| {
        catalogue.slots_of(&name, jiff::Timestamp::MIN, jiff::Timestamp::MAX).unwrap()
    };
    assert_eq!(slots(&catalogue), [scribe::slot_record(0, 1, 1)]);
    let graves = catalogue.tombstones_of(&name, 10).unwrap();
    assert_eq!(graves.iter().map(|grave| grave.id).collect::<Vec<_>>(), [first.card.handle.id]);

    // The same name again: the old slot is history, and the counter goes on.
    catalogue.record(&[head(1)]).unwrap();
    let (loaded, _) = catalogue.load().unwrap();
    let again = loaded.account(&name).unwrap();
    assert_eq!((again.next_seq, again.slots.len(), again.snapshots.len()), (Seq(42), 0, 0));
    catalogue.record(&[Entry::Slot(name.clone(), scribe::slot_record(0, 1, 2))]).unwrap();
    assert_eq!(slots(&catalogue).len(), 2, "one of each life");
}

#[test]
fn what_was_noted_last_is_loaded_whatever_the_clock_said_and_no_snapshot_becomes_a_missed_one() {
    let dir = tempfile::tempdir().unwrap();
    let (mut catalogue, mut ledger) = (open(dir.path()), Ledger::default());
    record(&mut catalogue, &mut ledger, &[Entry::Account(Box::new(scribe::account(1, 1)))]);
    let note = |n: u64, f: u64| Entry::Slot(scribe::name(1), scribe::slot_record(1, n, f));
    // The clock was ahead and went back; some are noted again; one stays open all the while.
    let ahead = (500..600).map(|n| note(n, 1));
    let right = (10..60).map(|n| note(n, 1));
    let again = [note(20, 2), note(505, 2), note(3, 0), note(11, 3)];
    let batch: Vec<Entry> =
        [note(499, 0)].into_iter().chain(ahead).chain(right).chain(again).collect();
    record(&mut catalogue, &mut ledger, &batch);
    assert_twin(&catalogue, &ledger);
    let account = ledger.account(&scribe::name(1)).unwrap();
    assert_eq!(account.slots.len(), SLOTS_IN_MEMORY + 1);
    // 505 is complete, and gone from memory by now: that it was missed is no news.
    let more: Vec<Entry> = (60..150).map(|n| note(n, 1)).collect();
    record(&mut catalogue, &mut ledger, &more);
    let outcome = |catalogue: &heptad::catalogue::Catalogue, n: u64| {
        let all = catalogue.slots_of(&scribe::name(1), jiff::Timestamp::MIN, jiff::Timestamp::MAX);
        let slot = scribe::slot(1, n);
        let found = all.unwrap().into_iter().find(|record| record.slot == slot);
        found.and_then(|record| record.outcome).map(|outcome| outcome.word())
    };
    catalogue.record(&[note(505, 5), note(499, 5), note(700, 5)]).unwrap();
    assert_eq!(outcome(&catalogue, 505), Some("suspect"));
    assert_eq!(outcome(&catalogue, 499), Some("missed"), "it had no snapshot");
    assert_eq!(outcome(&catalogue, 700), Some("missed"));
}
