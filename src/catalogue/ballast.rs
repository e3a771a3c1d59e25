//! A file that only takes up room: freed when the disk is full, so that the intents of deletions,
//! which make room, can still be written.

use super::error::{CatalogueError, Result};
use super::files;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Enough for thousands of batches; the log itself is cut back at 1000 pages of 4 KiB.
pub const BALLAST_BYTES: u64 = 4 << 20;

const FILE: &str = "catalogue.ballast";
const STAGE: &str = "catalogue.ballast.new";
const PROBE: &str = "catalogue.probe";
/// What a commit needs at least.
const PROBE_BYTES: u64 = 256 << 10;

#[derive(Debug)]
pub(super) struct Ballast {
    dir: PathBuf,
    laid: bool,
}

impl Ballast {
    /// Looks whether it is there, whole.
    pub(super) fn find(dir: &Path) -> Self {
        let whole = |found: std::fs::Metadata| found.is_file() && found.len() == BALLAST_BYTES;
        let laid = std::fs::symlink_metadata(dir.join(FILE)).is_ok_and(whole);
        Self { dir: dir.into(), laid }
    }

    pub(super) fn is_laid(&self) -> bool {
        self.laid
    }

    /// Gives the room back to the file system. False when there was nothing to give.
    pub(super) fn release(&mut self) -> bool {
        if !std::mem::take(&mut self.laid) {
            return false;
        }
        if std::fs::remove_file(self.dir.join(FILE)).is_err() {
            return false;
        }
        // A copy-on-write file system hands the room out only after its own commit.
        if let Ok(dir) = std::fs::File::open(&self.dir) {
            let _ = rustix::fs::syncfs(&dir);
        }
        true
    }

    /// Lays it again if as much is left besides. False when there is too little room.
    pub(super) fn restore(&mut self) -> Result<bool> {
        if self.laid {
            return Ok(true);
        }
        let stat = rustix::fs::statvfs(&self.dir)
            .map_err(|e| CatalogueError::files("look at the room in", &self.dir)(e.into()))?;
        // Not what is "available": btrfs says none for a while after its metadata were full.
        if stat.f_bfree.saturating_mul(stat.f_frsize) < 2 * BALLAST_BYTES {
            return Ok(false);
        }
        let stage = self.dir.join(STAGE);
        match fill(&stage, BALLAST_BYTES) {
            Ok(()) => {}
            Err(error) => {
                let _ = std::fs::remove_file(&stage);
                return match is_full(&error) {
                    true => Ok(false),
                    false => Err(CatalogueError::files("lay the ballast", &stage)(error)),
                };
            }
        }
        files::rename(&stage, &self.dir.join(FILE))?;
        self.laid = true;
        Ok(true)
    }

    /// Whether a write fails for want of room now: disk or quota.
    pub(super) fn no_room(&self) -> bool {
        let probe = self.dir.join(PROBE);
        let result = fill(&probe, PROBE_BYTES);
        let _ = std::fs::remove_file(&probe);
        result.is_err_and(|error| is_full(&error))
    }
}

fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

/// Writes bytes that no file system compresses away, durably.
fn fill(path: &Path, bytes: u64) -> std::io::Result<()> {
    let mut file = files::private().create(true).truncate(true).open(path)?;
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
    let mut block = Vec::with_capacity(64 << 10);
    for _ in 0..bytes / (64 << 10) {
        block.clear();
        while block.len() < 64 << 10 {
            // xorshift64
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            block.extend_from_slice(&noise.to_le_bytes());
        }
        file.write_all(&block)?;
    }
    file.sync_all()
}
