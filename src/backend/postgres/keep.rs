//! A snapshot of a snapshot: its files under further names, a subvolume as another subvolume.

use super::copy::tree;
use super::detail::{Detail, look, measure};
use super::list::state;
use crate::domain::operation::Fault;
use crate::domain::survey::Wholeness;
use crate::fs::subvolume::Subvolume;
use crate::fs::tree::{Entry, Flow, Visitor, names, peek};
use crate::fs::{Asking, Doing, Progress, StorageError};
use crate::host::sys;
use crate::store::manifest::{MANIFEST, MARK};
use crate::store::{Growing, Item};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

/// Every file becomes another name of the same copy: nobody writes to either.
struct Sharer;

impl Visitor for Sharer {
    fn unchanged(&mut self, file: &Entry<'_>) -> Result<Option<OwnedFd>, StorageError> {
        file.reference.try_clone_to_owned().map(Some).doing(|| "sharing a file".into())
    }
}

pub fn keep(
    source: &Item,
    growing: &Growing<'_>,
    progress: &dyn Progress,
) -> Result<(Detail, Vec<String>), StorageError> {
    let doing = || format!("copying snapshot {}", source.seq);
    let detail = Detail::of(&source.manifest);
    let Some(mut detail) = detail.filter(|_| matches!(state(source), Ok(Wholeness::Whole))) else {
        let why = "it is not what its manifest says";
        return Err(StorageError::new(Fault::Permanent, doing(), why));
    };
    let from = std::fs::File::open(&source.path).doing(doing)?;
    for name in names(&from).doing(doing)? {
        let path = OsStr::from_bytes(name.to_bytes());
        if path == MANIFEST || path == MARK {
            continue;
        }
        if let Some(part) = Subvolume::open(&from, path).doing(doing)? {
            sys::btrfs_snapshot(&growing.dir, &part.dir, path, true).doing(doing)?;
            continue;
        }
        let (reference, _) = peek(&from, &name).doing(doing)?;
        let (from, into, none) = (reference.as_fd(), growing.dir.as_fd(), HashSet::new());
        let asking = Asking(progress);
        tree(from, into, &name, Flow::WithinStore, &none, &asking, &mut Sharer)?;
    }
    if !detail.measure.is_of(&measure(&growing.dir)?) {
        let why = "it is not what its manifest says";
        return Err(StorageError::new(Fault::Permanent, doing(), why));
    }
    let subvolume = Subvolume::open(&growing.dir, "data").doing(doing)?;
    detail.subvolume = subvolume.map(|subvolume| subvolume.parent());
    detail.look = look(&growing.dir).doing(doing)?;
    let mut notes = vec![format!("shares its files with snapshot {}", source.seq)];
    notes.extend(source.manifest.notes.iter().cloned());
    Ok((detail, notes))
}
