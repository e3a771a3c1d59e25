//! Taking back what was asked for, or fell due, and has not begun.

use super::Keeper;
use crate::domain::agenda::{CANCELLED, Outcome};
use crate::domain::event::{Denied, Firm};
use crate::domain::operation::{Act, Cause, Doom, Failure, Fault, Operation, OperationId, State};
use std::sync::Arc;

impl Keeper {
    /// Ends it as cancelled. Nothing of it was begun, so there is nothing to clear away.
    pub(super) fn ask_cancel(&mut self, id: OperationId, uid: u32) -> Result<OperationId, Denied> {
        let found = self.ledger.operations.get(&id).cloned();
        let operation = found.ok_or(Denied::NoSuchOperation { operation: id })?;
        if operation.is_cancelled() {
            return Ok(id);
        }
        if let Some(why) = firm(&operation) {
            return Err(Denied::NotCancelled { operation: id, why });
        }
        self.cancel(&operation, uid);
        // The snapshot that was to be taken before it is of no use to anybody else.
        if let Some(seq) = operation.act.needs() {
            let takes = |other: &&Arc<Operation>| matches!(other.act, Act::Take { seq: taken, .. } if taken == seq);
            let before = self.ledger.open_of(&operation.resource).find(takes).cloned();
            if let Some(before) = before.filter(|before| firm(before).is_none()) {
                self.cancel(&before, uid);
            }
        }
        Ok(id)
    }

    fn cancel(&mut self, operation: &Operation, uid: u32) {
        let why = format!("{CANCELLED}{uid}");
        let failure = Failure::new(Fault::Cancelled, why.clone());
        self.leave_queue(&operation.resource, operation.id);
        self.finish(operation, State::Failed(failure.clone()), String::new());
        self.close_attempt(operation, Some(Outcome::Skipped(why)), Some(failure));
    }
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
        State::Running => Some(Firm::Begun),
        State::Queued if operation.tries > 0 => Some(Firm::Begun),
        State::Queued => None,
    }
}
