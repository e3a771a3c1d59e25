//! Each resource's lane: one operation in flight, the others queued behind it in order.

use super::super::order::{Guard, Order, Source, Successor, Work};
use super::super::survey::Mark;
use super::super::usage::UsageScope;
use super::Keeper;
use super::cancel::verdict;
use super::make::derived;
use super::tags::retagging;
use crate::domain::account::Account;
use crate::domain::event::{Action, Entry};
use crate::domain::id::OperationId;
use crate::domain::name::ResourceName;
use crate::domain::operation::{Act, Cause, Doom, Failure, Fault, Operation, State};
use crate::domain::resource::Kind;
use crate::domain::snapshot::{
    Card, Facts, Fate, Handle, Health, Origin, Part, Seq, Snapshot, Thrown,
};
use crate::domain::suspicion::is_as_it_was;
use std::sync::Arc;

impl Keeper {
    /// Rebuilds the queues from the open operations that a crash or a stop left.
    pub(super) fn resume_queues(&mut self) {
        let open: Vec<Operation> =
            self.ledger.open_operations().map(|operation| (**operation).clone()).collect();
        for operation in open {
            if let Some(account) = self.ledger.account_mut(&operation.resource) {
                account.queue.push(operation.id);
            }
        }
    }

    /// Records an operation and puts it at the end of its lane. What a failed taking left goes
    /// before all others: the next one may need its room.
    pub(super) fn enqueue(&mut self, operation: Operation) -> OperationId {
        let (id, resource) = (operation.id, operation.resource.clone());
        let clears = matches!(operation.act, Act::Destroy { why: Doom::Unfinished, .. });
        self.put(Entry::Operation(operation));
        if let Some(account) = self.ledger.account_mut(&resource) {
            let place = if clears { 0 } else { account.queue.len() };
            account.queue.insert(place, id);
        }
        self.touched.insert(resource);
        id
    }

    /// Asks the backend what it has. A look is no change, so it is not recorded.
    pub(super) fn survey(&mut self, resource: &ResourceName, cause: Cause) -> OperationId {
        let operation = self.operation(resource, Act::Survey, cause);
        let id = operation.id;
        self.ledger.apply(&Entry::Operation(operation));
        if let Some(account) = self.ledger.account_mut(resource) {
            // Before all else: what follows depends on it.
            account.queue.insert(0, id);
        }
        self.touched.insert(resource.clone());
        id
    }

    /// Starts the lane's next operation, if none is in flight.
    pub(super) fn advance(&mut self, resource: &ResourceName) {
        loop {
            let Some(account) = self.ledger.account(resource) else { return };
            if account.running.is_some() || self.stopping {
                return;
            }
            let Some(id) = account.queue.first().copied() else { return };
            let Some(operation) = self.ledger.operations.get(&id).cloned() else {
                self.leave_queue(resource, id);
                continue;
            };
            // Nothing is changed before the backend has been seen once.
            if !account.surveyed && operation.act != Act::Survey {
                if !self.may_look(account) {
                    return;
                }
                self.survey(resource, Cause::Recovery);
                continue;
            }
            self.leave_queue(resource, id);
            if let Some(failure) = self.unprepared(&operation) {
                self.finish(&operation, State::Failed(failure), String::new());
                continue;
            }
            if operation.is_stopping() && operation.act.makes_snapshot() {
                self.stop_unfinished(&operation);
                continue;
            }
            if operation.act == Act::Acknowledge {
                self.acknowledge(&operation);
                continue;
            }
            if let Act::Forget { automatic, .. } = operation.act {
                self.forget(&operation, automatic);
                continue;
            }
            match self.order(&operation) {
                Ok(work) => {
                    self.start(&operation, work);
                    return;
                }
                Err(failure) => {
                    // What was to be destroyed is gone: that is what was asked for.
                    let destroys = matches!(operation.act, Act::Destroy { .. });
                    let done = destroys && failure.fault == Fault::Absent;
                    let state =
                        if done { State::Succeeded } else { State::Failed(failure.clone()) };
                    self.finish(&operation, state, String::new());
                    self.close_attempt(&operation, None, Some(failure));
                    self.give_back(&operation);
                }
            }
        }
    }

    /// Why an operation may not begin, because the snapshot that it needs was not taken.
    fn unprepared(&self, operation: &Operation) -> Option<Failure> {
        let seq = operation.act.needs()?;
        let snapshot = self.ledger.snapshot(&operation.resource, seq);
        if let Some(Snapshot { health: Health::Suspect(why), .. }) = snapshot
            && operation.tries == 0
            && !is_as_it_was(why)
        {
            let way_out = match (&operation.act, self.ledger.account(&operation.resource)) {
                (Act::Rollback { to, .. }, Some(account)) => {
                    let Successor { label, derived } = self.succeeded_by(account, *to);
                    format!(
                        "; `heptactl create {derived} --from {label}` makes a new one beside it, which \
                         you can put in its place yourself"
                    )
                }
                _ => String::new(),
            };
            let message = format!(
                "the snapshot that was taken before it is suspect: {why}; what is not in it would be \
                 lost, so nothing was changed{way_out}"
            );
            return Some(Failure::new(Fault::Permanent, message));
        }
        if snapshot.is_some_and(|snapshot| snapshot.health.is_readable()) {
            return None;
        }
        let taking = |other: &&Arc<Operation>| {
            let of = other.resource == operation.resource;
            of && matches!(other.act, Act::Take { seq: taken, .. } if taken == seq)
        };
        let taking = self.ledger.operations.values().rev().find(taking);
        match taking.map(|taking| &taking.state) {
            Some(State::Failed(failure)) => Some(failure.clone()),
            _ => Some(Failure::new(Fault::Absent, "the snapshot that goes before it is gone")),
        }
    }

    /// Whether a backend that has not been seen may be looked at now. After a failed look, what
    /// waits waits for a while, unless something new is asked for.
    fn may_look(&self, account: &Account) -> bool {
        let Some(again) = account.look_again else { return true };
        let queued = account.queue.iter().filter_map(|id| self.ledger.operations.get(id));
        again <= self.now() || queued.into_iter().any(|operation| self.is_needed(operation))
    }

    /// A person waits for it, or a slot is due; other work waits for a backend to come back.
    pub(super) fn is_needed(&self, operation: &Operation) -> bool {
        operation.tries == 0
            && matches!(
                operation.cause,
                Cause::Peer(_) | Cause::Schedule | Cause::CatchUp | Cause::Retry(_)
            )
    }

    pub(super) fn leave_queue(&mut self, resource: &ResourceName, id: OperationId) {
        if let Some(account) = self.ledger.account_mut(resource) {
            account.queue.retain(|queued| *queued != id);
        }
    }

    fn start(&mut self, operation: &Operation, work: Work) {
        let now = self.now();
        let running = Operation {
            state: State::Running,
            started: Some(operation.started.unwrap_or(now)),
            tries: operation.tries + 1,
            ..operation.clone()
        };
        self.put_operation(running);
        if let Some(account) = self.ledger.account_mut(&operation.resource) {
            account.running = Some(operation.id);
        }
        self.actions.push(Action::Start(Box::new(Order {
            operation: operation.id,
            resource: operation.resource.clone(),
            work,
            wanted: operation.cancel_asked_by.is_none(),
        })));
    }

    /// Records an operation's new state; a survey's is only remembered.
    pub(super) fn put_operation(&mut self, operation: Operation) {
        if operation.act == Act::Survey {
            self.ledger.apply(&Entry::Operation(operation));
        } else {
            self.put(Entry::Operation(operation));
        }
    }

    /// Ends an operation.
    pub(super) fn finish(&mut self, operation: &Operation, state: State, output: String) {
        let finished = Some(self.now());
        let state = match state {
            State::Failed(failure) => State::Failed(verdict(operation, failure)),
            other => other,
        };
        self.put_operation(Operation { state, finished, output, ..operation.clone() });
        self.touched.insert(operation.resource.clone());
    }

    /// Turns an operation into work for the backend, recording what it intends.
    fn order(&mut self, operation: &Operation) -> Result<Work, Failure> {
        let gone = || Failure::new(Fault::Absent, "the resource is no longer known");
        let account = self.ledger.account(&operation.resource).ok_or_else(gone)?.clone();
        match &operation.act {
            Act::Survey | Act::Rotate => {
                let settled = |s: &&Arc<Snapshot>| s.health != Health::Taking;
                let known = account.snapshots.values().filter(settled).map(|s| s.seq()).collect();
                let weigh = match operation.act {
                    Act::Survey => self.weighing(&account),
                    _ => UsageScope::Nothing,
                };
                Ok(Work::Survey { known, weigh })
            }
            Act::Take { seq, slot, name, tags, part } => {
                let taken = |s: &Arc<Snapshot>| s.seq() != *seq && slot.is_some_and(|t| s.is_of(t));
                if account.snapshots.values().any(taken) {
                    // It turned up in the backend while this waited.
                    return Err(Failure::new(Fault::Busy, "the slot has its snapshot already"));
                }
                let origin = if slot.is_some() { Origin::Automatic } else { Origin::Manual };
                let card = Card {
                    handle: self.intended(&account, *seq)?,
                    origin,
                    name: name.clone(),
                    slot: *slot,
                    kept_from: None,
                    taken_at: self.now(),
                    tags: tags.clone(),
                    kind: match part {
                        Part::Whole => account.resource.kind,
                        Part::SystemDisk => Kind::Disk,
                    },
                    part: *part,
                    plan: account.resource.plan.clone(),
                    blueprint: account.resource.blueprint.clone(),
                };
                let identity = account.identity.clone();
                let replaced_by = self.successor_of(account.name(), *seq);
                Ok(self.intend(&account, card, Source::Live, identity, replaced_by))
            }
            Act::Keep { from, seq, name, tags } => {
                let original = usable(&account, *from)?;
                let card = Card {
                    tags: tags.clone(),
                    kept_from: Some(*from),
                    handle: self.intended(&account, *seq)?,
                    origin: Origin::Manual,
                    name: Some(name.clone()),
                    slot: None,
                    ..original.card.clone()
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
            Act::Destroy { seq, why } => {
                let snapshot = existing(&account, *seq)?;
                if *why == Doom::Unfinished && snapshot.health != Health::Taking {
                    // It never began, and another one has its number.
                    return Err(Failure::new(Fault::Absent, "the snapshot is gone"));
                }
                let guard = guard(&account, snapshot, *why)?;
                let fate = doomed(snapshot.fate, *why);
                self.put(Entry::Snapshot(Box::new(Snapshot { fate, ..snapshot.clone() })));
                Ok(Work::Destroy { handle: snapshot.card.handle.clone(), guard })
            }
            Act::Trash { seq } | Act::Undelete { seq } | Act::Mark { seq } => {
                let snapshot = existing(&account, *seq)?;
                let trashed = match operation.act {
                    Act::Trash { .. } => true,
                    Act::Undelete { .. } => false,
                    _ => matches!(snapshot.fate, Fate::Trashed { .. }),
                };
                let mark = Mark { trashed, ..mark_of(snapshot) };
                Ok(Work::Mark { handle: snapshot.card.handle.clone(), mark })
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

    fn succeeded_by(&self, account: &Account, to: Seq) -> Successor {
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
