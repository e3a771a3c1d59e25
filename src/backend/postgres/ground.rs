//! What lies between the data directory and the store, and so how a copy is made.

use super::cluster::{Cluster, WAL};
use crate::fs::subvolume::{Subvolume, path_of};
use crate::fs::{Doing, StorageError};
use crate::host::mounts::Mounts;
use crate::host::sys;
use crate::store::Growing;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::AsFd;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ground {
    /// The data directory is a btrfs subvolume on the store's file system: one request.
    Subvolume,
    /// Files of one can share their blocks with the other.
    Reflink,
    /// Every byte has to be copied.
    Plain,
}

impl Ground {
    pub(super) fn of(cluster: &Cluster, growing: &Growing<'_>) -> Result<Self, StorageError> {
        let doing = || format!("comparing {} with the store", cluster.path.display());
        if is_one_subvolume(cluster, growing).doing(doing)? {
            return Ok(Self::Subvolume);
        }
        // Tried, because only trying tells: file systems, their options and a file's own flags.
        let (from, probe) = (path_of(&cluster.dir).join("PG_VERSION"), growing.path.join(".probe"));
        let from = File::open(from).doing(doing)?;
        let to = File::create_new(&probe).doing(doing)?;
        let cloned = rustix::fs::ioctl_ficlone(to.as_fd(), from.as_fd()).is_ok();
        std::fs::remove_file(&probe).doing(doing)?;
        Ok(if cloned { Self::Reflink } else { Self::Plain })
    }
}

/// Whether one snapshot has all of it: no other subvolume and no mount inside, the log apart.
fn is_one_subvolume(cluster: &Cluster, growing: &Growing<'_>) -> std::io::Result<bool> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(false);
    }
    let Some(live) = Subvolume::new(cluster.dir.try_clone()?)? else { return Ok(false) };
    let here = sys::btrfs_fsid(&live.dir)?;
    if sys::btrfs_fsid(&growing.dir).ok() != Some(here)
        || !sys::btrfs_children(&live.dir)?.is_empty()
    {
        return Ok(false);
    }
    let log = cluster.path.join(WAL);
    let only_log =
        |mounts: Mounts| mounts.below(&cluster.path).all(|mount| mount.point.starts_with(&log));
    // A mount table that cannot be read proves nothing.
    Ok(Mounts::read().is_ok_and(only_log))
}

/// Makes `data` in the growing snapshot, at one instant.
pub(super) fn snapshot(cluster: &Cluster, growing: &Growing<'_>) -> Result<(), StorageError> {
    sys::btrfs_snapshot(&growing.dir, &cluster.dir, OsStr::new("data"), true)
        .doing(|| format!("snapshotting {}", cluster.path.display()))
}
