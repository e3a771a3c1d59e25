//! Which btrfs a path lies on, and the way to the top of it.

use crate::domain::operation::Fault;
use crate::fs::subvolume;
use crate::fs::{Doing, StorageError};
use crate::host::mounts::{Mount, Mounts, MountsError};
use crate::host::sys;
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use uuid::Uuid;

/// A mounted btrfs.
#[derive(Debug)]
pub(super) struct Place {
    pub mount: Mount,
    pub fsid: Uuid,
}

impl Place {
    /// # Errors
    /// [`Fault::Absent`] when the path lies on another kind of file system: its own is not mounted.
    pub(super) fn of(path: &Path) -> Result<Self, StorageError> {
        let mount = mount_of(path)?;
        if mount.fs_type != "btrfs" {
            return Err(StorageError::new(
                Fault::Absent,
                format!("looking for {}", path.display()),
                format!(
                    "it lies on the {} mounted at {}, not on a btrfs; mount its file system",
                    mount.fs_type,
                    mount.point.display()
                ),
            ));
        }
        let doing = || format!("opening the file system mounted at {}", mount.point.display());
        let anchor = subvolume::open_absolute(&mount.point).doing(doing)?;
        let fsid = Uuid::from_bytes(sys::btrfs_fsid(&anchor).doing(doing)?);
        Ok(Self { mount, fsid })
    }

    /// # Errors
    /// [`Fault::Permanent`] when the whole file system is read-only; one mount that is does not
    /// matter, since snapshots are written through another.
    pub(super) fn writable(&self) -> Result<(), StorageError> {
        if !self.mount.is_fs_read_only() {
            return Ok(());
        }
        Err(read_only(&self.mount))
    }
}

/// The refusal to write to a mount.
pub(super) fn read_only(mount: &Mount) -> StorageError {
    let point = mount.point.display();
    StorageError::new(
        Fault::Permanent,
        format!("writing to the file system mounted at {point}"),
        format!(
            "it is read-only; see the kernel log for the cause, then mount -o remount,rw {point}"
        ),
    )
}

/// Which btrfs a directory lies on; none where it is on another kind of file system.
///
/// # Errors
/// Whatever else stands against the question: a disk that fails is no other disk.
pub(super) fn fsid_of(dir: &OwnedFd) -> std::io::Result<Option<Uuid>> {
    told(sys::btrfs_fsid(dir))
}

fn told(answer: std::io::Result<[u8; 16]>) -> std::io::Result<Option<Uuid>> {
    match answer {
        Err(error) if NO_BTRFS.contains(&error.raw_os_error()) => Ok(None),
        answer => answer.map(|fsid| Some(Uuid::from_bytes(fsid))),
    }
}

/// What another file system answers to a question of btrfs.
const NO_BTRFS: [Option<i32>; 4] = [
    Some(Errno::NOTTY.raw_os_error()),
    Some(Errno::OPNOTSUPP.raw_os_error()),
    Some(Errno::INVAL.raw_os_error()),
    Some(Errno::NOSYS.raw_os_error()),
];

/// The mount that a path lies on; does not touch it.
pub(super) fn mount_of(path: &Path) -> Result<Mount, StorageError> {
    let doing = || format!("looking for the mount of {}", path.display());
    let mounts = Mounts::read().map_err(|error| {
        let fault = match error {
            MountsError::Unreadable(_) => Fault::Transient,
            MountsError::Malformed(_) => Fault::Permanent,
        };
        StorageError::new(fault, doing(), error.to_string())
    })?;
    let none = || StorageError::new(Fault::Absent, doing(), "nothing is mounted there");
    mounts.of(path).cloned().ok_or_else(none)
}

/// The top of a file system, by a mount that is in nobody's tree: no path leads to it, and it goes
/// away with its last user.
#[derive(Debug)]
pub(super) struct Top {
    pub dir: OwnedFd,
}

type Shared = Arc<Mutex<Weak<Top>>>;

/// One private mount per file system while jobs are in flight. The inner lock is per file system:
/// one that hangs while mounting delays only itself.
static TOPS: Mutex<BTreeMap<Uuid, Shared>> = Mutex::new(BTreeMap::new());

impl Top {
    pub(super) fn of(place: &Place) -> Result<Arc<Self>, StorageError> {
        let shared = {
            let mut tops = TOPS.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(tops.entry(place.fsid).or_default())
        };
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(top) = shared.upgrade() {
            return Ok(top);
        }
        let top = Arc::new(Self { dir: mount(place)? });
        *shared = Arc::downgrade(&top);
        Ok(top)
    }

    /// The directory that something lies in, by its path from the top.
    pub(super) fn above(&self, path: &Path) -> Result<OwnedFd, Errno> {
        let above = path.parent().unwrap_or(Path::new("/"));
        subvolume::open_or_same(&self.dir, above.strip_prefix("/").unwrap_or(above))
    }
}

/// Mounts the top of the file system privately.
fn mount(place: &Place) -> Result<OwnedFd, StorageError> {
    let source = place.mount.source.display();
    let doing = || format!("mounting the top of {source} privately");
    let attached = || -> Result<OwnedFd, rustix::io::Errno> {
        let context = rustix::mount::fsopen("btrfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
        rustix::mount::fsconfig_set_string(&context, "source", &place.mount.source)?;
        rustix::mount::fsconfig_set_string(&context, "subvolid", subvolume::TOP_ID.to_string())?;
        // To ask for a writable mount would turn a file system that is read-only writable again,
        // for everyone. Asking for a read-only one leaves it as it is: whether this mount can be
        // written to depends on the file system alone.
        rustix::mount::fsconfig_set_flag(&context, "ro")?;
        rustix::mount::fsconfig_create(&context)?;
        let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
            | MountAttrFlags::MOUNT_ATTR_NODEV
            | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
    };
    let root = attached().doing(doing)?;
    // What fsmount gives can name things but not be asked about them.
    let dir = subvolume::open_below(&root, ".").doing(doing)?;
    let fsid = Uuid::from_bytes(sys::btrfs_fsid(&dir).doing(doing)?);
    if fsid != place.fsid {
        let detail = format!("{source} holds another file system now; look at the mount table");
        return Err(StorageError::new(Fault::Identity, doing(), detail));
    }
    Ok(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_fails_is_not_taken_for_another_kind_of_file_system() {
        let check = |error: Errno, want: Result<Option<Uuid>, i32>| {
            let found = told(Err(error.into()));
            assert_eq!(found.map_err(|error| error.raw_os_error().unwrap()), want, "{error}");
        };
        check(Errno::NOTTY, Ok(None));
        check(Errno::OPNOTSUPP, Ok(None));
        for error in [Errno::IO, Errno::ACCESS, Errno::STALE, Errno::NODEV, Errno::PERM] {
            check(error, Err(error.raw_os_error()));
        }
        assert_eq!(told(Ok([7; 16])).unwrap(), Some(Uuid::from_bytes([7; 16])));
    }
}
