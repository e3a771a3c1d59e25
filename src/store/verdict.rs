//! What verifying a snapshot found, remembered beside it: the listing, which looks at the surface
//! only, goes by it.

use super::sync_dir;
use crate::domain::operation::Fault;
use crate::fs::{Doing, StorageError};
use std::path::Path;

/// Lies in a snapshot that failed to verify, with the reason in it. Gone once it verifies again.
pub(super) const TAMPERED: &str = "tampered";

/// Remembers what comparing the snapshot in `dir` with what was stored found. Whoever compares says
/// [`Fault::Identity`] of content that differs, and any other fault where it could not look.
///
/// # Errors
/// [`Fault::Permanent`] of content that differs.
pub fn remember<T>(dir: &Path, compared: Result<T, StorageError>) -> Result<T, StorageError> {
    compared.map_or_else(
        |error| match error.fault {
            Fault::Identity => {
                note_tampered(dir, &error.detail);
                Err(StorageError { fault: Fault::Permanent, ..error })
            }
            _ => Err(error),
        },
        |sound| clear_tampered(dir).map(|()| sound),
    )
}

/// For a check that says [`Fault::Permanent`] of bad content.
pub fn differing(error: StorageError) -> StorageError {
    match error.fault {
        Fault::Permanent => StorageError { fault: Fault::Identity, ..error },
        _ => error,
    }
}

pub(super) fn was_found_tampered(dir: &Path) -> Result<bool, StorageError> {
    let path = dir.join(TAMPERED);
    path.try_exists().doing(|| format!("looking at {}", path.display()))
}

/// Best effort: the verdict itself does not depend on it.
fn note_tampered(dir: &Path, what: &str) {
    if std::fs::write(dir.join(TAMPERED), format!("{what}\n")).is_ok() {
        let _ = sync_dir(dir);
    }
}

/// It verified again.
fn clear_tampered(dir: &Path) -> Result<(), StorageError> {
    if !was_found_tampered(dir)? {
        return Ok(());
    }
    std::fs::remove_file(dir.join(TAMPERED)).doing(|| format!("verifying {}", dir.display()))?;
    sync_dir(dir)
}
