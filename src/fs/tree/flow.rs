//! What is asked of a copy: how it flows, and who looks on.

use super::meta::Meta;
use crate::fs::Doing;
use crate::fs::{Progress, StorageError};
use std::collections::HashSet;
use std::os::fd::{BorrowedFd, OwnedFd};

/// Where from and where to: copies in a store do not bear what chattr(1) sets but note it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    IntoStore,
    WithinStore,
    /// What forbids to move the root of the copy is left to [`fix`].
    OutOfStore,
}

/// What to copy, and how.
#[derive(Clone, Copy)]
pub struct Copy<'a> {
    pub flow: Flow,
    /// Relative paths left out, with all below them.
    pub exclude: &'a HashSet<Vec<u8>>,
    /// Whether to enter other file systems (and bind mounts, and btrfs subvolumes). Where not, an
    /// empty directory stands in the copy, and the report names it.
    pub cross_mounts: bool,
    /// A directory that is left out wherever it is met: where the copy itself goes.
    pub own_store: Option<Meta>,
    pub progress: &'a dyn Progress,
    /// The expected bytes, for the progress report.
    pub total: Option<u64>,
}

/// One original, held open.
pub struct Entry<'a> {
    /// Relative to the root, whose own path is empty.
    pub path: &'a [u8],
    /// A reference (`O_PATH`).
    pub reference: BorrowedFd<'a>,
    pub meta: &'a Meta,
}

/// Hears of each entry as it is copied.
pub trait Visitor {
    /// An earlier copy of this very file, unchanged since, to be linked instead of copied. It must
    /// lie on the file system of the copy.
    fn unchanged(&mut self, _file: &Entry<'_>) -> Result<Option<OwnedFd>, StorageError> {
        Ok(None)
    }

    /// An entry is in place, a directory after all that is in it: as the original was when it was
    /// read, and as the copy is.
    fn stored(&mut self, _path: &[u8], _was: &Meta, _is: &Meta) -> Result<(), StorageError> {
        Ok(())
    }
}

/// Every file becomes another name of the same copy: for copies of what nobody writes to.
pub struct Share;

impl Visitor for Share {
    fn unchanged(&mut self, file: &Entry<'_>) -> Result<Option<OwnedFd>, StorageError> {
        file.reference.try_clone_to_owned().map(Some).doing(|| "sharing a file".into())
    }
}
