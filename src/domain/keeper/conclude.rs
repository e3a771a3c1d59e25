//! What follows from a worker's report, by the kind of act that it is of.

use super::super::new_resource::NewResource;
use super::super::report::{Done, Finished, Taken};
use super::Keeper;
use super::cancel::verdict;
use crate::domain::event::Entry;
use crate::domain::operation::{Act, Cause, Doom, Failure, Fault, Operation, State};
use crate::domain::snapshot::{Fate, Seq, Thrown};
use crate::domain::sound::sound;

/// No worker brings what is no answer to its order.
const AMISS: &str = "a bug in heptad: the answer is to another question";

type Answer = Result<Done, Failure>;

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
        let next = account.next_seq;
        self.touched.insert(name);
        let (operation, output) = (&*operation, finished.output);
        let answer = believable(finished.result, next);
        match &operation.act {
            Act::Survey | Act::Rotate => self.conclude_look(operation, answer, output),
            Act::Take { .. } | Act::Keep { .. } => self.conclude_take(operation, answer, output),
            Act::Destroy { seq, why } => {
                self.conclude_destruction(operation, (*seq, *why), answer, output);
            }
            Act::Trash { seq } => self.conclude_trash(operation, *seq, answer, output),
            Act::Mark { .. } | Act::Tag { .. } | Act::Undelete { .. } => {
                self.conclude_mark(operation, answer, output);
            }
            Act::Rollback { safety, .. } => {
                self.conclude_rollback(operation, *safety, answer, output);
            }
            _ => self.conclude_creation(operation, answer, output),
        }
    }

    /// Nothing more follows.
    fn ended(&mut self, operation: &Operation, answer: Answer, output: String) {
        let state = answer.map_or_else(State::Failed, |_| State::Succeeded);
        self.finish(operation, state, output);
    }

    fn conclude_look(&mut self, operation: &Operation, answer: Answer, output: String) {
        let name = &operation.resource;
        match (&operation.act, answer) {
            (Act::Survey, Ok(Done::Surveyed(survey, weights))) => {
                self.finish(operation, State::Succeeded, output);
                self.absorb(name, &survey);
                self.mark_again(name, &survey);
                self.weigh(name, &weights);
                self.spend_credit(name, &survey);
            }
            (Act::Survey, answer) => {
                let failure = answer.err().unwrap_or_else(amiss);
                self.finish(operation, State::Failed(failure.clone()), output);
                self.unreachable(name, &failure);
            }
            (_, Ok(Done::Surveyed(survey, _))) => {
                self.absorb(name, &survey);
                let state = match self.drain(name, &survey) {
                    Ok(()) => State::Succeeded,
                    Err(why) => State::Failed(Failure::new(Fault::Absent, why)),
                };
                self.finish(operation, state, output);
            }
            (_, answer) => self.ended(operation, answer, output),
        }
    }

    fn conclude_take(&mut self, operation: &Operation, answer: Answer, output: String) {
        match answer {
            Ok(Done::Taken(taken)) => {
                self.finish(operation, State::Succeeded, output);
                self.complete(operation, taken);
            }
            answer => {
                let failure = answer.err().unwrap_or_else(amiss);
                self.finish(operation, State::Failed(failure.clone()), output);
                self.take_failed(operation, &failure);
            }
        }
    }

    fn conclude_destruction(
        &mut self,
        operation: &Operation,
        (seq, doom): (Seq, Doom),
        answer: Answer,
        output: String,
    ) {
        let name = &operation.resource;
        match answer {
            Ok(Done::Unpaid(why)) if doom == Doom::Unfinished => {
                // Whole by now: the next look takes it over.
                self.put(Entry::SnapshotErased(name.clone(), seq));
                let failure = Failure::new(Fault::Identity, why);
                self.finish(operation, State::Failed(failure), output);
                self.survey(name, Cause::Recovery);
            }
            Ok(Done::Unpaid(why)) => {
                self.set_fate(name, seq, Fate::Live);
                match doom {
                    Doom::Rotated { .. } => self.owe_again(name),
                    // The mark beside it must not say for ever that it is in the trash.
                    Doom::TrashExpired => {
                        let mark = self.operation(name, Act::Mark { seq }, operation.cause);
                        self.enqueue(mark);
                    }
                    Doom::Asked | Doom::Unfinished => {}
                }
                let failure = Failure::new(Fault::Permanent, why);
                self.finish(operation, State::Failed(failure), output);
            }
            Ok(_) => {
                self.put(Entry::SnapshotErased(name.clone(), seq));
                self.finish(operation, State::Succeeded, output);
            }
            Err(failure) => self.finish(operation, State::Failed(failure), output),
        }
    }

    fn conclude_trash(&mut self, operation: &Operation, seq: Seq, answer: Answer, output: String) {
        let name = &operation.resource;
        let rotated = operation.cause == Cause::Rotation;
        match answer {
            Ok(_) => {
                let why = if rotated { Thrown::Rotated } else { Thrown::Asked };
                self.throw(name, seq, why);
                self.finish(operation, State::Succeeded, output);
            }
            Err(failure) if rotated && failure.fault == Fault::NoSpace => {
                // Without room for the mark, room is needed: it goes as the eighth one does.
                self.finish(operation, State::Failed(failure), output);
                self.destroy_rotated(name, seq);
            }
            Err(failure) if rotated => {
                self.finish(operation, State::Failed(failure), output);
                self.give_back(operation);
            }
            Err(failure) if failure.fault == Fault::NoSpace => {
                // Nothing is lost if the catalogue is: then it is back. The mark is written later.
                self.throw(name, seq, Thrown::Unmarked);
                let note = unmarked(&failure);
                self.finish(operation, State::Succeeded, format!("{output}{note}"));
            }
            Err(failure) => self.finish(operation, State::Failed(failure), output),
        }
    }

    fn conclude_mark(&mut self, operation: &Operation, answer: Answer, output: String) {
        let name = &operation.resource;
        if answer.is_ok() {
            match &operation.act {
                Act::Mark { seq } => self.marked(name, *seq),
                Act::Tag { seq: Some(seq), change } => self.retagged(name, *seq, change),
                Act::Undelete { seq } => self.set_fate(name, *seq, Fate::Live),
                _ => {}
            }
        }
        self.ended(operation, answer, output);
    }

    fn conclude_rollback(
        &mut self,
        operation: &Operation,
        safety: Seq,
        answer: Answer,
        output: String,
    ) {
        let name = &operation.resource;
        let (failure, output, identity) = match answer {
            Ok(Done::RolledBack { identity, failure, left }) => {
                let output = format!("{output}{}", left.unwrap_or_default());
                (failure, output, Some(identity))
            }
            Ok(_) => (None, output, None),
            Err(failure) => (Some(failure), output, None),
        };
        let failed = |failure| {
            let failure = verdict(operation, failure);
            State::Failed(self.with_safety(name, safety, failure))
        };
        let state = failure.map_or(State::Succeeded, failed);
        self.finish(operation, state, output);
        if let Some(identity) = identity {
            self.rolled_back(name, identity);
        }
    }

    /// Of what makes a new resource, or gives an instance a disk.
    fn conclude_creation(&mut self, operation: &Operation, answer: Answer, output: String) {
        let name = &operation.resource;
        match (&operation.act, answer) {
            (Act::Create { from, draft }, Ok(Done::Restored { path, notes })) => {
                let draft = Box::new(NewResource { path: Some(path), ..(**draft).clone() });
                let act = Act::Create { from: *from, draft };
                let made = Operation { act, ..operation.clone() };
                self.finish(&made, State::Succeeded, format!("{output}{}", notes.join("\n")));
            }
            (Act::Create { .. }, Err(failure))
                if operation.tries > 1 && failure.fault != Fault::Cancelled =>
            {
                let message = format!(
                    "{}; heptad had stopped in the middle of it: what exists is whole, and not \
                     protected yet",
                    failure.message
                );
                let failure = Failure::new(failure.fault, message);
                self.finish(operation, State::Failed(failure), output);
            }
            (Act::Attach { .. }, Ok(Done::Attached(device))) => {
                let output = format!("{output}the guest sees it as {device}");
                self.finish(operation, State::Succeeded, output);
                // What disks it has is told at once.
                self.survey(name, Cause::Recovery);
            }
            (Act::Detach { .. }, Ok(_)) => {
                self.finish(operation, State::Succeeded, output);
                self.survey(name, Cause::Recovery);
            }
            (_, answer) => self.ended(operation, answer, output),
        }
    }
}

fn amiss() -> Failure {
    Failure::new(Fault::Permanent, AMISS)
}

/// A look that shows what cannot be is one that failed. A snapshot stands whatever the look around
/// after it shows.
fn believable(result: Result<Done, Failure>, next: Seq) -> Result<Done, Failure> {
    match result? {
        Done::Surveyed(survey, weights) => match sound(survey, next) {
            Ok(survey) => Ok(Done::Surveyed(survey, weights)),
            Err(why) => Err(Failure::new(Fault::Permanent, why)),
        },
        Done::Taken(taken) => {
            let survey = sound(taken.survey, next).unwrap_or_default();
            Ok(Done::Taken(Taken { survey, ..taken }))
        }
        done => Ok(done),
    }
}

/// What a person who wanted room has to hear.
fn unmarked(failure: &Failure) -> String {
    format!(
        "{}; it is in the trash all the same, where it takes up its room for a day: delete it with \
         --now to have that at once",
        failure.message
    )
}
