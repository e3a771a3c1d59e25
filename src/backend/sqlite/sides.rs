//! The log, the index and the journal of a database that gives way to another.

use super::super::shelf::Swap;
use super::super::tree::{Meta, peek};
use super::super::{BackendError, Doing};
use rustix::fs::{AtFlags, RenameFlags};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;

/// What SQLite puts beside a database (sqlite.org/tempfiles.html).
pub const SIDES: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The files beside the database while they are out of the way. They go with its names: whoever had
/// the old one open finds its log where it is.
pub struct Sides<'a> {
    dir: &'a OwnedFd,
    database: CString,
    /// What each is called beside the live database, and beside the hidden one.
    names: Vec<(CString, CString)>,
    doing: String,
}

impl<'a> Sides<'a> {
    pub fn of(swap: &'a Swap<'_>) -> Result<Self, BackendError> {
        let doing = format!("rolling {} back", swap.path().display());
        let named =
            |name: &CStr, end: &str| CString::new([name.to_bytes(), end.as_bytes()].concat());
        let both = |end| Ok((named(swap.name(), end)?, named(swap.hidden(), end)?));
        let names = SIDES.into_iter().map(both).collect::<std::io::Result<_>>();
        let names = names.doing(|| doing.clone())?;
        Ok(Self { dir: swap.dir(), database: swap.name().to_owned(), names, doing })
    }

    pub fn put_aside(&self) -> Result<(), BackendError> {
        self.names.iter().try_for_each(|(live, aside)| self.rename(live, aside))?;
        self.sync()
    }

    /// As they were before an attempt that came to nothing. Beside a database that was written to
    /// since, such a file would be written into that; the snapshot to be safe has what is in it.
    pub fn bring_back(&self) -> Result<(), BackendError> {
        for (live, aside) in &self.names {
            let Some(side) = self.look(aside)? else { continue };
            // Putting it aside moved its time of change.
            let database = self.look(&self.database)?;
            let overtaken = database.is_none_or(|database| database.mtime > side.ctime);
            if overtaken || self.look(live)?.is_some() {
                self.unlink(aside)?;
            } else {
                self.rename(aside, live)?;
            }
        }
        self.sync()
    }

    fn look(&self, name: &CStr) -> Result<Option<Meta>, BackendError> {
        match peek(self.dir, name) {
            Ok((_, meta)) => Ok(Some(meta)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error).doing(|| self.doing.clone()),
        }
    }

    /// Whether one lies beside what is live.
    pub fn are_there(&self) -> Result<bool, BackendError> {
        for (live, _) in &self.names {
            if self.look(live)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What lies beside what is live belongs to a database that is going to be called `kept`.
    pub fn part_with(&self, kept: &CStr) -> Result<(), BackendError> {
        for ((live, _), end) in self.names.iter().zip(SIDES) {
            let to = CString::new([kept.to_bytes(), end.as_bytes()].concat());
            let to = to.map_err(std::io::Error::from).doing(|| self.doing.clone())?;
            self.rename(live, &to)?;
        }
        self.sync()
    }

    pub fn remove(&self) -> Result<(), BackendError> {
        self.names.iter().try_for_each(|(_, aside)| self.unlink(aside))
    }

    fn unlink(&self, name: &CStr) -> Result<(), BackendError> {
        match rustix::fs::unlinkat(self.dir, name, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            removed => removed.doing(|| self.doing.clone()),
        }
    }

    fn rename(&self, from: &CStr, to: &CStr) -> Result<(), BackendError> {
        match rustix::fs::renameat_with(self.dir, from, self.dir, to, RenameFlags::NOREPLACE) {
            Err(Errno::NOENT) => Ok(()),
            renamed => renamed.doing(|| self.doing.clone()),
        }
    }

    fn sync(&self) -> Result<(), BackendError> {
        rustix::fs::fsync(self.dir).doing(|| self.doing.clone())
    }
}
