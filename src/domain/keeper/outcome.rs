//! What a snapshot that was taken, or was not, does to its resource.

use super::super::report::Taken;
use super::Keeper;
use super::cancel::{cancelled, verdict};
use super::judging::{doubt, is_excused, leans};
use crate::domain::account::Account;
use crate::domain::event::Entry;
use crate::domain::id::OperationId;
use crate::domain::name::ResourceName;
use crate::domain::operation::{Act, Cause, Doom, Failure, Fault, Operation, State};
use crate::domain::pace::{self};
use crate::domain::rotation::Held;
use crate::domain::slot_record::{Outcome, SlotRecord};
use crate::domain::snapshot::{Facts, Fate, Health, Origin, Seq, Snapshot, Thrown};
use jiff::SignedDuration;

/// How long a deleted snapshot can be undeleted, in time that heptad runs.
pub(super) const TRASH: SignedDuration = SignedDuration::from_hours(24);

/// What a person hears whose act was done and cannot be noted.
const UNNOTED: &str =
    "a bug in heptad: what came of it could not be noted; the next look shows that";

/// How long what was interrupted waits for a backend that could not be looked at.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(5);

impl Keeper {
    /// Nothing that would follow from an act can be noted. Its lane goes on with a look at what is
    /// there: that finds out what became of it.
    pub(super) fn give_up(&mut self, id: OperationId) {
        if let Some(operation) = self.free_lane(id) {
            let failure = Failure::new(Fault::Permanent, UNNOTED);
            self.finish(&operation, State::Failed(failure.clone()), String::new());
            self.close_attempt(&operation, None, Some(failure));
        }
    }

    /// The operation has ended, if it was running. Only remembered: the next start finds out more.
    pub fn free_lane(&mut self, id: OperationId) -> Option<Operation> {
        let operation = self.ledger.operations.get(&id).map(|known| (**known).clone())?;
        let again = self.now().saturating_add(LOOK_AGAIN).ok();
        let account = self.ledger.account_mut(&operation.resource)?;
        if account.running != Some(id) {
            return None;
        }
        (account.running, account.surveyed, account.look_again) = (None, false, again);
        Some(operation)
    }

    pub(super) fn set_fate(&mut self, name: &ResourceName, seq: Seq, fate: Fate) {
        if let Some(snapshot) = self.ledger.snapshot(name, seq) {
            self.put(Entry::Snapshot(Box::new(Snapshot { fate, ..snapshot.clone() })));
        }
    }

    /// It lies in the trash for a day of running time.
    pub(super) fn throw(&mut self, name: &ResourceName, seq: Seq, why: Thrown) {
        let until = self.ledger.elapsed.saturating_add(TRASH);
        self.set_fate(name, seq, Fate::Trashed { until, why });
    }

    /// What there was no room for stands beside it now.
    pub(super) fn marked(&mut self, name: &ResourceName, seq: Seq) {
        let fate = self.ledger.snapshot(name, seq).map(|snapshot| snapshot.fate);
        if let Some(Fate::Trashed { until, why: Thrown::Unmarked }) = fate {
            self.set_fate(name, seq, Fate::Trashed { until, why: Thrown::Asked });
        }
    }

    /// A snapshot is durable: judge it, note it, and let it pay for an old one.
    pub(super) fn complete(&mut self, operation: &Operation, taken: Taken) {
        let name = &operation.resource;
        let Some(seq) = operation.act.seq() else { return };
        let (Some(account), Some(snapshot)) =
            (self.ledger.account(name).cloned(), self.ledger.snapshot(name, seq).cloned())
        else {
            return;
        };
        let live = matches!(operation.act, Act::Take { .. }) && taken.survey.identity.is_some();
        // It was the known one when the taking began.
        let swapped =
            taken.survey.identity.clone().filter(|seen| {
                live && account.identity.as_ref().is_some_and(|known| known != seen)
            });
        let automatic = snapshot.card.origin == Origin::Automatic;
        let doubt = match &swapped {
            Some(_) if automatic => Some("something else took its place meanwhile".to_owned()),
            _ => doubt(&account, &snapshot, taken.facts.content),
        };
        // That it is as small as one that was accepted excuses nothing that it lacks.
        let excused =
            taken.incomplete.as_ref().is_some_and(|lacks| is_excused(&account, &snapshot, lacks));
        let leans = doubt.is_none() && leans(&account, &snapshot, taken.facts.content);
        let doubt = doubt.or(taken.incomplete.filter(|_| !excused));
        let accepted = (excused || leans) && doubt.is_none();
        let facts = Facts { accepted, ..taken.facts };
        self.put_taken(snapshot.clone(), taken.object, doubt.clone(), facts);
        let live = live && swapped.is_none();
        let counts = automatic && doubt.is_none();
        let mut head = Account {
            identity: taken.survey.identity.clone().filter(|_| live).or(account.identity.clone()),
            stranger: swapped.or(account.stranger.clone().filter(|_| !live)),
            trouble: account.trouble.clone().filter(|_| !live),
            failed_by_hand: account.failed_by_hand.clone().filter(|_| !live),
            ..account
        };
        if let Some(slot) = snapshot.card.slot.filter(|_| counts) {
            // With the new one, which the ledger knows already.
            let over =
                |held: &Held| self.ledger.account(name).is_some_and(|a| pace::is_over(*held, a));
            head.held = head.held.filter(|held| !over(held));
            (head.payment, head.credit) = self.payment(name, &head, slot);
        }
        head.note_taken(snapshot.card.slot);
        if automatic {
            head.note_when(doubt.is_none(), self.reading.elapsed);
        }
        self.put_account(head);
        if live {
            // The listing that came with it shows also what became of the others.
            self.absorb(name, &taken.survey);
        }
        if automatic {
            let outcome = doubt.clone().map_or(Outcome::Complete, Outcome::Suspect);
            self.close_attempt(operation, Some(outcome), None);
        }
        if doubt.is_some() || accepted {
            let mark = self.operation(name, Act::Mark { seq }, operation.cause);
            self.enqueue(mark);
        }
        if counts {
            self.spend_credit(name, &taken.survey);
        }
    }

    fn put_taken(
        &mut self,
        mut snapshot: Snapshot,
        object: String,
        doubt: Option<String>,
        facts: Facts,
    ) {
        snapshot.card.handle.object = object;
        let health = doubt.map_or(Health::Complete, Health::Suspect);
        self.put(Entry::Snapshot(Box::new(Snapshot { health, facts, ..snapshot })));
    }

    /// Nothing was taken: clear the remains, and let the agenda try again.
    pub(super) fn take_failed(&mut self, operation: &Operation, failure: &Failure) {
        let name = &operation.resource;
        if let Some(seq) = operation.act.seq() {
            match failure.fault {
                // The backend was never asked to make anything, or what it began is cleared away.
                Fault::Absent | Fault::Identity | Fault::Hook => {
                    self.put(Entry::SnapshotErased(name.clone(), seq));
                }
                _ => self.destroy(name, seq, Doom::Unfinished, operation.cause),
            }
        }
        if matches!(failure.fault, Fault::Absent | Fault::Identity)
            && let Some(account) = self.ledger.account(name)
        {
            // A lost original says nothing of the resource.
            if matches!(operation.act, Act::Take { .. }) {
                let trouble = Some(failure.message.clone());
                self.put_account(Account { trouble, ..account.clone() });
            }
            if let Some(account) = self.ledger.account_mut(name) {
                // Whatever is there next time has to be looked at first.
                account.surveyed = false;
            }
        }
        if let Act::Take { seq, slot, .. } = operation.act {
            // What a rollback waits for is told with that; a slot has an alarm of its own.
            let by_hand = slot.is_none() && self.successor_of(name, seq).is_none();
            let lasts = matches!(failure.fault, Fault::Absent | Fault::Permanent);
            if let Some(account) = self.ledger.account_mut(name) {
                account.failed_by_hand = (by_hand && lasts).then(|| failure.message.clone());
            }
            if failure.fault == Fault::Identity {
                // What is there is doubted at once, so that a person can say that it is right.
                self.survey(name, Cause::Recovery);
            }
        }
        self.close_attempt(operation, None, Some(failure.clone()));
    }

    /// Notes the end of one attempt at a slot.
    pub(super) fn close_attempt(
        &mut self,
        operation: &Operation,
        outcome: Option<Outcome>,
        failure: Option<Failure>,
    ) {
        let Act::Take { slot: Some(slot), .. } = operation.act else { return };
        let name = &operation.resource;
        let Some(record) = self.ledger.account(name).and_then(|a| a.slots.get(&slot)) else {
            return;
        };
        if record.is_taken() {
            // Its snapshot turned up meanwhile.
            return;
        }
        let failure = failure.map(|failure| verdict(operation, failure));
        let outcome = outcome.or_else(|| cancelled(failure.as_ref()?));
        let record = SlotRecord {
            started: record.started.or(operation.started),
            finished: Some(self.now()),
            last_failure: failure,
            outcome,
            ..record.clone()
        };
        self.put(Entry::Slot(name.clone(), record));
    }

    /// The backend could not even be looked at: those who wait are told, the rest waits on.
    pub(super) fn unreachable(&mut self, name: &ResourceName, failure: &Failure) {
        let Some(account) = self.ledger.account(name).cloned() else { return };
        let waiting = account.queue.iter().filter_map(|id| self.ledger.operations.get(id).cloned());
        let waiting: Vec<_> = waiting.filter(|operation| self.is_needed(operation)).collect();
        let trouble = Some(failure.message.clone());
        if account.trouble != trouble {
            self.put_account(Account { trouble, ..account });
        }
        let again = self.now().saturating_add(LOOK_AGAIN).ok();
        if let Some(account) = self.ledger.account_mut(name) {
            account.look_again = again;
        }
        for operation in waiting {
            self.leave_queue(name, operation.id);
            self.finish(&operation, State::Failed(failure.clone()), String::new());
            self.close_attempt(&operation, None, Some(failure.clone()));
        }
    }
}
