//! What a backend tells of a resource or a snapshot beyond its content.

use jiff::Timestamp;

/// Of one snapshot, as its own files say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub engine: Option<Engine>,
    pub proof: Option<Proof>,
    /// Its disks, the one that it starts from first; of a disk itself only that. None where what it
    /// is has no size of its own, as a directory.
    pub disks: Vec<Disk>,
}

/// One disk as its guest sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// What its instance calls it: `vdb`.
    pub name: String,
    /// The live one's file: whether it is a resource of its own is known by that. Empty where it
    /// can be none.
    pub file: String,
    pub size: u64,
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
            disks: if self.disks.is_empty() { known.disks.clone() } else { self.disks },
        }
    }
}
