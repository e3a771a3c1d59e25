//! What a person should see of a resource at a glance: the strip of the last slots, counts.
//! Derived from the account each time; nothing here is remembered.

use super::account::Account;
use super::clock::Belief;
use super::slot::Slot;
use super::slot_record::{Beginning, Outcome, SlotRecord};
use super::snapshot::{Fate, Health, Origin, Snapshot};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// How many slots the strip shows.
pub const STRIP: usize = 14;

/// From when the facts are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub now: Timestamp,
    /// When the daemon started, and when catch-up may begin.
    pub started: Timestamp,
    pub settled: Timestamp,
    pub belief: Belief,
    /// How long heptad has run on this host; the trash counts by it.
    pub elapsed: SignedDuration,
    /// How long the machine has slept since heptad started, and whether its clock is vouched for.
    pub slept: SignedDuration,
    pub synchronised: bool,
}

impl Moment {
    pub fn beginning(&self) -> Beginning {
        Beginning { started: self.started, settled: self.settled }
    }
}

/// One mark of the strip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Complete,
    Suspect,
    /// Also while it will be tried again.
    Failed,
    Skipped,
    Missed,
    /// Complete, and a manual copy was kept of it.
    Kept,
    Running,
    /// Open and not tried yet.
    None,
}

pub fn mark(account: &Account, record: &SlotRecord) -> Mark {
    match &record.outcome {
        Some(Outcome::Complete) if is_kept(account, record) => Mark::Kept,
        Some(Outcome::Complete) => Mark::Complete,
        // A person looked at it and accepted it.
        Some(Outcome::Suspect(_)) if is_accepted(account, record) => Mark::Complete,
        Some(Outcome::Suspect(_)) => Mark::Suspect,
        Some(Outcome::Failed(_)) => Mark::Failed,
        Some(Outcome::Skipped(_)) => Mark::Skipped,
        Some(Outcome::Missed(_)) => Mark::Missed,
        None if record.operation.is_some() && record.operation == account.running => Mark::Running,
        None if record.last_failure.is_some() => Mark::Failed,
        None => Mark::None,
    }
}

fn is_accepted(account: &Account, record: &SlotRecord) -> bool {
    let snapshot = record.seq.and_then(|seq| account.snapshots.get(&seq));
    snapshot.is_some_and(|snapshot| snapshot.facts.accepted && snapshot.health == Health::Complete)
}

fn is_kept(account: &Account, record: &SlotRecord) -> bool {
    let copies = |s: &Arc<Snapshot>| {
        s.card.kept_from == record.seq && s.fate == Fate::Live && s.health == Health::Complete
    };
    record.seq.is_some() && account.snapshots.values().any(copies)
}

/// The last slots with a record, oldest first; a clock that was ahead may have left later ones.
pub fn strip(account: &Account, now: Timestamp) -> Vec<(Slot, Mark)> {
    let mut records = account.by_due();
    records.retain(|record| record.due <= now);
    let skip = records.len().saturating_sub(STRIP);
    records.iter().skip(skip).map(|record| (record.slot, mark(account, record))).collect()
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that rotation counts.
    pub automatic: u64,
    /// Manual and copied ones that are there.
    pub manual: u64,
    pub trashed: u64,
}

pub fn counts(account: &Account) -> Counts {
    let mut counts = Counts::default();
    for snapshot in account.snapshots.values() {
        match (snapshot.fate, snapshot.card.origin) {
            (Fate::Trashed { .. }, _) => counts.trashed += 1,
            (Fate::Live, Origin::Automatic) if snapshot.counts() => counts.automatic += 1,
            (Fate::Live, Origin::Manual | Origin::Copied) if snapshot.usable() => {
                counts.manual += 1;
            }
            _ => {}
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::OperationId;
    use crate::domain::operation::{Failure, Fault};
    use crate::domain::sample::{Builder, at};
    use crate::domain::snapshot::Seq;

    #[test]
    fn the_strip_has_one_mark_for_each_of_the_last_fourteen_slots() {
        let account = Builder::daily()
            .complete(1..=9)
            .suspect(10)
            .slot(11, Some(Outcome::Failed("io".into())))
            .slot(12, Some(Outcome::Skipped("identity".into())))
            .slot(13, Some(Outcome::Missed("off".into())))
            .complete(14..=14)
            .slot(15, None)
            .slot(16, None)
            .slot(17, None)
            .but(|account| {
                let mut copy = account.snapshots[&Seq(11)].as_ref().clone();
                copy.card.origin = Origin::Manual;
                (copy.card.kept_from, copy.card.handle.seq) = (Some(Seq(11)), Seq(99));
                account.snapshots.insert(Seq(99), Arc::new(copy));
                account.running = Some(OperationId(3));
                let slots: Vec<Slot> = account.slots.keys().copied().collect();
                let failure = Failure::new(Fault::Transient, "io");
                account.slots.get_mut(&slots[14]).unwrap().last_failure = Some(failure);
                account.slots.get_mut(&slots[15]).unwrap().operation = Some(OperationId(3));
            })
            .account();
        let strip = strip(&account, at("30T00:00"));
        assert_eq!(strip[0].0.to_string(), "2026-11-04");
        let marks: Vec<Mark> = strip.iter().skip(5).map(|(_, mark)| *mark).collect();
        use Mark::{Complete, Failed, Kept, Missed, Running, Skipped, Suspect};
        assert_eq!(
            marks,
            [Complete, Suspect, Failed, Skipped, Missed, Kept, Failed, Running, Mark::None]
        );
        let want = Counts { automatic: 10, manual: 1, trashed: 0 };
        assert_eq!(counts(&account), want);
    }
}
