//! A new, independent copy of a snapshot at a path of the user's.

use super::super::tree::{Copy, copy_tree, open_dir, open_nosymlink, remove_tree};
use super::super::{BackendError, Doing, Progress};
use super::detail::{Detail, data};
use super::shelf::Item;
use super::verify;
use crate::domain::operation::Fault;
use rustix::fs::{AtFlags, RenameFlags};
use rustix::io::Errno;
use std::collections::HashSet;
use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// # Errors
/// [`Fault::Permanent`] where the target exists, its parent does not, the snapshot is not as it was
/// stored, or the file system there cannot hold it. Then nothing is left at the target.
pub fn restore(item: &Item, target: &Path, progress: &dyn Progress) -> Result<(), BackendError> {
    let doing = || format!("restoring snapshot {} to {}", item.seq, target.display());
    let refuse = |why: String| BackendError::new(Fault::Permanent, doing(), why);
    let (parent, name) = match (target.parent(), target.file_name()) {
        (Some(parent), Some(name)) if target.is_absolute() => (parent, name),
        _ => return Err(refuse("it is not an absolute path to a new name".into())),
    };
    let dir = match open_nosymlink(parent).and_then(|found| open_dir(&found).doing(doing)) {
        Err(error) if error.fault == Fault::Absent => {
            return Err(refuse(format!("there is no directory {}", parent.display())));
        }
        opened => opened?,
    };
    if rustix::fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
        return Err(refuse("it exists already, and nothing is ever written over".into()));
    }
    // What was changed meanwhile is not what was asked for.
    verify::verify(item)?;
    let hidden = hidden_name(item, name).map_err(std::io::Error::from).doing(doing)?;
    remove_tree(dir.as_fd(), &hidden)?;
    let placed = fill(item, &dir, &hidden, progress).and_then(|()| {
        place(dir.as_fd(), &hidden, name).map_err(|error| match error {
            Errno::EXIST => refuse("something has appeared there meanwhile".into()),
            Errno::INVAL => refuse("the file system there cannot rename without replacing".into()),
            other => BackendError::io(doing(), &other.into()),
        })
    });
    if placed.is_err() {
        // The first error is the one to tell; a second try clears what this leaves.
        let _ = remove_tree(dir.as_fd(), &hidden);
    }
    placed?;
    rustix::fs::fsync(&dir).doing(doing)
}

/// The same for the same snapshot and target, so that the remains of an interrupted attempt are
/// found; and of fixed length, as the target's own name may have the longest.
fn hidden_name(item: &Item, name: &OsStr) -> Result<CString, std::ffi::NulError> {
    // FNV-1a, 64 bits.
    let hash = name.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    CString::new(format!(".heptad-{}-{hash:016x}", item.manifest.id.simple()))
}

fn fill(
    item: &Item,
    dir: &OwnedFd,
    hidden: &CString,
    progress: &dyn Progress,
) -> Result<(), BackendError> {
    let doing = || format!("restoring snapshot {}", item.seq);
    let detail = Detail::of(&item.manifest);
    let options = Copy {
        exclude: &HashSet::new(),
        cross_mounts: true,
        own_store: None,
        progress,
        total: detail.as_ref().map(|detail| detail.bytes),
    };
    let from = data(&item.path).doing(doing)?;
    let report = copy_tree(from.as_fd(), dir.as_fd(), hidden, &options, &mut ())?;
    let mut losses = report.missing();
    losses.extend(report.bare());
    if detail.map(|detail| (detail.entries, detail.bytes)) != Some((report.entries, report.bytes)) {
        losses.push("the snapshot is not what its manifest says".into());
    }
    if !losses.is_empty() {
        return Err(BackendError::new(Fault::Permanent, doing(), losses.join("; ")));
    }
    rustix::fs::syncfs(dir).doing(doing)
}

/// Gives it its name, never over something.
fn place(dir: BorrowedFd<'_>, hidden: &CString, name: &OsStr) -> rustix::io::Result<()> {
    rustix::fs::renameat_with(dir, hidden, dir, name, RenameFlags::NOREPLACE)
}
