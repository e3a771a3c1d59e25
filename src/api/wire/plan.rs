//! Plans and blueprints: what instances and databases can be, and what they were made from.

use crate::domain::plan::binary;
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// The size of an instance or a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Plan {
    pub name: String,
    pub vcpus: u32,
    pub memory_bytes: u64,
    /// Of the system disk.
    pub disk_bytes: u64,
}

impl Plan {
    /// Exact, as [`size`].
    pub fn memory(&self) -> String {
        size(self.memory_bytes)
    }

    /// Exact, as [`size`].
    pub fn disk(&self) -> String {
        size(self.disk_bytes)
    }
}

impl fmt::Display for Plan {
    /// `small (2 vCPUs, 2 GiB memory, 40 GiB disk)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cpus = if self.vcpus == 1 { "vCPU" } else { "vCPUs" };
        let (memory, disk) = (self.memory(), self.disk());
        write!(f, "{} ({} {cpus}, {memory} memory, {disk} disk)", self.name, self.vcpus)
    }
}

/// A size as a person would have written it: exact, in the shortest unit.
pub fn size(bytes: u64) -> String {
    binary(bytes)
}

/// A plan that can be chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Offer {
    #[serde(flatten)]
    pub plan: Plan,
    /// Per month; only shown.
    pub price: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Plans {
    /// Of the prices.
    pub currency: String,
    /// The smallest first.
    pub plans: Vec<Offer>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Blueprint {
    pub name: String,
    /// For a person: `Debian 12`.
    pub description: Option<String>,
    /// Whether snapshots of what was made from it may be exported.
    pub export: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Blueprints {
    /// By name.
    pub blueprints: Vec<Blueprint>,
}
