//! The log, the index and the journal of a database that gives way to another.

use crate::fs::tree::{Meta, open_file, open_nosymlink, peek};
use crate::fs::{Doing, StorageError};
use crate::host::holders::{Holder, holders};
use crate::store::Swap;
use rustix::fs::{AtFlags, RenameFlags};
use rustix::io::Errno;
use std::ffi::{CStr, CString, OsString};
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// What SQLite puts beside a database (sqlite.org/tempfiles.html).
pub(super) const SIDES: [&str; 3] = [LOG, INDEX, JOURNAL];
const LOG: &str = "-wal";
const INDEX: &str = "-shm";
const JOURNAL: &str = "-journal";

/// The files beside the database while they are out of the way. They go with its names: whoever had
/// the old one open finds its log where it is.
pub(super) struct Sides<'a> {
    dir: &'a OwnedFd,
    database: CString,
    /// What each is called beside the live database, and beside the hidden one.
    names: Vec<(CString, CString)>,
    doing: String,
}

impl<'a> Sides<'a> {
    pub(super) fn of(swap: &'a Swap<'_>) -> Result<Self, StorageError> {
        let doing = format!("rolling {} back", swap.path().display());
        let named =
            |name: &CStr, end: &str| CString::new([name.to_bytes(), end.as_bytes()].concat());
        let both = |end| Ok((named(swap.name(), end)?, named(swap.hidden(), end)?));
        let names = SIDES.into_iter().map(both).collect::<std::io::Result<_>>();
        let names = names.doing(|| doing.clone())?;
        Ok(Self { dir: swap.dir(), database: swap.name().to_owned(), names, doing })
    }

    pub(super) fn put_aside(&self) -> Result<(), StorageError> {
        self.names.iter().try_for_each(|(live, aside)| self.rename(live, aside))?;
        self.sync()
    }

    /// As they were before an attempt that came to nothing. Beside a database that was written to
    /// since, such a file would be written into that; the snapshot to be safe has what is in it.
    /// One that somebody has open is in use, whatever was written.
    pub(super) fn bring_back(&self, hidden: &Path) -> Result<(), StorageError> {
        for ((live, aside), end) in self.names.iter().zip(SIDES) {
            let Some(side) = self.look(aside)? else { continue };
            // Putting it aside moved its time of change.
            let database = self.look(&self.database)?;
            let overtaken = database.is_none_or(|database| database.mtime > side.ctime)
                && holders_of(&beside(hidden, end))?.is_empty();
            if overtaken || self.look(live)?.is_some() {
                self.unlink(aside)?;
            } else {
                self.rename(aside, live)?;
            }
        }
        self.sync()
    }

    fn look(&self, name: &CStr) -> Result<Option<Meta>, StorageError> {
        match peek(self.dir, name) {
            Ok((_, meta)) => Ok(Some(meta)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error).doing(|| self.doing.clone()),
        }
    }

    /// Whether one lies beside what is live that SQLite would read.
    pub(super) fn hold_something(&self) -> Result<bool, StorageError> {
        Ok(self.is_read(LOG)? || self.is_read(JOURNAL)?)
    }

    /// Whether what lies beside the live database can only be that of the one at `old`, whose name
    /// it was. In doubt it is not.
    pub(super) fn are_of(&self, old: &Path, live: &Path) -> Result<bool, StorageError> {
        let theirs = holders_of(old)?;
        for end in SIDES {
            let held = holders_of(&beside(live, end))?;
            let is_theirs = match held.is_empty() {
                true => !self.is_read(end)? || end == LOG && !self.is_logged(live)?,
                false => held.iter().all(|pid| theirs.contains(pid)),
            };
            if !is_theirs {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a database says of itself that it has a log, as every one does before it gets one.
    fn is_logged(&self, path: &Path) -> Result<bool, StorageError> {
        let mut head = [0; 20];
        let file = open_file(open_nosymlink(path)?).doing(|| self.doing.clone())?;
        let read = File::from(file).read_exact(&mut head);
        read.doing(|| self.doing.clone()).map(|()| head[18..] != [1, 1])
    }

    /// Whether this one lies there and SQLite reads it: not the index, which it makes anew, nor a
    /// journal that begins with a zero, which is done with.
    fn is_read(&self, end: &str) -> Result<bool, StorageError> {
        let name = CString::new([self.database.to_bytes(), end.as_bytes()].concat());
        let name = name.map_err(std::io::Error::from).doing(|| self.doing.clone())?;
        if end == INDEX || self.look(&name)?.is_none() {
            return Ok(false);
        }
        let mut first = [0];
        let (reference, _) = peek(self.dir, &name).doing(|| self.doing.clone())?;
        let mut file = File::from(open_file(reference).doing(|| self.doing.clone())?);
        file.read(&mut first).doing(|| self.doing.clone()).map(|_| first != [0])
    }

    pub(super) fn remove(&self) -> Result<(), StorageError> {
        self.names.iter().try_for_each(|(_, aside)| self.unlink(aside))
    }

    fn unlink(&self, name: &CStr) -> Result<(), StorageError> {
        match rustix::fs::unlinkat(self.dir, name, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            removed => removed.doing(|| self.doing.clone()),
        }
    }

    fn rename(&self, from: &CStr, to: &CStr) -> Result<(), StorageError> {
        match rustix::fs::renameat_with(self.dir, from, self.dir, to, RenameFlags::NOREPLACE) {
            Err(Errno::NOENT) => Ok(()),
            renamed => renamed.doing(|| self.doing.clone()),
        }
    }

    fn sync(&self) -> Result<(), StorageError> {
        rustix::fs::fsync(self.dir).doing(|| self.doing.clone())
    }
}

/// The processes that have a file open.
pub(super) fn holders_of(file: &Path) -> Result<Vec<u32>, StorageError> {
    held(file).map(|held| held.iter().map(|holder| holder.pid).collect())
}

/// A file that SQLite keeps beside a database.
pub(super) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

pub(super) fn held(file: &Path) -> Result<Vec<Holder>, StorageError> {
    match holders(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        held => held.doing(|| format!("looking for users of {}", file.display())),
    }
}
