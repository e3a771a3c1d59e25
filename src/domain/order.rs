//! What a worker is given to do, complete in itself.

use super::id::OperationId;
use super::name::ResourceName;
use super::new_resource::NewResource;
use super::policy::Retention;
use super::resource::Resource;
use super::snapshot::{Card, Handle, Seq};
use super::survey::Mark;
use super::usage::UsageScope;

/// What a rollback puts in the place of what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Successor {
    /// The snapshot that it comes from.
    pub label: String,
    /// A name that a new resource could have, made of that snapshot instead.
    pub derived: String,
}

/// Work for a backend, complete in itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    pub operation: OperationId,
    pub resource: ResourceName,
    pub work: Work,
    /// Else only what an earlier try left of it is cleared away or, past the point of no return,
    /// finished.
    pub wanted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// List what the backend has; verify what is whole and not `known` yet.
    Survey {
        known: Vec<Seq>,
        weigh: UsageScope,
    },
    /// Take a snapshot of the resource, or copy one of its snapshots.
    Take {
        card: Card,
        source: Source,
        /// The identity that the resource had when it was last seen.
        identity: Option<String>,
        /// Only if nobody uses it: this comes next.
        replaced_by: Option<Successor>,
    },
    Destroy {
        handle: Handle,
        /// The promises to check again with the backend's own listing right before.
        guard: Guard,
    },
    Restore {
        card: Card,
        draft: Box<NewResource>,
        /// What it will be as a resource, but for the options that the backend adds.
        derived: Box<Resource>,
        /// It was begun before, so it may be made already.
        again: bool,
    },
    Rollback {
        handle: Handle,
        /// Names in every attempt what an earlier one left.
        token: uuid::Uuid,
        /// The identity that the resource had when it was last seen.
        identity: Option<String>,
        /// It was begun before, so what is there may be either content.
        again: bool,
    },
    Attach {
        disk: ResourceName,
    },
    Detach {
        disk: ResourceName,
        /// It was begun before.
        again: bool,
    },
    Mark {
        handle: Handle,
        mark: Mark,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Live,
    Snapshot(Handle),
}

/// What must hold in the backend before an object is destroyed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guard {
    /// It is an automatic one, `latest` newer complete ones of its resource are there, and so is
    /// the resource, under the identity that it is known by.
    Paid { retention: Retention, identity: Option<String> },
    /// The mark beside it says that it is in the trash.
    Thrown,
    /// It is not whole: what a second heptad on the same store has completed meanwhile is no
    /// remains.
    Remains,
    /// A person or a recorded intent asked for exactly this one.
    Asked,
}
