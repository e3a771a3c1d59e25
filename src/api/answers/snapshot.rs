//! Snapshots.

use super::View;
use super::plan::plan;
use crate::api::wire;
use crate::domain::account::Account;
use crate::domain::event::Denied;
use crate::domain::rotation::{self, Verdict};
use crate::domain::snapshot::{Fate, Health, Origin, Selector, Seq, Snapshot};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What rotation says of each candidate.
type Verdicts = BTreeMap<Seq, String>;

impl View<'_> {
    /// Those that pass, by resource, then newest first.
    pub fn snapshots(&self, pass: impl Fn(&Snapshot) -> bool) -> wire::Snapshots {
        let mut snapshots = Vec::new();
        for account in self.ledger.accounts.values() {
            let verdicts = self.verdicts(account);
            let passing = account.snapshots.values().rev().filter(|snapshot| pass(snapshot));
            snapshots.extend(passing.map(|s| self.wire_snapshot(account, s, &verdicts)));
        }
        wire::Snapshots { generation: self.generation, snapshots }
    }

    pub fn snapshot(&self, account: &Account, snapshot: &Snapshot) -> wire::Snapshot {
        self.wire_snapshot(account, snapshot, &self.verdicts(account))
    }

    /// What a selector refers to.
    pub fn find(&self, wanted: &Selector) -> Result<(&Account, &Arc<Snapshot>), Denied> {
        let found = match wanted {
            Selector::Named(name) => self.ledger.named(name),
            Selector::Latest(resource) => {
                let account = self.account(resource)?;
                account.snapshots.values().rev().find(|snapshot| snapshot.counts())
            }
            Selector::Slot(resource, slot) => {
                let is_it = |s: &&Arc<Snapshot>| {
                    s.card.slot == Some(*slot)
                        && s.card.origin == Origin::Automatic
                        && s.fate != Fate::Doomed
                };
                self.account(resource)?.snapshots.values().rev().find(is_it)
            }
        };
        let Some(found) = found else {
            return Err(Denied::NoSuchSnapshot {
                wanted: wanted.clone(),
                similar: self.similar_snapshot(&wanted.to_string()),
            });
        };
        Ok((self.account(&found.resource)?, found))
    }

    fn similar_snapshot(&self, wanted: &str) -> Option<String> {
        let labels: Vec<String> = self.ledger.snapshots().map(|s| s.label()).collect();
        crate::api::similar::similar(wanted, labels.iter().map(String::as_str)).map(Into::into)
    }

    /// Nothing rotates of a resource that left the configuration or was forgotten.
    fn verdicts(&self, account: &Account) -> Verdicts {
        if account.forgotten || !account.declared {
            return Verdicts::new();
        }
        let candidates = account.candidates(&|seq| self.is_pinned(account, seq));
        let judged = rotation::judge(&candidates, account.policy().retention);
        let words = |verdict| match verdict {
            Verdict::Keep(reason) => reason.to_string(),
            Verdict::Drop => "drop".into(),
        };
        judged.into_iter().map(|(seq, verdict)| (seq, words(verdict))).collect()
    }

    /// Whether an open operation reads it.
    pub(super) fn is_pinned(&self, account: &Account, seq: Seq) -> bool {
        let mut open = self.ledger.open_operations();
        open.any(|o| o.act.pins(seq) && o.resource == *account.name())
    }

    fn wire_snapshot(&self, account: &Account, s: &Snapshot, said: &Verdicts) -> wire::Snapshot {
        let (state, reason) = state(&s.health);
        let (fate, left) = match s.fate {
            Fate::Live => (wire::Fate::Live, None),
            Fate::Trashed { until } => {
                (wire::Fate::Trashed, Some(until.saturating_sub(self.moment.elapsed)))
            }
            Fate::Doomed => (wire::Fate::Doomed, None),
        };
        let content = s.facts.content.unwrap_or_default();
        wire::Snapshot {
            label: s.label(),
            resource: s.resource.to_string(),
            seq: s.seq().0,
            id: s.card.handle.id.to_string(),
            origin: wire_origin(s.card.origin),
            kind: s.card.kind.word().into(),
            part: s.card.part.word().into(),
            plan: s.card.plan.as_ref().map(plan),
            blueprint: s.card.blueprint.clone(),
            name: s.card.name.as_ref().map(ToString::to_string),
            slot: s.card.slot.map(|slot| slot.to_string()),
            kept_from: s.card.kept_from.map(|seq| label(account, seq)),
            kept_as: kept_as(account, s.seq()),
            taken_at: s.card.taken_at,
            age_seconds: self.moment.now.duration_since(s.card.taken_at).as_secs(),
            tags: s.card.tags.clone(),
            state,
            reason,
            fate,
            trash_seconds_left: left.map(|left| left.as_secs().max(0)),
            stored_bytes: s.facts.stored,
            exclusive_bytes: s.facts.exclusive,
            entries: content.entries,
            content_bytes: content.bytes,
            notes: s.facts.notes.clone(),
            rotation: said.get(&s.seq()).cloned(),
        }
    }
}

/// How other routes take it, or `RESOURCE#SEQ` if it is gone.
pub(super) fn label(account: &Account, seq: Seq) -> String {
    match account.snapshots.get(&seq) {
        Some(snapshot) => snapshot.label(),
        None => format!("{}#{seq}", account.name()),
    }
}

fn kept_as(account: &Account, seq: Seq) -> Vec<String> {
    let copies = account.snapshots.values().filter(|s| s.card.kept_from == Some(seq));
    copies.filter_map(|s| s.card.name.as_ref().map(ToString::to_string)).collect()
}

pub fn wire_origin(origin: Origin) -> wire::Origin {
    match origin {
        Origin::Automatic => wire::Origin::Automatic,
        Origin::Manual => wire::Origin::Manual,
        Origin::Copied => wire::Origin::Copied,
    }
}

fn state(health: &Health) -> (wire::SnapshotState, Option<String>) {
    match health {
        Health::Taking => (wire::SnapshotState::Taking, None),
        Health::Complete => (wire::SnapshotState::Complete, None),
        Health::Suspect(why) => (wire::SnapshotState::Suspect, Some(why.clone())),
        Health::Missing => (wire::SnapshotState::Missing, None),
        Health::Tampered => (wire::SnapshotState::Tampered, None),
    }
}
