//! Copying a snapshot to another one, and to a path of the user's.

use super::super::shelf::{Growing, Item};
use super::super::tree::{Copy, Entry, Report, Visitor, copy_tree};
use super::super::{BackendError, Doing, Progress};
use super::DATA;
use super::detail::Detail;
use crate::domain::operation::Fault;
use rustix::fs::{Mode, OFlags};
use std::collections::HashSet;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The copy becomes another name of the same file: nobody writes to either.
struct Sharer;

impl Visitor for Sharer {
    fn unchanged(&mut self, file: &Entry<'_>) -> Result<Option<OwnedFd>, BackendError> {
        let shared = file.reference.try_clone_to_owned();
        shared.map(Some).doing(|| "sharing a file".into())
    }
}

/// # Errors
/// [`Fault::Permanent`] where the source is not what its manifest says.
pub fn keep(
    growing: &Growing<'_>,
    source: &Item,
) -> Result<(Option<Detail>, Vec<String>), BackendError> {
    let doing = || format!("copying snapshot {}", source.seq);
    let detail = Detail::of(&source.manifest);
    if !detail.as_ref().is_some_and(|detail| detail.matches(&source.path).unwrap_or(false)) {
        let why = "it is not what its manifest says";
        return Err(BackendError::new(Fault::Permanent, doing(), why));
    }
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let from = rustix::fs::open(source.path.join(DATA), flags, Mode::empty()).doing(doing)?;
    let report = whole(from.as_fd(), growing.dir.as_fd(), c"data", &(), &mut Sharer)?;
    let mut notes = vec![format!("{} of snapshot {}", report.how(), source.seq)];
    notes.extend(source.manifest.notes.iter().cloned());
    Ok((detail, notes))
}

/// Copies with owner and mode, or not at all.
pub fn whole(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    name: &CStr,
    progress: &dyn Progress,
    visitor: &mut dyn Visitor,
) -> Result<Report, BackendError> {
    let exclude = HashSet::new();
    let options =
        Copy { exclude: &exclude, cross_mounts: true, own_store: None, progress, total: None };
    let report = copy_tree(from, to, name, &options, visitor)?;
    let mut losses = report.missing();
    losses.extend(report.bare());
    if losses.is_empty() {
        return Ok(report);
    }
    Err(BackendError::new(Fault::Permanent, "copying a snapshot", losses.join("; ")))
}
