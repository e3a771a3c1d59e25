//! The words on the socket: what clients send and what they get, as JSON. Shared by the server
//! and by heptactl, so that they cannot disagree.
//!
//! Plain data only. This room knows no route, no role and no decision; instants are RFC 3339 in
//! UTC, lengths of time are seconds, sizes are bytes. Fields may be added, never renamed.

mod body;
mod event;
mod fee;
mod forecast;
mod mount;
mod operation;
mod path;
mod plan;
mod refusal;
mod resource;
mod slot;
mod snapshot;
mod tree;
mod words;

pub use crate::domain::plan::Size;
/// As a person writes one.
pub use crate::domain::sentence::{Part, parts, plain};
pub use body::{
    AttachBody, ChangesQuery, CreateBody, DaysQuery, DeleteQuery, EnableBody, ForecastQuery,
    ForgetBody, KeepBody, Leftovers, Nothing, OperationQuery, OperationsQuery, ProtectBody,
    ResourcesQuery, RollbackBody, SetTimeBody, SlotsQuery, SnapshotsQuery, TagBody, TakeBody,
};
pub use event::{Changes, Check, Finding, Health, Lack, Reloaded};
pub use fee::{Charge, FeeQuery, Fees, Measured, ResourceFee, SnapshotFee};
pub use forecast::{Drop, Forecast, Forecasts, Hold, Take};
pub use mount::{Mount, Mounts};
pub use operation::{
    Accepted, Failure, Operation, OperationState, Operations, Progress, ProgressNews, Schedule,
    UnderWay,
};
pub use path::{EscapeError, escape, unescape};
pub use plan::{Blueprint, Blueprints, Offer, Plan, Plans, size};
pub use refusal::{RefusalBody, Refused};
pub use resource::{
    Alarm, AttachedTo, Belief, Counts, Newest, NextRun, Protected, Resource, ResourceDetail,
    Resources, Retention, Setting, Source, Status, Still, Why,
};
pub use slot::{Mark, Slot, Slots, StripMark};
pub use snapshot::{AttachedDisk, Fate, Origin, Snapshot, SnapshotState, Snapshots};
pub use tree::{
    Aspect, Change, DiffQuery, Difference, Differences, Entry, EntryKind, FileQuery, Listing,
    TreeQuery,
};
pub use words::{NameText, OrNull, PathText, ReferenceText, TimeText};

use std::collections::BTreeMap;

/// Headers of a file's bytes: its permission bits in octal, its time of modification in seconds
/// since 1970 with nine decimals, and the label of its snapshot.
pub const MODE_HEADER: &str = "heptad-mode";
/// `UID:GID`.
pub const OWNER_HEADER: &str = "heptad-owner";
pub const MTIME_HEADER: &str = "heptad-mtime";
pub const SNAPSHOT_HEADER: &str = "heptad-snapshot";

/// In a change's query. With `true` nothing is changed: the answer is what a change would become.
/// In the query, and in no header: who does not know it refuses it, and does not act.
pub const DRY_RUN: &str = "dry_run";

/// Key and value pairs that a person attached.
pub type Tags = BTreeMap<String, String>;
