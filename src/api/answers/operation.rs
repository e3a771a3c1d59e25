//! Operations.

use super::View;
use super::snapshot::label;
use crate::api::wire;
use crate::domain::account::Account;
use crate::domain::ledger::Ledger;
use crate::domain::operation::{Act, Cause, Doom, Leftovers, Operation, State};

impl View<'_> {
    pub fn operation(&self, told: &Operation) -> wire::Operation {
        let running = (told.state == State::Running).then_some(told.id);
        operation(self.ledger, told, running.and_then(|id| self.service.progress(id)))
    }

    /// What a request for a change answers.
    pub fn accepted(&self, operation: &Operation) -> wire::Accepted {
        let scheduling = matches!(
            operation.act,
            Act::Enable { .. } | Act::Disable | Act::SetTime { .. } | Act::Reset
        );
        let account = self.ledger.account(&operation.resource).filter(|_| scheduling);
        wire::Accepted {
            operation: self.operation(operation),
            schedule: account.map(|account| self.schedule(account)),
        }
    }
}

/// An operation, told by what is known.
pub(crate) fn operation(
    ledger: &Ledger,
    operation: &Operation,
    progress: Option<wire::Progress>,
) -> wire::Operation {
    let (state, failure) = match &operation.state {
        State::Queued => (wire::OperationState::Queued, None),
        State::Running => (wire::OperationState::Running, None),
        State::Succeeded => (wire::OperationState::Succeeded, None),
        State::Failed(failure) => (wire::OperationState::Failed, Some(failure)),
    };
    let (cause, uid) = cause(operation.cause);
    let account = ledger.account(&operation.resource);
    wire::Operation {
        id: operation.id.0,
        resource: operation.resource.to_string(),
        act: operation.act.word().into(),
        cause: cause.into(),
        uid,
        snapshot: snapshot(account, operation),
        detail: detail(account, &operation.act),
        state,
        failure: failure.map(|failure| wire::Failure {
            fault: failure.fault.word().into(),
            message: failure.message.clone(),
        }),
        created: operation.created,
        started: operation.started,
        finished: operation.finished,
        tries: operation.tries,
        cancel_asked_by: operation.cancel_asked_by,
        progress,
        output: operation.output.clone(),
    }
}

/// The stable word, and who asked.
fn cause(cause: Cause) -> (&'static str, Option<u32>) {
    match cause {
        Cause::Schedule => ("schedule", None),
        Cause::CatchUp => ("catch-up", None),
        Cause::Retry(_) => ("retry", None),
        Cause::Peer(uid) => ("peer", Some(uid)),
        Cause::Rotation => ("rotation", None),
        Cause::Recovery => ("recovery", None),
        Cause::Configuration => ("configuration", None),
        Cause::Trash => ("trash", None),
    }
}

/// The snapshot that it makes, changes or reads, named even before it exists and after it is gone.
fn snapshot(account: Option<&Account>, operation: &Operation) -> Option<String> {
    let resource = &operation.resource;
    match &operation.act {
        Act::Take { name: Some(name), .. } | Act::Keep { name, .. } => Some(name.to_string()),
        Act::Take { slot: Some(slot), .. } => Some(format!("{resource}@{slot}")),
        act => {
            let seq = act.seq()?;
            Some(account.map_or_else(|| format!("{resource}#{seq}"), |of| label(of, seq)))
        }
    }
}

fn detail(account: Option<&Account>, act: &Act) -> Option<String> {
    let of = |seq| account.map(|account| label(account, seq));
    match act {
        Act::Keep { from, .. } => of(*from).map(|from| format!("from {from}")),
        Act::Create { draft, .. } => Some(match &draft.path {
            Some(path) => format!("{} at {path}", draft.name),
            None => draft.name.to_string(),
        }),
        Act::Rollback { safety, .. } => {
            let taken = account.is_some_and(|account| account.snapshots.contains_key(safety));
            let safety = of(*safety).filter(|_| taken)?;
            Some(format!("what was there is in {safety}"))
        }
        Act::Attach { disk } | Act::Detach { disk } => Some(disk.to_string()),
        Act::Tag { change, .. } => Some(change.to_string()),
        Act::SetTime { time } | Act::Enable { time: Some(time) } => {
            Some(time.strftime("%H:%M").to_string())
        }
        Act::Destroy { why, .. } => Some(match why {
            Doom::Rotated { paid_by } => match of(*paid_by) {
                Some(paid_by) => format!("rotated out for {paid_by}"),
                None => "rotated out".into(),
            },
            Doom::Asked => "asked for".into(),
            Doom::TrashExpired => "its time in the trash is over".into(),
            Doom::Unfinished => "its taking was interrupted".into(),
        }),
        Act::Forget { automatic: Leftovers::Keep, .. } => Some("its snapshots stay".into()),
        Act::Forget { automatic: Leftovers::Trash, .. } => {
            Some("its automatic snapshots go to the trash".into())
        }
        _ => None,
    }
}
