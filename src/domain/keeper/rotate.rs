//! Rotation: a consequence of a completed snapshot, never of the clock.

use super::Keeper;
use crate::domain::event::{Survey, Wholeness};
use crate::domain::name::ResourceName;
use crate::domain::operation::{Act, Cause, Doom};
use crate::domain::rotation::{self, Candidate};
use crate::domain::snapshot::{Fate, Seq};

impl Keeper {
    /// Dooms up to `credit` surplus snapshots, the oldest first, by what the backend showed in
    /// this very pass. Nothing is doomed while there is doubt.
    pub(super) fn rotate(&mut self, name: &ResourceName, survey: &Survey, credit: u32) -> u32 {
        self.resume_doomed(name, survey);
        let Some(account) = self.ledger.account(name) else { return 0 };
        if account.forgotten || !account.declared || account.doubt().is_some() {
            return 0;
        }
        let seen = |candidate: &Candidate| {
            let whole = survey.found.iter().find(|f| f.card.handle.seq == candidate.seq);
            whole.is_some_and(|found| found.state == Wholeness::Whole)
        };
        let pinned = |seq: Seq| self.pinned(name, seq).is_some();
        let mut candidates = account.candidates(&pinned);
        candidates.retain(seen);
        let newest = candidates.iter().map(|c| c.seq).max();
        let verified = |seq: &Seq| {
            account.snapshots.get(seq).is_some_and(|newest| newest.facts.content.is_some())
        };
        let Some(paid_by) = newest.filter(verified) else { return 0 };
        let retention = account.policy().retention;
        let doomed = rotation::doomed(&rotation::judge(&candidates, retention), credit);
        for seq in &doomed {
            let newer = candidates.iter().map(|candidate| candidate.seq);
            assert!(rotation::paid(*seq, newer, retention), "unpaid deletion of {name} {seq}");
            self.destroy(name, *seq, Doom::Rotated { paid_by }, Cause::Rotation);
        }
        u32::try_from(doomed.len()).unwrap_or(u32::MAX)
    }

    /// Rotates with the credit that the newest completed snapshot left, and spends it.
    pub(super) fn spend_credit(&mut self, name: &ResourceName, survey: &Survey) {
        let Some(credit) = self.ledger.account(name).map(|account| account.credit) else { return };
        let spent = self.rotate(name, survey, credit);
        if spent > 0
            && let Some(account) = self.ledger.account(name)
        {
            let mut account = account.clone();
            account.credit -= spent.min(credit);
            self.put_account(account);
        }
    }

    /// A destruction that failed is tried again whenever the backend has just been seen. What
    /// rotation chose and nobody has touched yet lives on: rotation judges it anew.
    fn resume_doomed(&mut self, name: &ResourceName, survey: &Survey) {
        let Some(account) = self.ledger.account(name) else { return };
        let doomed = account.snapshots.values().filter(|s| s.fate == Fate::Doomed);
        let doomed: Vec<(Seq, bool)> = doomed.map(|s| (s.seq(), s.is_rotatable())).collect();
        for (seq, rotatable) in doomed {
            let Some(found) = survey.found.iter().find(|f| f.card.handle.seq == seq) else {
                continue;
            };
            if self.destruction(name, seq).is_some() {
                continue;
            }
            let by_rotation = match self.last_doom(name, seq) {
                Some(why) => matches!(why, Doom::Rotated { .. }),
                None => rotatable,
            };
            if by_rotation && found.state != Wholeness::Partial {
                self.set_fate(name, seq, Fate::Live);
            } else {
                // Asked for by name, or begun already: the intent is durable.
                self.destroy(name, seq, Doom::Asked, Cause::Recovery);
            }
        }
    }

    /// Why a snapshot was to be destroyed the last time, as far back as memory reaches.
    fn last_doom(&self, name: &ResourceName, seq: Seq) -> Option<Doom> {
        let newest_first = self.ledger.operations.values().rev().filter(|o| o.resource == *name);
        newest_first.into_iter().find_map(|operation| match operation.act {
            Act::Destroy { seq: doomed, why } if doomed == seq => Some(why),
            _ => None,
        })
    }
}
