//! Whether the times of files tell what was written to them, by the file system that they lie on.
//!
//! What a program stores through a shared map of a file moves its times when it meets a clean page;
//! what it stores into the same page after that moves nothing, until the page was written out and
//! is clean again. So all is written out before a tree is copied: whatever is stored afterwards
//! shows. A file system that lives in memory is never written out, and there the times tell
//! nothing. (Linux: `file_update_time` in `do_page_mkwrite` and `fault_dirty_shared_page`,
//! mm/memory.c.)

use crate::fs::tree::{Entry, Meta, open_dir, open_file};
use crate::host::mounts::Mounts;
use rustix::fs::{Mode, OFlags};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

/// What the times of a file that was not touched for a while are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Times {
    /// They tell of every change.
    Tell,
    /// They do once the file itself was written out: its file system cannot be waited for.
    TellOnceSynced,
    /// They may stay whatever is written.
    Hide,
}

// linux/magic.h
const TMPFS: u64 = 0x0102_1994;
const RAMFS: u64 = 0x8584_58f6;
const HUGETLBFS: u64 = 0x9584_58f6;
const OVERLAYFS: u64 = 0x794c_7630;
const FUSE: u64 = 0x6573_5546;

/// The file systems that a walk has come to, by their devices. Each is written out when it is met.
#[derive(Debug, Default)]
pub(super) struct Grounds(BTreeMap<(u32, u32), Times>);

impl Grounds {
    /// The one that a tree begins on. `None`: it could not be written out, so nothing is certain.
    pub(super) fn begin(&mut self, root: BorrowedFd<'_>, meta: &Meta) -> Option<Times> {
        let times = open_dir(root).or_else(|_| open_file(root)).ok().and_then(|open| settle(&open));
        self.0.insert(meta.dev, times.unwrap_or(Times::Hide));
        times
    }

    /// That of a file. Where it is met only now, the file was looked at too early: then `Hide`.
    pub(super) fn of(&mut self, file: &Entry<'_>) -> Times {
        if let Some(times) = self.0.get(&file.meta.dev) {
            return *times;
        }
        let open = open_file(file.reference).ok();
        let times = open.and_then(|open| settle(&open)).unwrap_or(Times::Hide);
        self.0.insert(file.meta.dev, times);
        Times::Hide
    }
}

/// Whether a file is still as it was looked at, now that all that was stored in it is written out.
pub(super) fn is_as_seen(file: &Entry<'_>) -> bool {
    let synced = || -> rustix::io::Result<bool> {
        rustix::fs::fsync(open_file(file.reference)?)?;
        Ok(Meta::of(file.reference)?.unchanged_since(file.meta))
    };
    synced().unwrap_or(false)
}

/// Writes out the file system that `open` lies on. `None` where that fails.
pub(super) fn settle(open: &OwnedFd) -> Option<Times> {
    let kind = rustix::fs::fstatfs(open).ok()?.f_type;
    match u64::from_ne_bytes(kind.to_ne_bytes()) & 0xffff_ffff {
        TMPFS | RAMFS | HUGETLBFS => return Some(Times::Hide),
        OVERLAYFS => return Some(upper(open)),
        _ => {}
    }
    rustix::fs::syncfs(open).ok()?;
    let is_fuse = u64::from_ne_bytes(kind.to_ne_bytes()) & 0xffff_ffff == FUSE;
    Some(if is_fuse { Times::TellOnceSynced } else { Times::Tell })
}

/// An overlay is what its writable layer is, if that can be found.
fn upper(open: &OwnedFd) -> Times {
    let found = || -> Option<Times> {
        let shown = Meta::of(open).ok()?.mount;
        let table = Mounts::read().ok()?;
        let options = &table.with_id(shown)?.super_options;
        let Some(upper) = options.split(',').find_map(|option| option.strip_prefix("upperdir="))
        else {
            // Nobody can write to it.
            return Some(Times::Tell);
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let upper = rustix::fs::open(PathBuf::from(upper), flags, Mode::empty()).ok()?;
        settle(&upper)
    };
    found().unwrap_or(Times::Hide)
}

/// A directory's or a file's own, for whoever looks at a single tree.
pub(super) fn times_of(root: impl AsFd) -> Times {
    let root = root.as_fd();
    let open = open_dir(root).or_else(|_| open_file(root));
    open.ok().and_then(|open| settle(&open)).unwrap_or(Times::Hide)
}
