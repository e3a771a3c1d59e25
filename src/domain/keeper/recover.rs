//! Bringing the ledger to what a backend shows: at boot, after trouble, and for a lost catalogue.

use super::super::report::Taken;
use super::super::survey::{Found, Mark, Survey, Wholeness};
use super::Keeper;
use super::judging::{counted, doubt};
use super::order::mark_of;
use super::outcome::TRASH;
use crate::domain::event::Entry;
use crate::domain::marking;
use crate::domain::name::ResourceName;
use crate::domain::operation::{Act, Cause, Doom, Failure, Fault, Operation, State};
use crate::domain::recovery::{self, Step};
use crate::domain::slot_record::SlotRecord;
use crate::domain::snapshot::{Facts, Fate, Health, Seq, Snapshot};
use std::sync::Arc;

impl Keeper {
    /// Brings the ledger to what the backend shows.
    pub(super) fn absorb(&mut self, name: &ResourceName, survey: &Survey) {
        let Some(account) = self.ledger.account(name).cloned() else { return };
        let mut seen = survey.clone();
        if self.is_half_rolled_back(name) {
            // Either content may be in its place until that is finished.
            seen.identity = seen.identity.and(account.identity.clone());
        }
        let survey = &seen;
        let steps = recovery::reconcile(&account, survey);
        let head = recovery::head(&account, survey);
        if head != account {
            self.put_account(head);
        }
        self.renumber(name, recovery::used(&account, survey));
        if let Some(account) = self.ledger.account_mut(name) {
            (account.surveyed, account.look_again) = (true, None);
        }
        for step in steps {
            self.recover(name, step);
        }
        self.take_out(name, survey);
    }

    /// The more careful one of ledger and mark wins: what is not in the trash by its mark is not.
    fn take_out(&mut self, name: &ResourceName, survey: &Survey) {
        let Some(account) = self.ledger.account(name) else { return };
        for seq in recovery::taken_out(account, survey) {
            // Somebody is about to throw it away again, or it is being marked.
            let moving = |o: &Arc<Operation>| {
                let marks = matches!(o.act, Act::Trash { .. } | Act::Mark { .. });
                marks && o.act.seq() == Some(seq)
            };
            if !self.ledger.open_of(name).any(moving) {
                self.set_fate(name, seq, Fate::Live);
            }
        }
    }

    /// A mark that could not be written, as on a full disk, is written as soon as that is seen: a
    /// lost catalogue would otherwise lose the doubt, its end, or the way into the trash. What a
    /// mark says beyond the ledger is left to those who wrote it.
    pub(super) fn mark_again(&mut self, name: &ResourceName, survey: &Survey) {
        let Some(account) = self.ledger.account(name) else { return };
        let unmarked = |found: &&Found| {
            let known = account.snapshots.get(&found.card.handle.seq);
            found.state == Wholeness::Whole
                && known.is_some_and(|known| lacks(&found.mark, &mark_of(known)))
        };
        let unmarked = survey.found.iter().filter(unmarked).map(|found| found.card.handle.seq);
        for seq in unmarked.collect::<Vec<_>>() {
            let now = self.now();
            let rests = self.ledger.account(name).is_some_and(|account| {
                marking::in_vain(&self.ledger, account, seq).is_some_and(|tried| tried.rests(now))
            });
            let is_open = |operation: &Arc<Operation>| operation.act.seq() == Some(seq);
            if !rests && !self.ledger.open_of(name).any(is_open) {
                let mark = self.operation(name, Act::Mark { seq }, Cause::Recovery);
                self.enqueue(mark);
            }
        }
    }

    /// What was numbered before the backend had been seen, and is not begun, may have a number that
    /// is used, as after the loss of a catalogue or under one that is older than the store. Then
    /// all that waits gets numbers that were never used, in the order in which it waits.
    fn renumber(&mut self, name: &ResourceName, used: Seq) {
        let Some(account) = self.ledger.account(name) else { return };
        let queued = account.queue.iter().filter_map(|id| self.ledger.operations.get(id).cloned());
        let queued = queued.filter(|operation| operation.tries == 0 && makes(operation).is_some());
        let queued: Vec<_> = queued.collect();
        if queued.iter().any(|operation| makes(operation).is_some_and(|seq| seq <= used)) {
            queued.iter().for_each(|operation| self.number_anew(name, operation));
        }
    }

    /// Draws another number for what an operation makes.
    fn number_anew(&mut self, name: &ResourceName, operation: &Operation) {
        let Some(mut account) = self.ledger.account(name).cloned() else { return };
        let mut operation = operation.clone();
        let (Act::Take { seq, .. } | Act::Keep { seq, .. }) = &mut operation.act else { return };
        let before = *seq;
        *seq = self.draw_seq(&mut account);
        let drawn = *seq;
        self.follow_number(name, before, drawn);
        if let Act::Take { slot: Some(slot), .. } = &operation.act
            && let Some(record) = account.slots.get(slot)
            && record.operation == Some(operation.id)
        {
            let record = SlotRecord { seq: Some(drawn), ..record.clone() };
            self.put(Entry::Slot(name.clone(), record));
        }
        self.put(Entry::Operation(operation));
    }

    /// What waits for a snapshot waits for it under its new number.
    fn follow_number(&mut self, name: &ResourceName, before: Seq, drawn: Seq) {
        let open: Vec<Operation> = self.ledger.open_of(name).map(|o| (**o).clone()).collect();
        for mut operation in open.into_iter().filter(|o| o.act.needs() == Some(before)) {
            match &mut operation.act {
                Act::Rollback { safety, .. } => *safety = drawn,
                Act::Forget { last, .. } => *last = Some(drawn),
                _ => continue,
            }
            self.put(Entry::Operation(operation));
        }
    }

    fn recover(&mut self, name: &ResourceName, step: Step) {
        match step {
            Step::Adopt(found) => self.adopt(name, *found),
            Step::Finished(seq, found) => {
                let taking = self.open_take(name, seq);
                if let (Some(operation), Some(content)) = (taking, found.content) {
                    self.leave_queue(name, operation.id);
                    self.finish(&operation, State::Succeeded, operation.output.clone());
                    let facts = recovery::facts(&found, content);
                    let survey = Survey::default();
                    let incomplete = found.mark.doubt.filter(|_| !found.mark.accepted);
                    let object = found.card.handle.object;
                    self.complete(&operation, Taken { object, facts, incomplete, survey });
                } else {
                    self.destroy(name, seq, Doom::Unfinished, Cause::Recovery);
                }
            }
            Step::Interrupted(seq) => self.interrupted(name, seq),
            Step::Gone(seq) => {
                self.put(Entry::SnapshotErased(name.clone(), seq));
                self.end_those_about(name, seq);
            }
            Step::Displaced(seq) => self.displaced(name, seq),
            Step::Told(seq, told) => {
                if let Some(snapshot) = self.ledger.snapshot(name, seq).cloned() {
                    let facts = Facts { told, ..snapshot.facts };
                    self.put(Entry::Snapshot(Box::new(Snapshot { facts, ..snapshot })));
                }
            }
            Step::Tags(seq, tags) => self.set_tags(name, seq, tags),
            Step::Health(seq, health) => {
                if let Some(snapshot) = self.ledger.snapshot(name, seq) {
                    let snapshot = Snapshot { health, ..snapshot.clone() };
                    self.put(Entry::Snapshot(Box::new(snapshot)));
                }
            }
            Step::Stray(found) => {
                let seq = found.card.handle.seq;
                self.put(Entry::Snapshot(Box::new(recovery::stray(name, &found))));
                self.destroy(name, seq, Doom::Unfinished, Cause::Recovery);
            }
        }
    }

    /// A snapshot that the catalogue does not know: taken over as its manifest says.
    fn adopt(&mut self, name: &ResourceName, found: Found) {
        let Some(account) = self.ledger.account(name).cloned() else { return };
        let until = self.ledger.elapsed.saturating_add(TRASH);
        if account.snapshots.contains_key(&found.card.handle.seq) {
            return;
        }
        let mut snapshot = recovery::adopted(name, &found, until);
        // The oldest of a series that is left was judged by those that are gone.
        let evidence = snapshot.seq() == Seq(1) || counted(&account, &snapshot).next().is_some();
        if snapshot.health == Health::Complete
            && !snapshot.facts.accepted
            && evidence
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
        if is_done_again(&operation) {
            // Under the same number.
            return;
        }
        self.leave_queue(name, operation.id);
        let failure =
            Failure::new(Fault::Interrupted, "heptad or the machine stopped in the middle");
        self.finish(&operation, State::Failed(failure.clone()), operation.output.clone());
        self.close_attempt(&operation, None, Some(failure));
        self.destroy(name, seq, Doom::Unfinished, Cause::Recovery);
    }

    /// Another heptad, or an older catalogue's, has used the number.
    fn displaced(&mut self, name: &ResourceName, seq: Seq) {
        self.put(Entry::SnapshotErased(name.clone(), seq));
        let taking = self.open_take(name, seq);
        if let Some(operation) = taking.filter(is_done_again) {
            self.number_anew(name, &operation);
        }
        self.end_those_about(name, seq);
    }

    /// A number is about to stand for another snapshot, or for none: whatever waits to be done with
    /// the one that had it must not be done with that.
    fn end_those_about(&mut self, name: &ResourceName, seq: Seq) {
        let about = |operation: &&Arc<Operation>| {
            operation.act.seq() == Some(seq) || operation.act.pins(seq)
        };
        let open: Vec<_> = self.ledger.open_of(name).filter(about).cloned().collect();
        for operation in open {
            self.leave_queue(name, operation.id);
            let failure = Failure::new(Fault::Absent, "the snapshot with its number is another");
            // What was to be destroyed is gone: that is what was asked for.
            let destroyed = matches!(operation.act, Act::Destroy { .. });
            let state = if destroyed { State::Succeeded } else { State::Failed(failure.clone()) };
            self.finish(&operation, state, operation.output.clone());
            self.close_attempt(&operation, None, Some(failure));
        }
    }

    fn is_half_rolled_back(&self, name: &ResourceName) -> bool {
        let begun = |o: &Arc<Operation>| matches!(o.act, Act::Rollback { .. }) && o.tries > 0;
        self.ledger.open_of(name).any(begun)
    }

    fn open_take(&self, name: &ResourceName, seq: Seq) -> Option<Operation> {
        let takes = |operation: &&Arc<Operation>| {
            operation.act.makes_snapshot() && operation.act.seq() == Some(seq)
        };
        self.ledger.open_of(name).find(takes).map(|operation| (**operation).clone())
    }
}

/// The number of what an operation makes.
fn makes(operation: &Operation) -> Option<Seq> {
    operation.act.seq().filter(|_| operation.act.makes_snapshot())
}

/// Whether a taking that was interrupted is done again, because a person asked for it.
fn is_done_again(operation: &Operation) -> bool {
    let automatic = matches!(operation.act, Act::Take { slot: Some(_), .. });
    !automatic && operation.tries < 2 && !operation.is_stopping()
}

/// Whether a mark says less than it should.
fn lacks(mark: &Mark, wanted: &Mark) -> bool {
    (wanted.doubt.is_some() && mark.doubt.is_none())
        || (wanted.accepted && !mark.accepted)
        || (wanted.trashed && !mark.trashed)
        || (wanted.tags.is_some() && mark.tags.is_none())
}
