//! Rotation: a consequence of a completed snapshot, never of the clock.

use super::super::survey::{Survey, Wholeness};
use super::Keeper;
use crate::domain::account::Account;
use crate::domain::id::OperationId;
use crate::domain::name::ResourceName;
use crate::domain::operation::{Act, Cause, Doom, Operation};
use crate::domain::payment::{self};
use crate::domain::recovery;
use crate::domain::rotation::{self, CREDIT, Candidate, Held, Payment, Verdict};
use crate::domain::slot::Slot;
use crate::domain::snapshot::{Fate, Origin, Seq};

/// What goes now, and how many would go if more had been paid for.
struct Doomed {
    seqs: Vec<Seq>,
    surplus: usize,
    paid_by: Seq,
}

impl Keeper {
    /// What a newly completed snapshot of a slot pays for: at most [`CREDIT`] of those that are
    /// beyond the ones that stay now, and none if nobody knows that time has passed.
    pub(super) fn payment(
        &self,
        name: &ResourceName,
        account: &Account,
        slot: Slot,
    ) -> (Payment, u32) {
        let (elapsed, slept) = (self.reading.elapsed, self.reading.slept);
        let before = account.payment;
        let since = before.since(elapsed, slept);
        if !payment::pays(self.reading.synchronised, since, payment::period(account, slot)) {
            let unpaid = before.unpaid.saturating_add(1);
            return (Payment { unpaid, ..before }, account.credit);
        }
        let surplus = self.ledger.account(name).map_or(0, payment::surplus);
        let lowered = before.lowered && surplus > 0;
        (Payment { at: Some(elapsed), slept, unpaid: 0, lowered }, surplus.min(CREDIT))
    }

    /// Rotates with the credit that the newest completed snapshot left, and spends it.
    pub(super) fn spend_credit(&mut self, name: &ResourceName, survey: &Survey) {
        self.resume_doomed(name, survey);
        let Some(account) = self.ledger.account(name) else { return };
        let (credit, lowered) = (account.credit, account.payment.lowered);
        let Ok(doomed) = self.doomed(name, survey, credit) else { return };
        let spent = u32::try_from(doomed.seqs.len()).unwrap_or(u32::MAX);
        self.let_go(name, &doomed, lowered);
        if spent > 0
            && let Some(account) = self.ledger.account(name)
        {
            let mut account = account.clone();
            account.credit = account.credit.saturating_sub(spent);
            account.payment.lowered = lowered && doomed.surplus > doomed.seqs.len();
            self.put_account(account);
        }
    }

    /// Drops all that is beyond those that stay, because a person asks for it: into the trash.
    ///
    /// # Errors
    /// Why nothing goes.
    pub(super) fn drain(&mut self, name: &ResourceName, survey: &Survey) -> Result<(), String> {
        self.resume_doomed(name, survey);
        let held = self.ledger.account(name).and_then(|account| account.held);
        self.hold(name, None);
        let doomed = self.doomed(name, survey, u32::MAX);
        let doomed = doomed.inspect_err(|_| self.hold(name, held))?;
        self.let_go(name, &doomed, true);
        if let Some(account) = self.ledger.account(name) {
            let mut account = account.clone();
            (account.credit, account.payment.lowered, account.payment.unpaid) = (0, false, 0);
            self.put_account(account);
        }
        Ok(())
    }

    fn hold(&mut self, name: &ResourceName, held: Option<Held>) {
        if let Some(account) = self.ledger.account(name).filter(|account| account.held != held) {
            self.put_account(Account { held, ..account.clone() });
        }
    }

    /// Up to `credit` of those that are beyond the ones that stay, the oldest first, by what the
    /// backend showed in this very pass.
    ///
    /// # Errors
    /// Why nothing goes: while there is doubt, or where the resource itself was not seen.
    fn doomed(&self, name: &ResourceName, survey: &Survey, credit: u32) -> Result<Doomed, String> {
        let refuse = |why: &str| Err(why.to_owned());
        let Some(account) = self.ledger.account(name) else { return refuse("it is not known") };
        if account.forgotten || !account.declared {
            return refuse("it is not in the configuration");
        }
        if let Some(doubt) = account.doubt() {
            return Err(doubt);
        }
        if account.identity.is_none() || !recovery::is_at_home(account, survey) {
            return refuse("the resource itself was not seen, so nothing of it goes");
        }
        let seen = |candidate: &Candidate| {
            let found = survey.found.iter().find(|f| f.card.handle.seq == candidate.seq);
            found.is_some_and(|found| {
                found.state == Wholeness::Whole && found.card.origin == Origin::Automatic
            })
        };
        let pinned = |seq: Seq| self.pinned(name, seq).is_some();
        let mut candidates = account.candidates(&pinned);
        let stays = |candidate: &Candidate| self.is_going(name, candidate.seq).is_none();
        candidates.retain(|candidate| seen(candidate) && stays(candidate));
        let newest = candidates.iter().map(|c| c.seq).max();
        let verified = |seq: &Seq| {
            account.snapshots.get(seq).is_some_and(|newest| newest.facts.content.is_some())
        };
        let Some(paid_by) = newest.filter(verified) else {
            return Ok(Doomed { seqs: Vec::new(), surplus: 0, paid_by: Seq::default() });
        };
        let retention = account.policy().retention;
        let judged = rotation::judge(&candidates, retention);
        let surplus = judged.iter().filter(|(_, verdict)| *verdict == Verdict::Drop).count();
        let seqs = rotation::doomed(&judged, credit);
        for seq in &seqs {
            let newer = candidates.iter().map(|candidate| candidate.seq);
            assert!(rotation::paid(*seq, newer, retention), "unpaid deletion of {name} {seq}");
        }
        Ok(Doomed { seqs, surplus, paid_by })
    }

    /// The open operation by which it is on its way out already.
    pub(super) fn is_going(&self, name: &ResourceName, seq: Seq) -> Option<OperationId> {
        let goes = |act: &Act| match act {
            Act::Trash { seq: going } | Act::Destroy { seq: going, .. } => *going == seq,
            _ => false,
        };
        let mut open = self.ledger.open_of(name);
        open.find(|operation| goes(&operation.act)).map(|operation| operation.id)
    }

    /// The ordinary way out is at once; what goes because fewer are to stay can be had back for a
    /// day.
    fn let_go(&mut self, name: &ResourceName, doomed: &Doomed, trash: bool) {
        for seq in doomed.seqs.iter().copied() {
            if trash {
                let operation = self.operation(name, Act::Trash { seq }, Cause::Rotation);
                self.enqueue(operation);
            } else {
                let why = Doom::Rotated { paid_by: doomed.paid_by };
                self.destroy(name, seq, why, Cause::Rotation);
            }
        }
    }

    /// Destroys one that rotation chose for the trash.
    pub(super) fn destroy_rotated(&mut self, name: &ResourceName, seq: Seq) {
        let newest = |account: &Account| account.candidates(&|_| false).last().map(|c| c.seq);
        if let Some(paid_by) = self.ledger.account(name).and_then(newest) {
            self.destroy(name, seq, Doom::Rotated { paid_by }, Cause::Rotation);
        }
    }

    /// What rotation chose to go could not be begun, or not be thrown away, and is there still:
    /// what it was paid with is there again, and so is the way by which it was to go.
    pub(super) fn give_back(&mut self, operation: &Operation) {
        let (name, seq) = (&operation.resource, operation.act.seq());
        let snapshot = seq.and_then(|seq| self.ledger.snapshot(name, seq));
        if !snapshot.is_some_and(|snapshot| snapshot.fate == Fate::Live) {
            return;
        }
        match operation.act {
            Act::Destroy { why: Doom::Rotated { .. }, .. } => self.owe_again(name),
            Act::Trash { .. } if operation.cause == Cause::Rotation => {
                self.owe_again(name);
                if let Some(account) = self.ledger.account(name) {
                    let mut account = account.clone();
                    account.payment.lowered = true;
                    self.put_account(account);
                }
            }
            _ => {}
        }
    }

    /// One that was paid for could not go: another look may let it.
    pub(super) fn owe_again(&mut self, name: &ResourceName) {
        if let Some(account) = self.ledger.account(name) {
            let credit = account.credit.saturating_add(1).min(CREDIT);
            self.put_account(Account { credit, ..account.clone() });
        }
    }

    /// A destruction that failed is tried again whenever the backend has just been seen. What
    /// rotation chose and nobody has touched yet lives on: rotation judges it anew.
    fn resume_doomed(&mut self, name: &ResourceName, survey: &Survey) {
        let Some(account) = self.ledger.account(name) else { return };
        let doomed = account.snapshots.values().filter_map(|s| match s.fate {
            Fate::Doomed { from_trash } => Some((s.seq(), s.is_rotatable(), from_trash)),
            _ => None,
        });
        for (seq, rotatable, from_trash) in doomed.collect::<Vec<_>>() {
            let Some(found) = survey.found.iter().find(|f| f.card.handle.seq == seq) else {
                continue;
            };
            if self.destruction(name, seq).is_some() {
                continue;
            }
            let last = self.last_doom(name, seq);
            let by_rotation = match last {
                Some(why) => matches!(why, Doom::Rotated { .. }),
                None => rotatable,
            };
            let begun = found.state == Wholeness::Partial;
            if let Some(why) = from_trash.filter(|_| !begun) {
                // It lies there still, and its time is over: whoever empties the trash judges it
                // anew.
                let until = self.ledger.elapsed;
                self.set_fate(name, seq, Fate::Trashed { until, why });
            } else if by_rotation && !begun {
                self.set_fate(name, seq, Fate::Live);
                self.owe_again(name);
            } else if last == Some(Doom::Unfinished) && !begun {
                self.destroy(name, seq, Doom::Unfinished, Cause::Recovery);
            } else if last == Some(Doom::TrashExpired) && !begun {
                self.destroy(name, seq, Doom::TrashExpired, Cause::Trash);
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
