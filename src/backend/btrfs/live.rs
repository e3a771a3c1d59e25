//! The live resource: a subvolume, and those nested in it.

use super::place::Place;
use super::store_root::STORE;
use crate::backend::subvolume::{self, Subvolume, TOP_ID};
use crate::backend::{BackendError, Doing};
use crate::domain::operation::Fault;
use crate::host::sys::{self, ChildRef};
use rustix::io::Errno;
use rustix::mount::OpenTreeFlags;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// The resource, open.
#[derive(Debug)]
pub struct Live {
    pub root: Subvolume,
    pub identity: String,
}

/// A subvolume nested in the resource, at whatever depth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nested {
    /// From the root of the resource.
    pub path: PathBuf,
    pub id: u64,
    pub uuid: Uuid,
}

impl Live {
    /// # Errors
    /// [`Fault::Absent`] when no subvolume is there: it is not mounted, was removed, or a plain
    /// directory is in its place.
    pub fn open(path: &Path, place: &Place) -> Result<Self, BackendError> {
        let doing = || format!("opening {}", path.display());
        let root = match subvolume::open_absolute(path) {
            Ok(dir) => Subvolume::new(dir).doing(doing)?,
            Err(Errno::LOOP) => {
                let detail = "a part of this path is a symbolic link; write the path it leads to";
                return Err(BackendError::new(Fault::Permanent, doing(), detail));
            }
            Err(error) => return Err(error).doing(doing),
        };
        let Some(root) = root else {
            return Err(BackendError::new(
                Fault::Absent,
                doing(),
                "it is a plain directory, not a subvolume; mount its file system, or make it a \
                 subvolume with btrfs subvolume create",
            ));
        };
        let fsid = Uuid::from_bytes(sys::btrfs_fsid(&root.dir).doing(doing)?);
        if fsid != place.fsid {
            let detail = "what is mounted there is changing at this moment";
            return Err(BackendError::new(Fault::Transient, doing(), detail));
        }
        Ok(Self::of(root, place))
    }

    /// As it is open already, by whatever name it has.
    pub fn of(root: Subvolume, place: &Place) -> Self {
        let identity = identity(place.fsid, &root);
        Self { root, identity }
    }

    /// Whether it is the subvolume at the top of its file system.
    pub fn is_top(&self) -> bool {
        self.root.info.id == TOP_ID
    }

    /// All nested subvolumes, parents before children; heptad's own store is none of them.
    pub fn nested(&mut self) -> Result<Vec<Nested>, BackendError> {
        let mut found = Vec::new();
        let first = self.children(&self.root, Path::new(""))?;
        if first.is_empty() {
            return Ok(found);
        }
        self.leave_mounts()?;
        let mut waiting = first;
        waiting.reverse();
        while let Some((path, child)) = waiting.pop() {
            let open = open_child(&self.root, &path, child)?;
            let mut below = self.children(&open, &path)?;
            below.reverse();
            found.push(Nested { path, id: child.id, uuid: open.uuid() });
            waiting.append(&mut below);
        }
        Ok(found)
    }

    /// Opens one of them.
    pub fn open_nested(&self, nested: &Nested) -> Result<Subvolume, BackendError> {
        let child = ChildRef { id: nested.id, dir_inode: 0 };
        open_child(&self.root, &nested.path, child)
    }

    /// Looks at the subvolume through a private copy of its mount, in which nothing else is mounted
    /// on it: a disk mounted over a nested subvolume would hide it.
    fn leave_mounts(&mut self) -> Result<(), BackendError> {
        let doing = || "opening the subvolume without what is mounted on it".to_owned();
        let flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_EMPTY_PATH;
        let bare = rustix::mount::open_tree(&self.root.dir, "", flags).doing(doing)?;
        self.root.dir = subvolume::open_below(&bare, ".").doing(doing)?;
        Ok(())
    }

    fn children(
        &self,
        parent: &Subvolume,
        path: &Path,
    ) -> Result<Vec<(PathBuf, ChildRef)>, BackendError> {
        let doing = || "listing nested subvolumes".to_owned();
        let mut found = Vec::new();
        for child in sys::btrfs_children(&parent.dir).doing(doing)? {
            let path = path.join(sys::btrfs_child_path(&parent.dir, child).doing(doing)?);
            if !(self.is_top() && path == Path::new(STORE)) {
                found.push((path, child));
            }
        }
        Ok(found)
    }
}

fn open_child(root: &Subvolume, path: &Path, child: ChildRef) -> Result<Subvolume, BackendError> {
    let doing = || format!("opening the nested subvolume {}", path.display());
    let open = Subvolume::open(&root.dir, path).doing(doing)?;
    let same = |open: &Subvolume| open.info.id == child.id;
    open.filter(same).ok_or_else(|| {
        BackendError::new(Fault::Transient, doing(), "it was moved or removed at this moment")
    })
}

/// Stable while the subvolume is the same one, whatever its path. The top of an old file system has
/// no UUID of its own; there is only one.
fn identity(fsid: Uuid, root: &Subvolume) -> String {
    if root.info.id == TOP_ID && root.uuid().is_nil() {
        return format!("{fsid}:top");
    }
    format!("{fsid}:{}", root.uuid())
}
