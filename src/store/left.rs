//! What a rollback could not remove: noted in the store, and removed with one of the next
//! snapshots.

use super::growing::remove;
use super::identity;
use super::sync_dir;
use super::{Store, replace};
use crate::domain::operation::Fault;
use crate::fs::tree::{open_dir, open_nosymlink, peek};
use crate::fs::{Doing, StorageError};
use rustix::io::Errno;
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Before the rollback's token.
const LEFT: &str = "left-";

impl Store {
    /// `object` is what lies at `path`, as [`identity::place`] has it.
    pub(super) fn note_left(
        &self,
        token: Uuid,
        path: &Path,
        object: &str,
    ) -> Result<(), StorageError> {
        let text = [object.as_bytes(), b"\n", path.as_os_str().as_bytes()].concat();
        replace(&self.dir().join(format!("{LEFT}{token}")), &text)
    }

    /// Tries again to remove what rollbacks have left, and forgets what is gone. What cannot be
    /// removed now is tried again the next time.
    pub(super) fn remove_left(&self) {
        for note in std::fs::read_dir(self.dir()).into_iter().flatten().flatten() {
            if note.file_name().as_bytes().starts_with(LEFT.as_bytes())
                && let Err(error) = remove_noted(&note.path())
            {
                tracing::warn!(%error, "what a rollback has left is still there: {error}");
            }
        }
    }
}

fn remove_noted(note: &Path) -> Result<(), StorageError> {
    let text = std::fs::read(note).doing(|| format!("reading {}", note.display()))?;
    let split = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
    let (object, path) = text.split_at(split);
    let path = PathBuf::from(OsStr::from_bytes(path.get(1..).unwrap_or_default()));
    remove_object(&path, object)?;
    let forgetting = || format!("removing {}", note.display());
    std::fs::remove_file(note).doing(forgetting)?;
    sync_dir(note.parent().unwrap_or(note))
}

/// Nothing there, or something else than was noted, is success: that is somebody's.
fn remove_object(path: &Path, object: &[u8]) -> Result<(), StorageError> {
    let doing = || format!("removing {}", path.display());
    let Some((above, name)) = path.parent().zip(path.file_name()) else { return Ok(()) };
    let dir = match open_nosymlink(above) {
        Err(error) if error.fault == Fault::Absent => return Ok(()),
        dir => open_dir(&dir?).doing(doing)?,
    };
    let name = CString::new(name.as_bytes()).map_err(std::io::Error::from).doing(doing)?;
    let found = match peek(&dir, &name) {
        Err(Errno::NOENT) => return Ok(()),
        found => found.doing(doing)?.0,
    };
    if identity::place(&found, path)?.as_bytes() != object {
        return Ok(());
    }
    remove(&dir, &name)?;
    rustix::fs::fsync(&dir).doing(doing)
}
