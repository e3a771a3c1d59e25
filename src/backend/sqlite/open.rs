//! Opening databases in the helper: with nothing switched on that a hostile file could use.

use super::DATABASE;
use crate::host::sys;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Result};
use rustix::event::Timespec;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// How often a lock that somebody else holds is tried again, a millisecond apart: a minute at
/// least. SQLite's own waiting soon tries every 100 ms only, and beside a writer that commits
/// without a pause it then misses most of the moments in which the lock is free.
const TRIES: i32 = 60_000;
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };

/// A file in a directory that is held open, as a path; valid as long as the directory is.
pub(super) fn inside(dir: BorrowedFd<'_>, name: impl AsRef<Path>) -> PathBuf {
    Path::new(&format!("/proc/self/fd/{}", dir.as_raw_fd())).join(name)
}

/// The live database. For writing too: after a crash, SQLite must roll back before it can read.
pub(super) fn live(path: &Path) -> Result<Connection> {
    let mut connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_handler(Some(try_again))?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // Who closes a write-ahead log last empties it. That is for its users to do; only where there
    // is none, the empty one that appears by looking shall go again.
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let in_use = std::fs::metadata(Path::new(&log)).is_ok_and(|log| log.len() > 0);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, in_use)?;
    Ok(connection)
}

/// Opens the live database as its last user and takes leave of it: what a crash left is rolled
/// back, and all of a write-ahead log goes into the file.
pub(super) fn settle(path: &Path) -> Result<()> {
    let connection = live(path)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    connection.close().map_err(|(_, error)| error)
}

/// A new file to be filled page by page. Nobody needs it before it is whole, so no journal.
pub(super) fn empty(dir: BorrowedFd<'_>) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = open(&inside(dir, DATABASE), flags)?;
    connection.pragma_update(None, "journal_mode", "off")?;
    connection.pragma_update(None, "synchronous", "off")?;
    Ok(connection)
}

/// The filled file, made to stand by itself: not marked as having a write-ahead log.
pub(super) fn filled(dir: BorrowedFd<'_>) -> Result<Connection> {
    let connection = open(&inside(dir, DATABASE), OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "locking_mode", "exclusive")?;
    connection
        .pragma_update_and_check(None, "journal_mode", "delete", |row| row.get::<_, String>(0))?;
    Ok(connection)
}

/// A stored copy, which nobody changes: without locks, logs or journals.
pub(super) fn stored(dir: BorrowedFd<'_>) -> Result<Connection> {
    let uri = format!("file:{}?immutable=1", inside(dir, DATABASE).display());
    open(Path::new(&uri), OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI)
}

fn try_again(tries: i32) -> bool {
    // No event tells of another process's lock. An early end is only a try more.
    let _ = rustix::event::poll(&mut [], Some(&PAUSE));
    tries < TRIES
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let connection = match sys::sqlite_plain_paths() {
        Some(layer) => Connection::open_with_flags_and_vfs(path, flags, layer),
        None => Connection::open_with_flags(path, flags),
    }?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(connection)
}
