//! Comparing what should be with what is, one account at a time.

use super::Keeper;
use crate::domain::account::{Account, Override};
use crate::domain::agenda::{self};
use crate::domain::clock::Belief;
use crate::domain::dating::Look;
use crate::domain::event::Entry;
use crate::domain::id::OperationId;
use crate::domain::name::ResourceName;
use crate::domain::operation::{Act, Cause, Doom, Failure, Fault, Operation, State};
use crate::domain::recovery;
use crate::domain::slot_record;
use crate::domain::slot_record::{Beginning, Outcome, Run, SlotRecord, Why};
use crate::domain::snapshot::{Fate, Part, Seq, Thrown};
use crate::domain::tag::Tags;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// How often a doubted clock is looked at again.
const DOUBT_PAUSE: SignedDuration = SignedDuration::from_secs(30);

impl Keeper {
    /// Tends every account that was touched or whose time has come.
    pub(super) fn tend(&mut self) {
        let due = self.wakes.due(self.now());
        self.touched.extend(due);
        while let Some(name) = self.touched.pop_first() {
            self.tend_account(&name);
        }
    }

    fn tend_account(&mut self, name: &ResourceName) {
        if self.leaves(name) {
            self.erase(name, "it left the configuration and has no snapshots");
            self.wakes.set(name, None);
            return;
        }
        self.close_idle(name);
        if self.belief != Belief::Doubted && !self.stopping {
            self.rewind(name);
            self.rebase(name);
            self.close_slots(name);
            self.note_idle(name);
            self.reopen_slot(name);
            self.begin_slot(name);
        }
        self.empty_trash(name);
        self.advance(name);
        self.wakes.set(name, self.next_look(name));
    }

    /// Whether nothing of it is left: no declaration, no snapshot, and nothing under way. A slip of
    /// the pen in its name or place is mended with the file alone.
    fn leaves(&self, name: &ResourceName) -> bool {
        self.ledger.account(name).is_some_and(|account| {
            let gone = !account.declared && !account.forgotten;
            // What commands changed waits for a file that names it again; a look may find a
            // snapshot.
            let is_bare = account.snapshots.is_empty() && account.wish == Override::default();
            let looks = |open: &Arc<Operation>| matches!(open.act, Act::Survey);
            gone && is_bare && account.running.is_none() && !self.ledger.open_of(name).any(looks)
        })
    }

    /// Notices that the clock was ahead when slots were filled that are yet to come.
    fn rewind(&mut self, name: &ResourceName) {
        let Some(account) = self.ledger.account(name) else { return };
        let newest = Seq(account.next_seq.0.saturating_sub(1));
        let (now, elapsed) = (self.now(), self.reading.elapsed);
        let look = Look { now, elapsed, sure: self.belief == Belief::Trusted, leapt: self.leapt };
        if let Some(dating) = account.dating.rewind(account.slots.values(), newest, look) {
            let account = Account { dating, ..account.clone() };
            self.put(Entry::Account(Box::new(account)));
        }
    }

    fn rebase(&mut self, name: &ResourceName) {
        let Some(account) = self.ledger.account(name) else { return };
        if let Some(timeline) = account.timeline.rebased(self.now()) {
            let account = Account { timeline, ..account.clone() };
            self.put(Entry::Account(Box::new(account)));
        }
    }

    /// Gives every slot whose period is over its outcome. Before a change of the schedule as well:
    /// afterwards nobody would know what had been promised.
    pub(super) fn close_slots(&mut self, name: &ResourceName) {
        let Some(account) = self.ledger.accounts.get(name).cloned() else { return };
        if self.belief == Belief::Doubted || account.is_active() == account.timeline.is_off() {
            return;
        }
        let over = agenda::closable(&account.facts(), self.left, self.now());
        for record in over {
            let operation =
                record.operation.and_then(|id| self.ledger.operations.get(&id).cloned());
            let outcome = match operation.filter(|operation| operation.is_open()) {
                // Still being taken: it ends with the operation.
                Some(operation) if operation.state == State::Running => continue,
                // Nothing was tried in vain: it begins as soon as its turn comes.
                Some(waiting)
                    if waiting.created >= self.beginnings().0
                        && agenda::may_wait(&account.facts(), &record, self.now()) =>
                {
                    continue;
                }
                Some(waiting) => {
                    let why = "the operation before it was still running";
                    self.leave_queue(name, waiting.id);
                    let failure = Failure::new(Fault::Busy, why);
                    self.finish(&waiting, State::Failed(failure), String::new());
                    Outcome::Skipped(why.into())
                }
                None if record.last_failure.is_none() && record.due >= self.beginnings().0 => {
                    Outcome::Missed("the machine was asleep or its clock was set".into())
                }
                None => record.closing(),
            };
            self.put(Entry::Slot(name.clone(), SlotRecord { outcome: Some(outcome), ..record }));
        }
    }

    /// Automatic snapshots were switched off: what is queued is not taken, and what waits for a
    /// retry waits no longer.
    fn close_idle(&mut self, name: &ResourceName) {
        let Some(account) = self.ledger.account(name).filter(|account| !account.is_active()) else {
            return;
        };
        let why = idle_because(account);
        let open = account.slots.values().filter(|record| record.outcome.is_none());
        for record in open.cloned().collect::<Vec<_>>() {
            let operation =
                record.operation.and_then(|id| self.ledger.operations.get(&id).cloned());
            match operation.filter(|operation| operation.is_open()) {
                // It has begun: it ends with the operation.
                Some(operation) if operation.tries > 0 => continue,
                Some(waiting) => {
                    self.leave_queue(name, waiting.id);
                    let failure = Failure::new(Fault::Permanent, why);
                    self.finish(&waiting, State::Failed(failure), String::new());
                }
                None => {}
            }
            let (finished, outcome) =
                (record.finished.or(Some(self.now())), Some(Outcome::Skipped(why.into())));
            self.put(Entry::Slot(name.clone(), SlotRecord { finished, outcome, ..record }));
        }
    }

    /// What fell due while it was on has a record, though it was switched off before it could
    /// begin.
    fn note_idle(&mut self, name: &ResourceName) {
        let Some(account) = self.ledger.account(name).filter(|account| !account.is_active()) else {
            return;
        };
        // A ledger of an older heptad does not know since when: then nothing is known of this slot.
        if !account.timeline.is_off() {
            return;
        }
        let why = idle_because(account);
        let current = agenda::current(&account.facts(), self.now());
        if let Some(record) = current.filter(|r| r.attempts == 0 && r.outcome.is_none()) {
            let outcome = Some(Outcome::Skipped(why.into()));
            self.put(Entry::Slot(name.clone(), SlotRecord { outcome, ..record }));
        }
    }

    /// Switched on again on the same day: what was promised or waited for a retry does so again.
    fn reopen_slot(&mut self, name: &ResourceName) {
        let Some(account) = self.ledger.account(name).filter(|account| account.is_active()) else {
            return;
        };
        let current = agenda::current(&account.facts(), self.now());
        if let Some(record) = current.filter(|r| r.outcome.as_ref().is_some_and(Outcome::is_wished))
        {
            self.put(Entry::Slot(name.clone(), SlotRecord { outcome: None, ..record }));
        }
    }

    /// Queues the automatic snapshot that is due, once.
    fn begin_slot(&mut self, name: &ResourceName) {
        let Some(account) = self.ledger.account(name) else { return };
        let Some(run) = self.next_run(account).filter(|run| run.at <= self.now()) else { return };
        let mut account = account.clone();
        let slot = run.period.slot;
        if let Some(there) = account.snapshots.values().find(|s| s.is_of(slot)) {
            // Its record is no longer in memory, as after a clock that ran far ahead.
            if let Some(record) = recovery::slot_of(there) {
                self.put(Entry::Slot(name.clone(), record));
                // Where that is from a clock that was ahead, the slot has another name.
                self.begin_slot(name);
            }
            return;
        }
        let seq = self.draw_seq(&mut account);
        let act = Act::Take {
            seq,
            slot: Some(run.period.slot),
            name: None,
            tags: Tags::new(),
            part: Part::Whole,
        };
        let operation = self.operation(name, act, cause(run.why));
        let known = account.slots.get(&run.period.slot).cloned();
        let record = known.unwrap_or_else(|| SlotRecord::open(run.period));
        self.put(Entry::Slot(
            name.clone(),
            SlotRecord {
                attempts: record.attempts + 1,
                operation: Some(operation.id),
                seq: Some(seq),
                outcome: None,
                ..record
            },
        ));
        self.enqueue(operation);
    }

    fn next_run(&self, account: &Account) -> Option<Run> {
        let (started, settled) = self.beginnings();
        account.next_run(Beginning { started, settled }, self.now())
    }

    /// Destroys what has lain in the trash long enough.
    fn empty_trash(&mut self, name: &ResourceName) {
        let Some(account) = self.ledger.account(name) else { return };
        // What rotation threw away may be the last that is good.
        let waits = account.doubt().is_some();
        let expired = |fate: Fate| match fate {
            Fate::Trashed { why: Thrown::Rotated, .. } if waits => false,
            Fate::Trashed { until, .. } => until <= self.ledger.elapsed,
            Fate::Live | Fate::Doomed { .. } => false,
        };
        let expired: Vec<Seq> =
            account.snapshots.values().filter(|s| expired(s.fate)).map(|s| s.seq()).collect();
        for seq in expired {
            // Somebody was in time to ask for it back.
            if self.pinned(name, seq).is_some() {
                continue;
            }
            self.destroy(name, seq, Doom::TrashExpired, Cause::Trash);
        }
    }

    /// Queues a destruction, unless one is open already.
    pub(super) fn destroy(&mut self, name: &ResourceName, seq: Seq, why: Doom, cause: Cause) {
        if self.destruction(name, seq).is_none() {
            let operation = self.operation(name, Act::Destroy { seq, why }, cause);
            self.enqueue(operation);
        }
    }

    /// The open operation that destroys a snapshot.
    pub(super) fn destruction(&self, name: &ResourceName, seq: Seq) -> Option<OperationId> {
        let destroys = |operation: &&Arc<Operation>| match operation.act {
            Act::Destroy { seq: doomed, .. } => doomed == seq,
            _ => false,
        };
        self.ledger.open_of(name).find(destroys).map(|operation| operation.id)
    }

    /// When this account wants to be looked at again.
    fn next_look(&self, name: &ResourceName) -> Option<Timestamp> {
        let account = self.ledger.account(name)?;
        let now = self.now();
        let run = self.next_run(account).map(|run| run.at);
        let open = |record: &&SlotRecord| record.outcome.is_none() && record.end > now;
        let closing = account.slots.values().filter(open).map(|record| record.end);
        let trash = account.snapshots.values().filter_map(|snapshot| match snapshot.fate {
            Fate::Trashed { until, .. } if until > self.ledger.elapsed => {
                now.saturating_add(until.saturating_sub(self.ledger.elapsed)).ok()
            }
            _ => None,
        });
        let look = account.look_again.filter(|at| *at > now && !account.queue.is_empty());
        let soonest = run.into_iter().chain(closing).chain(trash).chain(look).min();
        if self.belief == Belief::Doubted {
            return now.saturating_add(DOUBT_PAUSE).ok();
        }
        soonest
    }
}

fn idle_because(account: &Account) -> &'static str {
    if account.declared && !account.forgotten { slot_record::DISABLED } else { slot_record::LEFT }
}

fn cause(why: Why) -> Cause {
    match why {
        Why::Scheduled => Cause::Schedule,
        Why::CatchUp => Cause::CatchUp,
        Why::Retry(n) => Cause::Retry(n),
    }
}
