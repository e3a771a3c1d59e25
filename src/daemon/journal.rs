//! The log of what is done: one line for each operation's step, written after its intent is
//! durable and before its act. Fields, not sentences, so that it can be searched.

use crate::domain::event::Entry;
use crate::domain::operation::{Cause, Operation, State};

pub fn note(entry: &Entry) {
    match entry {
        Entry::Operation(operation) => note_operation(operation),
        Entry::Slot(resource, record) => {
            if let Some(outcome) = &record.outcome {
                let (slot, outcome, reason) =
                    (record.slot.to_string(), outcome.word(), outcome.reason());
                tracing::info!(%resource, slot, outcome, reason, attempts = record.attempts, "slot");
            }
        }
        Entry::Snapshot(_)
        | Entry::SnapshotErased(..)
        | Entry::Account(_)
        | Entry::AccountErased(_)
        | Entry::Clock { .. } => {}
    }
}

fn note_operation(operation: &Operation) {
    let Operation { id, resource, act, .. } = operation;
    let (act, seq) = (act.word(), act.seq().map(|seq| seq.0));
    let uid = match operation.cause {
        Cause::Peer(uid) => Some(uid),
        _ => None,
    };
    match &operation.state {
        State::Queued => tracing::info!(operation = id.0, %resource, act, seq, uid, "asked"),
        State::Running => tracing::info!(operation = id.0, %resource, act, seq, uid, "begun"),
        State::Succeeded => tracing::info!(operation = id.0, %resource, act, seq, uid, "done"),
        State::Failed(failure) => {
            let (fault, message) = (failure.fault.word(), failure.message.as_str());
            tracing::warn!(operation = id.0, %resource, act, seq, uid, fault, message, "failed");
        }
    }
}
