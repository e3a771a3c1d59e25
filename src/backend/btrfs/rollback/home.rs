//! The directory and the name that one subvolume has and another one gets.
//!
//! A subvolume that is mounted itself has its name at a place of the file system that nothing shows; it
//! is reached by the private mount of the top. The mount keeps what it was made of, so afterwards it
//! shows, closed to writers, what was there before, until somebody mounts it anew.

use super::{HIDDEN, doing};
use crate::backend::btrfs::live::Live;
use crate::backend::btrfs::place::{Place, Top};
use crate::backend::btrfs::store::Store;
use crate::domain::operation::Fault;
use crate::domain::sentence::shell_word;
use crate::fs::subvolume::{self, Subvolume};
use crate::fs::{Doing, StorageError};
use crate::host::fstab::is_declared;
use crate::host::mounts::{Mount, Mounts};
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

pub struct Home {
    pub dir: OwnedFd,
    pub name: OsString,
    /// The private mount that the directory was opened by lives as long; none where a path leads to it.
    top: Option<Arc<Top>>,
}

impl Home {
    pub fn of(path: &Path, place: &Place, store: &Store) -> Result<Self, StorageError> {
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
    pub fn is_mount(&self) -> bool {
        self.top.is_some()
    }

    /// What has the name now.
    pub fn live(&self, path: &Path, place: &Place) -> Result<Live, StorageError> {
        if !self.is_mount() {
            return Live::open(path, place);
        }
        let gone = || StorageError::new(Fault::Absent, doing(path), "its subvolume is gone");
        let found = Subvolume::open(&self.dir, &self.name).doing(|| doing(path))?;
        Ok(self.opened(found.ok_or_else(gone)?, place))
    }

    /// One that was opened in it.
    pub fn opened(&self, root: Subvolume, place: &Place) -> Live {
        // Nothing is mounted on what no path leads to.
        if self.is_mount() { Live::bare(root, place) } else { Live::of(root, place) }
    }
}

/// Whether a mount shows what a rollback has replaced.
pub fn is_aside(root: &Path) -> bool {
    root.file_name().is_some_and(|name| name.as_bytes().starts_with(HIDDEN.as_bytes()))
}

/// That the mount at a path shows what it shall.
///
/// # Errors
/// [`Fault::Absent`] where it shows what a rollback has replaced. `name` is the one that this had.
pub fn expect_current(
    path: &Path,
    place: &Place,
    name: impl FnOnce() -> Option<OsString>,
) -> Result<(), StorageError> {
    match place.mount.point == path && is_aside(&place.mount.root) {
        true => Err(shows_old(path, place, name())),
        false => Ok(()),
    }
}

fn shows_old(path: &Path, place: &Place, name: Option<OsString>) -> StorageError {
    let doing = format!("opening {}", path.display());
    let point = shell_word(path);
    let mount = match name.filter(|_| !is_declared(path)) {
        Some(name) => {
            let subvolume = place.mount.root.parent().unwrap_or(Path::new("/")).join(name);
            format!(
                "mount -o {},subvol={} {} {point}",
                options(&place.mount),
                shell_word(&subvolume),
                shell_word(&place.mount.source)
            )
        }
        None => format!("mount {point}"),
    };
    let why = format!(
        "it still shows, read-only, what was there before the rollback; to see what it was rolled back \
         to: umount {point} && {mount}"
    );
    StorageError::new(Fault::Absent, doing, why)
}

/// How it was mounted, but for the subvolume.
fn options(mount: &Mount) -> String {
    let all = mount.options.split(',').chain(mount.super_options.split(','));
    let mut options: Vec<&str> = Vec::new();
    for option in all.filter(|option| !option.starts_with("subvol")) {
        // A mount may be read-only on a file system that is not.
        let mode = ["rw", "ro"].contains(&option) && !options.is_empty();
        if !option.is_empty() && !mode && !options.contains(&option) {
            options.push(option);
        }
    }
    options.join(",")
}

/// Whether something with this name is still mounted somewhere.
pub fn is_mounted(place: &Place, name: &OsStr) -> bool {
    let Ok(mounts) = Mounts::read() else { return true };
    mounts.on(&place.mount.device).any(|mount| mount.root.file_name() == Some(name))
}
