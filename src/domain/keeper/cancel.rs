//! Taking back what was asked for, or fell due: what has not begun ends at once, what has begun is
//! asked to stop. The wish is on record before anybody is told of it, so no crash brings back what
//! was wished away.

use super::super::denied::{Denied, Firm};
use super::Keeper;
use crate::domain::event::Action;
use crate::domain::id::OperationId;
use crate::domain::operation::{Act, Cause, Doom, Failure, Fault, Operation, State};
use crate::domain::slot_record::{CANCELLED, Outcome};
use crate::domain::snapshot::Health;
use std::sync::Arc;

impl Keeper {
    pub(super) fn ask_cancel(&mut self, id: OperationId, uid: u32) -> Result<OperationId, Denied> {
        let found = self.ledger.operations.get(&id).cloned();
        let operation = found.ok_or(Denied::NoSuchOperation { operation: id })?;
        if operation.is_cancelled() || operation.is_stopping() {
            return Ok(id);
        }
        if let Some(why) = firm(&operation) {
            return Err(Denied::NotCancelled { operation: id, why });
        }
        self.take_back(&operation, uid);
        // The snapshot that was to be taken before it is of no use to anybody else.
        if let Some(seq) = operation.act.needs() {
            let takes = |other: &&Arc<Operation>| match other.act {
                Act::Take { seq: taken, .. } => taken == seq,
                _ => false,
            };
            let before = self.ledger.open_of(&operation.resource).find(takes).cloned();
            let may = |before: &Arc<Operation>| firm(before).is_none() && !before.is_stopping();
            if let Some(before) = before.filter(may) {
                self.take_back(&before, uid);
            }
        }
        Ok(id)
    }

    fn take_back(&mut self, operation: &Operation, uid: u32) {
        if !operation.has_begun() {
            // Nothing is there that would have to be cleared away.
            self.leave_queue(&operation.resource, operation.id);
            self.end(operation, by(uid));
            return;
        }
        self.put_operation(Operation { cancel_asked_by: Some(uid), ..operation.clone() });
        let account = self.ledger.account(&operation.resource);
        if account.is_some_and(|account| account.running == Some(operation.id)) {
            self.actions.push(Action::Halt(operation.id));
        }
        self.touched.insert(operation.resource.clone());
    }

    /// A crash cut it off, and it is not begun again: what it left goes.
    pub(super) fn stop_unfinished(&mut self, operation: &Operation) {
        let why = "heptad or the machine stopped in the middle";
        self.end(operation, verdict(operation, Failure::new(Fault::Interrupted, why)));
        let name = &operation.resource;
        let seq = operation.act.seq().filter(|seq| {
            let left = self.ledger.snapshot(name, *seq);
            left.is_some_and(|left| left.health == Health::Taking && !left.fate.is_doomed())
        });
        if let Some(seq) = seq {
            self.destroy(name, seq, Doom::Unfinished, operation.cause);
        }
    }

    fn end(&mut self, operation: &Operation, failure: Failure) {
        self.finish(operation, State::Failed(failure.clone()), String::new());
        self.close_attempt(operation, None, Some(failure));
    }
}

fn by(uid: u32) -> Failure {
    Failure::new(Fault::Cancelled, format!("{CANCELLED}{uid}"))
}

/// As what a failure counts. Whoever did not want a snapshot any more did not get it, whatever it
/// failed for; what else was to be made tells how far it came.
pub(super) fn verdict(operation: &Operation, failure: Failure) -> Failure {
    let is_settled = failure.message.starts_with(CANCELLED);
    match operation.cancel_asked_by {
        _ if is_settled && failure.fault == Fault::Cancelled => failure,
        Some(uid) if failure.fault == Fault::Cancelled || operation.act.makes_snapshot() => by(uid),
        // Nobody asked for that.
        None if failure.fault == Fault::Cancelled => Failure { fault: Fault::Transient, ..failure },
        _ => failure,
    }
}

/// How the slot ends whose snapshot was taken back: it is not tried again that day.
pub(super) fn cancelled(failure: &Failure) -> Option<Outcome> {
    let is_cancelled = failure.fault == Fault::Cancelled;
    is_cancelled.then(|| Outcome::Skipped(failure.message.clone()))
}

/// Why an operation cannot be taken back.
fn firm(operation: &Operation) -> Option<Firm> {
    let is_asked = matches!(operation.cause, Cause::Peer(_));
    let own = match operation.act {
        Act::Survey | Act::Mark { .. } => true,
        Act::Destroy { why, .. } => why != Doom::Asked || !is_asked,
        // What rotation cannot throw away today it would destroy tomorrow.
        Act::Trash { .. } => !is_asked,
        _ => false,
    };
    match operation.state {
        State::Succeeded | State::Failed(_) => Some(Firm::Over),
        _ if own => Some(Firm::Own),
        _ if operation.has_begun() && !operation.act.is_stoppable() => Some(Firm::Begun),
        State::Running | State::Queued => None,
    }
}
