//! What comes into the keeper and what goes out: closed enums, so that nothing is forgotten.

pub use super::denied::{Denied, Firm};
pub use super::request::{Farewell, Request};

use super::account::{Account, Barred};
use super::agenda::SlotRecord;
use super::draft::Draft;
use super::key::Key;
use super::name::ResourceName;
use super::occupied::Occupied;
use super::operation::{Failure, Operation, OperationId};
use super::policy::Retention;
use super::resource::Resource;
use super::snapshot::{Card, Content, Facts, Handle, Seq, Snapshot, Tags};
use super::told::{Disk, Engine, Told};
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

/// What a rollback puts in the place of what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Successor {
    /// The snapshot that it comes from.
    pub label: String,
    /// A name that a new resource could have, made of that snapshot instead.
    pub heir: String,
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
        weigh: Weigh,
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
        draft: Box<Draft>,
        /// What it will be as a resource, but for the options that the backend adds.
        heir: Box<Resource>,
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
    /// It is an automatic one, `latest` newer complete ones of its resource are there, and so is the
    /// resource, under the identity that it is known by.
    Paid { retention: Retention, identity: Option<String> },
    /// The mark beside it says that it is in the trash.
    Thrown,
    /// It is not whole: what a second heptad on the same store has completed meanwhile is no remains.
    Remains,
    /// A person or a recorded intent asked for exactly this one.
    Asked,
}

/// What a worker brings back.
#[derive(Clone, Debug)]
pub struct Finished {
    pub operation: OperationId,
    pub result: Result<Done, Failure>,
    pub output: String,
}

#[derive(Clone, Debug)]
pub enum Done {
    /// With what whole snapshots occupy now, so far as it was measured.
    Surveyed(Survey, Weights),
    Taken(Taken),
    Destroyed,
    /// What would have paid for it is not there, or somebody reads it: nothing was touched.
    Unpaid(String),
    Restored {
        path: String,
        /// Sentences for a person.
        notes: Vec<String>,
    },
    /// What is in the resource's place now, and why that is not what was meant, if so.
    RolledBack {
        identity: Option<String>,
        failure: Option<Failure>,
        /// What a person still has to do, as a sentence.
        left: Option<String>,
    },
    /// Under the name that the guest gives it.
    Attached(String),
    Detached,
    Marked,
}

/// A snapshot that is durable, with what was seen of it and beside it right after.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The backend's identity of the new object.
    pub object: String,
    pub facts: Facts,
    /// What the resource has and it lacks, if anything: it is suspect then.
    pub incomplete: Option<String>,
    /// The listing of the same pass: rotation deletes only by what is really there.
    pub survey: Survey,
}

/// What a backend has of one resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// The resource's own identity; none while it is absent.
    pub identity: Option<String>,
    /// Why there is none, and what to do.
    pub absence: Option<String>,
    pub elsewhere: Option<Elsewhere>,
    /// What it is of, where it is a database.
    pub engine: Option<Engine>,
    /// Its disks as they are now, as [`Told`] has them.
    pub disks: Vec<Disk>,
    pub found: Vec<Found>,
    /// The highest sequence number that the backend remembers.
    pub high_water: Seq,
}

/// Its store was changed, and snapshots of it lie in the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// The directory that they lie in.
    pub before: String,
    /// The one where they are looked for.
    pub now: String,
}

/// What was measured of a resource's snapshots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weights {
    pub each: Vec<Weight>,
    pub together: Together,
}

/// What a look may measure of what snapshots occupy, though it is costly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weigh {
    #[default]
    Nothing,
    /// What all of them occupy.
    Together,
    /// That, and what each does.
    All,
}

/// What all of them occupy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Together {
    /// It was not asked for: that is costly.
    #[default]
    NotAsked,
    /// It could not be measured this time; what was known stands.
    Failed,
    /// None: it cannot be told.
    Is(Option<Occupied>),
}

/// What one whole snapshot occupies, in bytes; none where the backend cannot tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    pub seq: Seq,
    pub stored: Option<u64>,
    pub exclusive: Option<u64>,
}

/// One object that bears heptad's marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub card: Card,
    pub state: Wholeness,
    pub mark: Mark,
    pub content: Option<Content>,
    pub notes: Vec<String>,
    pub told: Told,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wholeness {
    Whole,
    /// It never passed its commit point, or its destruction was interrupted.
    Partial,
    /// It was made writable or changed.
    Tampered,
}

/// What is written beside a snapshot after it was made, so that it survives the catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Why it is suspect.
    pub doubt: Option<String>,
    /// A person looked at a suspect one and accepted it.
    pub accepted: bool,
    pub trashed: bool,
    /// All its tags, where they are no longer those that it was taken with.
    pub tags: Option<Tags>,
}
