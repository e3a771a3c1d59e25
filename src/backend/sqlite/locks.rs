//! Whether who uses a database with a log uses the log that lies beside it, told by the locks.
//! Every user may ask for these, whoever the others are and wherever they live.
//!
//! Whoever works with a log holds a shared lock on the database as long as it has it open, and one
//! on the index of the log (sqlite.org/walformat.html, section 2.3.1). A lock on the database
//! without one on the index beside it is that of somebody whose log lies elsewhere.

use super::open::inside;
use super::sides::beside;
use crate::domain::operation::Fault;
use crate::fs::{Doing, StorageError};
use rustix::event::Timespec;
use rustix::process::{Flock, FlockType, fcntl_getlk};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

/// Of the database: what readers lock (SHARED_FIRST and SHARED_SIZE of SQLite's os.h).
const SHARED: (u64, u64) = ((1 << 30) + 2, 510);
/// Of the index: what everybody locks who has it (UNIX_SHM_DMS of os_unix.c).
const MEMBER: (u64, u64) = (128, 1);
/// Who opens a database holds the one lock for a moment before the other.
const TRIES: u32 = 50;
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };

/// Whether somebody is seen to use the log that lies beside it. `path` is what the database is
/// called in messages. To be asked only while this process has no connection to it: closing a file
/// gives up the locks on it.
///
/// # Errors
/// [`Fault::Permanent`] where somebody has a log of it that is not the one beside it.
pub(super) fn expect_log_here(
    dir: BorrowedFd<'_>,
    name: &OsStr,
    path: &Path,
) -> Result<bool, StorageError> {
    let doing = || format!("looking at the locks of database {}", path.display());
    let live = inside(dir, name);
    let mut file = File::open(&live).doing(doing)?;
    let mut head = Vec::new();
    file.by_ref().take(20).read_to_end(&mut head).doing(doing)?;
    if !head.get(18..20).is_some_and(|kinds| kinds.contains(&2)) {
        return Ok(false);
    }
    for _ in 0..TRIES {
        // An exclusive one is for SQLite to wait for: its holder needs no index.
        if lock(&file, SHARED) != Some(FlockType::ReadLock) {
            return Ok(false);
        }
        let index = File::open(beside(&live, "-shm")).ok();
        if beside(&live, "-wal").exists() && index.is_some_and(|i| lock(&i, MEMBER).is_some()) {
            return Ok(true);
        }
        // No event tells of another process's lock.
        let _ = rustix::event::poll(&mut [], Some(&PAUSE));
    }
    let why = "a program has it open with a write-ahead log that does not lie beside it, so what is in \
               that would be in no copy. Perhaps it has the file by another name (a hard link, or a \
               mount of the file alone), or the log was removed or the database renamed while it was \
               open: stop that program, give it the directory that the database is in, and start it \
               again";
    Err(StorageError::new(Fault::Permanent, doing(), why))
}

/// The kind of lock that another process has there.
fn lock(file: impl AsFd, (start, length): (u64, u64)) -> Option<FlockType> {
    let whole = Flock {
        start,
        length,
        pid: None,
        typ: FlockType::WriteLock,
        offset_type: rustix::process::FlockOffsetType::Set,
    };
    // Where a file system has no locks, nothing can be told.
    fcntl_getlk(file, &whole).ok().flatten().map(|found| found.typ)
}
