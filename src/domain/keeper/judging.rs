//! Whether a new snapshot is to be trusted, by those before it.

use crate::domain::account::Account;
use crate::domain::snapshot::{Content, Origin, Snapshot};
use crate::domain::suspicion;

/// Whether a person has accepted that it lacks what it lacks: in the one that it is a copy of, or
/// in the one before it.
pub(super) fn is_excused(account: &Account, snapshot: &Snapshot, lacks: &str) -> bool {
    is_of_accepted(account, snapshot) || is_as_accepted(account, snapshot, lacks)
}

/// Whether it lacks nothing but what the one before it lacked, which a person accepted. What is
/// taken before a rollback is all that there is of what was, so nothing is passed over in it.
fn is_as_accepted(account: &Account, snapshot: &Snapshot, lacks: &str) -> bool {
    let automatic = snapshot.card.origin == Origin::Automatic;
    let before = counted(account, snapshot).next().filter(|_| automatic);
    before.is_some_and(|before| {
        suspicion::is_accepted(lacks, before.facts.accepted, &before.facts.notes)
    })
}

/// Whether it is a copy of one that a person accepted although it was suspect.
fn is_of_accepted(account: &Account, snapshot: &Snapshot) -> bool {
    let original = snapshot.card.kept_from.and_then(|from| account.snapshots.get(&from));
    original.is_some_and(|original| original.facts.accepted)
}

/// Why a new automatic snapshot is not to be trusted, if there is a reason.
pub(super) fn doubt(
    account: &Account,
    snapshot: &Snapshot,
    content: Option<Content>,
) -> Option<String> {
    judge(account, snapshot, content, |_| true)
}

/// Whether it is beyond doubt only because a person accepted one like it: then it is accepted too,
/// as that one may be gone when it is judged anew, without the catalogue.
pub(super) fn leans(account: &Account, snapshot: &Snapshot, content: Option<Content>) -> bool {
    let like_it = counted(account, snapshot).next().is_some_and(|last| last.facts.accepted);
    like_it && judge(account, snapshot, content, |one| !one.facts.accepted).is_some()
}

fn judge(
    account: &Account,
    snapshot: &Snapshot,
    content: Option<Content>,
    says: impl Fn(&Snapshot) -> bool,
) -> Option<String> {
    if snapshot.card.origin != Origin::Automatic {
        return None;
    }
    let before = counted(account, snapshot).take(7).filter(|before| says(before));
    let mut contents: Vec<Content> = before.filter_map(|before| before.facts.content).collect();
    contents.reverse();
    suspicion::judge(content?, &contents)
}

/// Those that count before it, the newest first.
pub(super) fn counted<'a>(
    account: &'a Account,
    snapshot: &Snapshot,
) -> impl Iterator<Item = &'a Snapshot> {
    let before = account.snapshots.range(..snapshot.seq()).rev().map(|(_, before)| before.as_ref());
    before.filter(|before| before.counts())
}
