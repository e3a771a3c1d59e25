//! Which bytes are billed.

use super::super::account::Account;
use super::super::snapshot::{Facts, Health, Snapshot};
use super::super::usage::{SnapshotSet, TotalUsage};

/// What the billed bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// What is occupied.
    Exact,
    /// What was occupied before snapshots came or went.
    Outdated,
    /// At least so much is occupied.
    AtLeast,
    /// Of one snapshot: what would become free if it alone went.
    Exclusive,
    Logical,
    /// Exclusive bytes of some snapshots, logical ones of others.
    Mixed,
    /// The backend tells nothing.
    Unmeasured,
}

impl Basis {
    /// The stable word for the API and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Basis::Exact => "exact",
            Basis::Outdated => "outdated",
            Basis::AtLeast => "at-least",
            Basis::Exclusive => "exclusive",
            Basis::Logical => "logical",
            Basis::Mixed => "mixed",
            Basis::Unmeasured => "unmeasured",
        }
    }
}

/// The bytes that a snapshot adds to the bill where only single ones are measured, and how they
/// were.
pub fn billed(facts: &Facts) -> (u64, Basis) {
    match (facts.exclusive, facts.stored) {
        (Some(bytes), _) => (bytes, Basis::Exclusive),
        (None, Some(bytes)) => (bytes, Basis::Logical),
        (None, None) => (0, Basis::Unmeasured),
    }
}

/// Whether it takes up room: also in the trash, but not before it is taken nor once it is gone.
pub fn occupies(snapshot: &Snapshot) -> bool {
    !matches!(snapshot.health, Health::Taking | Health::Missing)
}

/// What all snapshots of one resource occupy at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResourceUsage {
    pub snapshots: u64,
    /// Sums over those that are measured; none if no snapshot is.
    pub stored: Option<u64>,
    pub exclusive: Option<u64>,
    /// What all of them do together, as last measured.
    pub occupied: Option<TotalUsage>,
    /// Whether others were there when that was measured.
    pub outdated: bool,
    pub billed: u64,
    /// How many there are of each measure.
    pub by_exclusive: u64,
    pub by_logical: u64,
}

impl ResourceUsage {
    pub fn of(account: &Account) -> Self {
        let there = account.snapshots.values().filter(|snapshot| occupies(snapshot));
        let sum = there.fold(Self::default(), |sum, snapshot| sum.with(&snapshot.facts));
        match account.occupied {
            Some(measured) if sum.snapshots > 0 => sum.together(
                measured.occupied,
                measured.of != SnapshotSet::of(account.snapshots.values()),
            ),
            _ => sum,
        }
    }

    fn together(self, occupied: TotalUsage, outdated: bool) -> Self {
        // The sum of exclusive bytes knows of what was not measured together.
        let least = self.exclusive.filter(|_| !occupied.exact || outdated).unwrap_or(0);
        let billed = occupied.bytes.max(least);
        Self { occupied: Some(occupied), outdated, billed, ..self }
    }

    fn with(self, facts: &Facts) -> Self {
        let add = |sum: Option<u64>, more: Option<u64>| match (sum, more) {
            (None, None) => None,
            (sum, more) => Some(sum.unwrap_or(0).saturating_add(more.unwrap_or(0))),
        };
        let (bytes, basis) = billed(facts);
        Self {
            snapshots: self.snapshots + 1,
            stored: add(self.stored, facts.stored),
            exclusive: add(self.exclusive, facts.exclusive),
            occupied: None,
            outdated: false,
            billed: self.billed.saturating_add(bytes),
            by_exclusive: self.by_exclusive + u64::from(basis == Basis::Exclusive),
            by_logical: self.by_logical + u64::from(basis == Basis::Logical),
        }
    }

    /// How many are billed as nothing because no size of them is known.
    pub fn unmeasured(&self) -> u64 {
        match self.occupied {
            Some(_) => 0,
            None => self.snapshots - self.by_exclusive - self.by_logical,
        }
    }

    pub fn basis(&self) -> Basis {
        match self.occupied {
            Some(_) if self.outdated => return Basis::Outdated,
            Some(occupied) if occupied.exact => return Basis::Exact,
            Some(_) => return Basis::AtLeast,
            None => {}
        }
        match (self.by_exclusive, self.by_logical) {
            (0, 0) => Basis::Unmeasured,
            (_, 0) => Basis::AtLeast,
            (0, _) => Basis::Logical,
            _ => Basis::Mixed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::sample::Builder;
    use super::super::super::snapshot::{Fate, Seq, Thrown};
    use super::super::super::usage::KnownTotal;
    use super::*;
    use jiff::SignedDuration;
    use std::sync::Arc;

    #[test]
    fn a_snapshot_is_billed_by_its_exclusive_bytes_or_else_by_its_stored_ones() {
        let check = |stored, exclusive, want| {
            let facts = Facts { stored, exclusive, ..Facts::default() };
            assert_eq!(billed(&facts), want, "{facts:?}");
        };
        check(Some(9), Some(2), (2, Basis::Exclusive));
        check(Some(9), Some(0), (0, Basis::Exclusive));
        check(None, Some(2), (2, Basis::Exclusive));
        check(Some(9), None, (9, Basis::Logical));
        check(None, None, (0, Basis::Unmeasured));
    }

    #[test]
    fn a_resource_is_billed_for_what_exists_in_the_trash_too() {
        type Size = (Option<u64>, Option<u64>);
        let check = |sizes: [Size; 5], want: (u64, Option<u64>, Option<u64>), basis, unmeasured| {
            let account = Builder::daily().complete(1..=5).but(|account| {
                for (snapshot, size) in account.snapshots.values_mut().zip(sizes) {
                    let snapshot = Arc::make_mut(snapshot);
                    (snapshot.facts.stored, snapshot.facts.exclusive) = size;
                }
                let mut edit = |seq, health, fate| {
                    let snapshot = account.snapshots.get_mut(&Seq(seq)).map(Arc::make_mut).unwrap();
                    (snapshot.health, snapshot.fate) = (health, fate);
                };
                let until = SignedDuration::ZERO;
                edit(1, Health::Missing, Fate::Live);
                edit(2, Health::Complete, Fate::Trashed { until, why: Thrown::Asked });
                edit(3, Health::Tampered, Fate::Doomed { from_trash: None });
                edit(4, Health::Taking, Fate::Live);
            });
            let got = ResourceUsage::of(&account.account());
            assert_eq!(got.snapshots, 3);
            assert_eq!((got.billed, got.stored, got.exclusive), want);
            assert_eq!((got.basis(), got.unmeasured()), (basis, unmeasured));
        };
        let (both, logical, none) = ((Some(10), Some(3)), (Some(10), None), (None, None));
        check([both; 5], (9, Some(30), Some(9)), Basis::AtLeast, 0);
        check([logical; 5], (30, Some(30), None), Basis::Logical, 0);
        check([none; 5], (0, None, None), Basis::Unmeasured, 3);
        check([both, both, logical, both, none], (13, Some(20), Some(3)), Basis::Mixed, 1);
    }

    #[test]
    fn a_resource_is_billed_for_what_its_snapshots_occupy_together_where_that_is_known() {
        let check = |exclusive, exact, newest, want: u64, basis| {
            let account = Builder::daily().complete(1..=3).but(|account| {
                for snapshot in account.snapshots.values_mut() {
                    let facts = &mut Arc::make_mut(snapshot).facts;
                    (facts.stored, facts.exclusive) = (Some(100), exclusive);
                }
                let of = SnapshotSet { count: 3, newest: Seq(newest) };
                let occupied = TotalUsage { bytes: 50, exact };
                account.occupied = Some(KnownTotal { occupied, of });
            });
            let got = ResourceUsage::of(&account.account());
            assert_eq!((got.billed, got.basis(), got.unmeasured()), (want, basis, 0));
        };
        check(Some(10), true, 3, 50, Basis::Exact);
        check(None, true, 3, 50, Basis::Exact);
        check(Some(10), false, 3, 50, Basis::AtLeast);
        // What was not measured together may have been measured one by one.
        check(Some(20), false, 3, 60, Basis::AtLeast);
        check(Some(20), true, 3, 50, Basis::Exact);
        // Another one was there instead.
        check(Some(10), true, 4, 50, Basis::Outdated);
        check(Some(20), true, 4, 60, Basis::Outdated);
    }

    #[test]
    fn without_snapshots_nothing_is_occupied() {
        let account = Builder::daily().but(|account| {
            let occupied = TotalUsage { bytes: 50, exact: true };
            let of = SnapshotSet { count: 3, newest: Seq(3) };
            account.occupied = Some(KnownTotal { occupied, of });
        });
        assert_eq!(ResourceUsage::of(&account.account()), ResourceUsage::default());
    }
}
