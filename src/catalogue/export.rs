//! The snapshots of a ledger in one canonical form, to compare before and after a rebuild.

use super::rows::standing;
use super::words::Word;
use crate::domain::ledger::Ledger;
use crate::domain::snapshot::Snapshot;
use serde_json::{Value, json};

/// All snapshots by resource and sequence number: what a rebuild from the manifests must bring
/// back. What only the catalogue knows (slots, operations, measures) is not in it.
pub fn export(ledger: &Ledger) -> Value {
    ledger.snapshots().map(|snapshot| line(snapshot)).collect()
}

fn line(snapshot: &Snapshot) -> Value {
    let card = &snapshot.card;
    let (health, fate) = standing(snapshot);
    json!({
        "resource": snapshot.resource.as_str(),
        "seq": card.handle.seq.0,
        "id": card.handle.id.to_string(),
        "origin": card.origin.word(),
        "name": card.name.as_ref().map(|name| name.as_str()),
        "slot": card.slot.map(|slot| slot.to_string()),
        "kept_from": card.kept_from.map(|seq| seq.0),
        "taken_at": card.taken_at.to_string(),
        "tags": snapshot.tags(),
        "health": health,
        "fate": fate,
    })
}
