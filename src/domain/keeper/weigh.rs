//! Keeping the figures of what snapshots occupy fresh: they change as neighbours come and go.

use super::Keeper;
use crate::domain::account::Account;
use crate::domain::event::{Entry, Together, Weight, Weights};
use crate::domain::name::ResourceName;
use crate::domain::occupied::{Gathering, Measured};
use crate::domain::snapshot::{Facts, Snapshot};
use jiff::SignedDuration;

/// How long figures that are costly to measure stand. A little less than a day, so that an hourly
/// sweep does not drift.
const STANDS: SignedDuration = SignedDuration::from_mins(23 * 60 + 30);
/// How long they do when a snapshot has come or gone since.
const STANDS_AFTER_CHANGE: SignedDuration = SignedDuration::from_mins(5 * 60 + 30);

impl Keeper {
    /// Whether a look may take as long as measuring every snapshot does. Never the first look at a
    /// backend, which a due snapshot may be waiting for.
    pub(super) fn is_weighing_due(&self, account: &Account) -> bool {
        let changed = |measured: &Measured| measured.of != Gathering::of(account);
        let stands = match account.occupied.as_ref().is_some_and(changed) {
            true => STANDS_AFTER_CHANGE,
            false => STANDS,
        };
        let fresh = |at: SignedDuration| self.reading.elapsed.saturating_sub(at) < stands;
        account.surveyed && !account.weighed.is_some_and(fresh)
    }

    /// Notes what was measured, where it differs.
    pub(super) fn weigh(&mut self, name: &ResourceName, weights: &Weights) {
        for Weight { seq, stored, exclusive } in weights.each.iter().copied() {
            let Some(snapshot) = self.ledger.snapshot(name, seq) else { continue };
            let facts = Facts { stored, exclusive, ..snapshot.facts.clone() };
            if facts != snapshot.facts {
                self.put(Entry::Snapshot(Box::new(Snapshot { facts, ..snapshot.clone() })));
            }
        }
        if let Together::Is(occupied) = weights.together
            && let Some(account) = self.ledger.account(name)
        {
            let of = Gathering::of(account);
            let occupied = occupied.map(|occupied| Measured { occupied, of });
            if occupied != account.occupied {
                self.put_account(Account { occupied, ..account.clone() });
            }
        }
        if weights.together != Together::NotAsked && !weights.each.is_empty() {
            let elapsed = self.reading.elapsed;
            if let Some(account) = self.ledger.account_mut(name) {
                account.weighed = Some(elapsed);
            }
        }
    }
}
