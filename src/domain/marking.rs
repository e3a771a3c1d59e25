//! Marks that cannot be written beside a snapshot: how often that was tried in vain, and when it is
//! tried again.

use super::account::Account;
use super::ledger::Ledger;
use super::operation::{Act, Failure, Operation, State};
use super::snapshot::{Fate, Health, Seq, Snapshot};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// After so many failures in a row a person hears of it, and the pauses begin to grow.
pub const ENOUGH: usize = 3;

/// The longest pause.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// Failures in a row, the newest one last.
#[derive(Clone, Copy, Debug)]
pub struct InVain<'a> {
    pub times: usize,
    pub last: &'a Operation,
    pub failure: &'a Failure,
}

impl InVain<'_> {
    /// Whether it is too early for another try. A clock that was set back holds up nothing.
    pub fn rests(&self, now: Timestamp) -> bool {
        let Some(more) = self.times.checked_sub(ENOUGH) else { return false };
        let hours = 1_i64.checked_shl(u32::try_from(more).unwrap_or(u32::MAX).min(30)).unwrap_or(1);
        let pause = SignedDuration::from_hours(hours).min(LONGEST);
        let since = self.last.finished.map(|at| now.duration_since(at));
        since.is_some_and(|since| !since.is_negative() && since < pause)
    }
}

/// What was tried in vain since a mark of this snapshot was last written.
pub fn in_vain<'a>(ledger: &'a Ledger, account: &Account, seq: Seq) -> Option<InVain<'a>> {
    let marks = |operation: &&Arc<Operation>| {
        matches!(operation.act, Act::Mark { seq: of } if of == seq)
            && operation.resource == *account.name()
            && !operation.is_open()
    };
    let newest_first = ledger.operations.values().rev().filter(marks);
    let failed = newest_first.map_while(|operation| match &operation.state {
        State::Failed(failure) => Some((operation, failure)),
        _ => None,
    });
    let failed: Vec<_> = failed.collect();
    let (last, failure) = failed.first()?;
    Some(InVain { times: failed.len(), last, failure })
}

/// The oldest snapshot whose mark a person should hear of.
pub fn unmarked<'a>(
    ledger: &'a Ledger,
    account: &'a Account,
) -> Option<(&'a Arc<Snapshot>, InVain<'a>)> {
    let says = |snapshot: &&Arc<Snapshot>| {
        matches!(snapshot.health, Health::Suspect(_))
            || matches!(snapshot.fate, Fate::Trashed { .. })
            || snapshot.facts.accepted
            || snapshot.facts.retagged.is_some()
    };
    account.snapshots.values().filter(says).find_map(|snapshot| {
        let tried = in_vain(ledger, account, snapshot.seq())?;
        (tried.times >= ENOUGH).then_some((snapshot, tried))
    })
}
