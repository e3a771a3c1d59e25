//! Keeping the figures of what snapshots occupy fresh: they change as neighbours come and go.

use super::super::account::{Account, Weighed};
use super::super::event::Entry;
use super::super::name::ResourceName;
use super::super::snapshot::{Facts, Snapshot};
use super::super::usage::{KnownTotal, SnapshotSet};
use super::super::usage::{SnapshotUsage, TotalReport, UsageReport, UsageScope};
use super::Keeper;
use jiff::SignedDuration;

/// How long figures that are costly to measure stand: those of each snapshot, and of all. A little
/// less than a day, so that an hourly sweep does not drift.
const STANDS: SignedDuration = SignedDuration::from_mins(23 * 60 + 30);
/// How long that of all does when a snapshot has come or gone since. A daily one does, so that is
/// measured twice a day. The others are not: a snapshot is measured when it is taken.
const STANDS_AFTER_CHANGE: SignedDuration = SignedDuration::from_mins(5 * 60 + 30);

impl Keeper {
    /// What a look measures, which may take minutes. Nothing at the first look at a backend, which
    /// a due snapshot may be waiting for. After a start all are due in the next sweep; the workers
    /// see to it that this holds up no other work of a pool.
    pub(super) fn weighing(&self, account: &Account) -> UsageScope {
        let changed =
            |measured: &KnownTotal| measured.of != SnapshotSet::of(account.snapshots.values());
        let outdated = account.occupied.as_ref().is_some_and(changed);
        match account.surveyed {
            true => due(account.weighed, outdated, self.reading.elapsed),
            false => UsageScope::Nothing,
        }
    }

    /// Notes what was measured, where it differs.
    pub(super) fn weigh(&mut self, name: &ResourceName, weights: &UsageReport) {
        for SnapshotUsage { seq, stored, exclusive } in weights.each.iter().copied() {
            let Some(snapshot) = self.ledger.snapshot(name, seq) else { continue };
            let facts = Facts { stored, exclusive, ..snapshot.facts.clone() };
            if facts != snapshot.facts {
                self.put(Entry::Snapshot(Box::new(Snapshot { facts, ..snapshot.clone() })));
            }
        }
        if let TotalReport::Is(occupied) = weights.together
            && let Some(account) = self.ledger.account(name)
        {
            let of = SnapshotSet::of(account.snapshots.values());
            let occupied = occupied.map(|occupied| KnownTotal { occupied, of });
            if occupied != account.occupied {
                self.put_account(Account { occupied, ..account.clone() });
            }
        }
        let elapsed = Some(self.reading.elapsed);
        if weights.together != TotalReport::NotAsked
            && let Some(account) = self.ledger.account_mut(name)
        {
            account.weighed.together = elapsed;
            if !weights.each.is_empty() {
                account.weighed.each = elapsed;
            }
        }
    }
}

fn due(weighed: Weighed, outdated: bool, elapsed: SignedDuration) -> UsageScope {
    let over = |at: Option<SignedDuration>, stands: SignedDuration| {
        at.is_none_or(|at| elapsed.saturating_sub(at) >= stands)
    };
    if over(weighed.each, STANDS) {
        UsageScope::All
    } else if over(weighed.together, if outdated { STANDS_AFTER_CHANGE } else { STANDS }) {
        UsageScope::Total
    } else {
        UsageScope::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_snapshot_is_measured_once_a_day_and_all_of_them_also_after_a_change() {
        let hours = |hours: Option<i64>| hours.map(SignedDuration::from_hours);
        let check = |each, together, outdated, want| {
            let weighed = Weighed { each: hours(each), together: hours(together) };
            let got = due(weighed, outdated, SignedDuration::from_hours(100));
            assert_eq!(got, want, "{weighed:?} {outdated}");
        };
        check(None, None, false, UsageScope::All);
        check(Some(100), Some(100), true, UsageScope::Nothing);
        check(Some(95), Some(95), true, UsageScope::Nothing);
        check(Some(94), Some(94), true, UsageScope::Total);
        check(Some(94), Some(94), false, UsageScope::Nothing);
        check(Some(78), Some(94), true, UsageScope::Total);
        // The daily one does not wait for the other.
        check(Some(76), Some(99), false, UsageScope::All);
        check(Some(76), Some(94), true, UsageScope::All);
        // No snapshot could be measured, so that is tried again.
        check(None, Some(99), false, UsageScope::All);
    }
}
