//! Writing: all entries of one turn in one transaction, durable on return.

use super::error::{CatalogueError, Result};
use super::{Catalogue, write};
use crate::domain::event::Entry;
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior, ffi};

impl Catalogue {
    /// Writes all entries or none, and returns when a power cut can no longer undo them.
    ///
    /// # Errors
    /// [`CatalogueError::Full`] when even freeing the ballast made no room; later batches may
    /// succeed. After [`CatalogueError::Broken`] nothing is written until the catalogue is opened
    /// anew; reading goes on.
    pub fn record(&mut self, entries: &[Entry]) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        self.change(|transaction| entries.iter().try_for_each(|one| write::entry(transaction, one)))
    }

    /// Runs one write transaction; on a full disk once more, with the ballast freed.
    pub(super) fn change<T>(&mut self, act: impl Fn(&Transaction<'_>) -> Result<T>) -> Result<T> {
        self.unbroken()?;
        let result = match self.attempt(&act) {
            Err(CatalogueError::Full { source }) => {
                if self.ballast.release() {
                    self.attempt(&act)
                } else {
                    Err(CatalogueError::Full { source })
                }
            }
            result => result,
        };
        self.note_doubt(&result);
        result
    }

    pub(super) fn unbroken(&self) -> Result<()> {
        match &self.broken {
            Some(why) => Err(CatalogueError::Broken { why: why.clone() }),
            None => Ok(()),
        }
    }

    pub(super) fn note_doubt<T>(&mut self, result: &Result<T>) {
        if let Err(error) = result
            && leaves_doubt(error)
        {
            self.broken = Some(error.to_string());
        }
    }

    fn attempt<T>(&mut self, act: &impl Fn(&Transaction<'_>) -> Result<T>) -> Result<T> {
        commit(&mut self.conn, act).map_err(|error| match error {
            // SQLite tells a full disk, but not a full quota.
            CatalogueError::Write { source }
                if is_failed_write(&source) && self.ballast.no_room() =>
            {
                CatalogueError::Full { source }
            }
            error => error,
        })
    }
}

fn commit<T>(conn: &mut Connection, act: &impl Fn(&Transaction<'_>) -> Result<T>) -> Result<T> {
    let transaction = conn
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(CatalogueError::write)?;
    let done = act(&transaction)?;
    transaction.commit().map_err(CatalogueError::write)?;
    Ok(done)
}

fn is_failed_write(error: &rusqlite::Error) -> bool {
    error.sqlite_extended_error_code() == Some(ffi::SQLITE_IOERR_WRITE)
}

/// Whether nobody can tell what reached the disk. A failed fsync may have dropped the pages.
fn leaves_doubt(error: &CatalogueError) -> bool {
    match error {
        CatalogueError::Damaged { .. } => true,
        CatalogueError::Write { source } => {
            source.sqlite_error_code() == Some(ErrorCode::SystemIoFailure)
        }
        _ => false,
    }
}
