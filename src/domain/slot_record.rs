//! What became of each slot.

use super::id::OperationId;
use super::operation::{Failure, Fault};
use super::schedule::Period;
use super::slot::Slot;
use super::snapshot::Seq;
use jiff::Timestamp;

/// Why a slot is skipped that fell due while it was on, and then was switched off.
pub const DISABLED: &str = "automatic snapshots were disabled";

/// With the number of the user behind it.
pub const CANCELLED: &str = "cancelled by uid ";

pub const LEFT: &str = "it left the configuration";

/// The record of one slot: open while `outcome` is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotRecord {
    pub slot: Slot,
    pub due: Timestamp,
    /// The end of its period.
    pub end: Timestamp,
    pub attempts: u32,
    pub started: Option<Timestamp>,
    pub finished: Option<Timestamp>,
    pub last_failure: Option<Failure>,
    pub operation: Option<OperationId>,
    pub seq: Option<Seq>,
    pub outcome: Option<Outcome>,
}

/// How a slot ended. Each due slot ends in exactly one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Complete,
    Suspect(String),
    Failed(String),
    Skipped(String),
    Missed(String),
}

impl Outcome {
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Complete => "complete",
            Outcome::Suspect(_) => "suspect",
            Outcome::Failed(_) => "failed",
            Outcome::Skipped(_) => "skipped",
            Outcome::Missed(_) => "missed",
        }
    }

    pub fn reason(&self) -> &str {
        match self {
            Outcome::Complete => "",
            Outcome::Suspect(why)
            | Outcome::Failed(why)
            | Outcome::Skipped(why)
            | Outcome::Missed(why) => why,
        }
    }

    /// Whether nothing was taken because a person did not want it.
    pub fn is_wished(&self) -> bool {
        matches!(self, Outcome::Skipped(why) if [DISABLED, LEFT].contains(&why.as_str()))
    }

    /// Whether a person took its snapshot back: then it is not tried again.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Outcome::Skipped(why) if why.starts_with(CANCELLED))
    }

    /// Whether a snapshot exists for the slot, so that none may be taken for it again.
    pub fn is_taken(&self) -> bool {
        matches!(self, Outcome::Complete | Outcome::Suspect(_))
    }
}

impl SlotRecord {
    pub fn open(period: Period) -> Self {
        Self {
            slot: period.slot,
            due: period.due,
            end: period.end,
            attempts: 0,
            started: None,
            finished: None,
            last_failure: None,
            operation: None,
            seq: None,
            outcome: None,
        }
    }

    pub fn is_taken(&self) -> bool {
        self.outcome.as_ref().is_some_and(Outcome::is_taken)
    }

    /// How it ended, or will where nothing is tried any more.
    pub fn ending(&self) -> (&'static str, String) {
        let outcome = self.outcome.clone().unwrap_or_else(|| self.closing());
        (outcome.word(), outcome.reason().to_owned())
    }

    /// The outcome of a slot whose period ends without a snapshot.
    pub fn closing(&self) -> Outcome {
        match &self.last_failure {
            Some(failure) if matches!(failure.fault, Fault::Absent | Fault::Identity) => {
                Outcome::Skipped(format!("identity: {}", failure.message))
            }
            Some(failure) => Outcome::Failed(failure.to_string()),
            None => Outcome::Missed("heptad was not running".into()),
        }
    }
}

/// One automatic snapshot to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    pub period: Period,
    /// When; in the past if it is late already.
    pub at: Timestamp,
    pub why: Why,
}

/// From when a slot that fell due before the daemon started may be caught up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// When this daemon started, by the wall clock.
    pub started: Timestamp,
    /// [`AFTER_BOOT`] after the machine booted.
    pub settled: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    Scheduled,
    CatchUp,
    Retry(u32),
}
