//! The directory and the name that one subvolume has and another one gets.
//!
//! A subvolume that is mounted itself has its name at a place of the file system that nothing
//! shows; it is reached by the private mount of the top. The mount keeps what it was made of, so
//! afterwards it shows, closed to writers, what was there before, until somebody mounts it anew.

use super::doing;
use crate::backend::btrfs::live::Live;
use crate::backend::btrfs::place::{Place, Top};
use crate::backend::btrfs::shown::{is_aside, shows_old};
use crate::backend::btrfs::store::Store;
use crate::domain::operation::Fault;
use crate::fs::subvolume::{self, Subvolume};
use crate::fs::{Doing, StorageError};
use crate::host::mounts::Mounts;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

pub(super) struct Home {
    pub dir: OwnedFd,
    pub name: OsString,
    /// The private mount that the directory was opened by lives as long; none where a path leads to
    /// it.
    top: Option<Arc<Top>>,
}

impl Home {
    pub(super) fn of(path: &Path, place: &Place, store: &Store) -> Result<Self, StorageError> {
        let doing = || doing(path);
        if place.mount.point != path {
            let dir = subvolume::open_absolute(path.parent().unwrap_or(path)).doing(doing)?;
            return Ok(Self { dir, name: path.file_name().unwrap_or_default().into(), top: None });
        }
        let (root, top) = (&place.mount.root, Top::of(place)?);
        let dir = top.above(root).doing(doing)?;
        let name = match is_aside(root) {
            // The top of all has no name.
            false => root.file_name().unwrap_or(OsStr::new(".")).to_owned(),
            // The mount has gone with what it was made of.
            true => store.rolled_name()?.ok_or_else(|| shows_old(path, place, None))?,
        };
        Ok(Self { dir, name, top: Some(top) })
    }

    /// Whether what is rolled back is a mount of its own.
    pub(super) fn is_mount(&self) -> bool {
        self.top.is_some()
    }

    /// What has the name now.
    pub(super) fn live(&self, path: &Path, place: &Place) -> Result<Live, StorageError> {
        if !self.is_mount() {
            return Live::open(path, place);
        }
        let gone = || StorageError::new(Fault::Absent, doing(path), "its subvolume is gone");
        let found = Subvolume::open(&self.dir, &self.name).doing(|| doing(path))?;
        Ok(self.opened(found.ok_or_else(gone)?, place))
    }

    /// One that was opened in it.
    pub(super) fn opened(&self, root: Subvolume, place: &Place) -> Live {
        // Nothing is mounted on what no path leads to.
        if self.is_mount() { Live::bare(root, place) } else { Live::of(root, place) }
    }
}

/// Whether something with this name is still mounted somewhere.
pub(super) fn is_mounted(place: &Place, name: &OsStr) -> bool {
    let Ok(mounts) = Mounts::read() else { return true };
    mounts.on(&place.mount.device).any(|mount| mount.root.file_name() == Some(name))
}
