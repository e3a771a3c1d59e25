//! The live database replaced by a snapshot's, in its place.
//!
//! The new file is made beside the live one and becomes live by one exchange of two names. (SQLite
//! could also write it over the live one, but not over one that is damaged, which is when a person
//! wants to go back.) A log or journal of the old file must never meet the new one: SQLite would
//! write it into that. So SQLite first finishes what the last user left; what it cannot finish, as
//! the database is damaged, is put aside.

use super::super::shelf::{Aside, Item, Replacement, Shelf, Swap, movable};
use super::super::tree::{Meta, open_file, open_nosymlink, peek};
use super::super::{BackendError, Doing, Progress, RollbackOrder};
use super::detail::database;
use super::protocol::Act;
use super::settings::Settings;
use super::{owner, restore, run, verify};
use crate::domain::operation::Fault;
use crate::host::holders::{describe, holders};
use rustix::fs::{AtFlags, Gid, Mode, RenameFlags, Uid};
use rustix::io::Errno;
use std::ffi::{CStr, CString, OsString};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// What SQLite puts beside a database (sqlite.org/tempfiles.html).
const SIDES: [&str; 3] = ["-wal", "-shm", "-journal"];

/// What of the first page tells of the journal's kind, of how often the file was written, and by
/// which SQLite (sqlite.org/fileformat.html, section 1.3).
const HEAD: [std::ops::Range<usize>; 3] = [18..20, 24..28, 92..100];
/// Bytes compared at a time.
const CHUNK: usize = 1 << 16;

/// Every process that has the database open, or its log, its index or its journal.
pub fn users(path: &Path) -> Result<Vec<String>, BackendError> {
    let sides = SIDES.map(|end| beside(path, end));
    let mut found = Vec::new();
    for file in std::iter::once(path.to_owned()).chain(sides) {
        match holders(&file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            held => {
                found.extend(held.doing(|| format!("looking for users of {}", path.display()))?)
            }
        }
    }
    found.sort_by_key(|holder| holder.pid);
    found.dedup_by_key(|holder| holder.pid);
    Ok(describe(&found))
}

pub fn rollback(
    settings: &Settings,
    shelf: &Shelf,
    order: &RollbackOrder<'_>,
    progress: &dyn Progress,
) -> Result<(), BackendError> {
    let path = &settings.path;
    let item = shelf.whole(order.handle)?;
    movable(path)?;
    let swap = Swap::open(shelf, path, order.token)?;
    let (items, _) = shelf.items()?;
    let safety = items.into_iter().find(|item| item.manifest.id == order.token);
    swap.run(&Back { settings, item: &item, safety, sides: Sides::of(&swap)?, progress })
}

struct Back<'a> {
    settings: &'a Settings,
    item: &'a Item,
    /// What was taken of the live database to be safe: it bears the token as its id.
    safety: Option<Item>,
    sides: Sides<'a>,
    progress: &'a dyn Progress,
}

impl Replacement for Back<'_> {
    fn stage(&self, dir: &OwnedFd, name: &CStr) -> Result<(), BackendError> {
        let (_, live) = owner::open(&self.settings.path)?;
        verify::verify(self.settings, self.item)?;
        restore::fill(self.item, dir, name, self.progress)?;
        dress(dir, name, &live).doing(|| doing(self.settings))
    }

    fn users(&self, at: &Path) -> Result<Vec<String>, BackendError> {
        users(at)
    }

    fn ready(&self) -> Result<(), BackendError> {
        // Put aside before a crash, perhaps.
        self.sides.bring_back()?;
        settle(self.settings)?;
        self.nothing_newer()?;
        self.sides.put_aside()
    }

    fn undo(&self) -> Result<(), BackendError> {
        self.sides.bring_back()
    }

    fn carry(&self, _old: &Aside<'_>, _new: &OwnedFd) -> Result<(), BackendError> {
        self.sides.remove()
    }
}

fn doing(settings: &Settings) -> String {
    format!("rolling {} back", settings.path.display())
}

impl Back<'_> {
    /// The snapshot has the same pages as the live database, except that it was made to stand by
    /// itself.
    fn nothing_newer(&self) -> Result<(), BackendError> {
        let Some(safety) = &self.safety else { return Ok(()) };
        let doing = || doing(self.settings);
        let live = open_file(open_nosymlink(&self.settings.path)?).doing(doing)?;
        let then = database(&safety.path).and_then(open_file).doing(doing)?;
        if same_pages(live.into(), then.into()).doing(doing)? {
            return Ok(());
        }
        let why = format!(
            "it was written to since snapshot {} was taken, which alone would hold that: stop what \
             writes to it, then ask again",
            safety.seq
        );
        Err(BackendError::new(Fault::Busy, doing(), why))
    }
}

fn same_pages(mut one: File, mut two: File) -> std::io::Result<bool> {
    if one.metadata()?.len() != two.metadata()?.len() {
        return Ok(false);
    }
    let (mut left, mut right) = (vec![0; CHUNK], vec![0; CHUNK]);
    let mut at_start = true;
    loop {
        let count = one.read(&mut left)?;
        two.read_exact(&mut right[..count])?;
        if at_start {
            HEAD.into_iter().flatten().filter(|at| *at < count).for_each(|at| left[at] = right[at]);
        }
        if left[..count] != right[..count] {
            return Ok(false);
        }
        if count == 0 {
            return Ok(true);
        }
        at_start = false;
    }
}

/// Owner, group and mode of the live file.
fn dress(dir: &OwnedFd, name: &CStr, live: &Meta) -> std::io::Result<()> {
    let (new, _) = peek(dir, name)?;
    if nix::unistd::geteuid().is_root() {
        let (uid, gid) = (Uid::from_raw(live.uid), Gid::from_raw(live.gid));
        rustix::fs::chownat(&new, c"", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?;
    }
    let path = format!("/proc/self/fd/{}", new.as_fd().as_raw_fd());
    Ok(rustix::fs::chmod(path.as_str(), Mode::from_raw_mode(live.mode & 0o7777))?)
}

/// Lets SQLite finish what the last user left. Its failure is no reason to keep a damaged database.
fn settle(settings: &Settings) -> Result<(), BackendError> {
    let (_, live) = owner::open(&settings.path)?;
    let user = owner::of_live(settings, &settings.path, &live)?;
    let settled = run::ask(settings, user, Act::Settle { path: settings.path.clone() });
    match settled {
        Err(error) if error.fault == Fault::Busy => Err(error),
        _ => Ok(()),
    }
}

/// The files beside the database while they are out of the way. They go with its names: whoever had
/// the old one open finds its log where it is.
struct Sides<'a> {
    dir: &'a OwnedFd,
    /// What each is called beside the live database, and beside the hidden one.
    names: Vec<(CString, CString)>,
    doing: String,
}

impl<'a> Sides<'a> {
    fn of(swap: &'a Swap<'_>) -> Result<Self, BackendError> {
        let doing = format!("rolling {} back", swap.path().display());
        let named =
            |name: &CStr, end: &str| CString::new([name.to_bytes(), end.as_bytes()].concat());
        let both = |end| Ok((named(swap.name(), end)?, named(swap.hidden(), end)?));
        let names = SIDES.into_iter().map(both).collect::<std::io::Result<_>>();
        let names = names.doing(|| doing.clone())?;
        Ok(Self { dir: swap.dir(), names, doing })
    }

    fn put_aside(&self) -> Result<(), BackendError> {
        self.names.iter().try_for_each(|(live, aside)| self.rename(live, aside))?;
        self.sync()
    }

    /// As they were before an attempt that came to nothing.
    fn bring_back(&self) -> Result<(), BackendError> {
        self.names.iter().try_for_each(|(live, aside)| self.rename(aside, live))?;
        self.sync()
    }

    fn remove(&self) -> Result<(), BackendError> {
        self.names.iter().try_for_each(|(_, aside)| {
            match rustix::fs::unlinkat(self.dir, aside, AtFlags::empty()) {
                Err(Errno::NOENT) => Ok(()),
                removed => removed.doing(|| self.doing.clone()),
            }
        })
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

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}
