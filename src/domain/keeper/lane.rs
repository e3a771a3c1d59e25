//! Each resource's lane: one operation in flight, the others queued behind it in order.

use super::super::order::{Order, Successor, Work};
use super::Keeper;
use super::cancel::verdict;
use crate::domain::account::Account;
use crate::domain::event::{Action, Entry};
use crate::domain::id::OperationId;
use crate::domain::name::ResourceName;
use crate::domain::operation::{Act, Cause, Doom, Failure, Fault, Operation, State};
use crate::domain::snapshot::{Health, Snapshot};
use crate::domain::suspicion::is_as_it_was;
use std::sync::Arc;

impl Keeper {
    /// Rebuilds the queues from the open operations that a crash or a stop left.
    pub(super) fn resume_queues(&mut self) {
        let open: Vec<Operation> =
            self.ledger.open_operations().map(|operation| (**operation).clone()).collect();
        for operation in open {
            if let Some(account) = self.ledger.account_mut(&operation.resource) {
                account.queue.push(operation.id);
            }
        }
    }

    /// Records an operation and puts it at the end of its lane. What a failed taking left goes
    /// before all others: the next one may need its room.
    pub(super) fn enqueue(&mut self, operation: Operation) -> OperationId {
        let (id, resource) = (operation.id, operation.resource.clone());
        let clears = matches!(operation.act, Act::Destroy { why: Doom::Unfinished, .. });
        self.put(Entry::Operation(operation));
        if let Some(account) = self.ledger.account_mut(&resource) {
            let place = if clears { 0 } else { account.queue.len() };
            account.queue.insert(place, id);
        }
        self.touched.insert(resource);
        id
    }

    /// Asks the backend what it has. A look is no change, so it is not recorded.
    pub(super) fn survey(&mut self, resource: &ResourceName, cause: Cause) -> OperationId {
        let operation = self.operation(resource, Act::Survey, cause);
        let id = operation.id;
        self.ledger.apply(&Entry::Operation(operation));
        if let Some(account) = self.ledger.account_mut(resource) {
            // Before all else: what follows depends on it.
            account.queue.insert(0, id);
        }
        self.touched.insert(resource.clone());
        id
    }

    /// Starts the lane's next operation, if none is in flight.
    pub(super) fn advance(&mut self, resource: &ResourceName) {
        loop {
            let Some(account) = self.ledger.account(resource) else { return };
            if account.running.is_some() || self.stopping {
                return;
            }
            let Some(id) = account.queue.first().copied() else { return };
            let Some(operation) = self.ledger.operations.get(&id).cloned() else {
                self.leave_queue(resource, id);
                continue;
            };
            // Nothing is changed before the backend has been seen once.
            if !account.surveyed && operation.act != Act::Survey {
                if !self.may_look(account) {
                    return;
                }
                self.survey(resource, Cause::Recovery);
                continue;
            }
            self.leave_queue(resource, id);
            if let Some(failure) = self.unprepared(&operation) {
                self.finish(&operation, State::Failed(failure), String::new());
                continue;
            }
            if operation.is_stopping() && operation.act.makes_snapshot() {
                self.stop_unfinished(&operation);
                continue;
            }
            if operation.act == Act::Acknowledge {
                self.acknowledge(&operation);
                continue;
            }
            if let Act::Forget { automatic, .. } = operation.act {
                self.forget(&operation, automatic);
                continue;
            }
            match self.order(&operation) {
                Ok(work) => {
                    self.start(&operation, work);
                    return;
                }
                Err(failure) => {
                    // What was to be destroyed is gone: that is what was asked for.
                    let destroys = matches!(operation.act, Act::Destroy { .. });
                    let done = destroys && failure.fault == Fault::Absent;
                    let state =
                        if done { State::Succeeded } else { State::Failed(failure.clone()) };
                    self.finish(&operation, state, String::new());
                    self.close_attempt(&operation, None, Some(failure));
                    self.give_back(&operation);
                }
            }
        }
    }

    /// Why an operation may not begin, because the snapshot that it needs was not taken.
    fn unprepared(&self, operation: &Operation) -> Option<Failure> {
        let seq = operation.act.needs()?;
        let snapshot = self.ledger.snapshot(&operation.resource, seq);
        if let Some(Snapshot { health: Health::Suspect(why), .. }) = snapshot
            && operation.tries == 0
            && !is_as_it_was(why)
        {
            let way_out = match (&operation.act, self.ledger.account(&operation.resource)) {
                (Act::Rollback { to, .. }, Some(account)) => {
                    let Successor { label, derived } = self.succeeded_by(account, *to);
                    format!(
                        "; `heptactl create {derived} --from {label}` makes a new one beside it, which \
                         you can put in its place yourself"
                    )
                }
                _ => String::new(),
            };
            let message = format!(
                "the snapshot that was taken before it is suspect: {why}; what is not in it would be \
                 lost, so nothing was changed{way_out}"
            );
            return Some(Failure::new(Fault::Permanent, message));
        }
        if snapshot.is_some_and(|snapshot| snapshot.health.is_readable()) {
            return None;
        }
        let taking = |other: &&Arc<Operation>| {
            let of = other.resource == operation.resource;
            of && matches!(other.act, Act::Take { seq: taken, .. } if taken == seq)
        };
        let taking = self.ledger.operations.values().rev().find(taking);
        match taking.map(|taking| &taking.state) {
            Some(State::Failed(failure)) => Some(failure.clone()),
            _ => Some(Failure::new(Fault::Absent, "the snapshot that goes before it is gone")),
        }
    }

    /// Whether a backend that has not been seen may be looked at now. After a failed look, what
    /// waits waits for a while, unless something new is asked for.
    fn may_look(&self, account: &Account) -> bool {
        let Some(again) = account.look_again else { return true };
        let queued = account.queue.iter().filter_map(|id| self.ledger.operations.get(id));
        again <= self.now() || queued.into_iter().any(|operation| self.is_needed(operation))
    }

    /// A person waits for it, or a slot is due; other work waits for a backend to come back.
    pub(super) fn is_needed(&self, operation: &Operation) -> bool {
        operation.tries == 0
            && matches!(
                operation.cause,
                Cause::Peer(_) | Cause::Schedule | Cause::CatchUp | Cause::Retry(_)
            )
    }

    pub(super) fn leave_queue(&mut self, resource: &ResourceName, id: OperationId) {
        if let Some(account) = self.ledger.account_mut(resource) {
            account.queue.retain(|queued| *queued != id);
        }
    }

    fn start(&mut self, operation: &Operation, work: Work) {
        let now = self.now();
        let running = Operation {
            state: State::Running,
            started: Some(operation.started.unwrap_or(now)),
            tries: operation.tries + 1,
            ..operation.clone()
        };
        self.put_operation(running);
        if let Some(account) = self.ledger.account_mut(&operation.resource) {
            account.running = Some(operation.id);
        }
        self.actions.push(Action::Start(Box::new(Order {
            operation: operation.id,
            resource: operation.resource.clone(),
            work,
            wanted: operation.cancel_asked_by.is_none(),
        })));
    }

    /// Records an operation's new state; a survey's is only remembered.
    pub(super) fn put_operation(&mut self, operation: Operation) {
        if operation.act == Act::Survey {
            self.ledger.apply(&Entry::Operation(operation));
        } else {
            self.put(Entry::Operation(operation));
        }
    }

    /// Ends an operation.
    pub(super) fn finish(&mut self, operation: &Operation, state: State, output: String) {
        let finished = Some(self.now());
        let state = match state {
            State::Failed(failure) => State::Failed(verdict(operation, failure)),
            other => other,
        };
        self.put_operation(Operation { state, finished, output, ..operation.clone() });
        self.touched.insert(operation.resource.clone());
    }
}
