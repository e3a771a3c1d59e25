//! Turning an operation into work for the backend.

use super::super::order::{Guard, Source, Successor, Work};
use super::super::survey::Mark;
use super::super::tag::Tags;
use super::super::usage::UsageScope;
use super::Keeper;
use super::make::derived;
use super::tags::retagging;
use crate::domain::account::Account;
use crate::domain::event::Entry;
use crate::domain::name::{ResourceName, SnapshotName};
use crate::domain::operation::{Act, Doom, Failure, Fault, Operation};
use crate::domain::resource::Kind;
use crate::domain::slot::Slot;
use crate::domain::snapshot::{
    Card, Facts, Fate, Handle, Health, Origin, Part, Seq, Snapshot, Thrown,
};
use jiff::Timestamp;
use std::sync::Arc;

impl Keeper {
    /// Turns an operation into work for the backend, recording what it intends.
    pub(super) fn order(&mut self, operation: &Operation) -> Result<Work, Failure> {
        let gone = || Failure::new(Fault::Absent, "the resource is no longer known");
        let account = self.ledger.account(&operation.resource).ok_or_else(gone)?.clone();
        match &operation.act {
            Act::Survey | Act::Rotate => Ok(self.order_look(&account, &operation.act)),
            Act::Take { seq, slot, name, tags, part } => {
                expect_open(&account, *seq, *slot)?;
                let handle = self.intended(&account, *seq)?;
                let card = Card {
                    origin: if slot.is_some() { Origin::Automatic } else { Origin::Manual },
                    name: name.clone(),
                    slot: *slot,
                    tags: tags.clone(),
                    ..blank(&account, handle, *part, self.now())
                };
                let identity = account.identity.clone();
                let replaced_by = self.successor_of(account.name(), *seq);
                Ok(self.intend(&account, card, Source::Live, identity, replaced_by))
            }
            Act::Keep { from, seq, name, tags } => {
                let original = usable(&account, *from)?;
                let card = Card {
                    tags: tags.clone(),
                    handle: self.intended(&account, *seq)?,
                    ..kept(original, name)
                };
                let source = Source::Snapshot(original.card.handle.clone());
                Ok(self.intend(&account, card, source, None, None))
            }
            Act::Create { from, draft } => {
                let original = usable(&account, *from)?;
                let derived = Box::new(derived(&account, original, draft)?);
                let card = original.card.clone();
                let again = operation.tries > 0;
                Ok(Work::Restore { card, draft: draft.clone(), derived, again })
            }
            Act::Rollback { to, safety } => {
                let handle = usable(&account, *to)?.card.handle.clone();
                let token = existing(&account, *safety)?.card.handle.id;
                let (identity, again) = (account.identity.clone(), operation.tries > 0);
                Ok(Work::Rollback { handle, token, identity, again })
            }
            Act::Attach { disk } => Ok(Work::Attach { disk: disk.clone() }),
            Act::Detach { disk } => {
                Ok(Work::Detach { disk: disk.clone(), again: operation.tries > 0 })
            }
            Act::Destroy { seq, why } => self.order_destruction(&account, *seq, *why),
            Act::Trash { seq } | Act::Undelete { seq } | Act::Mark { seq } => {
                Ok(marking(existing(&account, *seq)?, &operation.act))
            }
            Act::Tag { seq: Some(seq), change } => {
                let snapshot = usable(&account, *seq)?;
                let tags = Some(retagging(snapshot, change)?);
                let mark = Mark { tags, ..mark_of(snapshot) };
                Ok(Work::Mark { handle: snapshot.card.handle.clone(), mark })
            }
            Act::Tag { seq: None, .. }
            | Act::Enable { .. }
            | Act::Disable
            | Act::SetTime { .. }
            | Act::Reset
            | Act::Acknowledge
            | Act::Forget { .. } => Err(Failure::new(
                Fault::Interrupted,
                "heptad stopped before it was done; ask again",
            )),
        }
    }

    fn order_look(&self, account: &Account, act: &Act) -> Work {
        let settled = |s: &&Arc<Snapshot>| s.health != Health::Taking;
        let known = account.snapshots.values().filter(settled).map(|s| s.seq()).collect();
        let weigh = match act {
            Act::Survey => self.weighing(account),
            _ => UsageScope::Nothing,
        };
        Work::Survey { known, weigh }
    }

    fn order_destruction(
        &mut self,
        account: &Account,
        seq: Seq,
        why: Doom,
    ) -> Result<Work, Failure> {
        let snapshot = existing(account, seq)?;
        if why == Doom::Unfinished && snapshot.health != Health::Taking {
            // It never began, and another one has its number.
            return Err(Failure::new(Fault::Absent, "the snapshot is gone"));
        }
        let guard = guard(account, snapshot, why)?;
        let fate = doomed(snapshot.fate, why);
        self.put(Entry::Snapshot(Box::new(Snapshot { fate, ..snapshot.clone() })));
        Ok(Work::Destroy { handle: snapshot.card.handle.clone(), guard })
    }

    /// The handle of a snapshot to be taken: the one intended before a crash, or a new one.
    fn intended(&mut self, account: &Account, seq: Seq) -> Result<Handle, Failure> {
        match account.snapshots.get(&seq) {
            Some(snapshot) if snapshot.health == Health::Taking => Ok(snapshot.card.handle.clone()),
            Some(other) => {
                let message = format!("its number {seq} is that of {}", other.label());
                Err(Failure::new(Fault::Busy, message))
            }
            None => Ok(Handle { seq, id: self.draw_id(), object: String::new() }),
        }
    }

    /// What replaces that of which a snapshot is to be taken, if a rollback waits for it.
    pub(super) fn successor_of(&self, name: &ResourceName, seq: Seq) -> Option<Successor> {
        let account = self.ledger.account(name)?;
        let waiting = account.queue.iter().filter_map(|id| self.ledger.operations.get(id));
        let to = waiting.map(|operation| &operation.act).find_map(|act| match act {
            Act::Rollback { to, safety } if *safety == seq => Some(*to),
            _ => None,
        })?;
        Some(self.succeeded_by(account, to))
    }

    pub(super) fn succeeded_by(&self, account: &Account, to: Seq) -> Successor {
        let label = account.snapshots.get(&to).map(|snapshot| snapshot.label());
        let derived = self.free_resource_like(account.name());
        Successor {
            label: label.unwrap_or_else(|| "SNAPSHOT".into()),
            derived: derived.map_or_else(|| "NEW".into(), |name| name.to_string()),
        }
    }

    fn intend(
        &mut self,
        account: &Account,
        card: Card,
        source: Source,
        identity: Option<String>,
        replaced_by: Option<Successor>,
    ) -> Work {
        self.put(Entry::Snapshot(Box::new(Snapshot {
            resource: account.name().clone(),
            card: card.clone(),
            health: Health::Taking,
            fate: Fate::Live,
            facts: Facts::default(),
        })));
        Work::Take { card, source, identity, replaced_by }
    }
}

/// # Errors
/// [`Fault::Busy`] where its snapshot turned up in the backend while this waited.
fn expect_open(account: &Account, seq: Seq, slot: Option<Slot>) -> Result<(), Failure> {
    let taken = |s: &Arc<Snapshot>| s.seq() != seq && slot.is_some_and(|slot| s.is_of(slot));
    match account.snapshots.values().any(taken) {
        true => Err(Failure::new(Fault::Busy, "the slot has its snapshot already")),
        false => Ok(()),
    }
}

/// The card of a copy that is kept of a snapshot.
fn kept(original: &Snapshot, name: &SnapshotName) -> Card {
    Card {
        kept_from: Some(original.seq()),
        origin: Origin::Manual,
        name: Some(name.clone()),
        slot: None,
        ..original.card.clone()
    }
}

/// What shall stand beside a snapshot from now on.
fn marking(snapshot: &Snapshot, act: &Act) -> Work {
    let trashed = match act {
        Act::Trash { .. } => true,
        Act::Undelete { .. } => false,
        _ => matches!(snapshot.fate, Fate::Trashed { .. }),
    };
    let mark = Mark { trashed, ..mark_of(snapshot) };
    Work::Mark { handle: snapshot.card.handle.clone(), mark }
}

/// The card of a new snapshot of the resource as it is now.
fn blank(account: &Account, handle: Handle, part: Part, now: Timestamp) -> Card {
    Card {
        handle,
        origin: Origin::Manual,
        name: None,
        slot: None,
        kept_from: None,
        taken_at: now,
        tags: Tags::default(),
        kind: match part {
            Part::Whole => account.resource.kind,
            Part::SystemDisk => Kind::Disk,
        },
        part,
        plan: account.resource.plan.clone(),
        blueprint: account.resource.blueprint.clone(),
    }
}

/// What must hold when a snapshot is destroyed.
///
/// # Errors
/// What has changed since that was decided.
fn guard(account: &Account, snapshot: &Snapshot, why: Doom) -> Result<Guard, Failure> {
    let refuse = |why: &str| Err(Failure::new(Fault::Permanent, why));
    let paid =
        Guard::Paid { retention: account.policy().retention, identity: account.identity.clone() };
    let rotated = || match account.doubt() {
        Some(doubt) => refuse(&format!("rotation waits: {doubt}")),
        None => Ok(paid.clone()),
    };
    match (why, snapshot.fate) {
        (Doom::Unfinished, Fate::Doomed { .. }) if snapshot.health == Health::Taking => {
            Ok(Guard::Remains)
        }
        (Doom::Asked | Doom::Unfinished, _) => Ok(Guard::Asked),
        (Doom::Rotated { .. }, Fate::Live | Fate::Doomed { .. }) => rotated(),
        (Doom::Rotated { .. }, Fate::Trashed { .. }) => refuse("it is in the trash already"),
        (Doom::TrashExpired, Fate::Live) => refuse("it is no longer in the trash"),
        (Doom::TrashExpired, fate) => match thrown(fate) {
            Some(Thrown::Rotated) => rotated(),
            Some(Thrown::Unmarked) => Ok(Guard::Asked),
            Some(Thrown::Asked) | None => Ok(Guard::Thrown),
        },
    }
}

/// Who threw it into the trash, be it the first try to empty that or another.
fn thrown(fate: Fate) -> Option<Thrown> {
    match fate {
        Fate::Live => None,
        Fate::Trashed { why, .. } => Some(why),
        Fate::Doomed { from_trash } => from_trash,
    }
}

/// What becomes of a snapshot whose destruction begins.
fn doomed(fate: Fate, why: Doom) -> Fate {
    let from_trash = thrown(fate).filter(|_| why == Doom::TrashExpired);
    Fate::Doomed { from_trash }
}

fn existing(account: &Account, seq: Seq) -> Result<&Snapshot, Failure> {
    let gone = || Failure::new(Fault::Absent, "the snapshot is gone");
    account.snapshots.get(&seq).map(Arc::as_ref).ok_or_else(gone)
}

fn usable(account: &Account, seq: Seq) -> Result<&Snapshot, Failure> {
    let snapshot = existing(account, seq)?;
    if snapshot.usable() {
        return Ok(snapshot);
    }
    Err(Failure::new(Fault::Absent, format!("{} cannot be used now", snapshot.label())))
}

/// What should stand beside a snapshot, by what is known of it.
pub(super) fn mark_of(snapshot: &Snapshot) -> Mark {
    let doubt = match &snapshot.health {
        Health::Suspect(why) => Some(why.clone()),
        _ => None,
    };
    Mark {
        accepted: snapshot.facts.accepted,
        doubt,
        trashed: matches!(snapshot.fate, Fate::Trashed { .. }),
        tags: snapshot.facts.retagged.clone(),
    }
}
