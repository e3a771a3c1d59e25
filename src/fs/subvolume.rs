//! Subvolumes and directories, held open for the length of a job and never longer, so that a
//! person's `umount` works right after.

use super::tree::shed;
use crate::host::sys::{self, SubvolumeInfo};
use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// The inode of every subvolume's root directory (`BTRFS_FIRST_FREE_OBJECTID`).
const ROOT_INODE: u64 = 256;
/// The id of the subvolume at the top of each btrfs (`BTRFS_FS_TREE_OBJECTID`).
pub const TOP_ID: u64 = 5;

/// A subvolume by its open root directory.
#[derive(Debug)]
pub struct Subvolume {
    pub dir: OwnedFd,
    pub info: SubvolumeInfo,
}

impl Subvolume {
    /// `None` where the directory is not the root of a subvolume.
    pub fn new(dir: OwnedFd) -> io::Result<Option<Self>> {
        if rustix::fs::fstat(&dir)?.st_ino != ROOT_INODE {
            return Ok(None);
        }
        match sys::btrfs_subvolume(&dir) {
            Ok(info) => Ok(Some(Self { dir, info })),
            // Inode 256 of another kind of file system.
            Err(error) if error.raw_os_error() == Some(Errno::NOTTY.raw_os_error()) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens what lies at `path` below `at`; `None` where nothing does, or no subvolume.
    pub fn open(at: impl AsFd, path: impl AsRef<Path>) -> io::Result<Option<Self>> {
        match open_below(at, path) {
            Ok(dir) => Self::new(dir),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub fn uuid(&self) -> Uuid {
        Uuid::from_bytes(self.info.uuid)
    }

    /// The subvolume that it is a snapshot of; nil for none.
    pub fn parent(&self) -> Uuid {
        Uuid::from_bytes(self.info.parent_uuid)
    }

    /// Whether it came from elsewhere by `btrfs receive`, or is a read-only snapshot of one that
    /// did.
    pub fn is_received(&self) -> bool {
        self.info.received_uuid != [0; 16]
    }

    /// Closes it to every writer, or opens it again. Durable on return if that was a change.
    pub fn set_read_only(&self, read_only: bool) -> io::Result<()> {
        sys::btrfs_set_read_only(&self.dir, read_only)
    }

    /// Whether it is as it was created. A snapshot inherits the transaction of its source's last
    /// change, which lies before its own creation; a write moves it beyond.
    pub fn is_untouched(&self) -> bool {
        self.info.read_only && self.info.changed <= self.info.created
    }
}

/// Opens a directory below another one: through no symbolic link and no mount.
pub fn open_below(at: impl AsFd, path: impl AsRef<Path>) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    rustix::fs::openat2(at, path.as_ref(), DIRECTORY, Mode::empty(), resolve)
}

/// The same, or that one itself where the path is empty.
pub fn open_or_same(at: impl AsFd, path: &Path) -> Result<OwnedFd, Errno> {
    open_below(at, if path.as_os_str().is_empty() { Path::new(".") } else { path })
}

/// Opens a directory by its absolute path. Symbolic links are refused anywhere in it: whoever owns
/// one could point it elsewhere at any time.
pub fn open_absolute(path: &Path) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(rustix::fs::CWD, path, DIRECTORY, Mode::empty(), resolve)
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Whether anything has this name.
pub fn exists(at: impl AsFd, name: impl AsRef<Path>) -> Result<bool, Errno> {
    match rustix::fs::statat(at, name.as_ref(), AtFlags::SYMLINK_NOFOLLOW) {
        Ok(_) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Creates a directory that only root may enter; one that is there already is good.
pub fn make_dir(at: impl AsFd, name: impl AsRef<Path>) -> Result<(), Errno> {
    match rustix::fs::mkdirat(&at, name.as_ref(), Mode::RWXU) {
        Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error),
        // Nothing that the directory above hands down shall reach what is made in it.
        Ok(()) => {
            let made = open_below(at, name)?;
            shed(&made)?;
            rustix::fs::fchmod(made, Mode::RWXU)
        }
    }
}

/// Removes a file, or an empty directory; one that is gone is good.
pub fn remove(at: impl AsFd, name: impl AsRef<Path>, flags: AtFlags) -> Result<(), Errno> {
    match rustix::fs::unlinkat(at, name.as_ref(), flags) {
        Err(Errno::NOENT) | Ok(()) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes it durable that something was removed from a directory or renamed in it. Where that was a
/// subvolume, the kernel commits the file system, because its log cannot tell it; concurrent calls
/// share the commit. (To *ask* for a commit and wait, by `START_SYNC`, can take until the regular
/// one 30 s later: the kernel's thread may sleep through the request. `SYNC` also writes out what
/// others wrote to the file system.)
pub fn sync(dir: &OwnedFd) -> Result<(), Errno> {
    rustix::fs::fsync(dir)
}

/// A path to an open directory, for functions that want one. It names this very directory,
/// wherever it may have been moved.
pub fn path_of(dir: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd()))
}
