//! Copying a snapshot to another one, and to a path of the user's.

use super::DATA;
use super::detail::Detail;
use crate::domain::operation::Fault;
use crate::fs::tree::{Copy, Flow, Meta, Report, Share, Visitor, copy_tree};
use crate::fs::{Doing, Progress, StorageError};
use crate::store::{Filled, Growing, Item, Seal};
use rustix::fs::{Mode, OFlags};
use std::collections::HashSet;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};

/// The source was verified a moment ago.
pub(super) fn keep(
    growing: &Growing<'_>,
    source: &Item,
    progress: &dyn Progress,
) -> Result<Filled, StorageError> {
    let doing = || format!("copying snapshot {}", source.seq);
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let from = rustix::fs::open(source.path.join(DATA), flags, Mode::empty()).doing(doing)?;
    let (from, into) = (from.as_fd(), growing.dir.as_fd());
    let report = whole(from, into, c"data", Flow::WithinStore, progress, &mut Share)?;
    let mut notes = vec![format!("{} of snapshot {}", report.how(), source.seq)];
    notes.extend(source.manifest.notes.iter().cloned());
    Filled::new(Detail::of(&source.manifest), notes)
}

/// Copies with owner and mode, or not at all.
pub(super) fn whole(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    name: &CStr,
    flow: Flow,
    progress: &dyn Progress,
    visitor: &mut dyn Visitor,
) -> Result<Report, StorageError> {
    let exclude = HashSet::new();
    let total = Meta::of(from).ok().map(|meta| meta.size);
    let options =
        Copy { flow, exclude: &exclude, cross_mounts: true, own_store: None, progress, total };
    let report = copy_tree(from, to, name, &options, visitor)?;
    let mut losses = report.missing();
    losses.extend(report.bare());
    if losses.is_empty() {
        return Ok(report);
    }
    Err(StorageError::new(Fault::Permanent, "copying a snapshot", losses.join("; ")))
}
