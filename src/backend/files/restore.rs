//! A new, independent copy of a snapshot at a path of the user's.

use super::detail::{Detail, data};
use super::verify;
use crate::domain::operation::Fault;
use crate::fs::tree::{Copy, Flow, Meta, Visitor, copy_tree, fix};
use crate::fs::{Doing, Progress, StorageError};
use crate::store::Seal;
use crate::store::{Item, Target};
use std::collections::HashSet;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

/// # Errors
/// [`Fault::Permanent`] where the target exists, its parent does not, the snapshot is not as it was
/// stored, or the file system there cannot hold it. Then nothing is left at the target.
pub(super) fn restore(
    item: &Item,
    target: &Path,
    progress: &dyn Progress,
) -> Result<Vec<String>, StorageError> {
    let target = Target::open(item, target)?;
    // What was changed meanwhile is not what was asked for.
    verify::verify(item)?;
    let filled = fill(item, target.dir.as_fd(), &target.hidden, &HashSet::new(), progress);
    let filled = filled.and_then(|made| progress.wanted().map(|()| made));
    let placed = filled.and_then(|made| target.appear(&made.root).map(|placed| (made, placed)));
    if placed.is_err() {
        // The first error is the one to tell; a second try clears what this leaves.
        let _ = target.clear();
    }
    let (made, placed) = placed?;
    let doing = || format!("restoring snapshot {}", item.seq);
    fix(data(&item.path).doing(doing)?.as_fd(), placed.as_fd()).doing(doing)?;
    Ok(made.lost.into_iter().collect())
}

/// What was filled.
pub(super) struct Filled {
    pub root: Meta,
    /// What has lost something that a place may do without.
    pub lost: Option<String>,
    /// What of it must not be lost in the original's own place.
    pub bereft: Option<String>,
}

/// Copies the snapshot to a new `name` in `dir`, all but some paths.
pub(super) fn fill(
    item: &Item,
    dir: BorrowedFd<'_>,
    name: &CStr,
    without: &HashSet<Vec<u8>>,
    progress: &dyn Progress,
) -> Result<Filled, StorageError> {
    let doing = || format!("restoring snapshot {}", item.seq);
    let detail = Detail::of(&item.manifest);
    let options = Copy {
        flow: Flow::OutOfStore,
        exclude: without,
        cross_mounts: true,
        own_store: None,
        progress,
        total: detail.as_ref().map(|detail| detail.bytes),
    };
    let from = data(&item.path).doing(doing)?;
    let mut root = Root(None);
    let report = copy_tree(from.as_fd(), dir, name, &options, &mut root)?;
    let mut losses = report.missing();
    losses.extend(report.bare());
    let expected = detail.map(|detail| (detail.entries, detail.bytes));
    if without.is_empty() && expected != Some((report.entries, report.bytes)) {
        losses.push("the snapshot is not what its manifest says".into());
    }
    match root.0 {
        Some(root) if losses.is_empty() => {
            let (lost, bereft) = (report.unflagged_sentence(), report.bereft_sentence());
            Ok(Filled { root, lost, bereft })
        }
        _ => Err(StorageError::new(Fault::Permanent, doing(), losses.join("; "))),
    }
}

/// What the copy itself is.
struct Root(Option<Meta>);

impl Visitor for Root {
    fn stored(&mut self, path: &[u8], _was: &Meta, is: &Meta) -> Result<(), StorageError> {
        if path.is_empty() {
            self.0 = Some(*is);
        }
        Ok(())
    }
}
