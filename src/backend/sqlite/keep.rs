//! Copying a snapshot to another one, and to a path of the user's.

use super::DATA;
use super::detail::Detail;
use crate::domain::operation::Fault;
use crate::fs::tree::{Copy, Entry, Flow, Meta, Report, Visitor, copy_tree};
use crate::fs::{Doing, Progress, StorageError};
use crate::store::Seal;
use crate::store::{Growing, Item};
use rustix::fs::{Mode, OFlags};
use std::collections::HashSet;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The copy becomes another name of the same file: nobody writes to either.
struct Sharer;

impl Visitor for Sharer {
    fn unchanged(&mut self, file: &Entry<'_>) -> Result<Option<OwnedFd>, StorageError> {
        let shared = file.reference.try_clone_to_owned();
        shared.map(Some).doing(|| "sharing a file".into())
    }
}

/// The source was verified a moment ago.
pub fn keep(
    growing: &Growing<'_>,
    source: &Item,
    progress: &dyn Progress,
) -> Result<(Option<Detail>, Vec<String>), StorageError> {
    let doing = || format!("copying snapshot {}", source.seq);
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let from = rustix::fs::open(source.path.join(DATA), flags, Mode::empty()).doing(doing)?;
    let (from, into) = (from.as_fd(), growing.dir.as_fd());
    let report = whole(from, into, c"data", Flow::WithinStore, progress, &mut Sharer)?;
    let mut notes = vec![format!("{} of snapshot {}", report.how(), source.seq)];
    notes.extend(source.manifest.notes.iter().cloned());
    Ok((Detail::of(&source.manifest), notes))
}

/// Copies with owner and mode, or not at all.
pub fn whole(
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
