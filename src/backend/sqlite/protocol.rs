//! What the daemon tells the helper on its standard input, and what comes back: JSON, both ways.

use crate::domain::operation::Fault;
use crate::fs::StorageError;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    /// User and group to become before anything is parsed.
    pub user: Option<(u32, u32)>,
    pub check: Check,
    pub act: Act,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Act {
    /// Copies the live database at `path` into a new file in the empty directory `into`.
    Copy { path: PathBuf, into: PathBuf, hold_ms: u64 },
    /// Finishes what the last user of the live database at `path` has left beside it.
    Settle { path: PathBuf },
    /// Checks the copy in a directory, without writing.
    Check { dir: PathBuf },
}

/// How thoroughly a copy is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Check {
    /// It can be opened.
    None,
    /// `PRAGMA quick_check`: every page, but not whether indexes agree with their tables.
    Quick,
    /// `PRAGMA integrity_check`.
    Full,
}

pub(super) type Reply = Result<Answer, Complaint>;

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answer {
    /// Bytes of the pages that hold something.
    pub used_bytes: u64,
    /// No table has a row.
    pub empty: bool,
    pub notes: Vec<String>,
}

/// A [`StorageError`] on its way.
#[derive(Debug, Serialize, Deserialize)]
pub struct Complaint {
    fault: String,
    doing: String,
    detail: String,
    #[serde(default)]
    damaged: bool,
}

impl From<StorageError> for Complaint {
    fn from(error: StorageError) -> Self {
        let StorageError { doing, fault, detail, damaged } = error;
        Self { fault: fault.word().into(), doing, detail, damaged }
    }
}

impl From<Complaint> for StorageError {
    fn from(Complaint { fault, doing, detail, damaged }: Complaint) -> Self {
        let known = Fault::ALL.into_iter().find(|known| known.word() == fault);
        Self { damaged, ..Self::new(known.unwrap_or(Fault::Permanent), doing, detail) }
    }
}
