//! A store or a place that is full, told as such. Each technology has words of its own for it, and
//! some of them speak of the resource, or sound like a dying disk.

use crate::backend::Backend;
use crate::domain::operation::{Failure, Fault};
use crate::fs::StorageError;
use std::path::Path;

/// Less free than this is none: what was being written did not fit into it.
const NOTHING: u64 = 1 << 20;

/// What failed while something was written for the resource.
pub(super) fn failure(backend: &dyn Backend, error: StorageError) -> Failure {
    let ground = backend.territory();
    match (ground.store, ground.roots.into_iter().next()) {
        (Some(store), _) => of("the store", &store, error),
        (None, Some(root)) => of("the file system of", &root, error),
        (None, None) => error.into(),
    }
}

/// What failed while something was made at a place.
pub(super) fn at(place: &Path, error: StorageError) -> Failure {
    of("the file system of", place, error)
}

fn of(what: &str, place: &Path, error: StorageError) -> Failure {
    // SQLite calls a write that did not fit an error of the disk.
    let is_full = match error.fault {
        Fault::NoSpace => true,
        Fault::Transient => free(place).is_some_and(|free| free < NOTHING),
        _ => false,
    };
    if !is_full {
        return error.into();
    }
    let place = place.display();
    let message = format!("{what} {place} is full, or a quota there is used up: {error}");
    Failure::new(Fault::NoSpace, message)
}

/// Bytes that are left for everybody.
fn free(place: &Path) -> Option<u64> {
    let there = place.ancestors().find(|path| path.exists())?;
    let disk = rustix::fs::statvfs(there).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}
