//! One snapshot as it lies in the store.

use super::detail::Detail;
use crate::browse::{OpenTree, Own};
use crate::domain::operation::Fault;
use crate::domain::snapshot::{Handle, Seq};
use crate::domain::survey::Wholeness;
use crate::domain::tree::TreePath;
use crate::fs::subvolume::{self, Subvolume};
use crate::fs::{Doing, StorageError};
use crate::host::sys;
use crate::store::manifest::{MANIFEST, MARKS, Manifest};
use rustix::fs::AtFlags;
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// A directory with this resource's manifest, whole or not.
#[derive(Debug)]
pub(super) struct Stored {
    pub seq: Seq,
    pub dir: OwnedFd,
    pub manifest: Manifest,
    pub detail: Detail,
    /// The snapshot of the resource itself: made last, destroyed after the nested ones.
    pub data: Option<Subvolume>,
    /// Those of the nested subvolumes, in the manifest's order.
    pub nested: Vec<Option<Subvolume>>,
}

impl Stored {
    pub(super) fn open(
        seq: Seq,
        dir: OwnedFd,
        manifest: Manifest,
        detail: Detail,
    ) -> io::Result<Self> {
        let data = Subvolume::open(&dir, DATA)?;
        let parts = 0..detail.nested.len();
        let nested =
            parts.map(|at| Subvolume::open(&dir, part_path(at))).collect::<Result<_, _>>()?;
        Ok(Self { seq, dir, manifest, detail, data, nested })
    }

    /// Whole is what passed its commit point and still has all its parts; tampered is what was
    /// made writable, written to, or replaced by a snapshot of something else.
    pub(super) fn wholeness(&self) -> Wholeness {
        let Some(data) = &self.data else { return Wholeness::Partial };
        let sources = self.detail.nested.iter().map(|part| part.source);
        let mut intact = data.is_untouched() && data.parent() == self.detail.source;
        for (part, source) in self.nested.iter().zip(sources) {
            let Some(part) = part else { return Wholeness::Partial };
            intact &= part.is_untouched() && part.parent() == source;
        }
        if intact { Wholeness::Whole } else { Wholeness::Tampered }
    }

    /// The identity of what lies here: file system and subvolume; empty before the commit point.
    pub(super) fn object(&self, fsid: Uuid) -> String {
        self.data.as_ref().map(|data| format!("{fsid}:{}", data.uuid())).unwrap_or_default()
    }

    /// # Errors
    /// [`Fault::Identity`] unless it is exactly the one that the handle means.
    pub(super) fn must_be(&self, handle: &Handle, fsid: Uuid) -> Result<(), StorageError> {
        let refuse = |what: &str, is: String| {
            let doing = format!("comparing snapshot {} with what was asked for", handle.seq);
            Err(StorageError::new(Fault::Identity, doing, format!("its {what} is {is}")))
        };
        if self.manifest.id != handle.id {
            return refuse("id", format!("{}, not {}", self.manifest.id, handle.id));
        }
        let object = self.object(fsid);
        if !handle.object.is_empty() && !object.is_empty() && object != handle.object {
            return refuse("subvolume", format!("{object}, not {}", handle.object));
        }
        Ok(())
    }

    /// # Errors
    /// [`Fault::Absent`] or [`Fault::Identity`] unless it can be used as the snapshot it was.
    pub(super) fn whole(self) -> Result<Self, StorageError> {
        let refuse = |fault, detail: &str| {
            let doing = format!("opening snapshot {}", self.seq);
            Err(StorageError::new(fault, doing, detail))
        };
        match self.wholeness() {
            Wholeness::Whole => Ok(self),
            Wholeness::Partial => refuse(Fault::Absent, "a part of it is missing"),
            Wholeness::Tampered => {
                refuse(Fault::Identity, "it was made writable or changed; its content is unknown")
            }
        }
    }

    /// Its content, with that of the nested subvolumes in their places. None where there is none.
    /// A path of the manifest that is no path below the top is left out.
    /// `source` is the device that the file system is mounted from.
    pub(super) fn into_tree(self, source: &Path) -> Option<OpenTree> {
        let own = |part: &Subvolume| {
            let subvolume = ("subvolid", part.info.id.to_string());
            Own::Fresh { kind: BACKEND, source: source.into(), options: vec![subvolume] }
        };
        let paths = self.detail.nested.iter().map(|part| part.path.to_path());
        let parts = paths.zip(self.nested).filter_map(|(path, part)| {
            let path = TreePath::new(path.as_os_str().as_bytes()).ok()?;
            Some((path, part?))
        });
        let data = self.data?;
        let way = own(&data);
        let tree = OpenTree::with_mount(data.dir, way);
        Some(parts.fold(tree, |tree, (path, part)| {
            let way = own(&part);
            tree.with_part(path, part.dir, Some(way))
        }))
    }

    /// Destroys what is here: nested snapshots, data, manifest, directory, in this order, so that
    /// an interruption leaves something that is listed and can be destroyed again.
    pub(super) fn clear(self) -> Result<(), StorageError> {
        let sources = self.detail.nested.iter().map(|part| part.source);
        for ((at, part), source) in self.nested.iter().enumerate().zip(sources) {
            if let Some(part) = part {
                if part.parent() != source {
                    return Err(foreign(&part_path(at)));
                }
                destroy(&self.dir, part)?;
            }
        }
        if let Some(data) = &self.data {
            if data.parent() != self.detail.source {
                return Err(foreign(Path::new(DATA)));
            }
            destroy(&self.dir, data)?;
        }
        clear_dir(&self.dir)
    }
}

/// Where the snapshot of the n-th nested subvolume lies.
pub(super) fn part_path(at: usize) -> PathBuf {
    PathBuf::from(NESTED).join(at.to_string())
}

/// Removes the files and directories that heptad makes around snapshots. Whatever else somebody
/// put there stays.
pub(super) fn clear_dir(dir: &OwnedFd) -> Result<(), StorageError> {
    let doing = || "clearing a snapshot's directory".to_owned();
    match subvolume::remove(dir, NESTED, AtFlags::REMOVEDIR) {
        Ok(()) => {}
        Err(Errno::NOTEMPTY) => return Err(foreign(Path::new(NESTED))),
        Err(error) => return Err(error).doing(doing),
    }
    for file in MARKS.into_iter().chain([MANIFEST]) {
        subvolume::remove(dir, file, AtFlags::empty()).doing(doing)?;
    }
    Ok(())
}

fn foreign(path: &Path) -> StorageError {
    StorageError::new(
        Fault::Identity,
        format!("destroying {}", path.display()),
        "something that heptad did not make lies there; move it away",
    )
}

/// Destroys one subvolume, by its id: whatever took its name meanwhile is safe.
pub(super) fn destroy(fs: &OwnedFd, subvolume: &Subvolume) -> Result<(), StorageError> {
    let id = subvolume.info.id;
    let result = sys::btrfs_destroy(fs, id);
    if let Err(error) = &result
        && error.raw_os_error() == Some(Errno::NOTEMPTY.raw_os_error())
    {
        let detail = "other subvolumes lie in it that heptad did not make; move them away";
        let doing = format!("destroying subvolume {id}");
        return Err(StorageError::new(Fault::Permanent, doing, detail));
    }
    result.doing(|| format!("destroying subvolume {id}"))
}

pub(super) const DATA: &str = "data";

pub(super) const NESTED: &str = "nested";

pub(super) const BACKEND: &str = "btrfs";
