//! Why something is not put under protection, in public words.

use super::refusal::Refusal;
use crate::domain::protect::Unprotectable;

/// The one place where it gets its status, code, sentence and hint.
pub(super) fn refuse(why: Unprotectable) -> Refusal {
    match why {
        Unprotectable::NoSuchPlace { place } => Refusal::absent(
            "no-such-place",
            format!("{place}: there is nothing of this name"),
            "name a directory, a file, or a guest that `virsh list --all` shows",
        ),
        Unprotectable::NotContent { place, what } => Refusal::clash(
            "not-content",
            format!("{place}: {what}"),
            "name a directory or a file that has content of its own",
        ),
        Unprotectable::OwnGround { place } => Refusal::clash(
            "own-ground",
            format!("{place} is heptad's own: its state, or snapshots that it made"),
            "name the original; `heptactl keep` keeps a snapshot for good",
        ),
        Unprotectable::Already { place, by } => Refusal::clash(
            "already-protected",
            format!("{place} is protected already, as {by}"),
            format!("`heptactl status {by}` shows it"),
        ),
        Unprotectable::NameTaken { name, free } => Refusal::clash(
            "resource-name-taken",
            format!("there is a resource {name} already, or there are snapshots of one"),
            match free {
                Some(free) => format!("choose another name; this one is free: --name {free}"),
                None => "choose another name: --name NAME".into(),
            },
        ),
        Unprotectable::NotAllowed { place, missing, way_out } => Refusal::clash(
            "not-allowed",
            format!("{place}: heptad needs {missing} for it, which its unit does not allow"),
            format!("allow it: {way_out}; then ask again"),
        ),
        Unprotectable::Unfit { place, problem, hint } => {
            Refusal::clash("unfit", format!("{place} cannot be protected: {problem}"), hint)
        }
        Unprotectable::KeyReused { key } => Refusal::clash(
            "key-reused",
            format!("the Idempotency-Key {key:?} was used for another request"),
            "send each new request with a new key",
        ),
        Unprotectable::Unwritten { why } => Refusal::unable(
            "not-declared",
            format!("it is not protected: {why}"),
            "`journalctl -u heptad` says more",
        ),
    }
}
