//! What a worker brings back.

use super::id::OperationId;
use super::operation::Failure;
use super::snapshot::Facts;
use super::survey::Survey;
use super::usage::UsageReport;

/// What a worker brings back.
#[derive(Clone, Debug)]
pub struct Finished {
    pub operation: OperationId,
    pub result: Result<Done, Failure>,
    pub output: String,
}

#[derive(Clone, Debug)]
pub enum Done {
    /// With what whole snapshots occupy now, so far as it was measured.
    Surveyed(Survey, UsageReport),
    Taken(Taken),
    Destroyed,
    /// What would have paid for it is not there, or somebody reads it: nothing was touched.
    Unpaid(String),
    Restored {
        path: String,
        /// Sentences for a person.
        notes: Vec<String>,
    },
    /// What is in the resource's place now, and why that is not what was meant, if so.
    RolledBack {
        identity: Option<String>,
        failure: Option<Failure>,
        /// What a person still has to do, as a sentence.
        left: Option<String>,
    },
    /// Under the name that the guest gives it.
    Attached(String),
    Detached,
    Marked,
}

/// A snapshot that is durable, with what was seen of it and beside it right after.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The backend's identity of the new object.
    pub object: String,
    pub facts: Facts,
    /// What the resource has and it lacks, if anything: it is suspect then.
    pub incomplete: Option<String>,
    /// The listing of the same pass: rotation deletes only by what is really there.
    pub survey: Survey,
}
