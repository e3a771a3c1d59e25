//! Why something is not put under protection, in public words.

use super::refuse::Refuse;
use crate::domain::protect::Unprotectable;

/// The one place where it gets its status, code, sentence and hint.
pub fn refuse(why: Unprotectable) -> Refuse {
    match why {
        Unprotectable::NoSuchPlace { place } => Refuse::absent(
            "no-such-place",
            format!("{place}: there is nothing of this name"),
            "name a directory, a file, or a guest that `virsh list --all` shows",
        ),
        Unprotectable::NotContent { place, what } => Refuse::clash(
            "not-content",
            format!("{place}: {what}"),
            "name a directory or a file that has content of its own",
        ),
        Unprotectable::OwnGround { place } => Refuse::clash(
            "own-ground",
            format!("{place} is heptad's own: its state, or snapshots that it made"),
            "name the original; `heptactl keep` keeps a snapshot for good",
        ),
        Unprotectable::Already { place, by } => Refuse::clash(
            "already-protected",
            format!("{place} is protected already, as {by}"),
            format!("`heptactl status {by}` shows it"),
        ),
        Unprotectable::NameTaken { name, free } => Refuse::clash(
            "resource-name-taken",
            format!("there is a resource {name} already, or there are snapshots of one"),
            match free {
                Some(free) => format!("choose another name; this one is free: --name {free}"),
                None => "choose another name: --name NAME".into(),
            },
        ),
        Unprotectable::NotAllowed { place, missing, way_out } => Refuse::clash(
            "not-allowed",
            format!("{place}: heptad needs {missing} for it, which its unit does not allow"),
            format!("allow it: {way_out}; then ask again"),
        ),
        Unprotectable::Unfit { place, problem, hint } => {
            Refuse::clash("unfit", format!("{place} cannot be protected: {problem}"), hint)
        }
        Unprotectable::KeyReused { key } => Refuse::clash(
            "key-reused",
            format!("the Idempotency-Key {key:?} was used for another request"),
            "send each new request with a new key",
        ),
        Unprotectable::Unwritten { why } => Refuse::unable(
            "not-declared",
            format!("it is not protected: {why}"),
            "`journalctl -u heptad` says more",
        ),
    }
}
