//! Snapshots as clients see them.

use super::{Plan, Tags};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Snapshots {
    pub generation: u64,
    /// By resource, then newest first.
    pub snapshots: Vec<Snapshot>,
    /// There are more: give it as `after` for the next page.
    pub next: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Snapshot {
    /// How other routes take it: its name, or `RESOURCE@SLOT`.
    pub label: String,
    pub resource: String,
    pub seq: u64,
    pub id: String,
    pub origin: Origin,
    /// What a new resource made from it is: `instance`, `disk` or `database`.
    pub kind: String,
    /// How much of the resource is in it: `whole`, or `system-disk` for only the disk that an
    /// instance starts from.
    pub part: String,
    /// The size that the resource had, and what it was made from.
    pub plan: Option<Plan>,
    pub blueprint: Option<String>,
    /// Of a disk, of an instance's system disk, or of a database by its plan; none where it has
    /// none.
    pub size_bytes: Option<u64>,
    /// The disks of an instance beside its system disk.
    pub from_attached_disks: Vec<AttachedDisk>,
    pub name: Option<String>,
    pub slot: Option<String>,
    /// The automatic snapshot that it was kept from: its label, or `RESOURCE#SEQ` once that is
    /// gone.
    pub kept_from: Option<String>,
    /// The names of the manual snapshots that were kept from it.
    pub kept_as: Vec<String>,
    /// When the content was frozen.
    pub taken_at: Timestamp,
    pub age_seconds: i64,
    pub tags: Tags,
    pub state: SnapshotState,
    /// Why it is suspect.
    pub reason: Option<String>,
    pub fate: Fate,
    /// How long heptad must still run before the trash is emptied of it.
    pub trash_seconds_left: Option<i64>,
    pub stored_bytes: Option<u64>,
    pub exclusive_bytes: Option<u64>,
    pub entries: Option<u64>,
    pub content_bytes: Option<u64>,
    pub notes: Vec<String>,
    /// Of a database: the software that it is of, and the version of its files.
    pub engine: Option<String>,
    pub engine_version: Option<String>,
    /// When a copy of it was last tried out and worked, and by what.
    pub proven_at: Option<Timestamp>,
    pub proven_by: Option<String>,
    /// What rotation says of it now: `latest 3`, `weekly 1`, `in use`, `drop`; none where it has no
    /// say.
    pub rotation: Option<String>,
}

/// A disk of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AttachedDisk {
    /// What its instance calls it: `vdb`.
    pub name: String,
    /// The resource that it is now, if it is one.
    pub resource: Option<String>,
    pub size_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    Automatic,
    Manual,
    Copied,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SnapshotState {
    Taking,
    Complete,
    Suspect,
    Missing,
    Tampered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    Live,
    Trashed,
    /// It is being destroyed.
    Doomed,
}
