//! Verbs that failed, and what kind of fault it was.

use crate::domain::operation::{Failure, Fault};
use crate::domain::sentence::plain;

/// A verb that failed: what it was doing, what kind of fault, and the cause below.
#[derive(Debug, thiserror::Error)]
#[error("{doing}: {detail}")]
pub struct StorageError {
    /// What was being done to what, as a person would say it.
    pub doing: String,
    pub fault: Fault,
    pub detail: String,
    /// The content of the live resource was read, and is not what its own software can use.
    pub damaged: bool,
}

impl StorageError {
    pub fn new(fault: Fault, doing: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { doing: plain(doing), fault, detail: plain(detail), damaged: false }
    }

    /// For content that its own software cannot use, now or later.
    pub fn damaged(doing: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { damaged: true, ..Self::new(Fault::Permanent, doing, detail) }
    }

    /// The answer to who does not want it any more.
    pub fn unwanted() -> Self {
        Self::new(Fault::Cancelled, "stopping", "it is not wanted any more")
    }

    /// Classifies an operating system error.
    pub fn io(doing: impl Into<String>, error: &std::io::Error) -> Self {
        use rustix::io::Errno;
        let fault = match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => Fault::NoSpace,
            // No file system says so: it is how a copy of bytes tells that it was asked to stop.
            Some(Errno::CANCELED) => Fault::Cancelled,
            Some(Errno::BUSY | Errno::TXTBSY | Errno::AGAIN) => Fault::Busy,
            Some(Errno::NOENT | Errno::NOTDIR | Errno::NODEV | Errno::NXIO) => Fault::Absent,
            // No later try finds another answer: rights, kinds of things, names.
            Some(
                Errno::ACCESS
                | Errno::PERM
                | Errno::ROFS
                | Errno::OPNOTSUPP
                | Errno::INVAL
                | Errno::EXIST
                | Errno::ISDIR
                | Errno::LOOP
                | Errno::NAMETOOLONG,
            ) => Fault::Permanent,
            _ => Fault::Transient,
        };
        Self::new(fault, doing, error.to_string())
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::new(error.fault, error.to_string())
    }
}

/// Adds what was being done to an I/O error.
pub trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, StorageError>;
}

impl<T, E: Into<std::io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, StorageError> {
        self.map_err(|error| StorageError::io(what(), &error.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn an_error_of_the_system_has_the_fault_that_says_whether_to_try_again() {
        let check = |fault: Fault, errors: &[Errno]| {
            for error in errors {
                let found = StorageError::io("trying", &(*error).into());
                assert_eq!(found.fault, fault, "{found}");
            }
        };
        check(Fault::NoSpace, &[Errno::NOSPC, Errno::DQUOT, Errno::FBIG]);
        check(Fault::Busy, &[Errno::BUSY, Errno::TXTBSY, Errno::AGAIN]);
        check(Fault::Cancelled, &[Errno::CANCELED]);
        check(Fault::Absent, &[Errno::NOENT, Errno::NOTDIR, Errno::NODEV, Errno::NXIO]);
        check(Fault::Permanent, &[Errno::ACCESS, Errno::PERM, Errno::ROFS]);
        check(Fault::Permanent, &[Errno::OPNOTSUPP, Errno::INVAL]);
        check(Fault::Permanent, &[Errno::EXIST, Errno::ISDIR, Errno::LOOP, Errno::NAMETOOLONG]);
        check(Fault::Transient, &[Errno::IO, Errno::INTR, Errno::STALE, Errno::NOMEM]);
    }
}
