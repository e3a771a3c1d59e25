//! A client asks: refuse with a reason, answer at once, or queue.

use super::Keeper;
use crate::domain::account::{Account, Override};
use crate::domain::agenda::{Outcome, SlotRecord};
use crate::domain::event::{Action, Ask, Denied, Entry, Request};
use crate::domain::name::{ResourceName, SnapshotName};
use crate::domain::operation::{Act, Cause, Doom, Leftovers, Operation, OperationId, State};
use crate::domain::policy::When;
use crate::domain::snapshot::{Fate, Health, Origin, Selector, Snapshot, Tags};
use std::sync::Arc;

/// How many operations may wait for one resource.
const QUEUE: usize = 64;

impl Keeper {
    pub(super) fn answer(&mut self, ask: Ask) {
        let answer = match self.repeated(&ask) {
            Some(earlier) => earlier,
            None => self.decide(&ask).map(|id| self.with_key(id, ask.key.clone())),
        };
        let answer = answer.map(|id| {
            // What was queued may start in this very turn; the reply tells its first state.
            (*self.ledger.operations[&id]).clone()
        });
        self.actions.push(Action::Reply(ask.ticket, answer));
    }

    /// The operation that the same client began earlier under the same key.
    fn repeated(&self, ask: &Ask) -> Option<Result<OperationId, Denied>> {
        let key = ask.key.as_ref()?;
        let mine = |operation: &&Arc<Operation>| {
            operation.key.as_ref() == Some(key) && operation.cause == Cause::Peer(ask.uid)
        };
        let earlier = self.ledger.operations.values().rev().find(mine)?;
        if ask.request.word() == earlier.act.word() || earlier.act.is_deletion(&ask.request) {
            Some(Ok(earlier.id))
        } else {
            Some(Err(Denied::KeyReused { key: key.clone() }))
        }
    }

    fn with_key(&mut self, id: OperationId, key: Option<String>) -> OperationId {
        if key.is_some() {
            let operation = Operation { key, ..(*self.ledger.operations[&id]).clone() };
            self.put(Entry::Operation(operation));
        }
        id
    }

    fn decide(&mut self, ask: &Ask) -> Result<OperationId, Denied> {
        let cause = Cause::Peer(ask.uid);
        match &ask.request {
            Request::Take { resource, name, tags } => self.ask_take(resource, name, tags, cause),
            Request::Keep { from, name, tags } => self.ask_keep(from, name, tags, cause),
            Request::Create { from, name, path } => self.ask_create(from, name, path, cause),
            Request::Delete { snapshot, now } => self.ask_delete(snapshot, *now, cause),
            Request::Undelete { snapshot } => {
                let found = self.find(snapshot)?;
                if !matches!(found.fate, Fate::Trashed { .. }) {
                    return Err(Denied::NotInTrash { snapshot: found.label() });
                }
                self.spared(&found)?;
                self.queue(&found.resource, Act::Undelete { seq: found.seq() }, cause)
            }
            Request::Rotate { resource } => {
                let account = self.configured(resource)?;
                if let Some(reason) = account.doubt() {
                    return Err(Denied::InDoubt { resource: resource.clone(), reason });
                }
                self.queue(resource, Act::Rotate, cause)
            }
            Request::Enable { resource, time } => {
                let wish = Override { enabled: Some(true), ..self.configured(resource)?.wish };
                let wish = Override { time: time.or(wish.time), ..wish };
                self.rewish(resource, wish, Act::Enable { time: *time }, cause)
            }
            Request::Disable { resource } => {
                let wish = Override { enabled: Some(false), ..self.configured(resource)?.wish };
                self.rewish(resource, wish, Act::Disable, cause)
            }
            Request::SetTime { resource, time } => {
                let wish = Override { time: Some(*time), ..self.configured(resource)?.wish };
                self.rewish(resource, wish, Act::SetTime { time: *time }, cause)
            }
            Request::Reset { resource } => {
                self.configured(resource)?;
                self.rewish(resource, Override::default(), Act::Reset, cause)
            }
            Request::Acknowledge { resource } => self.ask_acknowledge(resource, cause),
            Request::Forget { resource, automatic } => self.ask_forget(resource, *automatic, cause),
        }
    }

    fn ask_take(
        &mut self,
        resource: &ResourceName,
        name: &SnapshotName,
        tags: &Tags,
        cause: Cause,
    ) -> Result<OperationId, Denied> {
        let mut account = self.configured(resource)?.clone();
        self.free(name)?;
        room(&account)?;
        let mut all = account.resource.tags.clone();
        all.extend(tags.clone());
        let seq = self.draw_seq(&mut account);
        self.queue(
            resource,
            Act::Take { seq, slot: None, name: Some(name.clone()), tags: all },
            cause,
        )
    }

    fn ask_keep(
        &mut self,
        from: &Selector,
        name: &SnapshotName,
        tags: &Tags,
        cause: Cause,
    ) -> Result<OperationId, Denied> {
        let original = self.find_usable(from)?;
        if original.card.origin != Origin::Automatic {
            return Err(Denied::NotAutomatic { snapshot: original.label() });
        }
        self.free(name)?;
        let mut account = self.account(&original.resource)?.clone();
        room(&account)?;
        let mut all = account.resource.tags.clone();
        all.extend(tags.clone());
        let seq = self.draw_seq(&mut account);
        let act = Act::Keep { from: original.seq(), seq, name: name.clone(), tags: all };
        self.queue(&original.resource, act, cause)
    }

    fn ask_create(
        &mut self,
        from: &Selector,
        name: &ResourceName,
        path: &str,
        cause: Cause,
    ) -> Result<OperationId, Denied> {
        let original = self.find_usable(from)?;
        let creating = |operation: &Operation| match &operation.act {
            Act::Create { name: other, .. } => other == name,
            _ => false,
        };
        let taken = self.ledger.accounts.contains_key(name)
            || self.ledger.open_operations().any(|operation| creating(operation));
        if taken {
            return Err(Denied::ResourceNameTaken { name: name.clone() });
        }
        let act = Act::Create { from: original.seq(), name: name.clone(), path: path.into() };
        self.queue(&original.resource, act, cause)
    }

    fn ask_delete(
        &mut self,
        selector: &Selector,
        now: bool,
        cause: Cause,
    ) -> Result<OperationId, Denied> {
        let found = self.find(selector)?;
        let (resource, seq) = (found.resource.clone(), found.seq());
        let busy = self.pinned(&resource, seq).or_else(|| self.destruction(&resource, seq));
        if let Some(operation) = busy {
            return Err(Denied::InUse { snapshot: found.label(), operation });
        }
        match found.fate {
            Fate::Trashed { .. } if !now => Err(Denied::InTrash { snapshot: found.label() }),
            // There is nothing left that could be put into the trash.
            _ if now || found.health == Health::Missing => {
                self.queue(&resource, Act::Destroy { seq, why: Doom::Asked }, cause)
            }
            _ => self.queue(&resource, Act::Trash { seq }, cause),
        }
    }

    /// Changes an override and lets the timeline follow.
    fn rewish(
        &mut self,
        resource: &ResourceName,
        wish: Override,
        act: Act,
        cause: Cause,
    ) -> Result<OperationId, Denied> {
        let before = self.configured(resource)?.clone();
        if wish.time.is_some() && matches!(before.resource.policy.rhythm.when, When::Cron(_)) {
            return Err(Denied::CronPolicy { resource: resource.clone() });
        }
        let operation = self.operation(resource, act, cause);
        let next = self.follow(&before, Account { wish, ..before.clone() });
        let stopped = before.is_active() && !next.is_active();
        self.put_account(next);
        if stopped {
            self.close_open_slots(&before);
        }
        Ok(self.done(operation))
    }

    /// Automatic snapshots were switched off: what waits for a retry waits no longer.
    fn close_open_slots(&mut self, account: &Account) {
        let open = account.slots.values().filter(|r| r.outcome.is_none());
        for record in open.cloned().collect::<Vec<_>>() {
            let id = record.operation;
            if id.is_some_and(|id| self.ledger.operations.get(&id).is_some_and(|o| o.is_open())) {
                continue;
            }
            let outcome = Some(Outcome::Skipped("automatic snapshots were disabled".into()));
            self.put(Entry::Slot(account.name().clone(), SlotRecord { outcome, ..record }));
        }
    }

    fn ask_acknowledge(
        &mut self,
        resource: &ResourceName,
        cause: Cause,
    ) -> Result<OperationId, Denied> {
        let mut account = self.account(resource)?.clone();
        if account.doubt().is_none() {
            return Err(Denied::NothingToAcknowledge { resource: resource.clone() });
        }
        if let Some(stranger) = account.stranger.take() {
            (account.identity, account.trouble) = (Some(stranger), None);
        }
        let suspects = account.snapshots.values().filter(|snapshot| {
            matches!(snapshot.health, Health::Suspect(_)) && snapshot.fate == Fate::Live
        });
        let suspects: Vec<Arc<Snapshot>> = suspects.cloned().collect();
        self.put_account(account);
        for suspect in suspects {
            let mut accepted = (*suspect).clone();
            (accepted.health, accepted.facts.accepted) = (Health::Complete, true);
            self.put(Entry::Snapshot(Box::new(accepted)));
            let mark = self.operation(resource, Act::Mark { seq: suspect.seq() }, cause);
            self.enqueue(mark);
        }
        let operation = self.operation(resource, Act::Acknowledge, cause);
        Ok(self.done(operation))
    }

    fn ask_forget(
        &mut self,
        resource: &ResourceName,
        automatic: Leftovers,
        cause: Cause,
    ) -> Result<OperationId, Denied> {
        let account = self.account(resource)?.clone();
        if account.declared {
            return Err(Denied::StillConfigured { resource: resource.clone() });
        }
        let old: Vec<_> = account
            .snapshots
            .values()
            .filter(|s| s.card.origin == Origin::Automatic && s.fate == Fate::Live)
            .map(|snapshot| snapshot.seq())
            .collect();
        let operation = self.operation(resource, Act::Forget { automatic }, cause);
        let id = self.done(operation);
        if account.snapshots.is_empty() {
            self.put(Entry::AccountErased(resource.clone()));
            return Ok(id);
        }
        self.put_account(Account { forgotten: true, ..account });
        if automatic == Leftovers::Trash {
            for seq in old {
                let trash = self.operation(resource, Act::Trash { seq }, cause);
                self.enqueue(trash);
            }
        }
        Ok(id)
    }

    /// Records an operation that is finished already.
    fn done(&mut self, operation: Operation) -> OperationId {
        let now = Some(self.now());
        let id = operation.id;
        let state = State::Succeeded;
        self.put(Entry::Operation(Operation {
            state,
            started: now,
            finished: now,
            tries: 1,
            ..operation
        }));
        id
    }

    fn queue(
        &mut self,
        resource: &ResourceName,
        act: Act,
        cause: Cause,
    ) -> Result<OperationId, Denied> {
        room(self.account(resource)?)?;
        let operation = self.operation(resource, act, cause);
        Ok(self.enqueue(operation))
    }

    fn account(&self, name: &ResourceName) -> Result<&Account, Denied> {
        self.ledger.account(name).ok_or_else(|| Denied::NoSuchResource {
            name: name.clone(),
            similar: similar(name.as_str(), self.ledger.accounts.keys().map(ResourceName::as_str))
                .and_then(|text| text.parse().ok()),
        })
    }

    fn configured(&self, name: &ResourceName) -> Result<&Account, Denied> {
        let account = self.account(name)?;
        if account.declared {
            return Ok(account);
        }
        Err(Denied::NotConfigured { resource: name.clone() })
    }

    /// The snapshot that a selector means.
    fn find(&self, selector: &Selector) -> Result<Arc<Snapshot>, Denied> {
        let found = match selector {
            Selector::Named(name) => self.ledger.named(name).cloned(),
            Selector::Latest(resource) => {
                let newest = |s: &&Arc<Snapshot>| s.counts();
                self.account(resource)?.snapshots.values().rev().find(newest).cloned()
            }
            Selector::Slot(resource, slot) => {
                let of_slot = |s: &&Arc<Snapshot>| {
                    s.card.slot == Some(*slot)
                        && s.health != Health::Taking
                        && s.fate != Fate::Doomed
                };
                self.account(resource)?.snapshots.values().rev().find(of_slot).cloned()
            }
        };
        found.ok_or_else(|| {
            let labels: Vec<String> = self.ledger.snapshots().map(|s| s.label()).collect();
            let similar = similar(&selector.to_string(), labels.iter().map(String::as_str));
            Denied::NoSuchSnapshot { wanted: selector.clone(), similar }
        })
    }

    fn find_usable(&self, selector: &Selector) -> Result<Arc<Snapshot>, Denied> {
        let found = self.find(selector)?;
        if matches!(found.fate, Fate::Trashed { .. }) {
            return Err(Denied::InTrash { snapshot: found.label() });
        }
        if found.usable() {
            self.spared(&found)?;
            return Ok(found);
        }
        Err(Denied::NotUsable { snapshot: found.label(), health: found.health.word().into() })
    }

    /// A snapshot whose destruction is queued already cannot be promised to anybody.
    fn spared(&self, snapshot: &Snapshot) -> Result<(), Denied> {
        match self.destruction(&snapshot.resource, snapshot.seq()) {
            Some(operation) => Err(Denied::InUse { snapshot: snapshot.label(), operation }),
            None => Ok(()),
        }
    }

    /// Snapshot names are one namespace, with those that are still to be made.
    fn free(&self, name: &SnapshotName) -> Result<(), Denied> {
        let taken = |by: &ResourceName| Denied::NameTaken { name: name.clone(), by: by.clone() };
        if let Some(snapshot) = self.ledger.named(name) {
            return Err(taken(&snapshot.resource));
        }
        let wants = |operation: &Operation| match &operation.act {
            Act::Take { name: Some(other), .. } | Act::Keep { name: other, .. } => other == name,
            _ => false,
        };
        match self.ledger.open_operations().find(|operation| wants(operation)) {
            Some(operation) => Err(taken(&operation.resource)),
            None => Ok(()),
        }
    }
}

fn room(account: &Account) -> Result<(), Denied> {
    if account.queue.len() < QUEUE {
        return Ok(());
    }
    Err(Denied::QueueFull { resource: account.name().clone() })
}

fn similar<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let near = known.map(|text| (strsim::damerau_levenshtein(wanted, text), text));
    near.filter(|(distance, _)| *distance <= 3).min().map(|(_, text)| text.to_owned())
}
