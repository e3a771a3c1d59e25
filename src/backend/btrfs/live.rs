//! The live resource: a subvolume, and those nested in it.

use super::place::Place;
use super::shown::expect_shown;
use super::store_root::STORE;
use crate::domain::operation::Fault;
use crate::fs::subvolume::{self, Subvolume, TOP_ID};
use crate::fs::{Doing, StorageError};
use crate::host::sys::{self, ChildRef, SearchKey};
use rustix::io::Errno;
use rustix::mount::OpenTreeFlags;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// How often the nested subvolumes are listed at most while some are moved.
const LISTINGS: usize = 6;
/// The tree of all subvolumes, and what it has of each that has a name (`BTRFS_ROOT_BACKREF_KEY`).
const ROOTS: u64 = 1;
const NAMED: u32 = 144;

/// The resource, open.
#[derive(Debug)]
pub(super) struct Live {
    pub root: Subvolume,
    pub identity: String,
    /// Whether it is looked at without what is mounted on it.
    bare: bool,
}

/// A subvolume nested in the resource, at whatever depth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Nested {
    /// From the root of the resource.
    pub path: PathBuf,
    pub id: u64,
    pub uuid: Uuid,
    pub read_only: bool,
    /// What it is a read-only snapshot of, and exactly as that was; nil for anything else.
    pub snapshot_of: Uuid,
}

impl Nested {
    fn new(path: PathBuf, open: &Subvolume) -> Self {
        // One that was received came from elsewhere, whatever it was made of here.
        let is_snapshot = open.is_untouched() && !open.is_received();
        Self {
            path,
            id: open.info.id,
            uuid: open.uuid(),
            read_only: open.info.read_only,
            snapshot_of: if is_snapshot { open.parent() } else { Uuid::nil() },
        }
    }
}

impl Live {
    /// # Errors
    /// [`Fault::Absent`] when no subvolume is there: it is not mounted, was removed, or a plain
    /// directory is in its place.
    pub(super) fn open(path: &Path, place: &Place) -> Result<Self, StorageError> {
        let doing = || format!("opening {}", path.display());
        expect_shown(path, place)?;
        let root = match subvolume::open_absolute(path) {
            Ok(dir) => Subvolume::new(dir).doing(doing)?,
            Err(Errno::LOOP) => {
                let detail = "a part of this path is a symbolic link; write the path it leads to";
                return Err(StorageError::new(Fault::Permanent, doing(), detail));
            }
            Err(error) => return Err(error).doing(doing),
        };
        let Some(root) = root else {
            return Err(StorageError::new(
                Fault::Absent,
                doing(),
                "it is a plain directory, not a subvolume; mount its file system, or make it a \
                 subvolume with btrfs subvolume create",
            ));
        };
        let fsid = Uuid::from_bytes(sys::btrfs_fsid(&root.dir).doing(doing)?);
        if fsid != place.fsid {
            let detail = "what is mounted there is changing at this moment";
            return Err(StorageError::new(Fault::Transient, doing(), detail));
        }
        Ok(Self::of(root, place))
    }

    /// As it is open already, by whatever name it has.
    pub(super) fn of(root: Subvolume, place: &Place) -> Self {
        let identity = identity(place.fsid, &root);
        Self { root, identity, bare: false }
    }

    /// The same, opened by a way on which nothing is mounted.
    pub(super) fn bare(root: Subvolume, place: &Place) -> Self {
        Self { bare: true, ..Self::of(root, place) }
    }

    /// Whether it is the subvolume at the top of its file system.
    pub(super) fn is_top(&self) -> bool {
        self.root.info.id == TOP_ID
    }

    /// All nested subvolumes, parents before children; heptad's own store is none of them. One that
    /// is removed meanwhile is not there; one that is moved meanwhile is.
    ///
    /// # Errors
    /// [`Fault::Transient`] where they are moved all the time.
    pub(super) fn nested(&mut self) -> Result<Vec<Nested>, StorageError> {
        if self.children(&self.root, Path::new(""))?.is_empty() {
            return Ok(Vec::new());
        }
        self.leave_mounts()?;
        let (mut before, _) = self.list()?;
        for _ in 1..LISTINGS {
            let (now, lost) = self.list()?;
            let known = before.iter().map(|nested| nested.id).chain(lost);
            if passed_over(known, &now, |id| self.is_named(id))?.is_none() {
                return Ok(now);
            }
            before = now;
        }
        let why = "those that are nested in it are being moved all the time; stop what moves them";
        Err(StorageError::new(Fault::Transient, "listing nested subvolumes", why))
    }

    /// Whether a subvolume still has a name, be it outside of this one.
    fn is_named(&self, id: u64) -> Result<bool, StorageError> {
        let key = SearchKey { tree: ROOTS, object: id, item_type: NAMED, offsets: (0, u64::MAX) };
        let found = sys::btrfs_search(&self.root.dir, key);
        Ok(found.doing(|| format!("looking for subvolume {id}"))?.0 > 0)
    }

    /// Also the ids of those that were listed, and were not there any more.
    fn list(&self) -> Result<(Vec<Nested>, Vec<u64>), StorageError> {
        let (mut found, mut lost) = (Vec::new(), Vec::new());
        let mut waiting = self.children(&self.root, Path::new(""))?;
        waiting.reverse();
        while let Some((path, child)) = waiting.pop() {
            let Some(open) = find_child(&self.root, &path, child)? else {
                lost.push(child.id);
                continue;
            };
            let mut below = self.children(&open, &path)?;
            below.reverse();
            found.push(Nested::new(path, &open));
            waiting.append(&mut below);
        }
        Ok((found, lost))
    }

    /// Opens one of them.
    pub(super) fn open_nested(&self, nested: &Nested) -> Result<Subvolume, StorageError> {
        let child = ChildRef { id: nested.id, dir_inode: 0 };
        find_child(&self.root, &nested.path, child)?.ok_or_else(|| {
            let why = "it was moved or removed at this moment";
            StorageError::new(Fault::Transient, opening(&nested.path), why)
        })
    }

    /// Looks at the subvolume through a private copy of its mount, in which nothing else is mounted
    /// on it: a disk mounted over a nested subvolume would hide it.
    fn leave_mounts(&mut self) -> Result<(), StorageError> {
        if self.bare {
            return Ok(());
        }
        let doing = || "opening the subvolume without what is mounted on it".to_owned();
        let flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_EMPTY_PATH;
        let bare = rustix::mount::open_tree(&self.root.dir, "", flags).doing(doing)?;
        self.root.dir = subvolume::open_below(&bare, ".").doing(doing)?;
        self.bare = true;
        Ok(())
    }

    fn children(
        &self,
        parent: &Subvolume,
        path: &Path,
    ) -> Result<Vec<(PathBuf, ChildRef)>, StorageError> {
        let doing = || "listing nested subvolumes".to_owned();
        let mut found = Vec::new();
        for child in sys::btrfs_children(&parent.dir).doing(doing)? {
            let path = match sys::btrfs_child_path(&parent.dir, child) {
                // It was removed since the others were listed.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                below => path.join(below.doing(doing)?),
            };
            if !(self.is_top() && path == Path::new(STORE)) {
                found.push((path, child));
            }
        }
        Ok(found)
    }
}

/// One of those that are known and that a listing does not have, though it was not removed: it may
/// have been moved to where the listing had been already.
fn passed_over<E>(
    known: impl Iterator<Item = u64>,
    listed: &[Nested],
    mut is_named: impl FnMut(u64) -> Result<bool, E>,
) -> Result<Option<u64>, E> {
    let listed: BTreeSet<u64> = listed.iter().map(|nested| nested.id).collect();
    for id in known.filter(|id| !listed.contains(id)) {
        if is_named(id)? {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// None where it was moved or removed.
fn find_child(
    root: &Subvolume,
    path: &Path,
    child: ChildRef,
) -> Result<Option<Subvolume>, StorageError> {
    let doing = || opening(path);
    let open = match Subvolume::open(&root.dir, path) {
        // It went in the middle of being opened.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        open => open.doing(doing)?,
    };
    Ok(open.filter(|open| open.info.id == child.id))
}

fn opening(path: &Path) -> String {
    format!("opening the nested subvolume {}", path.display())
}

/// Stable while the subvolume is the same one, whatever its path. The top of an old file system has
/// no UUID of its own; there is only one.
fn identity(fsid: Uuid, root: &Subvolume) -> String {
    if root.info.id == TOP_ID && root.uuid().is_nil() {
        return format!("{fsid}:top");
    }
    format!("{fsid}:{}", root.uuid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subvolume_that_a_listing_has_passed_over_is_told_from_one_that_is_gone() {
        let check = |known: &[u64], listed: &[u64], named: &[u64], want: Option<u64>| {
            let one = |id: &u64| Nested {
                path: PathBuf::new(),
                id: *id,
                uuid: Uuid::nil(),
                read_only: false,
                snapshot_of: Uuid::nil(),
            };
            let listed: Vec<Nested> = listed.iter().map(one).collect();
            let is_named = |id| Ok::<_, ()>(named.contains(&id));
            assert_eq!(
                passed_over(known.iter().copied(), &listed, is_named),
                Ok(want),
                "{known:?}"
            );
        };
        check(&[7, 8], &[7, 8], &[7, 8], None);
        check(&[7, 8], &[7, 8, 9], &[7, 8, 9], None);
        check(&[7, 8], &[8], &[8], None);
        check(&[7, 8], &[8], &[7, 8], Some(7));
    }
}
