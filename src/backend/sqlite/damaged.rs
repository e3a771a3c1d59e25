//! A damaged database saved as it is, byte for byte: before a rollback that is to mend it. SQLite,
//! which refuses such a file, has no part in it.
//!
//! The log, the index and the journal beside it are saved with it: what can be rescued may need
//! them.

use super::super::{Object, TakeOrder};
use super::detail::{Detail, database};
use super::settings::Settings;
use super::sides::{SIDES, beside};
use super::{DATA, DATABASE, keep, owner, seal};
use crate::domain::operation::Fault;
use crate::fs::tree::{Flow, Kind, Meta, open_file, open_nosymlink, peek, same_content};
use crate::fs::{Doing, Progress, StorageError};
use crate::store::{Filled, Growing, Item, Store, Taking};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// # Errors
/// What keeps from reading or writing it; then nothing is left.
pub(super) fn take(
    settings: &Settings,
    store: &Store,
    order: &TakeOrder<'_>,
    why: &StorageError,
    progress: &dyn Progress,
) -> Result<Object, StorageError> {
    let taking = Taking { store, card: order.card, progress };
    let fill = |live, growing: &Growing<'_>| save(settings, &live, growing, why, progress);
    let manifest = taking.live(|| Ok(owner::open(&settings.path)?.0), fill)?;
    Ok(Object::of(&manifest))
}

fn save(
    settings: &Settings,
    live: &OwnedFd,
    growing: &Growing<'_>,
    why: &StorageError,
    progress: &dyn Progress,
) -> Result<Filled, StorageError> {
    seal::open_up(&growing.path, None)?;
    let doing = || format!("saving {}", settings.path.display());
    let data = data(&growing.path).doing(doing)?;
    copy(live, &data, DATABASE, progress)?;
    for end in SIDES {
        match open_nosymlink(&beside(&settings.path, end)) {
            Ok(side) => copy(&side, &data, &format!("{DATABASE}{end}"), progress)?,
            Err(error) if error.fault == Fault::Absent => {}
            Err(error) => return Err(error),
        }
    }
    let copied = database(&growing.path).and_then(Meta::of).doing(doing)?;
    Filled::damaged(Detail::damaged(&copied), why)
}

fn copy(
    from: &OwnedFd,
    data: &OwnedFd,
    name: &str,
    progress: &dyn Progress,
) -> Result<(), StorageError> {
    let doing = || format!("saving {name}");
    if Meta::of(from).doing(doing)?.kind != Kind::File {
        return Err(StorageError::new(Fault::Permanent, doing(), "it is not a regular file"));
    }
    let name = CString::new(name).map_err(std::io::Error::from).doing(doing)?;
    keep::whole(from.as_fd(), data.as_fd(), &name, Flow::IntoStore, progress, &mut ()).map(drop)
}

fn data(dir: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(dir.join(DATA), flags, Mode::empty())
}

/// Whether the snapshot holds every byte of `was`, and of what lies beside the live database.
pub(super) fn has_all(
    settings: &Settings,
    safety: &Item,
    was: &OwnedFd,
    with_sides: bool,
) -> Result<bool, StorageError> {
    let doing = || format!("comparing {} with snapshot {}", settings.path.display(), safety.seq);
    let then = database(&safety.path).and_then(open_file).doing(doing)?;
    if !same_content(was, then).doing(doing)? {
        return Ok(false);
    }
    let data = data(&safety.path).doing(doing)?;
    for end in SIDES.iter().filter(|_| with_sides) {
        let live = match open_nosymlink(&beside(&settings.path, end)) {
            Ok(live) => open_file(live).doing(doing)?,
            Err(error) if error.fault == Fault::Absent => continue,
            Err(error) => return Err(error),
        };
        let then = CString::new(format!("{DATABASE}{end}")).map_err(std::io::Error::from);
        let then = match peek(&data, &then.doing(doing)?) {
            Err(Errno::NOENT) => return Ok(false),
            then => open_file(then.doing(doing)?.0).doing(doing)?,
        };
        if !same_content(live, then).doing(doing)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Gives a copy of such a snapshot what lay beside the original, before the copy itself has its
/// name.
///
/// # Errors
/// [`Fault::Permanent`] where something else lies there.
pub(super) fn restore_sides(item: &Item, dir: &OwnedFd, name: &CStr) -> Result<(), StorageError> {
    let doing = || format!("restoring snapshot {}", item.seq);
    let data = data(&item.path).doing(doing)?;
    for end in SIDES {
        let named = |name: &[u8]| CString::new([name, end.as_bytes()].concat());
        let stored = named(DATABASE.as_bytes()).map_err(std::io::Error::from).doing(doing)?;
        let stored = match peek(&data, &stored) {
            Err(Errno::NOENT) => continue,
            stored => stored.doing(doing)?.0,
        };
        let to = named(name.to_bytes()).map_err(std::io::Error::from).doing(doing)?;
        match peek(dir, &to) {
            Err(Errno::NOENT) => {}
            // Of an attempt that was interrupted.
            Ok((there, meta))
                if meta.kind == Kind::File
                    && same_content(
                        open_file(&there).doing(doing)?,
                        open_file(&stored).doing(doing)?,
                    )
                    .doing(doing)? =>
            {
                continue;
            }
            Ok(_) => {
                let why = format!("{} is there already", to.to_string_lossy());
                return Err(StorageError::new(Fault::Permanent, doing(), why));
            }
            Err(error) => return Err(error).doing(doing),
        }
        keep::whole(stored.as_fd(), dir.as_fd(), &to, Flow::OutOfStore, &(), &mut ())?;
    }
    Ok(())
}
