//! A data directory that can be started, put together from a snapshot's parts.

use super::super::shelf::Item;
use super::super::subvolume::Subvolume;
use super::super::tree::{below, peek, remove_tree};
use super::super::{BackendError, Doing, Progress};
use super::copy::{DROPPED, EMPTIED, WAL, name, open, tree};
use super::detail::{Detail, Space};
use super::online::LABEL;
use crate::host::sys;
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use std::collections::HashSet;
use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

/// Where the parts go.
pub struct Place<'a> {
    /// The directory that `data` is made in.
    pub dir: BorrowedFd<'a>,
    pub data: &'a CStr,
    /// Where each tablespace goes.
    pub space: &'a dyn Fn(&Space) -> Result<Spot, BackendError>,
}

/// The place of one tablespace.
pub struct Spot {
    /// The directory that it is made in, and its name there.
    pub dir: OwnedFd,
    pub name: CString,
    /// What the link to it says.
    pub link: String,
}

/// Copies all of it, sharing blocks where the file systems can; returns the data directory.
pub fn assemble(
    item: &Item,
    detail: &Detail,
    place: &Place<'_>,
    progress: &dyn Progress,
) -> Result<OwnedFd, BackendError> {
    let doing = || format!("putting snapshot {} together", item.seq);
    let from = std::fs::File::open(&item.path).doing(doing)?;
    let none = HashSet::new();
    if !snapshot(&from, place).doing(doing)? {
        let (data, _) = below(&from, b"data").doing(doing)?;
        tree(data.as_fd(), place.dir, place.data, &none, progress, &mut ())?;
    }
    let data = rustix::fs::openat(place.dir, place.data, DIRECTORY, Mode::empty()).doing(doing)?;
    for file in DROPPED {
        remove_tree(data.as_fd(), &name(file)?)?;
    }
    for dir in EMPTIED {
        remove_tree(data.as_fd(), &name(dir)?)?;
        make(&data, dir, detail)?;
    }
    log(&from, &data, detail)?;
    if let Ok((label, _)) = below(&from, LABEL.as_bytes()) {
        // Not the live server's, which a snapshot of a subvolume may have caught.
        remove_tree(data.as_fd(), &name(LABEL)?)?;
        tree(label.as_fd(), data.as_fd(), &name(LABEL)?, &none, &(), &mut ())?;
        give(&data, LABEL, detail).doing(doing)?;
    }
    spaces(&from, &data, detail, place)?;
    rustix::fs::fchmod(&data, Mode::RWXU).doing(doing)?;
    Ok(data)
}

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The log that was copied beside the data, in place of what the data has. `pg_basebackup` has put
/// it where it belongs.
fn log(from: impl AsFd, data: &OwnedFd, detail: &Detail) -> Result<(), BackendError> {
    let doing = || "putting the write-ahead log in place".to_owned();
    let wal = match below(&from, b"wal") {
        Err(Errno::NOENT) => return Ok(()),
        found => found.doing(doing)?.0,
    };
    let pg_wal = name(WAL)?;
    remove_tree(data.as_fd(), &pg_wal)?;
    tree(wal.as_fd(), data.as_fd(), &pg_wal, &HashSet::new(), &(), &mut ())?;
    give(data, WAL, detail).doing(doing)?;
    let inside = open(data, WAL).doing(doing)?;
    make(&inside, "archive_status", detail)
}

fn spaces(
    from: impl AsFd,
    data: &OwnedFd,
    detail: &Detail,
    place: &Place<'_>,
) -> Result<(), BackendError> {
    for space in &detail.tablespaces {
        let doing = || format!("restoring tablespace {}", space.oid);
        let above = open(&from, "tablespaces").doing(doing)?;
        let (part, _) = peek(&above, &name(&space.oid)?).doing(doing)?;
        let spot = (place.space)(space)?;
        tree(part.as_fd(), spot.dir.as_fd(), &spot.name, &HashSet::new(), &(), &mut ())?;
        let link = format!("pg_tblspc/{}", space.oid);
        rustix::fs::unlinkat(data, &*link, AtFlags::empty()).doing(doing)?;
        rustix::fs::symlinkat(spot.link, data, &*link).doing(doing)?;
        give(data, &link, detail).doing(doing)?;
    }
    Ok(())
}

/// Where the copy is a subvolume and its place lies on the same btrfs, it becomes one again, at
/// once, so that snapshots of it are as quick as those of the original.
fn snapshot(from: impl AsFd, place: &Place<'_>) -> std::io::Result<bool> {
    let Some(data) = Subvolume::open(from, "data")? else { return Ok(false) };
    let name = OsStr::from_bytes(place.data.to_bytes());
    match sys::btrfs_snapshot(place.dir, &data.dir, name, false) {
        Ok(()) => Ok(true),
        Err(error) => match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::XDEV | Errno::NOTTY | Errno::PERM | Errno::OPNOTSUPP) => Ok(false),
            _ => Err(error),
        },
    }
}

/// A new directory of the owner's.
pub fn make(at: impl AsFd, path: &str, detail: &Detail) -> Result<(), BackendError> {
    let made = rustix::fs::mkdirat(&at, path, Mode::RWXU).and_then(|()| give(&at, path, detail));
    made.doing(|| format!("making {path}"))
}

/// Gives something to the owner; heptad without root is the owner itself.
pub fn give(at: impl AsFd, path: &str, detail: &Detail) -> rustix::io::Result<()> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(detail.uid), Gid::from_raw(detail.gid));
    rustix::fs::chownat(at, path, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
}
