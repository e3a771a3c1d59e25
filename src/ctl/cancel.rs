//! Taking an operation back, and what came of that.

use super::error::CtlError;
use super::exit;
use super::render;
use super::session::{Done, Session};
use crate::api::client::ClientError;
use crate::api::telling;
use crate::api::wire::{Accepted, Operation, OperationState};

/// How many seconds it is waited for: what stops does so at its next chunk, entry or helper.
const MOMENT: u32 = 5;

/// # Errors
/// [`CtlError::AlreadyFinished`] where it was done after all.
pub(super) fn cancel(session: &mut Session<'_, '_>, id: u64) -> Done {
    let operation = match session.client.cancel(id) {
        Ok(accepted) => settled(session, accepted.operation)?,
        Err(ClientError::Refused { refusal, .. }) if refusal.code == "operation-over" => {
            session.client.operation(id, None)?
        }
        Err(error) => return Err(error.into()),
    };
    let how = match operation.state {
        OperationState::Succeeded => Some(telling::ending(&operation)),
        OperationState::Failed if !telling::is_cancelled(&operation) => {
            Some(telling::failing(&operation))
        }
        _ => None,
    };
    if let Some(how) = how {
        return Err(CtlError::AlreadyFinished { id, how });
    }
    if session.global.json {
        return session.json(&Accepted { operation, schedule: None });
    }
    let (resource, what) = (&operation.resource, render::title(&operation));
    if operation.state.is_open() {
        session.say(&format!(
            "asked operation {id} to stop; {what} of {resource} has not ended yet: `heptactl \
             operation {id} --wait` waits for that"
        ))?;
        return Ok(exit::OK);
    }
    session.say(&format!("operation {id} was cancelled; {what} of {resource} was not done"))?;
    // By whom is known; what is left all the same, as a snapshot that was taken before it, is not.
    let message = operation.failure.as_ref().map_or("", |failure| &failure.message);
    if let Some((_, left)) = message.split_once("; ") {
        session.remark(left)?;
    }
    Ok(exit::OK)
}

/// The operation after a moment, unless nobody wants to wait.
fn settled(session: &Session<'_, '_>, operation: Operation) -> Result<Operation, ClientError> {
    match operation.state.is_open() && !session.global.no_wait {
        true => session.client.operation(operation.id, Some(MOMENT)),
        false => Ok(operation),
    }
}
