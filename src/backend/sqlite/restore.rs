//! A new, independent database at a path of the user's.

use super::detail::database;
use super::settings::Settings;
use super::{damaged, keep, verify};
use crate::domain::operation::Fault;
use crate::fs::tree::{Flow, Meta, open_file, peek, same_content};
use crate::fs::{Doing, Progress, StorageError};
use crate::store::{Item, Target};
use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// The stored copy is checked by SQLite, and what was written is compared with it byte by byte: its
/// owner may have no way into the directory where it appears, and need not.
///
/// # Errors
/// [`Fault::Permanent`] where the target exists, its parent does not, or the copy is not sound.
/// Then nothing is left at the target.
pub(super) fn restore(
    settings: &Settings,
    item: &Item,
    target: &Path,
    progress: &dyn Progress,
) -> Result<(), StorageError> {
    let target = Target::open(item, target)?;
    verify::verify(settings, item, progress)?;
    let placed = fill(item, &target.dir, &target.hidden, progress).and_then(|made| {
        let made = Meta::of(&made).doing(|| "looking at what was made".into())?;
        progress.wanted()?;
        damaged::restore_sides(item, &target.dir, &target.name)?;
        target.appear(&made).map(drop)
    });
    if placed.is_err() {
        // The first error is the one to tell; a second try clears what this leaves.
        let _ = target.clear();
    }
    placed
}

/// Writes the stored copy to a new name and reads it again. Returns what was read: the owner of the
/// directory may have put something else there since.
pub(super) fn fill(
    item: &Item,
    dir: &OwnedFd,
    name: &CStr,
    progress: &dyn Progress,
) -> Result<OwnedFd, StorageError> {
    let doing = || format!("restoring snapshot {}", item.seq);
    let from = database(&item.path).doing(doing)?;
    keep::whole(from.as_fd(), dir.as_fd(), name, Flow::OutOfStore, progress, &mut ())?;
    progress.wanted()?;
    let (made, _) = peek(dir, name).doing(doing)?;
    let made = open_file(&made).doing(doing)?;
    if same_content(open_file(&from).doing(doing)?, &made).doing(doing)? {
        return Ok(made);
    }
    let why = "what was written is not what was read";
    Err(StorageError::new(Fault::Transient, doing(), why))
}
