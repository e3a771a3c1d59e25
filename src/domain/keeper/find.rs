//! What a request names: found, and fit for what is asked, or refused with what is nearest.

use super::super::denied::Denied;
use super::Keeper;
use crate::domain::account::Account;
use crate::domain::name::{ResourceName, SnapshotName};
use crate::domain::operation::{Act, Operation};
use crate::domain::resource::Kind;
use crate::domain::snapshot::{Fate, Health, Selector, Snapshot};
use crate::domain::tag;
use crate::domain::tag::Tags;
use crate::domain::unfinished::explain;
use std::sync::Arc;

/// How many operations may wait for one resource.
const QUEUE: usize = 64;

impl Keeper {
    pub(super) fn account(&self, name: &ResourceName) -> Result<&Account, Denied> {
        // What was probably meant is for whoever answers to find out: everybody waits for us here.
        self.ledger
            .account(name)
            .ok_or_else(|| Denied::NoSuchResource { name: name.clone(), similar: None })
    }

    pub(super) fn configured(&self, name: &ResourceName) -> Result<&Account, Denied> {
        let account = self.account(name)?;
        if account.declared {
            return Ok(account);
        }
        Err(Denied::NotConfigured { resource: name.clone() })
    }

    /// The snapshot that a selector means.
    pub(super) fn find(&self, selector: &Selector) -> Result<Arc<Snapshot>, Denied> {
        let found = match selector {
            Selector::Named(name) => self.ledger.named(name).cloned(),
            Selector::Latest(resource) => {
                let newest = |s: &&Arc<Snapshot>| s.counts();
                self.account(resource)?.snapshots.values().rev().find(newest).cloned()
            }
            Selector::Slot(resource, slot) => {
                let of_slot = |s: &&Arc<Snapshot>| {
                    s.card.slot == Some(*slot) && s.health != Health::Taking && !s.fate.is_doomed()
                };
                self.account(resource)?.snapshots.values().rev().find(of_slot).cloned()
            }
        };
        let whole = found.filter(|snapshot| snapshot.health != Health::Taking);
        whole.ok_or_else(|| {
            let unknown = || Denied::NoSuchSnapshot { wanted: selector.clone(), similar: None };
            explain(&self.ledger, selector).unwrap_or_else(unknown)
        })
    }

    pub(super) fn find_usable(&self, selector: &Selector) -> Result<Arc<Snapshot>, Denied> {
        let found = self.find(selector)?;
        if matches!(found.fate, Fate::Trashed { .. }) {
            return Err(Denied::InTrash { snapshot: found.label() });
        }
        if found.usable() {
            self.spared(&found)?;
            return Ok(found);
        }
        Err(Denied::NotUsable { snapshot: found.label(), health: found.health.word().into() })
    }

    /// A snapshot whose destruction is queued already cannot be promised to anybody.
    pub(super) fn spared(&self, snapshot: &Snapshot) -> Result<(), Denied> {
        match self.is_going(&snapshot.resource, snapshot.seq()) {
            Some(operation) => Err(Denied::InUse { snapshot: snapshot.label(), operation }),
            None => Ok(()),
        }
    }

    /// Snapshot names are one namespace, with those that are still to be made.
    pub(super) fn free(&self, name: &SnapshotName) -> Result<(), Denied> {
        match self.bearer(name) {
            Some(by) => {
                let free = self.free_like(name);
                Err(Denied::NameTaken { name: name.clone(), by, free })
            }
            None => Ok(()),
        }
    }

    /// The resource whose snapshot has, or will have, the name.
    pub(super) fn bearer(&self, name: &SnapshotName) -> Option<ResourceName> {
        if let Some(snapshot) = self.ledger.named(name) {
            return Some(snapshot.resource.clone());
        }
        let wants = |operation: &Operation| match &operation.act {
            Act::Take { name: Some(other), .. } | Act::Keep { name: other, .. } => other == name,
            _ => false,
        };
        let waiting = self.ledger.open_operations().find(|operation| wants(operation));
        waiting.map(|operation| operation.resource.clone())
    }
}

pub(super) fn of_kind(account: &Account, wanted: Kind) -> Result<(), Denied> {
    let kind = account.resource.kind;
    if kind == wanted {
        return Ok(());
    }
    Err(Denied::WrongKind { resource: account.name().clone(), kind, wanted })
}

pub(super) fn room(account: &Account) -> Result<(), Denied> {
    room_for(account, 1)
}

/// Room for so many operations that belong together.
pub(super) fn room_for(account: &Account, operations: usize) -> Result<(), Denied> {
    if account.queue.len() + operations <= QUEUE {
        return Ok(());
    }
    Err(Denied::QueueFull { resource: account.name().clone() })
}

/// The tags of something made from a resource: those that it has by itself, and over them those
/// that it is given.
pub(super) fn inherited(account: &Account, own: &Tags, given: &Tags) -> Result<Tags, Denied> {
    tag::inherit(own, given)
        .map_err(|excess| Denied::TooManyTags { resource: account.name().clone(), excess })
}
