//! A snapshot of a snapshot: its files under further names, a subvolume as another subvolume.

use super::copy::tree;
use super::detail::{Detail, look, measure};
use crate::domain::operation::Fault;
use crate::domain::survey::Wholeness;
use crate::fs::subvolume::Subvolume;
use crate::fs::tree::{Flow, Share, names, peek};
use crate::fs::{Asking, Doing, Progress, StorageError};
use crate::host::sys;
use crate::store::manifest::{MANIFEST, MARKS};
use crate::store::{Filled, Growing, Item, Seal, state};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

/// # Errors
/// [`Fault::Permanent`] where it does not look as it did: a copy would pass for what it was.
pub(super) fn expect_whole(source: &Item) -> Result<(), StorageError> {
    if state::<Detail>(source)? == Wholeness::Whole {
        return Ok(());
    }
    Err(differs(source))
}

fn differs(source: &Item) -> StorageError {
    let doing = format!("copying snapshot {}", source.seq);
    StorageError::new(Fault::Permanent, doing, "it is not what its manifest says")
}

/// All bytes are compared with the manifest's measure once they are copied.
pub(super) fn keep(
    source: &Item,
    growing: &Growing<'_>,
    progress: &dyn Progress,
) -> Result<Filled, StorageError> {
    let doing = || format!("copying snapshot {}", source.seq);
    let mut detail = Detail::of(&source.manifest).ok_or_else(|| differs(source))?;
    let from = std::fs::File::open(&source.path).doing(doing)?;
    for name in names(&from).doing(doing)? {
        let path = OsStr::from_bytes(name.to_bytes());
        if path == MANIFEST || MARKS.iter().any(|mark| path == *mark) {
            continue;
        }
        if let Some(part) = Subvolume::open(&from, path).doing(doing)? {
            sys::btrfs_snapshot(&growing.dir, &part.dir, path, true).doing(doing)?;
            continue;
        }
        let (reference, _) = peek(&from, &name).doing(doing)?;
        let (from, into, none) = (reference.as_fd(), growing.dir.as_fd(), HashSet::new());
        let asking = Asking(progress);
        tree(from, into, &name, Flow::WithinStore, &none, &asking, &mut Share)?;
    }
    if !detail.measure.is_of(&measure(&growing.dir)?) {
        return Err(differs(source));
    }
    let subvolume = Subvolume::open(&growing.dir, "data").doing(doing)?;
    detail.subvolume = subvolume.map(|subvolume| subvolume.parent());
    detail.look = look(&growing.dir).doing(doing)?;
    let mut notes = vec![format!("shares its files with snapshot {}", source.seq)];
    notes.extend(source.manifest.notes.iter().cloned());
    Filled::new(detail, notes)
}
