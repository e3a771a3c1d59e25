//! One attempt to do one thing: who asked, what, how far, how it ended.

use super::id::OperationId;
use super::key::Key;
use super::name::{ResourceName, SnapshotName};
use super::new_resource::NewResource;
use super::sentence::plain;
use super::slot::Slot;
use super::snapshot::{Part, Seq};
use super::tag::{Retag, Tags};
use jiff::Timestamp;
use jiff::civil::Time;
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    pub id: OperationId,
    pub resource: ResourceName,
    pub act: Act,
    pub cause: Cause,
    /// The client's idempotency key, if it gave one.
    pub key: Option<Key>,
    pub created: Timestamp,
    pub started: Option<Timestamp>,
    pub finished: Option<Timestamp>,
    pub state: State,
    /// How often it was begun; more than once only after a crash.
    pub tries: u32,
    /// Who asked that it stops, after it had begun.
    pub cancel_asked_by: Option<u32>,
    /// What hooks and backend printed, for a person.
    pub output: String,
}

/// What is to be done. Everything that a crash must not forget is in here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Look at what the backend has.
    Survey,
    Take {
        seq: Seq,
        slot: Option<Slot>,
        name: Option<SnapshotName>,
        tags: Tags,
        part: Part,
    },
    Keep {
        from: Seq,
        seq: Seq,
        name: SnapshotName,
        tags: Tags,
    },
    Destroy {
        seq: Seq,
        why: Doom,
    },
    Create {
        from: Seq,
        draft: Box<NewResource>,
    },
    /// Put the content of `to` in place of the live one. What was live is in `safety`, which is
    /// taken before.
    Rollback {
        to: Seq,
        safety: Seq,
    },
    /// Give this instance a disk, which is a resource too.
    Attach {
        disk: ResourceName,
    },
    Detach {
        disk: ResourceName,
    },
    Trash {
        seq: Seq,
    },
    Undelete {
        seq: Seq,
    },
    /// Change the tags of a snapshot, or of the resource itself.
    Tag {
        seq: Option<Seq>,
        change: Retag,
    },
    /// Write the doubt, or its end, beside the snapshot.
    Mark {
        seq: Seq,
    },
    Enable {
        time: Option<Time>,
    },
    Disable,
    SetTime {
        time: Time,
    },
    Reset,
    Acknowledge,
    Rotate,
    Forget {
        automatic: Leftovers,
        /// A last snapshot, which is taken before.
        last: Option<Seq>,
    },
}

/// Why a snapshot is destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doom {
    /// Rotation; paid for by this newer snapshot.
    Rotated { paid_by: Seq },
    /// A person said `--now`.
    Asked,
    /// Its time in the trash is over.
    TrashExpired,
    /// The remains of a snapshot whose taking was interrupted.
    Unfinished,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Schedule,
    CatchUp,
    /// The n-th try again of a failed slot, from 1.
    Retry(u32),
    /// A client with this uid.
    Peer(u32),
    Rotation,
    Recovery,
    /// The configuration file.
    Configuration,
    Trash,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Its intent is durable; it waits for its turn.
    Queued,
    Running,
    Succeeded,
    Failed(Failure),
}

impl Operation {
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Queued | State::Running)
    }

    /// Before a crash, perhaps: then something of it may be there.
    pub fn has_begun(&self) -> bool {
        self.tries > 0
    }

    /// Whether somebody asked that it stops, and it has not ended yet.
    pub fn is_stopping(&self) -> bool {
        self.is_open() && self.cancel_asked_by.is_some()
    }

    /// A person did not want it any more, and it was not done.
    pub fn is_cancelled(&self) -> bool {
        matches!(&self.state, State::Failed(failure) if failure.fault == Fault::Cancelled)
    }
}

impl Act {
    /// The stable word for logs, API and catalogue.
    pub fn word(&self) -> &'static str {
        match self {
            Act::Survey => "survey",
            Act::Take { .. } => "take",
            Act::Keep { .. } => "keep",
            Act::Destroy { .. } => "destroy",
            Act::Create { .. } => "create",
            Act::Rollback { .. } => "rollback",
            Act::Attach { .. } => "attach",
            Act::Detach { .. } => "detach",
            Act::Trash { .. } => "delete",
            Act::Undelete { .. } => "undelete",
            Act::Tag { .. } => "tag",
            Act::Mark { .. } => "mark",
            Act::Enable { .. } => "enable",
            Act::Disable => "disable",
            Act::SetTime { .. } => "set-time",
            Act::Reset => "reset",
            Act::Acknowledge => "acknowledge",
            Act::Rotate => "rotate",
            Act::Forget { .. } => "forget",
        }
    }

    /// The snapshot that it makes or changes.
    pub fn seq(&self) -> Option<Seq> {
        match self {
            Act::Take { seq, .. }
            | Act::Keep { seq, .. }
            | Act::Destroy { seq, .. }
            | Act::Trash { seq }
            | Act::Undelete { seq }
            | Act::Mark { seq } => Some(*seq),
            Act::Tag { seq, .. } => *seq,
            Act::Create { from, .. } => Some(*from),
            Act::Rollback { to, .. } => Some(*to),
            _ => None,
        }
    }

    /// Whether that snapshot must not be destroyed while it is open.
    pub fn pins(&self, snapshot: Seq) -> bool {
        match self {
            Act::Keep { from, .. } | Act::Create { from, .. } => *from == snapshot,
            Act::Undelete { seq } => *seq == snapshot,
            Act::Rollback { to, safety } => [*to, *safety].contains(&snapshot),
            Act::Forget { last, .. } => *last == Some(snapshot),
            _ => false,
        }
    }

    /// Whether its worker asks now and then whether it is wanted still.
    pub fn is_stoppable(&self) -> bool {
        self.makes_snapshot() || matches!(self, Act::Create { .. } | Act::Rollback { .. })
    }

    /// Of what is begun of one nothing is left unless all of it is there.
    pub fn makes_snapshot(&self) -> bool {
        matches!(self, Act::Take { .. } | Act::Keep { .. })
    }

    /// The snapshot that has to be complete before it may begin.
    pub fn needs(&self) -> Option<Seq> {
        match self {
            Act::Rollback { safety, .. } => Some(*safety),
            Act::Forget { last, .. } => *last,
            _ => None,
        }
    }
}

/// What went wrong, in words that decide what happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// May go away by itself.
    Transient,
    /// Somebody else holds it.
    Busy,
    /// The pool, or a quota, is full.
    NoSpace,
    /// Will not go away without a person.
    Permanent,
    /// The resource or the snapshot is not there.
    Absent,
    /// Something is there, but it is not what was there before.
    Identity,
    /// A before-hook failed.
    Hook,
    /// heptad or the machine stopped in the middle.
    Interrupted,
    /// A person took it back.
    Cancelled,
}

impl Fault {
    pub fn word(self) -> &'static str {
        match self {
            Fault::Transient => "transient",
            Fault::Busy => "busy",
            Fault::NoSpace => "no-space",
            Fault::Permanent => "permanent",
            Fault::Absent => "absent",
            Fault::Identity => "identity",
            Fault::Hook => "hook",
            Fault::Interrupted => "interrupted",
            Fault::Cancelled => "cancelled",
        }
    }

    pub const ALL: [Fault; 9] = [
        Fault::Transient,
        Fault::Busy,
        Fault::NoSpace,
        Fault::Permanent,
        Fault::Absent,
        Fault::Identity,
        Fault::Hook,
        Fault::Interrupted,
        Fault::Cancelled,
    ];
}

/// A fault with its story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub fault: Fault,
    pub message: String,
}

impl Failure {
    pub fn new(fault: Fault, message: impl Into<String>) -> Self {
        Self { fault, message: plain(message) }
    }

    /// Whether the same try fails again until somebody mends something.
    pub fn is_permanent(&self) -> bool {
        self.fault == Fault::Permanent
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// What becomes of the automatic snapshots of a forgotten resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leftovers {
    #[default]
    Keep,
    Trash,
}
