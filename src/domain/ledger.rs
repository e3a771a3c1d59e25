//! The facts in memory: what the catalogue holds, shaped for deciding. Cheap to clone, so that a
//! copy can be published after every turn.

use super::account::Account;
use super::event::Entry;
use super::id::OperationId;
use super::name::{ResourceName, SnapshotName};
use super::operation::{Act, Operation};
use super::snapshot::{Health, Seq, Snapshot};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many finished operations stay in memory.
pub const OPERATIONS_IN_MEMORY: usize = 512;

#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub accounts: BTreeMap<ResourceName, Arc<Account>>,
    pub operations: BTreeMap<OperationId, Arc<Operation>>,
    /// From where those count on that are not known any more: no number is used again.
    pub numbers: BTreeMap<ResourceName, Seq>,
    /// Which of them are open, by resource: asked for at every step.
    open: BTreeSet<(ResourceName, OperationId)>,
    /// Operation ids are never reused.
    pub next_operation: OperationId,
    /// The newest believed wall time.
    pub floor: Option<Timestamp>,
    pub elapsed: SignedDuration,
}

impl Ledger {
    pub fn account(&self, name: &ResourceName) -> Option<&Account> {
        self.accounts.get(name).map(Arc::as_ref)
    }

    pub fn account_mut(&mut self, name: &ResourceName) -> Option<&mut Account> {
        self.accounts.get_mut(name).map(Arc::make_mut)
    }

    pub fn snapshot(&self, resource: &ResourceName, seq: Seq) -> Option<&Snapshot> {
        self.account(resource)?.snapshots.get(&seq).map(Arc::as_ref)
    }

    pub fn snapshots(&self) -> impl Iterator<Item = &Arc<Snapshot>> {
        self.accounts.values().flat_map(|account| account.snapshots.values())
    }

    /// The snapshot that bears a name; those in the trash still do, so that they can come back.
    pub fn named(&self, name: &SnapshotName) -> Option<&Arc<Snapshot>> {
        self.snapshots().find(|s| s.card.name.as_ref() == Some(name) && !s.fate.is_doomed())
    }

    pub fn open_operations(&self) -> impl Iterator<Item = &Arc<Operation>> {
        self.open.iter().filter_map(|(_, id)| self.operations.get(id))
    }

    /// The open operations of one resource, oldest first.
    pub fn open_of(&self, name: &ResourceName) -> impl Iterator<Item = &Arc<Operation>> {
        let all = (name.clone(), OperationId(0))..=(name.clone(), OperationId(u64::MAX));
        self.open.range(all).filter_map(|(_, id)| self.operations.get(id))
    }

    /// The names of resources, with those that are promised to what is still to be made.
    pub fn resource_names(&self) -> impl Iterator<Item = &ResourceName> {
        let drafts = self.open_operations().filter_map(|operation| match &operation.act {
            Act::Create { draft, .. } => Some(draft),
            _ => None,
        });
        let promised =
            drafts.flat_map(|draft| std::iter::once(&draft.name).chain(draft.disks.values()));
        self.accounts.keys().chain(promised)
    }

    /// Applies one entry. Called by the keeper as it decides, and by the catalogue as it loads.
    pub fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Account(account) => self.put_account(account),
            Entry::AccountErased(name) => {
                if let Some(gone) = self.accounts.remove(name) {
                    self.numbers.insert(name.clone(), gone.next_seq);
                }
            }
            Entry::Slot(resource, record) => {
                if let Some(account) = self.account_mut(resource) {
                    account.note_slot(record);
                }
            }
            Entry::Snapshot(snapshot) => self.put_snapshot(snapshot),
            Entry::SnapshotErased(resource, seq) => {
                if let Some(account) = self.account_mut(resource) {
                    account.snapshots.remove(seq);
                }
            }
            Entry::Operation(operation) => self.put_operation(operation),
            Entry::Clock { floor, elapsed } => {
                (self.floor, self.elapsed) = (Some(*floor), *elapsed);
            }
        }
    }

    /// The head only: snapshots, slots and what is in flight have entries of their own.
    fn put_account(&mut self, head: &Account) {
        let merged = match self.accounts.remove(head.name()) {
            Some(old) => Account {
                snapshots: old.snapshots.clone(),
                slots: old.slots.clone(),
                noted: old.noted.clone(),
                surveyed: old.surveyed,
                barred: old.barred.clone(),
                weighed: old.weighed,
                look_again: old.look_again,
                running: old.running,
                queue: old.queue.clone(),
                ..head.clone()
            },
            None => head.clone(),
        };
        self.accounts.insert(head.name().clone(), Arc::new(merged));
    }

    fn put_snapshot(&mut self, snapshot: &Snapshot) {
        let Some(account) = self.account_mut(&snapshot.resource) else {
            return;
        };
        let seq = snapshot.seq();
        if let Some(old) = account.snapshots.get(&seq) {
            assert!(
                old.may_become(&snapshot.health),
                "illegal move of {}: {:?} to {:?}",
                old.label(),
                old.health,
                snapshot.health
            );
            assert!(
                old.card.handle.id == snapshot.card.handle.id,
                "sequence number {seq} of {} used twice",
                snapshot.resource
            );
        } else {
            assert!(
                seq < account.next_seq || snapshot.health != Health::Taking,
                "sequence number {seq} of {} was not drawn from its counter",
                snapshot.resource
            );
        }
        account.next_seq = account.next_seq.max(seq.next());
        account.snapshots.insert(seq, Arc::new(snapshot.clone()));
    }

    /// Notes an operation's state; also how one is loaded.
    pub fn put_operation(&mut self, operation: &Operation) {
        self.next_operation = self.next_operation.max(operation.id.next());
        self.operations.insert(operation.id, Arc::new(operation.clone()));
        let key = (operation.resource.clone(), operation.id);
        if operation.is_open() {
            self.open.insert(key);
        } else {
            self.open.remove(&key);
        }
        // Only the finished ones count: of thousands that are due together all are open.
        if self.operations.len() - self.open.len() > 2 * OPERATIONS_IN_MEMORY {
            let finished = self.operations.values().filter(|o| !o.is_open()).map(|o| o.id);
            let surplus: Vec<OperationId> = finished.take(OPERATIONS_IN_MEMORY).collect();
            for id in surplus {
                self.operations.remove(&id);
            }
        }
    }
}
