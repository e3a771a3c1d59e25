//! What follows from a worker's report.

use super::Keeper;
use crate::domain::account::Account;
use crate::domain::agenda::{Outcome, SlotRecord};
use crate::domain::event::{Done, Entry, Finished, Survey, Taken};
use crate::domain::name::ResourceName;
use crate::domain::operation::{Act, Cause, Doom, Failure, Fault, Operation, State};
use crate::domain::rotation::CREDIT;
use crate::domain::snapshot::{Content, Fate, Handle, Health, Origin, Seq, Snapshot};
use crate::domain::{recovery, suspicion};
use jiff::SignedDuration;
use std::sync::Arc;

/// How long a deleted snapshot can be undeleted, in time that heptad runs.
pub const TRASH: SignedDuration = SignedDuration::from_hours(24);

/// How long what was interrupted waits for a backend that could not be looked at.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(5);

impl Keeper {
    pub(super) fn conclude(&mut self, finished: Finished) {
        let Some(operation) = self.ledger.operations.get(&finished.operation).cloned() else {
            return;
        };
        let name = operation.resource.clone();
        let Some(account) = self.ledger.account_mut(&name) else { return };
        if account.running != Some(operation.id) {
            return;
        }
        account.running = None;
        self.touched.insert(name.clone());
        let output = finished.output;
        match (&operation.act, finished.result) {
            (Act::Survey, Ok(Done::Surveyed(survey, weights))) => {
                self.finish(&operation, State::Succeeded, output);
                self.absorb(&name, &survey);
                self.weigh(&name, &weights);
                self.spend_credit(&name, &survey);
            }
            (Act::Survey, Err(failure)) => {
                self.finish(&operation, State::Failed(failure.clone()), output);
                self.unreachable(&name, &failure);
            }
            (Act::Rotate, Ok(Done::Surveyed(survey, _))) => {
                self.absorb(&name, &survey);
                self.rotate(&name, &survey, u32::MAX);
                self.finish(&operation, State::Succeeded, output);
            }
            (Act::Take { .. } | Act::Keep { .. }, Ok(Done::Taken(taken))) => {
                self.finish(&operation, State::Succeeded, output);
                self.complete(&operation, taken);
            }
            (Act::Take { .. } | Act::Keep { .. }, Err(failure)) => {
                self.finish(&operation, State::Failed(failure.clone()), output);
                self.take_failed(&operation, &failure);
            }
            (Act::Destroy { seq, .. }, Ok(Done::Unpaid(why))) => {
                self.set_fate(&name, *seq, Fate::Live);
                let failure = Failure::new(Fault::Permanent, why);
                self.finish(&operation, State::Failed(failure), output);
            }
            (Act::Destroy { seq, .. }, Ok(_)) => {
                self.put(Entry::SnapshotErased(name.clone(), *seq));
                self.finish(&operation, State::Succeeded, output);
            }
            (Act::Trash { seq }, Ok(_)) => {
                let until = self.ledger.elapsed.saturating_add(TRASH);
                self.set_fate(&name, *seq, Fate::Trashed { until });
                self.finish(&operation, State::Succeeded, output);
            }
            (Act::Undelete { seq }, Ok(_)) => {
                self.set_fate(&name, *seq, Fate::Live);
                self.finish(&operation, State::Succeeded, output);
            }
            (_, Ok(_)) => self.finish(&operation, State::Succeeded, output),
            (_, Err(failure)) => self.finish(&operation, State::Failed(failure), output),
        }
    }

    pub(super) fn set_fate(&mut self, name: &ResourceName, seq: Seq, fate: Fate) {
        if let Some(snapshot) = self.ledger.snapshot(name, seq) {
            self.put(Entry::Snapshot(Box::new(Snapshot { fate, ..snapshot.clone() })));
        }
    }

    /// A snapshot is durable: judge it, note it, and let it pay for an old one.
    fn complete(&mut self, operation: &Operation, taken: Taken) {
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
        let health = doubt.clone().map_or(Health::Complete, Health::Suspect);
        let mut card = snapshot.card.clone();
        card.handle = Handle { object: taken.object, ..card.handle };
        self.put(Entry::Snapshot(Box::new(Snapshot {
            card,
            health,
            facts: taken.facts,
            ..snapshot.clone()
        })));
        let live = live && swapped.is_none();
        let paid = automatic && doubt.is_none();
        let mut head = Account {
            identity: taken.survey.identity.clone().filter(|_| live).or(account.identity.clone()),
            stranger: swapped.or(account.stranger.clone().filter(|_| !live)),
            trouble: account.trouble.clone().filter(|_| !live),
            credit: if paid { CREDIT } else { account.credit },
            ..account
        };
        head.note_taken(snapshot.card.slot);
        self.put_account(head);
        if live {
            // The listing that came with it shows also what became of the others.
            self.absorb(name, &taken.survey);
        }
        if automatic {
            let outcome = doubt.clone().map_or(Outcome::Complete, Outcome::Suspect);
            self.close_attempt(operation, Some(outcome), None);
        }
        if doubt.is_some() {
            let mark = self.operation(name, Act::Mark { seq }, operation.cause);
            self.enqueue(mark);
        } else if paid {
            self.spend_credit(name, &taken.survey);
        }
    }

    /// Nothing was taken: clear the remains, and let the agenda try again.
    fn take_failed(&mut self, operation: &Operation, failure: &Failure) {
        let name = &operation.resource;
        if let Some(seq) = operation.act.seq() {
            match failure.fault {
                // The backend was never asked to make anything.
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
    fn unreachable(&mut self, name: &ResourceName, failure: &Failure) {
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

    /// Brings the ledger to what the backend shows.
    fn absorb(&mut self, name: &ResourceName, survey: &Survey) {
        let Some(account) = self.ledger.account(name).cloned() else { return };
        let steps = recovery::reconcile(&account, survey);
        let head = recovery::head(&account, survey);
        let raised = head.next_seq > account.next_seq;
        if head != account {
            self.put_account(head);
        }
        if raised {
            self.renumber(name);
        }
        if let Some(account) = self.ledger.account_mut(name) {
            (account.surveyed, account.look_again) = (true, None);
        }
        for step in steps {
            self.recover(name, step);
        }
    }

    /// The backend has seen higher numbers than the catalogue knew, as after its loss: what was
    /// numbered before that was known, and is not begun, gets a number that was never used.
    fn renumber(&mut self, name: &ResourceName) {
        let Some(account) = self.ledger.account(name) else { return };
        let queued = account.queue.iter().filter_map(|id| self.ledger.operations.get(id).cloned());
        for operation in queued.filter(|operation| operation.tries == 0).collect::<Vec<_>>() {
            let Some(mut account) = self.ledger.account(name).cloned() else { return };
            let mut operation = (*operation).clone();
            let (Act::Take { seq, .. } | Act::Keep { seq, .. }) = &mut operation.act else {
                continue;
            };
            *seq = self.draw_seq(&mut account);
            let drawn = *seq;
            if let Act::Take { slot: Some(slot), .. } = &operation.act
                && let Some(record) = account.slots.get(slot)
            {
                let record = SlotRecord { seq: Some(drawn), ..record.clone() };
                self.put(Entry::Slot(name.clone(), record));
            }
            self.put(Entry::Operation(operation));
        }
    }

    fn recover(&mut self, name: &ResourceName, step: recovery::Step) {
        use recovery::Step;
        match step {
            Step::Adopt(found) => self.adopt(name, *found),
            Step::Finished(seq, found) => {
                let taking = self.open_take(name, seq);
                if let (Some(operation), Some(content)) = (taking, found.content) {
                    self.leave_queue(name, operation.id);
                    self.finish(&operation, State::Succeeded, operation.output.clone());
                    let facts = recovery::facts(&found, content);
                    let survey = Survey::default();
                    let object = found.card.handle.object;
                    self.complete(&operation, Taken { object, facts, survey });
                } else {
                    self.destroy(name, seq, Doom::Unfinished, Cause::Recovery);
                }
            }
            Step::Interrupted(seq) => self.interrupted(name, seq),
            Step::Gone(seq) => self.put(Entry::SnapshotErased(name.clone(), seq)),
            Step::Health(seq, health) => {
                if let Some(snapshot) = self.ledger.snapshot(name, seq) {
                    let snapshot = Snapshot { health, ..snapshot.clone() };
                    self.put(Entry::Snapshot(Box::new(snapshot)));
                }
            }
        }
    }

    /// A snapshot that the catalogue does not know: taken over as its manifest says.
    fn adopt(&mut self, name: &ResourceName, found: crate::domain::event::Found) {
        let Some(account) = self.ledger.account(name).cloned() else { return };
        let until = self.ledger.elapsed.saturating_add(TRASH);
        let mut snapshot = recovery::adopted(name, &found, until);
        if snapshot.health == Health::Complete
            && !snapshot.facts.accepted
            && let Some(why) = doubt(&account, &snapshot, snapshot.facts.content)
        {
            snapshot.health = Health::Suspect(why);
        }
        if let Some(record) = recovery::slot_of(&snapshot)
            && !account.slots.get(&record.slot).is_some_and(SlotRecord::is_taken)
        {
            self.put(Entry::Slot(name.clone(), record));
            let mut account = account;
            account.note_taken(snapshot.card.slot);
            self.put_account(account);
        }
        self.put(Entry::Snapshot(Box::new(snapshot)));
    }

    fn interrupted(&mut self, name: &ResourceName, seq: Seq) {
        if self.destruction(name, seq).is_some() {
            return;
        }
        let Some(operation) = self.open_take(name, seq) else {
            self.destroy(name, seq, Doom::Unfinished, Cause::Recovery);
            return;
        };
        let automatic = matches!(operation.act, Act::Take { slot: Some(_), .. });
        if !automatic && operation.tries < 2 {
            // A person asked for it, so it is done again, under the same number.
            return;
        }
        self.leave_queue(name, operation.id);
        let failure =
            Failure::new(Fault::Interrupted, "heptad or the machine stopped in the middle");
        self.finish(&operation, State::Failed(failure.clone()), operation.output.clone());
        self.close_attempt(&operation, None, Some(failure));
        self.destroy(name, seq, Doom::Unfinished, Cause::Recovery);
    }

    fn open_take(&self, name: &ResourceName, seq: Seq) -> Option<Operation> {
        let takes = |operation: &&Arc<Operation>| {
            let making = matches!(operation.act, Act::Take { .. } | Act::Keep { .. });
            making && operation.act.seq() == Some(seq)
        };
        self.ledger.open_of(name).find(takes).map(|operation| (**operation).clone())
    }
}

/// Why a new automatic snapshot is not to be trusted, if there is a reason.
fn doubt(account: &Account, snapshot: &Snapshot, content: Option<Content>) -> Option<String> {
    if snapshot.card.origin != Origin::Automatic {
        return None;
    }
    let before = account.snapshots.range(..snapshot.seq()).rev().map(|(_, before)| before);
    let counted = before.filter(|before| before.counts()).take(7);
    let mut contents: Vec<Content> = counted.filter_map(|before| before.facts.content).collect();
    contents.reverse();
    suspicion::judge(content?, &contents)
}
