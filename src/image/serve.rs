//! Answering the kernel. All requests come on one thread; the readers of images live on it.

use super::files::{Answer, Names, Stat};
use super::inodes::{Inodes, ROOT};
use super::namespace::{Image, Node};
use super::sandbox;
use fuser::{
    Errno, FileAttr, FileHandle, Filesystem, Generation, INodeNo, LockOwner, OpenFlags, ReplyAttr,
    ReplyData, ReplyDirectory, ReplyEntry, ReplyOpen, Request,
};
use nix::unistd::alarm;
use std::cell::RefCell;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Nothing in an image changes.
const FOR_LONG: Duration = Duration::from_secs(3_600);

/// Seconds for one answer; then the helper is killed, and whoever waits gets an error.
const TIMEOUT: u32 = 20;

/// An inode as `.` and `..` show it; nobody looks there.
const SOME: INodeNo = INodeNo(ROOT);

#[derive(Debug)]
pub(super) struct Served {
    /// Until the first request.
    images: Mutex<Vec<Image>>,
}

struct Here {
    place: Node,
    inodes: Inodes,
    /// The directory that was listed last, so that one listing is of one piece.
    listed: Option<(u64, Names)>,
}

thread_local! {
    // The readers cannot leave the thread that made them.
    static HERE: RefCell<Option<Here>> = const { RefCell::new(None) };
}

impl Served {
    pub(super) fn new(images: Vec<Image>) -> Self {
        Self { images: Mutex::new(images) }
    }

    /// One answer, within its time. Before the first, everything dangerous is given up.
    fn with<T>(&self, answer: impl FnOnce(&mut Here) -> Answer<T>) -> Answer<T> {
        alarm::set(TIMEOUT);
        let answered = HERE.with_borrow_mut(|here| {
            let here = match here {
                Some(here) => here,
                none => {
                    sandbox::enter().map_err(|_| Errno::EPERM)?;
                    let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
                    let place = Node::of_images(std::mem::take(&mut *images));
                    none.insert(Here { place, inodes: Inodes::new(), listed: None })
                }
            };
            catch_unwind(AssertUnwindSafe(|| answer(here))).unwrap_or(Err(Errno::EIO))
        });
        alarm::cancel();
        answered
    }
}

impl Here {
    fn path(&self, of: INodeNo) -> Answer<Vec<u8>> {
        self.inodes.path(of.0).ok_or(Errno::ESTALE)
    }

    fn below(&self, parent: INodeNo, name: &[u8]) -> Answer<Vec<u8>> {
        let mut path = self.path(parent)?;
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        Ok(path)
    }
}

impl Filesystem for Served {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = self.with(|here| {
            let path = here.below(parent, name.as_bytes())?;
            let stat = here.place.stat(&path)?;
            Ok(attributes(here.inodes.remember(path), &stat))
        });
        match found {
            Ok(found) => reply.entry(&FOR_LONG, &found, Generation(0)),
            Err(error) => reply.error(error),
        }
    }

    fn forget(&self, _: &Request, ino: INodeNo, times: u64) {
        let _ = self.with(|here| {
            here.inodes.forget(ino.0, times);
            Ok(())
        });
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let stat = self.with(|here| here.place.stat(&here.path(ino)?));
        match stat {
            Ok(stat) => reply.attr(&FOR_LONG, &attributes(ino.0, &stat)),
            Err(error) => reply.error(error),
        }
    }

    fn readlink(&self, _: &Request, ino: INodeNo, reply: ReplyData) {
        match self.with(|here| here.place.link(&here.path(ino)?)) {
            Ok(target) => reply.data(&target),
            Err(error) => reply.error(error),
        }
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), fuser::FopenFlags::FOPEN_KEEP_CACHE);
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let size = usize::try_from(size).unwrap_or(0);
        match self.with(|here| here.place.read(&here.path(ino)?, offset, size)) {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(error),
        }
    }

    fn readdir(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let filled = self.with(|here| {
            if offset == 0 || here.listed.as_ref().is_none_or(|(known, _)| *known != ino.0) {
                here.listed = Some((ino.0, here.place.list(&here.path(ino)?)?));
            }
            let entries = here.listed.as_ref().map(|(_, entries)| entries.as_slice());
            let from = usize::try_from(offset).unwrap_or(usize::MAX);
            for (at, (name, kind)) in entries.unwrap_or_default().iter().enumerate().skip(from) {
                let name = std::ffi::OsString::from_vec(name.clone());
                if reply.add(SOME, at as u64 + 1, *kind, name) {
                    break;
                }
            }
            Ok(())
        });
        match filled {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error),
        }
    }
}

fn attributes(number: u64, stat: &Stat) -> FileAttr {
    let (seconds, nanos) = stat.mtime;
    let since = Duration::new(seconds.unsigned_abs(), 0);
    let epoch = SystemTime::UNIX_EPOCH;
    let whole = if seconds < 0 { epoch.checked_sub(since) } else { epoch.checked_add(since) };
    let time = whole.and_then(|time| time.checked_add(Duration::from_nanos(nanos.into())));
    let time = time.unwrap_or(epoch);
    FileAttr {
        ino: INodeNo(number),
        size: stat.size,
        blocks: stat.size.div_ceil(512),
        atime: time,
        mtime: time,
        ctime: time,
        crtime: time,
        kind: stat.kind,
        perm: stat.mode,
        nlink: 1,
        uid: stat.uid,
        gid: stat.gid,
        rdev: 0,
        blksize: 4_096,
        flags: 0,
    }
}
