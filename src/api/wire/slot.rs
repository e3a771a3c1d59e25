//! What became of each slot.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One mark of the strip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StripMark {
    pub slot: String,
    pub mark: Mark,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    Complete,
    Suspect,
    /// Also while it will be tried again.
    Failed,
    Skipped,
    Missed,
    /// Complete, and a manual copy was kept of it.
    Kept,
    Running,
    /// Open and not tried yet.
    None,
}

/// The slots of one civil day in the resource's zone, oldest first: the answer to "why".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Slots {
    pub resource: String,
    /// `YYYY-MM-DD`.
    pub day: String,
    pub zone: String,
    pub slots: Vec<Slot>,
    /// Why there is no slot on that day, or what will still come.
    pub note: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Slot {
    pub slot: String,
    pub due: Timestamp,
    /// Up to when it may be tried.
    pub end: Timestamp,
    pub mark: Mark,
    /// `complete`, `suspect`, `failed`, `skipped` or `missed`; none while it is open.
    pub outcome: Option<String>,
    /// Why it ended so; while it is open, what went wrong the last time.
    pub reason: Option<String>,
    pub attempts: u32,
    /// The first start.
    pub started: Option<Timestamp>,
    pub finished: Option<Timestamp>,
    /// From due to the start.
    pub late_seconds: Option<i64>,
    pub operation: Option<u64>,
    /// The snapshot, as other routes take it.
    pub snapshot: Option<String>,
}
