//! What a person can do by hand where a rollback is refused, as what is there now cannot be saved.

use crate::backend::Backend;
use crate::domain::operation::{Failure, Fault};
use crate::domain::order::Successor;
use crate::domain::sentence::shell_word;
use std::path::PathBuf;

/// For what failed before anything was looked at closely: only where nothing is there.
pub(super) fn of_idle(backend: &dyn Backend, successor: &Successor, failure: Failure) -> Failure {
    match failure.fault {
        Fault::Absent => gone(backend, successor, failure),
        _ => failure,
    }
}

/// For a snapshot of what is there that could not be taken.
pub(super) fn of_taking(backend: &dyn Backend, successor: &Successor, failure: Failure) -> Failure {
    match failure.fault {
        Fault::Absent => gone(backend, successor, failure),
        Fault::Permanent | Fault::Transient => unsaved(backend, successor, failure),
        _ => failure,
    }
}

/// Nothing is there that could be saved or exchanged. Whether it is lost, or only its disk away, is
/// for a person to know: made anew below an empty mount point it would hide behind the disk.
fn gone(backend: &dyn Backend, successor: &Successor, failure: Failure) -> Failure {
    let Successor { label, derived } = successor;
    let place = place(backend).filter(|_| !backend.capabilities().by_name);
    let at =
        place.as_ref().map(|place| format!(" --path {}", shell_word(place))).unwrap_or_default();
    let again = if place.is_some() { "there again" } else { "as a new one" };
    let why = format!(
        "{}; nothing was changed. If its disk is only away or not mounted, bring that back; if it is lost, \
         `heptactl create {derived} --from {label}{at}` makes it {again}",
        failure.message
    );
    Failure { message: why, ..failure }
}

fn unsaved(backend: &dyn Backend, successor: &Successor, failure: Failure) -> Failure {
    let Successor { label, derived } = successor;
    let beside = derived.parse().ok().and_then(|derived| backend.beside(&derived));
    let places = place(backend).zip(beside).filter(|_| !backend.capabilities().by_name);
    let (at, then) = match places {
        Some((place, beside)) => {
            let (place, beside) = (shell_word(&place), shell_word(&beside));
            let then = format!(", then `mv {place} {place}.damaged && mv {beside} {place}`");
            (format!(" --path {beside}"), then)
        }
        None => (String::new(), String::new()),
    };
    let why = format!(
        "{}; what is there now cannot be saved, so nothing was changed. `heptactl create {derived} --from \
         {label}{at}` makes a new one beside it{then}",
        failure.message
    );
    Failure { message: why, ..failure }
}

/// Where it is, if that is one path.
fn place(backend: &dyn Backend) -> Option<PathBuf> {
    let territory = backend.territory();
    let is_path = ["path", "data", "image"].contains(&territory.key);
    territory.roots.into_iter().next().filter(|_| is_path)
}
