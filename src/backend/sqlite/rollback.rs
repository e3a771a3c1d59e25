//! The live database replaced by a snapshot's, in its place.
//!
//! The new file is made beside the live one and becomes live by one exchange of two names. (SQLite
//! could also write it over the live one, but not over one that is damaged, which is when a person
//! wants to go back.) A log or journal of the old file must never meet the new one: SQLite would
//! write it into that. So SQLite first finishes what the last user left; what it cannot finish, as
//! the database is damaged, is put aside.

use super::super::shelf::{Exchange, Shelf};
use super::super::tree::{Meta, open_file, peek};
use super::super::{BackendError, Doing, Progress, RollbackOrder};
use super::detail::database;
use super::protocol::Act;
use super::settings::Settings;
use super::{owner, restore, run, verify};
use crate::domain::operation::Fault;
use crate::host::holders::{describe, holders};
use rustix::fs::{AtFlags, Gid, Mode, RenameFlags, Uid};
use rustix::io::Errno;
use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd};
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
    let item = shelf.whole(order.handle)?;
    let path = &settings.path;
    let exchange = Exchange::open(path, order.token)?;
    let sides = Sides { exchange: &exchange };
    if !exchange.is_done()? {
        sides.bring_back()?;
        exchange.clear()?;
        exchange.must_be_movable(path)?;
        let (_, live) = owner::open(path)?;
        idle(path, &exchange)?;
        verify::verify(settings, &item)?;
        let made = restore::fill(&item, &exchange.dir, &exchange.hidden, progress)
            .and_then(|()| dress(&exchange, &live))
            .and_then(|()| settle(settings, &live))
            .and_then(|()| idle(path, &exchange))
            .and_then(|()| nothing_newer(shelf, order, &exchange))
            .and_then(|()| sides.put_aside())
            .and_then(|()| exchange.commit())
            .and_then(|()| still_idle(&exchange));
        // A log of the old file must not come back beside the new one.
        let clear = || sides.bring_back().and_then(|()| exchange.clear());
        made.map_err(|error| exchange.give_up(error, clear))?;
    }
    sides.remove()?;
    exchange.clear()?;
    exchange.finish()
}

fn idle(path: &Path, exchange: &Exchange) -> Result<(), BackendError> {
    let users = users(path)?;
    if users.is_empty() {
        return Ok(());
    }
    Err(BackendError::new(Fault::Busy, exchange.doing(), users.join("; ")))
}

/// The snapshot that was taken of the live database to be safe bears the token as its id. It has the
/// same pages, except that it was made to stand by itself.
fn nothing_newer(
    shelf: &Shelf,
    order: &RollbackOrder<'_>,
    exchange: &Exchange,
) -> Result<(), BackendError> {
    let (items, _) = shelf.items()?;
    let Some(safety) = items.into_iter().find(|item| item.manifest.id == order.token) else {
        return Ok(());
    };
    let doing = || exchange.doing();
    let (live, _) = peek(&exchange.dir, &exchange.name).doing(doing)?;
    let then = database(&safety.path).and_then(open_file).doing(doing)?;
    if same_pages(open_file(live).doing(doing)?.into(), then.into()).doing(doing)? {
        return Ok(());
    }
    let why = format!(
        "it was written to since snapshot {} was taken, which alone would hold that: stop what \
         writes to it, then ask again",
        safety.seq
    );
    Err(BackendError::new(Fault::Busy, exchange.doing(), why))
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

/// Whoever opened the old database just before the exchange gets it back.
fn still_idle(exchange: &Exchange) -> Result<(), BackendError> {
    let users = users(&exchange.hidden_path)?;
    if users.is_empty() {
        return Ok(());
    }
    exchange.swap()?;
    Err(BackendError::new(Fault::Busy, exchange.doing(), users.join("; ")))
}

/// Owner, group and mode of the live file.
fn dress(exchange: &Exchange, live: &Meta) -> Result<(), BackendError> {
    let doing = || exchange.doing();
    let (new, _) = peek(&exchange.dir, &exchange.hidden).doing(doing)?;
    if nix::unistd::geteuid().is_root() {
        let (uid, gid) = (Uid::from_raw(live.uid), Gid::from_raw(live.gid));
        let at = AtFlags::EMPTY_PATH;
        rustix::fs::chownat(&new, c"", Some(uid), Some(gid), at).doing(doing)?;
    }
    let path = format!("/proc/self/fd/{}", new.as_fd().as_raw_fd());
    rustix::fs::chmod(path.as_str(), Mode::from_raw_mode(live.mode & 0o7777)).doing(doing)
}

/// Lets SQLite finish what the last user left. Its failure is no reason to keep a damaged database.
fn settle(settings: &Settings, live: &Meta) -> Result<(), BackendError> {
    let user = owner::of_live(settings, &settings.path, live)?;
    let settled = run::ask(settings, user, Act::Settle { path: settings.path.clone() });
    match settled {
        Err(error) if error.fault == Fault::Busy => Err(error),
        _ => Ok(()),
    }
}

/// The files beside the database while they are out of the way.
struct Sides<'a> {
    exchange: &'a Exchange,
}

impl Sides<'_> {
    fn put_aside(&self) -> Result<(), BackendError> {
        self.each(|live, aside| self.rename(live, aside))?;
        self.exchange.finish()
    }

    /// As they were before an attempt that came to nothing.
    fn bring_back(&self) -> Result<(), BackendError> {
        self.each(|live, aside| self.rename(aside, live))?;
        self.exchange.finish()
    }

    fn remove(&self) -> Result<(), BackendError> {
        let doing = || self.exchange.doing();
        self.each(|_, aside| {
            match rustix::fs::unlinkat(&self.exchange.dir, aside, AtFlags::empty()) {
                Err(Errno::NOENT) => Ok(()),
                removed => removed.doing(doing),
            }
        })
    }

    fn rename(&self, from: &CString, to: &CString) -> Result<(), BackendError> {
        let (dir, flags) = (&self.exchange.dir, RenameFlags::NOREPLACE);
        match rustix::fs::renameat_with(dir, from, dir, to, flags) {
            Err(Errno::NOENT) => Ok(()),
            renamed => renamed.doing(|| self.exchange.doing()),
        }
    }

    fn each(
        &self,
        act: impl Fn(&CString, &CString) -> Result<(), BackendError>,
    ) -> Result<(), BackendError> {
        for end in SIDES {
            let named = |name: &CString| {
                let name = [name.as_bytes(), end.as_bytes()].concat();
                CString::new(name).map_err(std::io::Error::from).doing(|| self.exchange.doing())
            };
            act(&named(&self.exchange.name)?, &named(&self.exchange.hidden)?)?;
        }
        Ok(())
    }
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}
