//! A client asks: refuse with a reason, answer at once, or queue.

use super::super::denied::Denied;
use super::super::request::Request;
use super::Keeper;
use super::find::{inherited, of_kind, room};
use super::tags::keepsakes;
use crate::domain::account::{Account, Override};
use crate::domain::event::{Action, Ask, Entry};
use crate::domain::id::OperationId;
use crate::domain::name::{ResourceName, SnapshotName};
use crate::domain::operation::{Act, Cause, Doom, Failure, Fault, Operation, State};
use crate::domain::policy::When;
use crate::domain::repeat::repeat;
use crate::domain::resource::Kind;
use crate::domain::slot_record::{Outcome, SlotRecord};
use crate::domain::snapshot::{Fate, Health, Origin, Part, Selector, Snapshot};
use crate::domain::tag::Tags;
use jiff::SignedDuration;
use std::sync::Arc;

impl Keeper {
    pub(super) fn answer(&mut self, ask: Ask) {
        let answer = match (&ask.request, self.repeated(&ask)) {
            // Whatever it would change is thrown away with who tried it.
            (Request::Rehearse(request), _) => {
                let mut other = self.clone();
                let request = (**request).clone();
                let decided = other.decide(&Ask { request, ..ask.clone() });
                decided.map(|id| (*other.ledger.operations[&id]).clone())
            }
            (_, Some(earlier)) => repeat(&ask, earlier),
            (_, None) => {
                self.key.clone_from(&ask.key);
                let decided = self.decide(&ask);
                self.key = None;
                // What was queued may start in this very turn; the reply tells its first state.
                decided.map(|id| (*self.ledger.operations[&id]).clone())
            }
        };
        self.actions.push(Action::Reply(ask.ticket, answer));
    }

    /// The operation that the same client began earlier under the same key, if it is in memory.
    pub fn repeated(&self, ask: &Ask) -> Option<&Operation> {
        let key = ask.key.as_ref()?;
        let mine = |operation: &&Arc<Operation>| {
            let same = operation.key.as_ref().is_some_and(|other| other.text == key.text);
            same && operation.cause == Cause::Peer(ask.uid)
        };
        self.ledger.operations.values().rev().find(mine).map(Arc::as_ref)
    }

    fn decide(&mut self, ask: &Ask) -> Result<OperationId, Denied> {
        let cause = Cause::Peer(ask.uid);
        match &ask.request {
            Request::Take { resource, name, tags, part } => {
                self.ask_take(resource, name.as_ref(), tags, *part, cause)
            }
            Request::Keep { from, name, tags } => self.ask_keep(from, name, tags, cause),
            Request::TagResource { resource, change } => {
                self.ask_tag_resource(resource, change, cause)
            }
            Request::TagSnapshot { snapshot, change } => {
                self.ask_tag_snapshot(snapshot, change, cause)
            }
            Request::Create { from, draft } => self.ask_create(from, draft, cause),
            Request::Rollback { resource, to, safety } => {
                self.ask_rollback(resource, to, safety.as_ref(), cause)
            }
            Request::Attach { instance, disk } => {
                self.ask_disk(instance, disk, Act::Attach { disk: disk.clone() }, cause)
            }
            Request::Detach { instance, disk } => {
                self.ask_disk(instance, disk, Act::Detach { disk: disk.clone() }, cause)
            }
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
                let wish = self.configured(resource)?.wish.clone();
                let wish = Override { enabled: Some(true), ..wish };
                let wish = Override { time: time.or(wish.time), ..wish };
                self.rewish(resource, wish, Act::Enable { time: *time }, cause)
            }
            Request::Disable { resource } => {
                let wish = self.configured(resource)?.wish.clone();
                let wish = Override { enabled: Some(false), ..wish };
                self.rewish(resource, wish, Act::Disable, cause)
            }
            Request::SetTime { resource, time } => {
                let wish = self.configured(resource)?.wish.clone();
                let wish = Override { time: Some(*time), ..wish };
                self.rewish(resource, wish, Act::SetTime { time: *time }, cause)
            }
            Request::Reset { resource } => {
                self.configured(resource)?;
                self.rewish(resource, Override::default(), Act::Reset, cause)
            }
            Request::Acknowledge { resource } => self.ask_acknowledge(resource, cause),
            Request::Forget { resource, automatic, last } => {
                self.ask_forget(resource, *automatic, last, cause)
            }
            Request::Cancel { operation } => self.ask_cancel(*operation, ask.uid),
            Request::Rehearse(request) => {
                self.decide(&Ask { request: (**request).clone(), ..ask.clone() })
            }
        }
    }

    fn ask_take(
        &mut self,
        resource: &ResourceName,
        name: Option<&SnapshotName>,
        tags: &Tags,
        part: Part,
        cause: Cause,
    ) -> Result<OperationId, Denied> {
        let mut account = self.configured(resource)?.clone();
        if part == Part::SystemDisk {
            of_kind(&account, Kind::Instance)?;
        }
        if let Some(name) = name {
            self.free(name)?;
        }
        room(&account)?;
        let all = inherited(&account, &account.tags(), tags)?;
        let name = name.cloned().or_else(|| self.invented(&account));
        let seq = self.draw_seq(&mut account);
        self.queue(resource, Act::Take { seq, slot: None, name, tags: all, part }, cause)
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
        let all = inherited(&account, &keepsakes(&account, &original)?, tags)?;
        let seq = self.draw_seq(&mut account);
        let act = Act::Keep { from: original.seq(), seq, name: name.clone(), tags: all };
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
        self.close_slots(resource);
        let before = self.configured(resource)?.clone();
        if wish.time.is_some() && matches!(before.resource.policy.rhythm.when, When::Cron(_)) {
            return Err(Denied::CronPolicy { resource: resource.clone() });
        }
        let operation = self.operation(resource, act, cause);
        let next = self.follow(&before, Account { wish, ..before.clone() });
        self.put_account(next);
        Ok(self.done(operation))
    }

    /// What is accepted is what a look shows now: what was seen before may be away again, as a
    /// wrong mount is, or was not seen yet. A snapshot or a rhythm looks the same whenever it is
    /// accepted.
    fn ask_acknowledge(
        &mut self,
        resource: &ResourceName,
        cause: Cause,
    ) -> Result<OperationId, Denied> {
        let account = self.account(resource)?.clone();
        let waits = account.doubt().is_some() || account.held.is_some();
        if account.stranger.is_none() && waits {
            let operation = self.operation(resource, Act::Acknowledge, cause);
            let operation = Operation { output: accepted(&account), ..operation };
            self.accept(account, cause);
            return Ok(self.done(operation));
        }
        if !account.declared || account.forgotten {
            return Err(Denied::NothingToAcknowledge { resource: resource.clone() });
        }
        let queued = self.queue(resource, Act::Acknowledge, cause)?;
        if let Some(account) = self.ledger.account_mut(resource) {
            (account.surveyed, account.look_again) = (false, None);
        }
        Ok(queued)
    }

    /// It has been looked at since that was asked for.
    pub(super) fn acknowledge(&mut self, operation: &Operation) {
        let now = Some(self.now());
        let operation = Operation { started: now, tries: 1, ..operation.clone() };
        let account = self.ledger.account(&operation.resource).cloned();
        let waits = |account: &Account| account.doubt().is_some() || account.held.is_some();
        let (state, output) = match account.filter(waits) {
            Some(account) => {
                let output = accepted(&account);
                self.accept(account, operation.cause);
                (State::Succeeded, output)
            }
            None => {
                let why = "nothing of it waits for acknowledgement: it is what it was before";
                (State::Failed(Failure::new(Fault::Permanent, why)), String::new())
            }
        };
        self.finish(&operation, state, output);
    }

    /// Each alarm is answered by its own word: who accepts a snapshot has not looked at the rhythm.
    fn accept(&mut self, mut account: Account, cause: Cause) {
        let resource = account.name().clone();
        if account.doubt().is_none() {
            account.held = None;
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
            self.accept_slot(&resource, &suspect);
            let mark = self.operation(&resource, Act::Mark { seq: suspect.seq() }, cause);
            self.enqueue(mark);
        }
    }

    /// The slot of an accepted snapshot is as good as any.
    fn accept_slot(&mut self, resource: &ResourceName, suspect: &Snapshot) {
        let Some(account) = self.ledger.account(resource) else { return };
        let of_it = |record: &&SlotRecord| {
            record.seq == Some(suspect.seq()) && matches!(record.outcome, Some(Outcome::Suspect(_)))
        };
        let record = account.slots.values().find(of_it).cloned();
        if suspect.card.origin == Origin::Automatic {
            // By the clock: how long heptad had run then is known of the newest one only.
            let mut account = account.clone();
            let elapsed = self.reading.elapsed;
            let at = account.dating.believed(suspect.seq(), suspect.card.taken_at);
            let then =
                elapsed.saturating_sub(self.now().duration_since(at).max(SignedDuration::ZERO));
            account.dating.completed = account.dating.completed.map(|known| known.max(then));
            self.put_account(account);
        }
        if let Some(record) = record {
            let outcome = Some(Outcome::Complete);
            self.put(Entry::Slot(resource.clone(), SlotRecord { outcome, ..record }));
        }
    }

    /// Records an operation that is finished already.
    pub(super) fn done(&mut self, operation: Operation) -> OperationId {
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

    pub(super) fn queue(
        &mut self,
        resource: &ResourceName,
        act: Act,
        cause: Cause,
    ) -> Result<OperationId, Denied> {
        room(self.account(resource)?)?;
        let operation = self.operation(resource, act, cause);
        Ok(self.enqueue(operation))
    }
}

/// At most so many snapshots are named.
const NAMED: usize = 5;

/// What an acknowledgement accepts, line by line, and what still waits for one.
fn accepted(account: &Account) -> String {
    let rhythm = "what its rhythm of before made, which goes one by one now";
    if account.doubt().is_none() {
        return format!("accepted: {rhythm}\n");
    }
    let stranger = account.stranger.iter().map(|id| format!("accepted: the identity {id}\n"));
    let suspects = account.snapshots.values().filter_map(|snapshot| match &snapshot.health {
        Health::Suspect(why) if snapshot.fate == Fate::Live => {
            Some(format!("accepted: {}: {why}\n", snapshot.label()))
        }
        _ => None,
    });
    let all: Vec<String> = stranger.chain(suspects).collect();
    let mut text: String = all.iter().take(NAMED).map(String::as_str).collect();
    if all.len() > NAMED {
        text.push_str(&format!("accepted: {} more\n", all.len() - NAMED));
    }
    if account.held.is_some_and(|held| held.calm.is_none()) {
        let name = account.name();
        text.push_str(&format!(
            "still to be acknowledged: its denser rhythm, by which snapshots of before would go; \
             look at it (heptactl status {name}), then once more: heptactl acknowledge {name}\n"
        ));
    }
    text
}
