//! What a client asks for.

use super::id::OperationId;
use super::name::{ResourceName, SnapshotName};
use super::new_resource::NewResource;
use super::operation::Leftovers;
use super::snapshot::{Part, Selector};
use super::tag::{Retag, Tags};
use jiff::civil::Time;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Without a name it gets one of the resource's name and the time.
    Take {
        resource: ResourceName,
        name: Option<SnapshotName>,
        tags: Tags,
        part: Part,
    },
    Keep {
        from: Selector,
        name: SnapshotName,
        tags: Tags,
    },
    TagResource {
        resource: ResourceName,
        change: Retag,
    },
    TagSnapshot {
        snapshot: Selector,
        change: Retag,
    },
    Create {
        from: Selector,
        draft: Box<NewResource>,
    },
    Rollback {
        resource: ResourceName,
        to: Selector,
        safety: Option<SnapshotName>,
    },
    Attach {
        instance: ResourceName,
        disk: ResourceName,
    },
    Detach {
        instance: ResourceName,
        disk: ResourceName,
    },
    Delete {
        snapshot: Selector,
        now: bool,
    },
    Undelete {
        snapshot: Selector,
    },
    Enable {
        resource: ResourceName,
        time: Option<Time>,
    },
    Disable {
        resource: ResourceName,
    },
    SetTime {
        resource: ResourceName,
        time: Time,
    },
    Reset {
        resource: ResourceName,
    },
    Acknowledge {
        resource: ResourceName,
    },
    Rotate {
        resource: ResourceName,
    },
    Forget {
        resource: ResourceName,
        automatic: Leftovers,
        last: FinalSnapshot,
    },
    /// Takes back what has not begun, and asks what has begun to stop.
    Cancel {
        operation: OperationId,
    },
    /// Only whether it would be refused, and what it would become.
    Rehearse(Box<Request>),
}

/// Whether a resource that is forgotten leaves a last snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FinalSnapshot {
    /// Nothing was said; of an instance or a database it has to be (Lightsail's rule for deleting
    /// a database).
    #[default]
    Unspecified,
    Skip,
    Take(SnapshotName),
}

impl Request {
    /// The word of the operation that it becomes.
    pub fn word(&self) -> &'static str {
        match self {
            Request::Take { .. } => "take",
            Request::Keep { .. } => "keep",
            Request::TagResource { .. } | Request::TagSnapshot { .. } => "tag",
            Request::Create { .. } => "create",
            Request::Rollback { .. } => "rollback",
            Request::Attach { .. } => "attach",
            Request::Detach { .. } => "detach",
            Request::Delete { .. } => "delete",
            Request::Undelete { .. } => "undelete",
            Request::Enable { .. } => "enable",
            Request::Disable { .. } => "disable",
            Request::SetTime { .. } => "set-time",
            Request::Reset { .. } => "reset",
            Request::Acknowledge { .. } => "acknowledge",
            Request::Rotate { .. } => "rotate",
            Request::Forget { .. } => "forget",
            Request::Cancel { .. } => "cancel",
            Request::Rehearse(request) => request.word(),
        }
    }
}
