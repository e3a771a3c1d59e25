//! What an error of SQLite's means for a snapshot, in words for a person.

use crate::domain::operation::Fault;
use crate::fs::StorageError;
use rusqlite::{Error, ErrorCode};

/// Adds what was being done to an error of SQLite's, and says what kind of fault it is.
pub(super) fn explain(doing: impl Into<String>, error: &Error) -> StorageError {
    use ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull,
        FileLockingProtocolFailed, NotADatabase, OutOfMemory, SystemIoFailure,
    };
    let said = error.to_string();
    let (fault, detail) = match error.sqlite_error_code() {
        Some(DatabaseBusy | DatabaseLocked | FileLockingProtocolFailed) => {
            (Fault::Busy, format!("another program holds it locked ({said})"))
        }
        Some(DiskFull) => (Fault::NoSpace, said),
        Some(NotADatabase) => (
            Fault::Permanent,
            format!("it is not an SQLite database, or an encrypted one ({said})"),
        ),
        Some(DatabaseCorrupt) => (Fault::Permanent, format!("it is damaged ({said})")),
        Some(CannotOpen) => {
            let why = "its owner must be able to read it, and to write beside it";
            (Fault::Permanent, format!("it cannot be opened: {why} ({said})"))
        }
        Some(OutOfMemory | SystemIoFailure) => (Fault::Transient, said),
        _ => (Fault::Permanent, said),
    };
    let damaged = matches!(error.sqlite_error_code(), Some(NotADatabase | DatabaseCorrupt));
    StorageError { damaged, ..StorageError::new(fault, doing, detail) }
}

/// Adds what was being done to a result of SQLite's.
pub(super) trait Explain<T> {
    fn explain(self, doing: impl FnOnce() -> String) -> Result<T, StorageError>;
}

impl<T> Explain<T> for rusqlite::Result<T> {
    fn explain(self, doing: impl FnOnce() -> String) -> Result<T, StorageError> {
        self.map_err(|error| explain(doing(), &error))
    }
}
