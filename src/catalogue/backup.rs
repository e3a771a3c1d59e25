//! Copies and checks of the whole file.

use super::error::{CatalogueError, Result};
use super::{Catalogue, files};
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use std::path::Path;

impl Catalogue {
    /// Looks at the structure of every page and row; some 30 ms for 6 MB.
    ///
    /// # Errors
    /// [`CatalogueError::Damaged`] with SQLite's first finding.
    pub fn quick_check(&self) -> Result<()> {
        quick_check(&self.conn)
    }

    /// As [`Catalogue::quick_check`], and compares each index with its table.
    ///
    /// # Errors
    /// [`CatalogueError::Damaged`] with SQLite's first finding.
    pub fn integrity_check(&self) -> Result<()> {
        check(&self.conn, "integrity_check")
    }

    /// Copies the catalogue to `path`, durably, replacing a file that is there whole or not at
    /// all.
    ///
    /// # Errors
    /// [`CatalogueError::Backup`] or [`CatalogueError::Files`]; what lay at `path` still does.
    pub fn backup_to(&self, path: &Path) -> Result<()> {
        copy(&self.conn, path)
    }

    /// Folds the log into the file and cuts it to nothing.
    ///
    /// # Errors
    /// As [`Catalogue::record`].
    pub fn checkpoint(&mut self) -> Result<()> {
        self.unbroken()?;
        let folded = fold_log(&self.conn);
        self.note_doubt(&folded);
        folded
    }
}

pub(super) fn quick_check(conn: &Connection) -> Result<()> {
    check(conn, "quick_check")
}

fn check(conn: &Connection, pragma: &str) -> Result<()> {
    let refuse = CatalogueError::read("check");
    let finding: String =
        conn.pragma_query_value(None, pragma, |row| row.get(0)).map_err(refuse)?;
    if finding == "ok" { Ok(()) } else { Err(CatalogueError::damaged("file", "", finding)) }
}

pub(super) fn fold_log(conn: &Connection) -> Result<()> {
    let folded = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    folded.map_err(CatalogueError::write)
}

/// Copies to a stage beside `path` first.
pub(super) fn copy(from: &Connection, path: &Path) -> Result<()> {
    let stage = files::beside(path, ".new");
    files::clear(&stage)?;
    let copied = fill(from, &stage).and_then(|()| {
        files::sync(&stage)?;
        files::rename(&stage, path)
    });
    if copied.is_err() {
        // The first error is the one to tell.
        let _ = files::clear(&stage);
    }
    copied
}

fn fill(from: &Connection, stage: &Path) -> Result<()> {
    let made = files::private().create_new(true).open(stage);
    made.map_err(CatalogueError::files("make", stage))?;
    let refuse = |source| CatalogueError::Backup { path: stage.into(), source };
    let mut to = Connection::open(stage).map_err(refuse)?;
    let backup = Backup::new(from, &mut to).map_err(refuse)?;
    // All pages in one step: this thread is the only one that writes, so nothing waits for it.
    while backup.step(-1).map_err(refuse)? != StepResult::Done {}
    drop(backup);
    to.close().map_err(|(_, error)| refuse(error))
}
