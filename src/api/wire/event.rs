//! What changed, and the answers of the daemon about itself.

use super::{Operation, Resource};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What changed after a generation, each thing as it is now. The data of every server-sent event
/// named `changes`, and the answer of the long poll.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Changes {
    /// Give it as `after` the next time.
    pub generation: u64,
    /// Everything is in here, because the generation that was asked for is not of this daemon's
    /// life: forget what you knew.
    pub whole: bool,
    /// Oldest first.
    pub operations: Vec<Operation>,
    pub resources: Vec<Resource>,
    /// Names of resources that are no longer known.
    pub gone: Vec<String>,
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        !self.whole
            && self.operations.is_empty()
            && self.resources.is_empty()
            && self.gone.is_empty()
    }
}

/// The answer of `POST /v1/reload`: what the new configuration changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reloaded {
    pub added: Vec<String>,
    pub changed: Vec<String>,
    pub removed: Vec<String>,
    /// Findings that do not stop it.
    pub findings: Vec<Finding>,
}

/// The answer of `POST /v1/check`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// Whether the files could be loaded as they are now.
    pub loadable: bool,
    pub findings: Vec<Finding>,
    /// What this daemon is not allowed, by the drop-ins of its unit that would allow it.
    #[serde(default)]
    pub lacks: Vec<Lack>,
}

/// One drop-in of the unit that could be put in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Lack {
    /// `heptad-rollback.conf`, for example.
    pub drop_in: String,
    /// What it would allow, in words.
    pub missing: String,
}

/// One thing found in the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    pub file: Option<String>,
    /// From 1.
    pub line: Option<u64>,
    pub key: Option<String>,
    pub message: String,
    /// The way out.
    pub hint: Option<String>,
    /// Good to know, and no fault.
    #[serde(default)]
    pub remark: bool,
}

/// The answer of `GET /v1/health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// Whether nothing is in alarm.
    pub healthy: bool,
    pub alarms: u64,
    pub generation: u64,
    pub version: String,
}
