//! A data directory that can be started, put together from a snapshot's parts.

use super::super::shelf::Item;
use super::super::tree::{below, peek, remove_tree};
use super::super::{BackendError, Doing, Progress};
use super::copy::{DROPPED, EMPTIED, WAL, name, open, tree};
use super::detail::Detail;
use super::online::LABEL;
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use std::collections::HashSet;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Where the parts go.
pub struct Place<'a> {
    /// The directory that `data` is made in.
    pub dir: BorrowedFd<'a>,
    pub data: &'a CStr,
    /// The directory that the tablespaces are made in, where there are any.
    pub spaces: Option<BorrowedFd<'a>>,
    /// What a link to a tablespace says, by its oid.
    pub link: &'a dyn Fn(&str) -> String,
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
    let (data, _) = below(&from, b"data").doing(doing)?;
    let none = HashSet::new();
    tree(data.as_fd(), place.dir, place.data, &none, progress, &mut ())?;
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
    let Some(into) = place.spaces else { return Ok(()) };
    for space in &detail.tablespaces {
        let doing = || format!("restoring tablespace {}", space.oid);
        let above = open(&from, "tablespaces").doing(doing)?;
        let oid = name(&space.oid)?;
        let (part, _) = peek(&above, &oid).doing(doing)?;
        tree(part.as_fd(), into, &oid, &HashSet::new(), &(), &mut ())?;
        let link = format!("pg_tblspc/{}", space.oid);
        rustix::fs::unlinkat(data, &*link, AtFlags::empty()).doing(doing)?;
        rustix::fs::symlinkat((place.link)(&space.oid), data, &*link).doing(doing)?;
        give(data, &link, detail).doing(doing)?;
    }
    Ok(())
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
