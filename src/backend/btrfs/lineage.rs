//! Which nested subvolumes are but earlier states of what a snapshot holds anyway: read-only
//! snapshots of the resource, or of a subvolume nested in it, that other tools keep in it.
//!
//! A rollback gives the resource another UUID; the store remembers those that it had.

use super::live::{Live, Nested};
use super::store::{Entry, Store};
use crate::domain::snapshot::Seq;
use crate::domain::survey::Wholeness;
use crate::fs::StorageError;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use uuid::Uuid;

/// The ids of those among `nested`, which are all that are nested in `live`.
pub(super) fn earlier_states(
    live: &Live,
    nested: &[Nested],
    store: Option<&Store>,
    sources: &Sources,
) -> Result<BTreeSet<u64>, StorageError> {
    let mut known: BTreeSet<Uuid> = nested.iter().map(|nested| nested.uuid).collect();
    known.insert(live.root.uuid());
    let is_known = |known: &BTreeSet<Uuid>, nested: &&Nested| known.contains(&nested.snapshot_of);
    let snapshots = || nested.iter().filter(|nested| !nested.snapshot_of.is_nil());
    let Some(store) = store.filter(|_| !snapshots().all(|one| is_known(&known, &one))) else {
        return Ok(snapshots().filter(|one| is_known(&known, one)).map(|one| one.id).collect());
    };
    known.extend(store.lineage()?);
    if !snapshots().all(|one| is_known(&known, &one)) {
        known.extend(sources.of(store)?);
    }
    Ok(snapshots().filter(|one| is_known(&known, one)).map(|one| one.id).collect())
}

/// What the stored snapshots of a resource were taken of. The manifest of each is read once: its
/// number is never used again.
#[derive(Debug, Default)]
pub(super) struct Sources(Mutex<BTreeMap<Seq, Vec<Uuid>>>);

impl Sources {
    fn of(&self, store: &Store) -> Result<Vec<Uuid>, StorageError> {
        let seqs: BTreeSet<Seq> = store.seqs()?.into_iter().collect();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|seq, _| seqs.contains(seq));
        for seq in seqs {
            if !known.contains_key(&seq)
                && let Entry::Ours(stored) = store.look(seq)?
                && stored.wholeness() == Wholeness::Whole
            {
                let parts = stored.detail.nested.iter().map(|part| part.source);
                known.insert(seq, parts.chain([stored.detail.source]).collect());
            }
        }
        Ok(known.values().flatten().copied().collect())
    }
}

/// What a snapshot says of those that it leaves out.
pub(super) fn note(earlier: &[Nested]) -> Option<String> {
    let first = earlier.first()?.path.display();
    Some(match earlier.len() {
        1 => format!("1 snapshot of it that another tool keeps in it is left out ({first})"),
        n => format!("{n} snapshots of it that other tools keep in it are left out ({first}, ...)"),
    })
}
