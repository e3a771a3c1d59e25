//! Snapshots that are mounted.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mounts {
    /// By resource, oldest snapshot first.
    pub mounts: Vec<Mount>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mount {
    pub resource: String,
    /// The snapshot's label; its number where heptad does not list it any more.
    pub snapshot: String,
    /// Where the daemon sees it, written as [`super::escape`] says.
    pub path: String,
    /// What is mounted below it, in the order of mounting: nested volumes of the snapshot.
    pub below: Vec<String>,
}
