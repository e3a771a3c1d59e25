//! Questions about what happened.

use super::{assert_twin, open, record, scribe};
use heptad::catalogue::{Catalogue, OperationFilter, Pruned};
use heptad::domain::account::{Account, SLOTS_IN_MEMORY};
use heptad::domain::event::Entry;
use heptad::domain::id::OperationId;
use heptad::domain::key::Key;
use heptad::domain::ledger::{Ledger, OPERATIONS_IN_MEMORY};
use heptad::domain::operation::{Act, Cause, Doom, Operation, State};
use heptad::domain::snapshot::Seq;
use jiff::{SignedDuration, Timestamp};

fn account(n: u64, next_seq: u64) -> Entry {
    Entry::Account(Box::new(Account { next_seq: Seq(next_seq), ..scribe::account(n, n) }))
}

#[test]
fn slots_are_found_by_when_they_were_due_to_the_nanosecond() {
    let dir = tempfile::tempdir().unwrap();
    let mut catalogue = open(dir.path());
    let record = |n: u64| Entry::Slot(scribe::name(1), scribe::slot_record(0, n, n));
    let slots = (0..100).map(record);
    let batch: Vec<Entry> = [account(1, 1), account(2, 1)].into_iter().chain(slots).collect();
    catalogue.record(&batch).unwrap();
    let due = |n: u64| scribe::slot_record(0, n, n).due;
    let tick = SignedDuration::from_nanos(1);
    let check = |from: Timestamp, until: Timestamp, want: std::ops::Range<u64>| {
        let found = catalogue.slots_of(&scribe::name(1), from, until).unwrap();
        let want: Vec<_> = want.map(|n| scribe::slot_record(0, n, n)).collect();
        assert_eq!(found, want, "{from} to {until}");
    };
    check(Timestamp::MIN, Timestamp::MAX, 0..100);
    check(due(3), due(7), 3..7);
    check(due(3) + tick, due(7) + tick, 4..8);
    check(due(3), due(3), 3..3);
    assert_eq!(catalogue.slots_of(&scribe::name(2), Timestamp::MIN, due(99)).unwrap(), []);
}

fn ids(found: &[Operation]) -> Vec<u64> {
    found.iter().map(|operation| operation.id.0).collect()
}

fn operation(id: u64, n: u64, state: State) -> Entry {
    Entry::Operation(Operation { state, ..scribe::operation(OperationId(id), n, id) })
}

#[test]
fn operations_are_filtered_and_paged() {
    let dir = tempfile::tempdir().unwrap();
    let mut catalogue = open(dir.path());
    let state = |id: u64| if id < 3 { State::Queued } else { State::Succeeded };
    let batch: Vec<Entry> = (0..12).map(|id| operation(id, id % 2, state(id))).collect();
    catalogue.record(&batch).unwrap();
    let check = |filter: OperationFilter, want: &[u64]| {
        assert_eq!(ids(&catalogue.operations(&filter).unwrap()), want, "{filter:?}");
    };
    let all = OperationFilter::default;
    check(all(), &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    check(OperationFilter { limit: Some(2), ..all() }, &[11, 10]);
    check(OperationFilter { limit: Some(2), before: Some(OperationId(10)), ..all() }, &[9, 8]);
    check(OperationFilter { open: Some(true), ..all() }, &[2, 1, 0]);
    check(OperationFilter { resource: Some(scribe::name(1)), ..all() }, &[11, 9, 7, 5, 3, 1]);
    let open = OperationFilter { resource: Some(scribe::name(1)), open: Some(true), ..all() };
    check(open, &[1]);
    check(OperationFilter { id: Some(OperationId(4)), ..all() }, &[4]);
    check(OperationFilter { id: Some(OperationId(u64::MAX)), ..all() }, &[]);
    check(OperationFilter { resource: Some(scribe::name(9)), ..all() }, &[]);
}

#[test]
fn an_idempotency_key_is_found_again_after_a_restart_by_its_own_client_only() {
    let dir = tempfile::tempdir().unwrap();
    let asked = |id: u64, uid: u32, key: &str| {
        let operation = scribe::operation(OperationId(id), 1, id);
        let key = Some(Key { text: key.into(), digest: None });
        Entry::Operation(Operation { cause: Cause::Peer(uid), key, ..operation })
    };
    let batch = [asked(1, 1000, "k"), asked(2, 1001, "k"), asked(3, 1000, scribe::ODD[2])];
    open(dir.path()).record(&batch).unwrap();
    let catalogue = open(dir.path());
    let check = |uid: u32, key: &str, want: Option<u64>| {
        let found = catalogue.operation_by_key(uid, key).unwrap();
        assert_eq!(found.map(|operation| operation.id.0), want, "{uid} {key:?}");
    };
    check(1000, "k", Some(1));
    check(1001, "k", Some(2));
    check(0, "k", None);
    check(1000, "K", None);
    check(1000, scribe::ODD[2], Some(3));
}

#[test]
fn a_destroyed_snapshot_leaves_a_stone_that_names_the_operation() {
    let dir = tempfile::tempdir().unwrap();
    let mut catalogue = open(dir.path());
    let name = scribe::name(1);
    let act = Act::Destroy { seq: Seq(1), why: Doom::Rotated { paid_by: Seq(8) } };
    let destroy =
        Operation { act, started: Some(scribe::at(77)), ..scribe::operation(OperationId(5), 1, 1) };
    let snapshot = scribe::taking(&name, Seq(1), 0);
    let batch = [
        account(1, 2),
        Entry::Snapshot(Box::new(snapshot.clone())),
        Entry::Operation(destroy),
        Entry::SnapshotErased(name.clone(), Seq(1)),
    ];
    catalogue.record(&batch).unwrap();
    let stones = catalogue.tombstones_of(&name, 5).unwrap();
    let [stone] = &stones[..] else { panic!("{stones:?}") };
    assert_eq!(
        (stone.seq, stone.id, stone.slot),
        (Seq(1), snapshot.card.handle.id, snapshot.card.slot)
    );
    assert_eq!((stone.operation, stone.erased_at), (Some(OperationId(5)), scribe::at(77)));
    assert_eq!(catalogue.load().unwrap().0.snapshots().count(), 0);
}

/// What pruning must not touch.
fn counters(catalogue: &Catalogue) -> (OperationId, Vec<Seq>) {
    let (ledger, _) = catalogue.load().unwrap();
    (ledger.next_operation, ledger.accounts.values().map(|account| account.next_seq).collect())
}

#[test]
fn pruned_history_gives_room_back_and_no_number_twice() {
    let dir = tempfile::tempdir().unwrap();
    let (mut catalogue, mut ledger) = (open(dir.path()), Ledger::default());
    let (slots, operations) = (3 * SLOTS_IN_MEMORY as u64, 4 * OPERATIONS_IN_MEMORY as u64);
    let mut batch = vec![account(1, 2), account(2, 2)];
    for n in [1, 2] {
        batch.push(Entry::Snapshot(Box::new(scribe::taking(&scribe::name(n), Seq(1), n))));
        let slot = |i| Entry::Slot(scribe::name(n), scribe::slot_record(0, i, i));
        batch.extend((0..slots).map(slot));
    }
    let state = |id| if id == 0 { State::Running } else { State::Succeeded };
    batch.extend((0..operations).map(|id| operation(id, 1, state(id))));
    batch.push(Entry::AccountErased(scribe::name(2)));
    record(&mut catalogue, &mut ledger, &batch);
    catalogue.checkpoint().unwrap();
    let size = || std::fs::metadata(dir.path().join("catalogue.sqlite")).unwrap().len();
    let (large, before) = (size(), counters(&catalogue));

    assert_eq!(catalogue.vacuum_history(Timestamp::MIN).unwrap(), Pruned::default());
    let pruned = catalogue.vacuum_history(Timestamp::MAX).unwrap();
    // Those noted last, and every open one.
    let known = ledger.account(&scribe::name(1)).unwrap().slots.len();
    assert!(known > SLOTS_IN_MEMORY);
    let kept = (known as u64, OPERATIONS_IN_MEMORY as u64);
    let want = (2 * slots - kept.0, operations - kept.1 - 1);
    assert_eq!(
        (pruned.slots as u64, pruned.operations as u64, pruned.tombstones),
        (want.0, want.1, 1)
    );
    catalogue.checkpoint().unwrap();
    assert!(size() * 10 < large * 9, "{} of {large} bytes are left", size());
    assert_eq!(counters(&catalogue), before);
    assert_twin(&catalogue, &ledger);

    catalogue.record(&[account(2, 1)]).unwrap();
    assert_eq!(counters(&catalogue).1, [Seq(2), Seq(2)], "the erased one counts on");
}
