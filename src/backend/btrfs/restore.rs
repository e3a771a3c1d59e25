//! A new copy of a snapshot, at a path that does not exist: writable where the original was.
//!
//! It is built under a hidden name beside the target and renamed when whole, so that the target
//! never shows half of it.

use super::place::{self, Place};
use super::seal::{self, Piece, Seal};
use super::store_root::STORE;
use super::stored::{self, Stored};
use crate::domain::operation::Fault;
use crate::fs::fnv::{self, fnv};
use crate::fs::subvolume::{self, Subvolume};
use crate::fs::{Doing, Progress, StorageError};
use crate::host::sys;
use rustix::fs::{AtFlags, RenameFlags, Timestamps};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Where the copy shall appear.
pub(super) struct Target {
    parent: OwnedFd,
    name: OsString,
    hidden: OsString,
    shown: PathBuf,
}

impl Target {
    /// # Errors
    /// [`Fault::Permanent`] where no copy of this snapshot can appear, with the way out.
    pub(super) fn open(path: &Path, id: Uuid, place: &Place) -> Result<Self, StorageError> {
        let doing = || format!("restoring to {}", path.display());
        let refuse = |detail: String| Err(StorageError::new(Fault::Permanent, doing(), detail));
        let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
            return refuse("a target is a path with a name in an existing directory".into());
        };
        let parent = match subvolume::open_absolute(above) {
            Ok(parent) => parent,
            Err(Errno::LOOP) => {
                return refuse(
                    "a part of it is a symbolic link; write the path it leads to".into(),
                );
            }
            Err(Errno::NOENT | Errno::NOTDIR) => {
                return refuse(format!("there is no directory {}; make it first", above.display()));
            }
            Err(error) => return Err(error).doing(doing),
        };
        if place::fsid_of(&parent).doing(doing)? != Some(place.fsid) {
            let point = place.mount.point.display();
            return refuse(format!(
                "it lies on another file system; a btrfs snapshot can be restored only on its own, the \
                 one that {point} lies on"
            ));
        }
        let mount = place::mount_of(above)?;
        if mount.is_read_only() {
            return Err(place::read_only(&mount));
        }
        if subvolume::exists(&parent, name).doing(doing)? {
            return refuse("something is there already; choose a path that does not exist".into());
        }
        Ok(Self::in_dir(parent, name, id, path))
    }

    /// In a directory where nothing has the name; `shown` is for messages.
    pub(super) fn in_dir(parent: OwnedFd, name: &OsStr, id: Uuid, shown: &Path) -> Self {
        Self { parent, name: name.into(), hidden: hidden_name(id, name), shown: shown.into() }
    }

    /// Where a copy grows that is to replace what lies at a path.
    pub(super) fn beside(parent: OwnedFd, hidden: OsString, live: &Path) -> Self {
        let name = live.file_name().unwrap_or_default().into();
        Self { parent, name, hidden, shown: live.into() }
    }

    /// Builds the copy and lets it appear.
    pub(super) fn fill(
        &self,
        stored: &Stored,
        data: &Subvolume,
        progress: &dyn Progress,
    ) -> Result<(), StorageError> {
        self.clear(stored, data)?;
        progress.wanted()?;
        let built = self.build(stored, data, &[], Seal::Original);
        let result =
            built.and_then(|()| self.appear()).and_then(|()| self.expect(&self.name, data));
        if result.is_err() {
            // Better nothing than a hidden half; if this fails too, the next attempt clears it.
            let _ = self.clear(stored, data);
        }
        result
    }

    /// Builds the copy under the hidden name, without the nested parts at or below some paths.
    pub(super) fn build(
        &self,
        stored: &Stored,
        data: &Subvolume,
        without: &[PathBuf],
        how: Seal,
    ) -> Result<(), StorageError> {
        let doing = || format!("copying to {}", self.shown.display());
        let pieces = seal::pieces(stored, data);
        let closed = |piece: &Piece, from: &Subvolume| {
            let later = pieces.iter().map(|piece| &piece.path).chain(without);
            // A writable one must not bear what tells that it was received.
            let may = piece.read_only || how == Seal::Closed && !from.is_received();
            may && !seal::has_below(&piece.path, later)
        };
        let at_once = !stored.detail.top && closed(&pieces[0], data);
        sys::btrfs_snapshot(&self.parent, &data.dir, &self.hidden, at_once).doing(doing)?;
        self.expect(&self.hidden, data)?;
        let root = subvolume::open_below(&self.parent, &self.hidden).doing(doing)?;
        if stored.detail.top {
            remove_stub(&root, Path::new(STORE))?;
        }
        for (piece, nested) in pieces.iter().skip(1).zip(stored.nested.iter().flatten()) {
            let path = &piece.path;
            if without.iter().any(|without| path.starts_with(without)) {
                continue;
            }
            let doing = || format!("copying {} to {}", path.display(), self.shown.display());
            let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
                return Err(StorageError::new(Fault::Permanent, doing(), "it is not a valid path"));
            };
            let above = subvolume::open_or_same(&root, above).doing(doing)?;
            let times = times(&above).doing(doing)?;
            remove_stub(&above, Path::new(name))?;
            sys::btrfs_snapshot(&above, &nested.dir, name, closed(piece, nested)).doing(doing)?;
            rustix::fs::futimens(&above, &times).doing(doing)?;
        }
        seal::set(&root, &pieces, how)
    }

    fn appear(&self) -> Result<(), StorageError> {
        let doing = || format!("restoring to {}", self.shown.display());
        let flags = RenameFlags::NOREPLACE;
        let (parent, hidden) = (&self.parent, &self.hidden);
        match rustix::fs::renameat_with(parent, hidden, parent, &self.name, flags) {
            Ok(()) => subvolume::sync(parent).doing(doing),
            Err(Errno::EXIST) => {
                let detail = "something appeared there at this moment; choose another path";
                Err(StorageError::new(Fault::Permanent, doing(), detail))
            }
            Err(error) => Err(error).doing(doing),
        }
    }

    /// Who may write to the directory can put something else in the place of what was made.
    fn expect(&self, name: &OsStr, data: &Subvolume) -> Result<(), StorageError> {
        let doing = || format!("copying to {}", self.shown.display());
        let found = Subvolume::open(&self.parent, name).doing(doing)?;
        if found.is_some_and(|found| found.parent() == data.uuid()) {
            return Ok(());
        }
        let detail = "somebody who may write to that directory moved away what was being made; \
                      choose a directory where only its owner writes";
        Err(StorageError::new(Fault::Permanent, doing(), detail))
    }

    /// Destroys what an interrupted attempt left under the hidden name: this snapshot's writable
    /// copy, and in it those of its nested ones.
    pub(super) fn clear(&self, stored: &Stored, data: &Subvolume) -> Result<(), StorageError> {
        let doing = || format!("clearing {} beside the target", self.hidden.display());
        let foreign = || {
            let detail = "it is not what this restore left; move it away";
            StorageError::new(Fault::Identity, doing(), detail)
        };
        if !subvolume::exists(&self.parent, &self.hidden).doing(doing)? {
            return Ok(());
        }
        let copy = Subvolume::open(&self.parent, &self.hidden).doing(doing)?;
        let copy = copy.filter(|copy| copy.parent() == data.uuid()).ok_or_else(foreign)?;
        seal::open_above(&copy.dir, &seal::pieces(stored, data))?;
        let parts = stored.detail.nested.iter().zip(stored.nested.iter().flatten());
        for (part, nested) in parts.collect::<Vec<_>>().into_iter().rev() {
            if let Some(below) = Subvolume::open(&copy.dir, part.path.to_path()).doing(doing)? {
                if below.parent() != nested.uuid() {
                    return Err(foreign());
                }
                stored::destroy(&self.parent, &below)?;
            }
        }
        stored::destroy(&self.parent, &copy)
    }
}

/// In a snapshot an empty directory stands where a nested subvolume was.
pub(super) fn remove_stub(above: &OwnedFd, name: &Path) -> Result<(), StorageError> {
    let removed = subvolume::remove(above, name, AtFlags::REMOVEDIR);
    removed.doing(|| format!("making room for the nested subvolume {}", name.display()))
}

/// A directory's times, to be set again after its entries were replaced.
pub(super) fn times(dir: &OwnedFd) -> Result<Timestamps, Errno> {
    let stat = rustix::fs::statx(
        dir,
        "",
        AtFlags::EMPTY_PATH,
        rustix::fs::StatxFlags::ATIME | rustix::fs::StatxFlags::MTIME,
    )?;
    let time = |t: rustix::fs::StatxTimestamp| rustix::fs::Timespec {
        tv_sec: t.tv_sec,
        tv_nsec: t.tv_nsec.into(),
    };
    Ok(Timestamps { last_access: time(stat.stx_atime), last_modification: time(stat.stx_mtime) })
}

/// The same for each attempt at one target by one snapshot, and short whatever the target's name.
fn hidden_name(id: Uuid, name: &OsStr) -> OsString {
    OsString::from(format!(
        ".heptad-{id}-{:016x}",
        fnv(fnv::START, name.as_bytes().iter().copied())
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hidden_name_is_stable_and_differs_by_target() {
        let name = |target: &str| hidden_name(Uuid::nil(), OsStr::new(target));
        assert_eq!(
            name("web"),
            ".heptad-00000000-0000-0000-0000-000000000000-5ea0e11948721ef1",
            "an interrupted attempt would not be recognised"
        );
        assert_ne!(name("web"), name("web2"));
        assert!(name(&"x".repeat(255)).len() <= 255);
    }
}
