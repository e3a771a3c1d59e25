//! What comes into the keeper and what goes out: closed enums, so that nothing is forgotten.

use super::account::{Account, Barred};
use super::denied::Denied;
use super::id::OperationId;
use super::key::Key;
use super::name::ResourceName;
use super::operation::Operation;
use super::order::Order;
use super::report::Finished;
use super::request::Request;
use super::resource::Resource;
use super::slot_record::SlotRecord;
use super::snapshot::{Seq, Snapshot};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Something happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// Time passed, or the clock was set.
    Tick,
    /// The configuration was loaded: at boot and at each reload, whole.
    Configured(Vec<Resource>),
    /// These cannot be taken as this daemon was started, all others can: after each configuration.
    Barred(BTreeMap<ResourceName, Barred>),
    /// A command declared this resource anew, which had been forgotten.
    Welcomed(ResourceName),
    /// A client asks for a change.
    Asked(Ask),
    /// A worker is done.
    Finished(Finished),
    /// A worker is done, and what it reports can be noted neither as done nor as failed.
    GivenUp(OperationId),
    /// Look at every backend again: what changed behind our back, what was left undone.
    Sweep,
    /// Somebody wants to know how things are: look again at what was amiss.
    Look,
    /// Start nothing any more; what is in flight may end.
    Stop,
}

/// A request with who makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Matches the reply to the waiting client.
    pub ticket: u64,
    pub uid: u32,
    pub key: Option<Key>,
    pub request: Request,
}

/// What shall happen now, in this order.
#[derive(Clone, Debug)]
pub enum Action {
    /// Make it durable before anything that follows.
    Record(Entry),
    Start(Box<Order>),
    /// Nobody wants it any more: its worker shall stop where it still can.
    Halt(OperationId),
    Reply(u64, Result<Operation, Denied>),
}

/// One durable fact. Every entry is an upsert or an erasure by key, so it may be applied twice.
#[derive(Clone, Debug)]
pub enum Entry {
    Account(Box<Account>),
    AccountErased(ResourceName),
    Slot(ResourceName, SlotRecord),
    Snapshot(Box<Snapshot>),
    SnapshotErased(ResourceName, Seq),
    Operation(Operation),
    /// The newest believed wall time, and how long heptad has run.
    Clock {
        floor: Timestamp,
        elapsed: jiff::SignedDuration,
    },
}
