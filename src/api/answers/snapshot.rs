//! Snapshots.

use super::View;
use super::disk::size;
use super::plan::plan;
use crate::api::wire;
use crate::domain::account::Account;
use crate::domain::denied::Denied;
use crate::domain::name::ResourceName;
use crate::domain::rotation::{self, Verdict};
use crate::domain::snapshot::{Fate, Health, Origin, Selector, Seq, Snapshot};
use crate::domain::unfinished::explain;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// Which part of a list is wanted.
#[derive(Debug)]
pub struct Page {
    /// The last one of the page before.
    pub after: Option<(ResourceName, Seq)>,
    pub limit: usize,
}

/// A place in the list of snapshots, as a client hands it back.
fn cursor(resource: &ResourceName, seq: Seq) -> String {
    format!("{resource}#{seq}")
}

/// The place that such a text means, if it is one.
pub(crate) fn place(text: &str) -> Option<(ResourceName, Seq)> {
    let (resource, seq) = text.rsplit_once('#')?;
    Some((resource.parse().ok()?, Seq(seq.parse().ok()?)))
}

/// What rotation says of each candidate.
type Verdicts = BTreeMap<Seq, String>;

/// What is known of a snapshot from beside it.
struct Said {
    verdicts: Verdicts,
    /// Names of the copies that were kept of one.
    kept: BTreeMap<Seq, Vec<String>>,
}

impl View<'_> {
    /// Those that pass, by resource, then newest first: a page.
    pub fn snapshots(&self, pass: impl Fn(&Snapshot) -> bool, page: &Page) -> wire::Snapshots {
        let mut snapshots = Vec::new();
        let mut next = None;
        let from = page.after.as_ref().map_or(Bound::Unbounded, |(name, _)| Bound::Included(name));
        for account in self.ledger.accounts.range((from, Bound::Unbounded)).map(|(_, of)| of) {
            let end = match &page.after {
                Some((name, seq)) if name == account.name() => Bound::Excluded(*seq),
                _ => Bound::Unbounded,
            };
            let mut passing = account.snapshots.range((Bound::Unbounded, end)).rev();
            let mut passing = passing.by_ref().map(|(_, s)| s).filter(|s| pass(s)).peekable();
            if passing.peek().is_none() {
                continue;
            }
            let said = self.said(account);
            for snapshot in passing {
                if snapshots.len() == page.limit {
                    return wire::Snapshots { generation: self.generation, snapshots, next };
                }
                next = Some(cursor(&snapshot.resource, snapshot.seq()));
                snapshots.push(self.wire_snapshot(account, snapshot, &said));
            }
        }
        wire::Snapshots { generation: self.generation, snapshots, next: None }
    }

    pub fn snapshot(&self, account: &Account, snapshot: &Snapshot) -> wire::Snapshot {
        self.wire_snapshot(account, snapshot, &self.said(account))
    }

    fn said(&self, account: &Account) -> Said {
        let mut kept: BTreeMap<Seq, Vec<String>> = BTreeMap::new();
        for copy in account.snapshots.values() {
            if let (Some(from), Some(name)) = (copy.card.kept_from, &copy.card.name) {
                kept.entry(from).or_default().push(name.to_string());
            }
        }
        Said { verdicts: self.verdicts(account), kept }
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
                        && !s.fate.is_doomed()
                };
                self.account(resource)?.snapshots.values().rev().find(is_it)
            }
        };
        let Some(found) = found else {
            let unknown = || Denied::NoSuchSnapshot { wanted: wanted.clone(), similar: None };
            return Err(self.guess(explain(self.ledger, wanted).unwrap_or_else(unknown)));
        };
        Ok((self.account(&found.resource)?, found))
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
        self.ledger.open_of(account.name()).any(|operation| operation.act.pins(seq))
    }

    fn wire_snapshot(&self, account: &Account, s: &Snapshot, said: &Said) -> wire::Snapshot {
        let (state, reason) = state(&s.health);
        let (fate, left) = match s.fate {
            Fate::Live => (wire::Fate::Live, None),
            Fate::Trashed { until, .. } => {
                (wire::Fate::Trashed, Some(until.saturating_sub(self.moment.elapsed)))
            }
            Fate::Doomed { .. } => (wire::Fate::Doomed, None),
        };
        let content = s.facts.content.unwrap_or_default();
        let told = &s.facts.told;
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
            size_bytes: size(s.card.kind, &told.disks, s.card.plan.as_ref()),
            from_attached_disks: self.attached(&told.disks),
            name: s.card.name.as_ref().map(ToString::to_string),
            slot: s.card.slot.map(|slot| slot.to_string()),
            kept_from: s.card.kept_from.map(|seq| label(account, seq)),
            kept_as: said.kept.get(&s.seq()).cloned().unwrap_or_default(),
            taken_at: s.card.taken_at,
            age_seconds: self.moment.now.duration_since(s.card.taken_at).as_secs(),
            tags: s.tags().clone(),
            state,
            reason,
            fate,
            trash_seconds_left: left.map(|left| left.as_secs().max(0)),
            stored_bytes: s.facts.stored,
            exclusive_bytes: s.facts.exclusive,
            entries: content.entries,
            content_bytes: content.bytes,
            notes: s.facts.notes.clone(),
            engine: told.engine.as_ref().map(|engine| engine.name.clone()),
            engine_version: told.engine.as_ref().map(|engine| engine.version.clone()),
            proven_at: told.proof.as_ref().map(|proof| proof.at),
            proven_by: told.proof.as_ref().map(|proof| proof.by.clone()),
            rotation: said.verdicts.get(&s.seq()).cloned(),
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

pub(crate) fn wire_origin(origin: Origin) -> wire::Origin {
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
