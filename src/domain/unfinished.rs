//! A snapshot that is not there, and yet is not unknown: it is being taken, its taking failed, or
//! it is going.

use super::denied::Denied;
use super::ledger::Ledger;
use super::name::ResourceName;
use super::operation::{Act, Operation, State};
use super::snapshot::Selector;
use std::sync::Arc;

/// Why what a selector means cannot be had, if it is known.
pub fn explain(ledger: &Ledger, wanted: &Selector) -> Option<Denied> {
    let snapshot = wanted.to_string();
    let made = ledger.operations.values().rev().find(|one| makes(&one.act, &one.resource, wanted));
    match made.map(|one| (one, &one.state)) {
        Some((one, State::Queued | State::Running)) => {
            let queued = one.state == State::Queued;
            let operation = one.id;
            Some(Denied::BeingTaken { snapshot, operation, queued, done: None })
        }
        Some((one, State::Failed(failure))) => {
            let (why, operation) = (failure.to_string(), one.id);
            let resource = one.resource.clone();
            let again = matches!(wanted, Selector::Slot(..));
            Some(Denied::TakeFailed { snapshot, resource, operation, why, again })
        }
        _ => going(ledger, wanted).map(|operation| {
            let operation = operation.id;
            Denied::BeingDestroyed { snapshot, operation }
        }),
    }
}

/// Whether an act makes what is meant.
fn makes(act: &Act, resource: &ResourceName, wanted: &Selector) -> bool {
    match (act, wanted) {
        (Act::Take { name: Some(name), .. } | Act::Keep { name, .. }, Selector::Named(other)) => {
            name == other
        }
        (Act::Take { slot: Some(slot), .. }, Selector::Slot(of, other)) => {
            resource == of && slot == other
        }
        _ => false,
    }
}

/// The open operation that destroys what is meant.
fn going<'a>(ledger: &'a Ledger, wanted: &Selector) -> Option<&'a Arc<Operation>> {
    let means = |operation: &&Arc<Operation>| {
        let Act::Destroy { seq, .. } = operation.act else { return false };
        let doomed = ledger.snapshot(&operation.resource, seq);
        doomed.is_some_and(|snapshot| match wanted {
            _ if !snapshot.fate.is_doomed() => false,
            Selector::Named(name) => snapshot.card.name.as_ref() == Some(name),
            Selector::Slot(of, slot) => {
                snapshot.resource == *of && snapshot.card.slot == Some(*slot)
            }
            Selector::Latest(_) => false,
        })
    };
    ledger.open_operations().find(means)
}
