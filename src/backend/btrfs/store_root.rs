//! The directory that holds the stores of all resources of a file system: heptad's own at the top
//! of it, or one that a person chose. Either way nobody but root may write to it.

use super::place::{self, Place, Top};
use crate::domain::operation::Fault;
use crate::fs::subvolume::{self, Subvolume};
use crate::fs::{Doing, StorageError};
use crate::host::sys;
use crate::host::trust::{Distrust, trusted_place};
use rustix::fs::Mode;
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::Path;

/// The store's name at the top of a file system. It is a subvolume of its own, so that a snapshot
/// of the top does not contain it.
pub(super) const STORE: &str = ".heptad";

/// The store at the top of the file system, if it was made.
pub(super) fn open_own(top: &Top) -> Result<Option<OwnedFd>, StorageError> {
    let doing = || format!("opening {STORE} at the top of the file system");
    let refuse = |detail: &str| Err(StorageError::new(Fault::Permanent, doing(), detail));
    let dir = match subvolume::open_below(&top.dir, STORE) {
        Ok(dir) => dir,
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::NOTDIR | Errno::LOOP) => {
            return refuse("it is not heptad's: no directory; move it away, or configure a store");
        }
        Err(error) => return Err(error).doing(doing),
    };
    match Subvolume::new(dir).doing(doing)? {
        Some(store) => {
            // A new subvolume is open to all eyes, but old snapshots hold old secrets and old
            // setuid programs.
            if mode(&store.dir, doing)? & 0o077 != 0 {
                rustix::fs::fchmod(&store.dir, Mode::RWXU).doing(doing)?;
            }
            Ok(Some(store.dir))
        }
        None => refuse("it is not heptad's: no subvolume; move it away, or configure a store"),
    }
}

pub(super) fn make_own(top: &Top) -> Result<OwnedFd, StorageError> {
    let doing = || format!("making {STORE} at the top of the file system");
    match sys::btrfs_create(&top.dir, OsStr::new(STORE)) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(error).doing(doing);
        }
        _ => {}
    }
    let gone = || StorageError::new(Fault::Transient, doing(), "it was removed at this moment");
    open_own(top)?.ok_or_else(gone)
}

/// The permission bits, after a check that nobody else may have put something inside.
fn mode(dir: &OwnedFd, doing: impl Fn() -> String) -> Result<u32, StorageError> {
    let stat = rustix::fs::fstat(dir).doing(&doing)?;
    if stat.st_uid == nix::unistd::geteuid().as_raw() && stat.st_mode & 0o022 == 0 {
        return Ok(stat.st_mode & 0o777);
    }
    let detail =
        "others may write to it; look at what is inside, then chown root and chmod 0700 it";
    Err(StorageError::new(Fault::Permanent, doing(), detail))
}

/// Whoever can move a directory above a chosen store away could put another in its place. Looking
/// and destroying go on all the same: they go by what each snapshot says of itself.
pub(super) fn expect_safe(path: &Path) -> Result<(), StorageError> {
    let why = path.parent().and_then(|above| trusted_place(above).err());
    let refused = |why: Distrust| {
        let doing = format!("using the store {}", path.display());
        StorageError::new(Fault::Permanent, doing, why.to_string())
    };
    why.map_or(Ok(()), |why| Err(refused(why)))
}

/// A store that a person chose: it must be there, closed to others, and on the same file system.
pub(super) fn open_configured(path: &Path, place: &Place) -> Result<OwnedFd, StorageError> {
    let doing = || format!("opening the store {}", path.display());
    let refuse = |detail: String| Err(StorageError::new(Fault::Permanent, doing(), detail));
    let dir = match subvolume::open_absolute(path) {
        Ok(dir) => dir,
        Err(Errno::LOOP) => {
            return refuse(
                "a part of this path is a symbolic link; write where it leads to".into(),
            );
        }
        Err(Errno::NOENT) => {
            let detail = "it is not there; mount its file system, or mkdir -m 0700 it";
            return Err(StorageError::new(Fault::Absent, doing(), detail));
        }
        Err(error) => return Err(error).doing(doing),
    };
    if place::fsid_of(&dir).doing(doing)? != Some(place.fsid) {
        let mount = place::mount_of(path)?;
        let detail = format!(
            "it lies on the {} mounted at {}, not on the btrfs of the resource (mounted at {}); \
             choose a directory there",
            mount.fs_type,
            mount.point.display(),
            place.mount.point.display()
        );
        return refuse(detail);
    }
    mode(&dir, doing)?;
    Ok(dir)
}
