//! Operations, and the answer to every request for a change.

use super::{NextRun, Setting};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Operations {
    pub generation: u64,
    /// Newest first.
    pub operations: Vec<Operation>,
    /// There may be older ones: give it as `before` for the next page.
    pub next: Option<u64>,
}

/// One attempt to do one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Operation {
    pub id: u64,
    pub resource: String,
    /// `take`, `keep`, `destroy`, `create`, `delete`, `set-time` and so on.
    pub act: String,
    /// `schedule`, `catch-up`, `retry`, `peer`, `rotation`, `recovery`, `configuration` or `trash`.
    pub cause: String,
    /// Who asked, where a client did.
    pub uid: Option<u32>,
    /// The snapshot that it makes, changes or reads.
    pub snapshot: Option<String>,
    /// What else was asked for: the path of a create, the time of a set-time, the reason of a
    /// destroy.
    pub detail: Option<String>,
    pub state: OperationState,
    pub failure: Option<Failure>,
    pub created: Timestamp,
    pub started: Option<Timestamp>,
    pub finished: Option<Timestamp>,
    /// How often it was begun; more than once only after a crash.
    pub tries: u32,
    /// The uid of who asked that it stops, after it had begun. Only the state says what came of it.
    #[serde(default)]
    pub cancel_asked_by: Option<u32>,
    pub progress: Option<Progress>,
    /// What hooks and backend printed.
    pub output: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OperationState {
    Queued,
    Running,
    Succeeded,
    Failed,
}

impl OperationState {
    pub fn is_open(self) -> bool {
        matches!(self, OperationState::Queued | OperationState::Running)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// `transient`, `busy`, `no-space`, `permanent`, `absent`, `identity`, `hook`, `interrupted` or
    /// `cancelled`.
    pub fault: String,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    pub done_bytes: u64,
    /// Where it is known; of what grows meanwhile it is an estimate.
    pub total_bytes: Option<u64>,
    /// On the average since it began.
    #[serde(default)]
    pub bytes_per_second: Option<u64>,
    /// What the rest would take at that rate.
    #[serde(default)]
    pub seconds_left: Option<u64>,
}

/// How far one running operation is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnderWay {
    /// Of the operation.
    pub id: u64,
    pub progress: Progress,
}

/// The data of a server-sent event named `progress`, at most one a second and only while something
/// is told that is new.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProgressNews {
    pub operations: Vec<UnderWay>,
}

/// The answer to a request for a change: 202 while it goes on, 200 when it is done already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Accepted {
    pub operation: Operation,
    /// For `enable`, `disable`, `set-time` and `reset`: what holds now.
    pub schedule: Option<Schedule>,
}

/// What was wished and what will happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Schedule {
    pub enabled: Setting<bool>,
    /// The wished rhythm in words: `06:00 UTC`.
    pub rhythm: Setting<String>,
    /// The rhythm in force until the wished one counts, if another one is.
    #[serde(default)]
    pub still: Option<super::Still>,
    /// The wished time of day, `HH:MM`.
    pub time: Option<String>,
    pub zone: String,
    pub next_run: Option<NextRun>,
}
