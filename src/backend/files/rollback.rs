//! The live tree or file replaced by an independent copy of a snapshot.
//!
//! What snapshots leave out on purpose is in none of them, so it is carried over to the new tree.
//! What they leave out by nature (another file system inside) is a reason to refuse.

use super::super::RollbackOrder;
use super::contents::Contents;
use super::detail::data;
use super::index::{Line, Reader, Stamps};
use super::settings::Settings;
use super::{INDEX, restore, verify};
use crate::domain::operation::Fault;
use crate::fs::tree::{Kind, Meta, below, fix, open_dir, shown, walk_with_mounts};
use crate::fs::{Doing, Progress, StorageError};
use crate::host::holders::Whom;
use crate::store::identity::{self, Probe};
use crate::store::users;
use crate::store::{
    Aside, Item, OTHERWISE, Replacement, Store, Swap, expect_store_apart, replaceable,
};
use rustix::fs::{RenameFlags, Timestamps};
use rustix::io::Errno;
use std::ffi::{CStr, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

pub(super) fn users(settings: &Settings, store: &Store) -> Result<Vec<String>, StorageError> {
    identity::open(&settings.path)?;
    expect_store_apart(store, &settings.path)?;
    replaceable(&settings.path)?;
    users::users_among(&settings.path, whom(settings))
}

/// Without root the processes of others cannot be looked into, and only a person knows that they
/// have nothing to do with it.
fn whom(settings: &Settings) -> Whom {
    match settings.ours_alone && !nix::unistd::geteuid().is_root() {
        true => Whom::Ours,
        false => Whom::All,
    }
}

pub(super) fn rollback(
    settings: &Settings,
    store: &Store,
    order: &RollbackOrder<'_>,
    progress: &dyn Progress,
) -> Result<Probe, StorageError> {
    let item = store.whole(order.handle)?;
    replaceable(&settings.path)?;
    let swap = Swap::open(store, &settings.path, order.token)?;
    let safety = store.items()?.0.into_iter().find(|item| item.manifest.id == order.token);
    swap.run(&Rollback { settings, item: &item, safety, progress })?;
    identity::probe(&settings.path)
}

fn doing(settings: &Settings) -> String {
    format!("rolling {} back", settings.path.display())
}

struct Rollback<'a> {
    settings: &'a Settings,
    item: &'a Item,
    /// What was taken of the live tree to be safe: it bears the token as its id.
    safety: Option<Item>,
    progress: &'a dyn Progress,
}

impl Replacement for Rollback<'_> {
    fn stage(&self, dir: &OwnedFd, name: &CStr) -> Result<(), StorageError> {
        // What was changed meanwhile is not what was asked for.
        verify::verify(self.item)?;
        let carried = self.expendable()?;
        let without = carried.iter().map(|path| path.as_os_str().as_bytes().to_vec()).collect();
        let made = restore::fill(self.item, dir.as_fd(), name, &without, self.progress)?;
        if let Some(bereft) = made.bereft {
            // In its own place it must not become something else without a word.
            let why = format!("{bereft}, see chattr(1); {OTHERWISE}");
            return Err(StorageError::new(Fault::Permanent, doing(self.settings), why));
        }
        if let Some(lost) = made.lost {
            tracing::warn!("{}: {lost}", doing(self.settings));
        }
        let (new, _) = below(dir, name.to_bytes()).doing(|| doing(self.settings))?;
        carried.iter().try_for_each(|path| self.fits(&new, path))
    }

    fn users(&self, at: &Path) -> Result<Vec<String>, StorageError> {
        users::users_among(at, whom(self.settings))
    }

    fn ready(&self) -> Result<(), StorageError> {
        self.expendable()?;
        self.progress.wanted()
    }

    fn judge(&self, old: &Aside<'_>) -> Result<(), StorageError> {
        let kind = Meta::of(old.reference).doing(|| doing(self.settings))?.kind;
        let carried = self.left_out(old.reference, kind)?;
        self.compare(old.reference, &carried, &|line, meta| {
            let is = meta.into();
            // The exchange of names moved its time of change.
            line.path.is_empty() && Stamps { ctime: line.was.ctime, ..is } == line.was
                || line.was == is
        })
    }

    fn carry(&self, old: &Aside<'_>, new: &OwnedFd) -> Result<(), StorageError> {
        let old = old.reference;
        let stored = data(&self.item.path).doing(|| doing(self.settings))?;
        let kind = Meta::of(old).doing(|| doing(self.settings))?.kind;
        let carried = self.left_out(old, kind)?;
        for path in &carried {
            self.carry_one(old, new, path)?;
        }
        fix(stored.as_fd(), new.as_fd()).doing(|| doing(self.settings))?;
        match carried.is_empty() {
            true => Ok(()),
            // They must have arrived before the tree that they came from is gone.
            false => rustix::fs::syncfs(&open_dir(new).doing(|| doing(self.settings))?)
                .doing(|| doing(self.settings)),
        }
    }
}

impl Rollback<'_> {
    /// The excluded paths that are there, none of them inside another.
    fn left_out(&self, root: &OwnedFd, kind: Kind) -> Result<Vec<PathBuf>, StorageError> {
        let mut found: Vec<PathBuf> = Vec::new();
        if kind != Kind::Dir {
            return Ok(found);
        }
        let mut excluded: Vec<&PathBuf> = self.settings.exclude.iter().collect();
        excluded.sort();
        for path in excluded {
            if found.iter().any(|above| path.starts_with(above)) {
                continue;
            }
            match below(root, path.as_os_str().as_bytes()) {
                Ok(_) => found.push(path.clone()),
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                Err(error) => return Err(error).doing(|| self.carrying(path)),
            }
        }
        Ok(found)
    }

    /// Looks at the whole live tree. Returns what is carried over.
    ///
    /// # Errors
    /// [`Fault::Permanent`] for what no snapshot holds or nobody can remove, [`Fault::Busy`] for
    /// what was changed since the snapshot that was taken to be safe.
    fn expendable(&self) -> Result<Vec<PathBuf>, StorageError> {
        let (live, kind) = identity::open(&self.settings.path)?;
        let carried = self.left_out(&live, kind)?;
        self.compare(&live, &carried, &|line, meta| line.was == meta.into())?;
        Ok(carried)
    }

    /// Whether all of a tree but what is carried over is as the snapshot to be safe has it.
    fn compare(
        &self,
        root: &OwnedFd,
        carried: &[PathBuf],
        is_same: &dyn Fn(&Line, &Meta) -> bool,
    ) -> Result<(), StorageError> {
        let top = Meta::of(root).doing(|| doing(self.settings))?;
        let index = self.safety.as_ref().map(|safety| Reader::open(&safety.path.join(INDEX)));
        let mut index = index.transpose()?;
        let beside = self.safety.as_ref().zip(index.as_ref());
        let contents = beside.map(|(safety, index)| Contents::open(root, &safety.path, index));
        let contents = contents.transpose()?;
        let holds = |line: &Line, meta: &Meta| {
            contents.as_ref().map_or(Ok(true), |contents| contents.hold(line, meta))
        };
        walk_with_mounts(root, &mut |path, meta| {
            let is_below = |above: &PathBuf| Path::new(OsStr::from_bytes(path)).starts_with(above);
            if carried.iter().any(is_below) {
                return Ok(());
            }
            let seen = refuse_stuck(&top, meta).map_err(|why| {
                let doing = format!("{}: looking at {}", doing(self.settings), shown(path));
                StorageError::new(Fault::Permanent, doing, why)
            });
            let meta = seen?;
            let Some(index) = &mut index else { return Ok(()) };
            match index.next()? {
                Some(line) if line.path == path && is_same(&line, meta) && holds(&line, meta)? => {
                    Ok(())
                }
                _ => Err(self.changed(path)),
            }
        })?;
        match index.map(|mut index| index.next()).transpose()?.flatten() {
            Some(line) => Err(self.changed(&line.path)),
            None => Ok(()),
        }
    }

    fn changed(&self, path: &[u8]) -> StorageError {
        let safety = self.safety.as_ref().map(|safety| safety.seq).unwrap_or_default();
        let why = format!(
            "{} is not as snapshot {safety} has it, which alone would hold it; stop what writes to \
             it, then ask again",
            shown(path)
        );
        StorageError::new(Fault::Busy, doing(self.settings), why)
    }

    fn fits(&self, new: &OwnedFd, path: &Path) -> Result<(), StorageError> {
        match below(new, above(path)) {
            Ok((_, meta)) if meta.kind == Kind::Dir && !meta.fixed => Ok(()),
            Ok((_, meta)) if meta.fixed => {
                let why = "snapshots leave it out, and in this one the directory that it lies in may \
                           not be changed, see chattr(1); move it out of the resource, or make a \
                           new one from the snapshot: heptactl create";
                Err(StorageError::new(Fault::Permanent, self.carrying(path), why))
            }
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
                let why = "snapshots leave it out, and this one has no directory that it could lie \
                           in; move it out of the resource, or make a new one from the snapshot: \
                           heptactl create";
                Err(StorageError::new(Fault::Permanent, self.carrying(path), why))
            }
            Err(error) => Err(error).doing(|| self.carrying(path)),
        }
    }

    fn carry_one(&self, old: &OwnedFd, new: &OwnedFd, path: &Path) -> Result<(), StorageError> {
        let doing = || self.carrying(path);
        let parent = |root: &OwnedFd| below(root, above(path)).and_then(|(dir, _)| open_dir(dir));
        let (from, to) = (parent(old).doing(doing)?, parent(new).doing(doing)?);
        let before = Meta::of(&to).doing(doing)?;
        let name = path.file_name().unwrap_or_default();
        match rustix::fs::renameat_with(&from, name, &to, name, RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) => {
                let why = "something has appeared in its place since; move that away";
                return Err(StorageError::new(Fault::Permanent, doing(), why));
            }
            moved => moved.doing(doing)?,
        }
        let (last_access, last_modification) = (before.atime.into(), before.mtime.into());
        rustix::fs::futimens(&to, &Timestamps { last_access, last_modification }).doing(doing)
    }

    fn carrying(&self, path: &Path) -> String {
        format!("{}: carrying {} over", doing(self.settings), path.display())
    }
}

/// What stands against the removal of an entry of the live tree.
fn refuse_stuck<'a>(root: &Meta, meta: Option<&'a Meta>) -> Result<&'a Meta, String> {
    let why = match meta.filter(|meta| meta.same_mount(root)) {
        None => "it is another file system, which no snapshot holds; move it out of the resource",
        Some(meta) if meta.fixed => {
            "it cannot be removed, being immutable or only appended to; see chattr(1)"
        }
        Some(meta) => return Ok(meta),
    };
    Err(format!("{why}, or make a new one from the snapshot: heptactl create"))
}

/// The directory that an entry lies in, from the root.
fn above(path: &Path) -> &[u8] {
    match path.parent().map(|above| above.as_os_str().as_bytes()) {
        None | Some(b"") => b".",
        Some(above) => above,
    }
}
