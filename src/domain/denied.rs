//! Why the keeper refuses what a client asks for.

use super::id::OperationId;
use super::name::{ResourceName, SnapshotName};
use super::plan::Plan;
use super::resource::Kind;
use super::snapshot::Selector;
use super::tag::TooMany;

/// Why a request is refused: data, with a stable code, a public sentence and a hint at the edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    NoSuchResource {
        name: ResourceName,
        similar: Option<ResourceName>,
    },
    NoSuchSnapshot {
        wanted: Selector,
        similar: Option<String>,
    },
    /// It is not whole yet.
    BeingTaken {
        snapshot: String,
        operation: OperationId,
        /// It has not begun.
        queued: bool,
        /// How much of it is there, and of how much, where the backend tells.
        done: Option<(u64, Option<u64>)>,
    },
    TakeFailed {
        snapshot: String,
        resource: ResourceName,
        operation: OperationId,
        why: String,
        /// A schedule wanted it, which may try again.
        again: bool,
    },
    BeingDestroyed {
        snapshot: String,
        operation: OperationId,
    },
    NameTaken {
        name: SnapshotName,
        by: ResourceName,
        /// One like it that is free.
        free: Option<SnapshotName>,
    },
    SmallerPlan {
        wanted: Plan,
        had: Plan,
    },
    /// A wish that makes no sense for what is made.
    NoUse {
        what: &'static str,
        kind: Kind,
    },
    WrongKind {
        resource: ResourceName,
        kind: Kind,
        wanted: Kind,
    },
    /// The snapshot is of another resource.
    NotOf {
        snapshot: String,
        resource: ResourceName,
        of: ResourceName,
    },
    /// The snapshot is of the system disk alone.
    NotWhole {
        snapshot: String,
    },
    FinalSnapshotUnspecified {
        resource: ResourceName,
        kind: Kind,
    },
    ResourceNameTaken {
        name: ResourceName,
        /// One like it that is free.
        free: Option<ResourceName>,
    },
    /// A name for an attached disk that the snapshot does not have.
    NoSuchDisk {
        snapshot: String,
        disk: String,
        has: Vec<String>,
    },
    /// What an attached disk would be called is a resource already.
    DiskNameTaken {
        disk: String,
        name: ResourceName,
    },
    /// No name of a resource can be made for an attached disk.
    DiskUnnamed {
        disk: String,
    },
    /// What heptad is to declare has a name that is too long for that.
    LongName {
        name: ResourceName,
    },
    NotUsable {
        snapshot: String,
        health: String,
    },
    InTrash {
        snapshot: String,
    },
    NotInTrash {
        snapshot: String,
    },
    InUse {
        snapshot: String,
        operation: OperationId,
    },
    NotAutomatic {
        snapshot: String,
    },
    CronPolicy {
        resource: ResourceName,
    },
    NothingToAcknowledge {
        resource: ResourceName,
    },
    StillConfigured {
        resource: ResourceName,
    },
    NotConfigured {
        resource: ResourceName,
    },
    InDoubt {
        resource: ResourceName,
        reason: String,
    },
    TooManyTags {
        resource: ResourceName,
        excess: TooMany,
    },
    /// A change would leave so many tags.
    TagsFull {
        of: String,
        total: usize,
    },
    NoSuchOperation {
        operation: OperationId,
    },
    /// It cannot be cancelled any more, or at all.
    NotCancelled {
        operation: OperationId,
        why: Firm,
    },
    QueueFull {
        resource: ResourceName,
    },
    /// The key was given for another request.
    KeyReused {
        key: String,
        operation: OperationId,
    },
    /// An earlier heptad recorded the key, without what it was given for.
    KeyUnproven {
        key: String,
        operation: OperationId,
    },
    CatalogueUnwritable {
        reason: String,
    },
    Stopping,
}

/// Why an operation cannot be cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firm {
    Over,
    Begun,
    /// What heptad does for itself.
    Own,
}
