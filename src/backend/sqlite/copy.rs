//! The online backup: a copy of one point in time, beside writers that do not stop.
//!
//! With a write-ahead log, one read transaction is held from the first page to the last: it sees
//! one state, and holds up no writer. With a rollback journal a reader and a committing writer
//! exclude each other. There the copy goes in steps and lets go in between; a commit makes it begin
//! again. If that happens too often, the lock is held for one whole pass, and writers wait.

use super::explain::Explain;
use super::open;
use crate::domain::operation::Fault;
use crate::domain::sentence;
use crate::fs::StorageError;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// Pages per step: 4 MB of the usual 4,096 bytes, a few milliseconds of a reader's lock.
const STEP: i32 = 1000;
/// Beginnings again before the lock is held.
const RESTARTS: u32 = 3;

/// Copies `live` into a new file in `into`. `name` is what the database is called in messages;
/// writers wait for at most about `hold`.
///
/// # Errors
/// [`Fault::Busy`] when it cannot be done beside its writers; [`Fault::Permanent`] when it is no
/// database.
pub(super) fn copy(
    live: &Path,
    name: &Path,
    into: BorrowedFd<'_>,
    hold: Duration,
) -> Result<String, StorageError> {
    let doing = || format!("copying database {}", name.display());
    let source = open::live(live).explain(doing)?;
    let mode: String =
        source.pragma_query_value(None, "journal_mode", |row| row.get(0)).explain(doing)?;
    let mut target = open::empty(into).explain(doing)?;
    let mut pass =
        Pass { source: &source, logged: mode == "wal", hold, restarts: 0, held: None, name };
    pass.run(&mut target)?;
    let note = pass.note();
    source.close().map_err(|(_, error)| error).explain(doing)?;
    target.close().map_err(|(_, error)| error).explain(doing)?;
    Ok(note)
}

struct Pass<'a> {
    source: &'a Connection,
    /// It has a write-ahead log.
    logged: bool,
    hold: Duration,
    restarts: u32,
    /// Since when the read lock is held throughout.
    held: Option<Instant>,
    name: &'a Path,
}

impl Pass<'_> {
    fn run(&mut self, target: &mut Connection) -> Result<(), StorageError> {
        let doing = || format!("copying database {}", self.name.display());
        let backup = Backup::new(self.source, target).explain(doing)?;
        let mut left = i32::MAX;
        loop {
            if self.held.is_none() && (self.logged || self.restarts >= RESTARTS) {
                self.take_hold()?;
                left = i32::MAX;
            }
            let doing = || format!("copying database {}", self.name.display());
            match backup.step(STEP).explain(doing)? {
                StepResult::Done => break,
                StepResult::More => {
                    let now = backup.progress().remaining;
                    // A commit has made it begin again: there is no less to do than before.
                    self.restarts += u32::from(now >= left);
                    left = now;
                }
                _ => return Err(self.busy("another program holds it locked".into())),
            }
            if !self.logged && self.held.is_some_and(|since| since.elapsed() > self.hold) {
                let limit = self.hold.as_secs();
                return Err(self.busy(format!(
                    "its writers would wait longer than {limit} s: raise hold, or give it a write-ahead log (PRAGMA journal_mode=WAL)"
                )));
            }
        }
        drop(backup);
        let doing = || format!("copying database {}", self.name.display());
        match self.held {
            Some(_) => self.source.execute_batch("COMMIT").explain(doing),
            None => Ok(()),
        }
    }

    /// Begins a read transaction, without looking into the schema.
    fn take_hold(&mut self) -> Result<(), StorageError> {
        let doing = || format!("reading database {}", self.name.display());
        self.source.execute_batch("BEGIN").explain(doing)?;
        let read = self.source.pragma_query_value(None, "schema_version", |_| Ok(()));
        read.explain(doing)?;
        self.held = Some(Instant::now());
        Ok(())
    }

    fn busy(&self, why: String) -> StorageError {
        StorageError::new(Fault::Busy, format!("copying database {}", self.name.display()), why)
    }

    fn note(&self) -> String {
        let waited = self.held.map(|since| since.elapsed().as_millis()).unwrap_or_default();
        match (self.logged, self.held.is_some(), self.restarts) {
            (true, ..) => "copied at one point of its write-ahead log; no writer waited".into(),
            (false, true, times) => format!(
                "copied under a read lock, as it had changed {} meanwhile; writers waited up to {waited} ms",
                sentence::times(times.into())
            ),
            (false, false, 0) => "copied between its writers' transactions".into(),
            (false, false, times) => {
                let times = sentence::times(times.into());
                format!("copied between its writers' transactions, begun again {times}")
            }
        }
    }
}
