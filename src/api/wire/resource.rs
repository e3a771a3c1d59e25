//! The state of the daemon and of each resource.

use super::{AttachedDisk, Operation, OrNull, Plan, Slot, StripMark, Tags};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Everything at a glance: the answer of `GET /v1/status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// heptad's version.
    pub version: String,
    /// Counts the daemon's turns; give it as `after` to wait for what comes next.
    pub generation: u64,
    /// The daemon's clock.
    pub now: Timestamp,
    pub started: Timestamp,
    pub clock: Belief,
    /// Alarms of the daemon itself; those of a resource are with the resource.
    pub alarms: Vec<Alarm>,
    pub open_operations: u64,
    pub resources: Vec<Resource>,
}

/// Whether the wall clock is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Belief {
    Trusted,
    /// Nothing automatic is taken until it is synchronised.
    Doubted,
    /// Doubted, but used after a while, since a wrong date is better than no snapshot.
    Tolerated,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Resources {
    pub generation: u64,
    /// By name.
    pub resources: Vec<Resource>,
    /// There are more: give it as `after` for the next page.
    pub next: Option<String>,
}

/// One protected thing, in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Resource {
    pub name: String,
    /// `instance`, `disk` or `database`.
    pub kind: String,
    pub backend: String,
    /// Its size by the configuration, and what it was made from.
    pub plan: Option<Plan>,
    pub blueprint: Option<String>,
    /// Of a disk, of an instance's system disk, or of a database by its plan; none where it has
    /// none.
    pub size_bytes: Option<u64>,
    /// The disks of an instance beside its system disk, as last seen.
    pub attached_disks: Vec<AttachedDisk>,
    /// The instance that has this disk, as last seen; more than one where they share it.
    #[serde(default)]
    pub attached_to: Vec<AttachedTo>,
    /// Of a database: the software that it is of, and the version of its files, as last seen.
    pub engine: Option<String>,
    pub engine_version: Option<String>,
    /// A command made it and declared it, not the user's configuration.
    pub enrolled: bool,
    /// False once it left the configuration.
    pub declared: bool,
    pub forgotten: bool,
    pub tags: Tags,
    /// The tags of the configuration, where commands say otherwise.
    pub configured_tags: Option<Tags>,
    pub enabled: Setting<bool>,
    /// The rhythm in words: `06:00 UTC`, or `cron 15 * * * * UTC`.
    pub rhythm: Setting<String>,
    /// The rhythm in force until the wished one counts, if another one is.
    #[serde(default)]
    pub still: Option<Still>,
    /// The wished time of day, `HH:MM`; none under a cron expression.
    pub time: Option<String>,
    /// The IANA name.
    pub zone: String,
    /// The fixed offset of this resource within the configured spread.
    pub spread_seconds: u32,
    pub retention: Retention,
    /// The next automatic snapshot; none while they are off.
    pub next_run: Option<NextRun>,
    /// The last fourteen slots, oldest first.
    pub strip: Vec<StripMark>,
    pub counts: Counts,
    /// The newest that can be used, whoever wanted it.
    #[serde(default)]
    pub newest: Option<Newest>,
    /// When the newest complete automatic snapshot was taken.
    pub newest_complete: Option<Timestamp>,
    pub newest_complete_age_seconds: Option<i64>,
    /// When a copy of one of its snapshots was last tried out and worked.
    pub newest_proof: Option<Timestamp>,
    pub alarms: Vec<Alarm>,
    pub running: Option<Operation>,
    /// How many operations wait behind the running one.
    pub queued: u64,
}

/// Where a disk is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AttachedTo {
    pub instance: String,
    /// What the instance calls it: `vdb`.
    pub name: String,
}

/// One snapshot in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Newest {
    /// Its name, or `RESOURCE@SLOT`.
    pub snapshot: String,
    pub origin: super::Origin,
    pub taken_at: Timestamp,
}

/// An earlier rhythm that rules for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Still {
    /// In words: `06:00 UTC`.
    pub rhythm: String,
    pub until: Timestamp,
}

/// A resource with what is known beyond the glance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ResourceDetail {
    pub generation: u64,
    /// The daemon's clock.
    pub now: Timestamp,
    pub resource: Resource,
    /// Since when heptad knows it.
    pub since: Timestamp,
    /// What the backend says it is, by UUID.
    pub identity: Option<String>,
    /// Another identity that was seen in its place and waits for acknowledgement.
    pub stranger: Option<String>,
    /// Why the backend could not be reached the last time.
    pub trouble: Option<String>,
    /// Why rotation waits for a person.
    pub doubt: Option<String>,
    /// What its technology can beside taking and restoring: `rollback`, `files` (looking into
    /// snapshots), `disks` (attaching them), `rescue` (saving what is damaged).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub can: Vec<String>,
    /// What `rotate` would put into the trash now, oldest first.
    #[serde(default)]
    pub beyond: Vec<String>,
    /// The newest forty slots, newest first.
    pub slots: Vec<Slot>,
}

/// Something that was put under protection, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Protected {
    /// The resource's name.
    pub name: String,
    /// `disk`, `database` or `instance`.
    pub kind: String,
    pub backend: String,
    /// What was found, in words.
    pub what: String,
    /// Where it really is: an absolute path without symbolic links, or the guest.
    pub place: String,
    /// The file of heptad's own that declares it.
    pub file: String,
    /// What declares it there, in TOML.
    pub table: String,
    /// False for a mere question: nothing was changed.
    pub written: bool,
    pub notes: Vec<String>,
}

/// A value in force with where it comes from and, where a command says otherwise, what the
/// configuration says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Setting<T> {
    pub value: T,
    pub source: Source,
    // Described above: what stands here would be taken for a second, contradicting type.
    #[schema(inline, value_type = OrNull<T>)]
    pub configured: Option<T>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The configuration file.
    Config,
    /// A command; it wins until `reset`.
    Override,
}

/// How many complete automatic snapshots stay in each tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Retention {
    pub latest: u32,
    pub weekly: u32,
    pub monthly: u32,
    pub yearly: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NextRun {
    /// The date or instant that it is for.
    pub slot: String,
    pub due: Timestamp,
    /// When it will be tried; in the past if it is late already.
    pub at: Timestamp,
    pub why: Why,
    /// Which try again this is, from 1; 0 for the first.
    pub retry: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    Scheduled,
    /// It fell due while heptad was not running.
    CatchUp,
    /// An earlier try failed.
    Retry,
    /// It is being taken; in a forecast only.
    Running,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Counts {
    /// Complete ones that rotation counts.
    pub automatic: u64,
    /// Manual and copied ones.
    pub manual: u64,
    pub trashed: u64,
}

/// Something a person should know of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Alarm {
    /// Stable: `stale`, `suspect`, `trouble` and so on.
    pub code: String,
    pub sentence: String,
    /// The way out.
    pub hint: String,
}
