//! What a backend tells of a resource or a snapshot beyond its content.

use jiff::Timestamp;

/// Of one snapshot, as its own files say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub engine: Option<Engine>,
    pub proof: Option<Proof>,
}

/// The software that a database is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    /// `postgres`, `sqlite`.
    pub name: String,
    /// Of its files: what can read them.
    pub version: String,
}

/// That a copy of a snapshot was tried out, and worked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    pub at: Timestamp,
    /// What was done, as a part of a sentence: `a server started on a copy of it`.
    pub by: String,
}

impl Told {
    /// What is told now on top of what was known: nothing is taken back by silence.
    pub fn or(self, known: &Self) -> Self {
        Self {
            engine: self.engine.or_else(|| known.engine.clone()),
            proof: self.proof.or_else(|| known.proof.clone()),
        }
    }
}
