//! What verifying a snapshot found, remembered beside it: the listing, which looks at the surface
//! only, goes by it.

use super::manifest::sync_dir;
use crate::fs::{Doing, StorageError};
use std::path::Path;

/// Lies in a snapshot that failed to verify, with the reason in it. Gone once it verifies again.
pub const TAMPERED: &str = "tampered";

pub fn was_found_tampered(dir: &Path) -> Result<bool, StorageError> {
    let path = dir.join(TAMPERED);
    path.try_exists().doing(|| format!("looking at {}", path.display()))
}

/// As well as it can be done: the verdict itself does not depend on it.
pub fn note_tampered(dir: &Path, what: &str) {
    if std::fs::write(dir.join(TAMPERED), format!("{what}\n")).is_ok() {
        let _ = sync_dir(dir);
    }
}

/// It verified again.
pub fn clear_tampered(dir: &Path) -> Result<(), StorageError> {
    if !was_found_tampered(dir)? {
        return Ok(());
    }
    std::fs::remove_file(dir.join(TAMPERED)).doing(|| format!("verifying {}", dir.display()))?;
    sync_dir(dir)
}
