//! Files inside snapshots. Names and paths are written as [`super::escape`] says.

use super::ReferenceText;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What is at a path of a snapshot and, if that is a directory, a page of what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Listing {
    /// The snapshot's label: `RESOURCE@latest` was made definite.
    pub snapshot: String,
    pub resource: String,
    /// Empty: the top.
    pub path: String,
    /// What was asked for itself.
    pub entry: Entry,
    /// In byte order of their names.
    pub entries: Vec<Entry>,
    /// There are more: send this as `after`.
    pub next: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    /// As it is on disk, where that is plain text; else `\xHH` stands for a byte, `\\` for a
    /// backslash. Empty for the top.
    pub name: String,
    pub kind: EntryKind,
    /// Logical bytes.
    pub size: u64,
    /// The nearest that the calendar has, for one beyond the year 9999.
    pub mtime: Timestamp,
    /// Four octal digits: permissions with set-user-id, set-group-id and sticky.
    pub mode: String,
    /// Numbers: the snapshot's users need not be this host's.
    pub uid: u32,
    pub gid: u32,
    /// Where a symbolic link says it leads.
    pub target: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EntryKind {
    Directory,
    File,
    Link,
    Fifo,
    Socket,
    BlockDevice,
    CharDevice,
}

/// What must be done to the one snapshot to get the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Differences {
    /// The label of the snapshot in the path of the request.
    pub from: String,
    /// The label of the one in `against`.
    pub to: String,
    pub path: String,
    /// A directory before what is in it.
    pub differences: Vec<Difference>,
    /// It ended early, because there are more than `limit` or time was up: send this as `after`.
    pub next: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Difference {
    /// From the top of both.
    pub path: String,
    pub kind: EntryKind,
    pub change: Change,
    /// In what a changed one differs.
    pub aspects: Vec<Aspect>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// With all that is in it.
    Added,
    /// With all that was in it.
    Removed,
    Changed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Aspect {
    Kind,
    Size,
    Mtime,
    Mode,
    Owner,
    /// The bytes differ though the sizes do not.
    Content,
    /// Too large to be compared in one answer, though only its time differs.
    ContentNotCompared,
    /// Of a symbolic link.
    Target,
    /// Of a device node.
    Device,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TreeQuery {
    /// From the top of the snapshot, without a leading `/`; the top without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// 1 to 1000 entries; 1000 without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// Only names after this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FileQuery {
    /// From the top of the snapshot, without a leading `/`.
    pub path: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DiffQuery {
    /// The snapshot to get to: a name, `RESOURCE@SLOT` or `RESOURCE@latest`.
    #[param(value_type = ReferenceText)]
    pub against: String,
    /// From the top of both, without a leading `/`; all of them without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// 1 to 1000 differences; 1000 without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// Go on after this path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}
