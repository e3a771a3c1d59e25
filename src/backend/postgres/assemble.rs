//! A data directory that can be started, put together from a snapshot's parts.

use super::cluster::{TABLESPACES, WAL};
use super::copy::{DROPPED, EMPTIED, LABEL, is_log, name, open, tree};
use super::detail::{Detail, Space};
use crate::fs::subvolume::Subvolume;
use crate::fs::tree::{Flow, Kind, below, names, peek, remove_tree, shed, walk};
use crate::fs::{Doing, Progress, StorageError};
use crate::host::sys;
use crate::store::Item;
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use std::collections::HashSet;
use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Where the parts go.
pub(super) struct Site<'a> {
    /// The directory that `data` is made in.
    pub dir: BorrowedFd<'a>,
    pub data: &'a CStr,
    /// The path that the data directory will have when it is used.
    pub path: &'a Path,
    /// Whether the log goes back to where it was inside of the data directory.
    pub log_inside: bool,
    /// Where each tablespace goes.
    pub space: &'a dyn Fn(&Space) -> Result<Spot, StorageError>,
}

/// The place of one tablespace.
pub(super) enum Spot {
    /// In the data directory itself, by the path from there.
    Inside(String),
    Outside {
        /// The directory that it is made in, and its name there.
        dir: OwnedFd,
        name: CString,
        /// What the link to it says.
        link: String,
    },
}

/// Copies all of it, sharing blocks where the file systems can; returns the data directory.
pub(super) fn assemble(
    item: &Item,
    detail: &Detail,
    site: &Site<'_>,
    progress: &dyn Progress,
) -> Result<OwnedFd, StorageError> {
    let doing = || format!("putting snapshot {} together", item.seq);
    let from = std::fs::File::open(&item.path).doing(doing)?;
    let is_copied = !snapshot(&from, site).doing(doing)?;
    let told = Told::of(&from, is_copied, progress)?;
    if is_copied {
        let (data, _) = below(&from, b"data").doing(doing)?;
        told.copy(&data, site.dir, site.data)?;
    }
    let data = rustix::fs::openat(site.dir, site.data, DIRECTORY, Mode::empty()).doing(doing)?;
    for file in DROPPED {
        remove_tree(data.as_fd(), &name(file)?)?;
    }
    for dir in EMPTIED {
        remove_tree(data.as_fd(), &name(dir)?)?;
        make(&data, dir, detail)?;
    }
    log(&from, &data, detail, &told)?;
    if let Some(inside) = &detail.log {
        log_inside(&data, inside, detail, site.log_inside)?;
    }
    match below(&from, LABEL.as_bytes()) {
        Err(Errno::NOENT) => {}
        label => {
            let (label, _) = label.doing(doing)?;
            // Not the live server's, which a snapshot of a subvolume may have caught.
            remove_tree(data.as_fd(), &name(LABEL)?)?;
            told.copy(&label, data.as_fd(), &name(LABEL)?)?;
            give(&data, LABEL, detail).doing(doing)?;
        }
    }
    spaces(&from, &data, (detail, site), &told)?;
    rustix::fs::fchmod(&data, Mode::RWXU).doing(doing)?;
    Ok(data)
}

/// Progress through all parts, whose end is known.
struct Told<'a> {
    total: u64,
    /// Of the parts that are done, and of the one that is being copied.
    done: AtomicU64,
    part: AtomicU64,
    progress: &'a dyn Progress,
}

impl<'a> Told<'a> {
    fn of(
        from: &std::fs::File,
        with_data: bool,
        progress: &'a dyn Progress,
    ) -> Result<Self, StorageError> {
        let (done, part) = (AtomicU64::new(0), AtomicU64::new(0));
        let mut told = Self { total: 0, done, part, progress };
        let parts = [("data", with_data), ("wal", true), ("tablespaces", true), (LABEL, true)];
        for (part, _) in parts.into_iter().filter(|(_, is_copied)| *is_copied) {
            told.total += match below(from, part.as_bytes()) {
                Err(Errno::NOENT) => 0,
                found => size(&found.doing(|| format!("measuring {part}"))?.0)?,
            };
        }
        Ok(told)
    }

    /// Copies one part whole.
    fn copy(&self, from: &OwnedFd, dir: BorrowedFd<'_>, name: &CStr) -> Result<(), StorageError> {
        tree(from.as_fd(), dir, name, Flow::OutOfStore, &HashSet::new(), self, &mut ())?;
        self.done.fetch_add(self.part.swap(0, Relaxed), Relaxed);
        Ok(())
    }
}

impl Progress for Told<'_> {
    fn report(&self, done: u64, _total: Option<u64>) {
        self.part.store(done, Relaxed);
        let done = self.done.load(Relaxed) + done;
        self.progress.report(done, Some(self.total.max(done)));
    }

    fn is_wanted(&self) -> bool {
        self.progress.is_wanted()
    }
}

fn size(tree: &OwnedFd) -> Result<u64, StorageError> {
    let mut bytes = 0;
    walk(tree, &mut |_, meta| {
        bytes += if meta.kind == Kind::File { meta.size } else { 0 };
        Ok(())
    })?;
    Ok(bytes)
}

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The log that was copied beside the data, in place of what the data has. `pg_basebackup` has put
/// it where it belongs.
fn log(
    from: impl AsFd,
    data: &OwnedFd,
    detail: &Detail,
    told: &Told<'_>,
) -> Result<(), StorageError> {
    let doing = || "putting the write-ahead log in place".to_owned();
    let wal = match below(&from, b"wal") {
        Err(Errno::NOENT) => return Ok(()),
        found => found.doing(doing)?.0,
    };
    let pg_wal = name(WAL)?;
    remove_tree(data.as_fd(), &pg_wal)?;
    told.copy(&wal, data.as_fd(), &pg_wal)?;
    give(data, WAL, detail).doing(doing)?;
    let inside = open(data, WAL).doing(doing)?;
    make(&inside, "archive_status", detail)
}

/// Puts the log where it was, in a directory below that `pg_wal` leads to, if it shall go there.
/// What a snapshot of a subvolume has there is older, and goes in any case.
fn log_inside(
    data: &OwnedFd,
    inside: &str,
    detail: &Detail,
    shall_go: bool,
) -> Result<(), StorageError> {
    let doing = || format!("putting the write-ahead log into {inside}");
    let into = deep(data, inside, detail)?;
    for file in names(&into).doing(doing)? {
        if file.to_str().is_ok_and(is_log) {
            remove_tree(into.as_fd(), &file)?;
        }
    }
    if !shall_go {
        return Ok(());
    }
    let wal = open(data, WAL).doing(doing)?;
    for file in names(&wal).doing(doing)? {
        rustix::fs::renameat(&wal, &file, &into, &file).doing(doing)?;
    }
    rustix::fs::unlinkat(data, WAL, AtFlags::REMOVEDIR).doing(doing)?;
    // By the way from here, which is the same wherever the data directory lies.
    rustix::fs::symlinkat(inside, data, WAL).doing(doing)?;
    give(data, WAL, detail).doing(doing)
}

fn spaces(
    from: impl AsFd,
    data: &OwnedFd,
    (detail, site): (&Detail, &Site<'_>),
    told: &Told<'_>,
) -> Result<(), StorageError> {
    let mut spots = Vec::new();
    for space in &detail.tablespaces {
        spots.push((space, (site.space)(space)?));
    }
    // One that lies in another's place comes after that.
    spots.sort_by_key(|(_, spot)| match spot {
        Spot::Inside(path) => Path::new(path).components().count(),
        Spot::Outside { .. } => 0,
    });
    for (space, spot) in spots {
        let doing = || format!("restoring tablespace {}", space.oid);
        let above = open(&from, "tablespaces").doing(doing)?;
        let target = match spot {
            Spot::Outside { dir, name: to, link } => {
                let (part, _) = peek(&above, &name(&space.oid)?).doing(doing)?;
                told.copy(&part, dir.as_fd(), &to)?;
                PathBuf::from(link)
            }
            Spot::Inside(path) => {
                let (part, into) =
                    (open(&above, &space.oid).doing(doing)?, deep(data, &path, detail)?);
                for file in names(&part).doing(doing)? {
                    // What the data directory has there is another copy of it, or nothing.
                    remove_tree(into.as_fd(), &file)?;
                    let (reference, _) = peek(&part, &file).doing(doing)?;
                    told.copy(&reference, into.as_fd(), &file)?;
                }
                site.path.join(path)
            }
        };
        let link = format!("{TABLESPACES}/{}", space.oid);
        rustix::fs::unlinkat(data, &*link, AtFlags::empty()).doing(doing)?;
        rustix::fs::symlinkat(&target, data, &*link).doing(doing)?;
        give(data, &link, detail).doing(doing)?;
    }
    Ok(())
}

/// Opens a directory below another, through no link; what of it is not there is made, the owner's.
pub(super) fn deep(data: &OwnedFd, path: &str, detail: &Detail) -> Result<OwnedFd, StorageError> {
    let doing = || format!("making {path}");
    let mut dir = data.try_clone().doing(doing)?;
    for part in path.split('/').filter(|part| !part.is_empty()) {
        dir = match open(&dir, part) {
            Err(Errno::NOENT) => {
                make(&dir, part, detail)?;
                open(&dir, part).doing(doing)?
            }
            found => found.doing(doing)?,
        };
    }
    Ok(dir)
}

/// Where the copy is a subvolume and its site lies on the same btrfs, it becomes one again, at
/// once, so that snapshots of it are as quick as those of the original.
fn snapshot(from: impl AsFd, site: &Site<'_>) -> std::io::Result<bool> {
    let Some(data) = Subvolume::open(from, "data")? else { return Ok(false) };
    let name = OsStr::from_bytes(site.data.to_bytes());
    match sys::btrfs_snapshot(site.dir, &data.dir, name, false) {
        Ok(()) => Ok(true),
        Err(error) => match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::XDEV | Errno::NOTTY | Errno::PERM | Errno::OPNOTSUPP) => Ok(false),
            _ => Err(error),
        },
    }
}

/// A new directory of the owner's.
pub(super) fn make(at: impl AsFd, path: &str, detail: &Detail) -> Result<(), StorageError> {
    let doing = || format!("making {path}");
    rustix::fs::mkdirat(&at, path, Mode::RWXU).doing(doing)?;
    let made = open(&at, path).doing(doing)?;
    shed(&made).doing(doing)?;
    give(&at, path, detail).doing(doing)?;
    // The group's bit that a directory above has handed down.
    rustix::fs::fchmod(&made, Mode::RWXU).doing(doing)
}

/// Gives something to the owner; heptad without root is the owner itself.
pub(super) fn give(at: impl AsFd, path: &str, detail: &Detail) -> rustix::io::Result<()> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(detail.uid), Gid::from_raw(detail.gid));
    rustix::fs::chownat(at, path, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
}
