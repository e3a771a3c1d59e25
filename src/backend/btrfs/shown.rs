//! Whether the mount of a resource shows what it was rolled back to.

use super::place::Place;
use crate::domain::operation::Fault;
use crate::domain::sentence::shell_word;
use crate::fs::StorageError;
use crate::host::fstab::is_declared;
use crate::host::mounts::Mount;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Whether a mount shows what a rollback has replaced.
pub(super) fn is_aside(root: &Path) -> bool {
    root.file_name().is_some_and(|name| name.as_bytes().starts_with(HIDDEN.as_bytes()))
}

/// That the mount at a path shows what it shall.
///
/// # Errors
/// [`Fault::Absent`] where it shows what a rollback has replaced. `name` is the one that this had.
pub(super) fn expect_current(
    path: &Path,
    place: &Place,
    name: impl FnOnce() -> Option<OsString>,
) -> Result<(), StorageError> {
    match place.mount.point == path && is_aside(&place.mount.root) {
        true => Err(shows_old(path, place, name())),
        false => Ok(()),
    }
}

pub(super) fn shows_old(path: &Path, place: &Place, name: Option<OsString>) -> StorageError {
    let doing = format!("opening {}", path.display());
    let point = shell_word(path);
    let mount = match name.filter(|_| !is_declared(path)) {
        Some(name) => {
            let subvolume = place.mount.root.parent().unwrap_or(Path::new("/")).join(name);
            format!(
                "mount -o {},subvol={} {} {point}",
                options(&place.mount),
                shell_word(&subvolume),
                shell_word(&place.mount.source)
            )
        }
        None => format!("mount {point}"),
    };
    let why = format!(
        "it still shows, read-only, what was there before the rollback; to see what it was rolled back \
         to: umount {point} && {mount}"
    );
    StorageError::new(Fault::Absent, doing, why)
}

/// How it was mounted, but for the subvolume.
fn options(mount: &Mount) -> String {
    let all = mount.options.split(',').chain(mount.super_options.split(','));
    let mut options: Vec<&str> = Vec::new();
    for option in all.filter(|option| !option.starts_with("subvol")) {
        // A mount may be read-only on a file system that is not.
        let mode = ["rw", "ro"].contains(&option) && !options.is_empty();
        if !option.is_empty() && !mode && !options.contains(&option) {
            options.push(option);
        }
    }
    options.join(",")
}

/// As [`expect_current`], for who has no store at hand to tell what it was called.
pub(super) fn expect_shown(path: &Path, place: &Place) -> Result<(), StorageError> {
    expect_current(path, place, || None)
}

/// How the names begin of what is staged, and of what was live; the token follows.
pub(super) const HIDDEN: &str = ".heptad-rollback-";
