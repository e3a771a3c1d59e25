//! What heptad and its helper say to one another: one line of JSON, and a line that ends it.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Ends the helper's first answer.
pub(super) const HELD: &str = "held";
/// Ends its last one.
pub(super) const RELEASED: &str = "released";
/// Asks for it; so does the end of its input.
pub(super) const RELEASE: &str = "release\n";

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub uri: String,
    /// The domain's UUID.
    pub domain: String,
    /// Freeze the file systems, if the agent answers within `agent_ms`.
    pub freeze: bool,
    pub agent_ms: u64,
    /// Pause the processors.
    pub pause: bool,
    /// After this the guest is let go whatever heptad does, counted from the first act.
    pub hold_ms: u64,
    /// Where to write down what is held.
    pub note: PathBuf,
}

/// The helper's first answer: what it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FreezeAnswer {
    /// The number of frozen file systems; none: not frozen, and why.
    pub frozen: Result<u64, String>,
    /// Somebody else had frozen them already.
    #[serde(default)]
    pub by_others: bool,
    /// Whether the processors are paused; the reason why not, if they should be.
    pub paused: Result<bool, String>,
}

/// The helper's last answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outcome {
    /// From before the freeze until after the thaw.
    pub frozen_ms: Option<u64>,
    pub paused_ms: Option<u64>,
    /// It was let go before heptad asked for it: the deadline, or a signal.
    pub early: Option<String>,
    /// What could not be let go, and what to do about it.
    pub stuck: Option<String>,
}
