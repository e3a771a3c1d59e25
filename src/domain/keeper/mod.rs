//! The brain: events and the time come in, actions go out. Nothing here waits, reads or writes.
//!
//! ```text
//! Tick, Configured, Asked, Finished ──► Keeper::handle(event, reading) ──► Record, Start, Reply
//! ```
//!
//! Start-up, retry, crash recovery and an ordinary morning are the same code: after each event the
//! touched accounts are *tended*, which compares what should be with what is. An act always has
//! its intent among the records that come before its start.

mod cancel;
mod conclude;
mod configure;
mod disks;
mod find;
mod forget;
mod judging;
mod lane;
mod make;
mod naming;
mod order;
mod outcome;
mod recover;
mod request;
mod rotate;
mod tags;
mod tend;
mod usage;
mod wakes;

use super::account::Account;
use super::agenda::AFTER_BOOT;
use super::clock::{Belief, Reading, Trust};
use super::event::{Action, Entry, Event};
use super::id::OperationId;
use super::key::Key;
use super::ledger::Ledger;
use super::name::ResourceName;
use super::operation::{Act, Cause, Operation, State};
use super::snapshot::Seq;
use jiff::{SignedDuration, Timestamp};
pub use naming::free_name;
use std::collections::BTreeSet;
use uuid::Uuid;
use wakes::Wakes;

#[derive(Clone, Debug)]
pub struct Keeper {
    ledger: Ledger,
    trust: Trust,
    belief: Belief,
    /// The reading of the event in hand.
    reading: Reading,
    /// The clock was set ahead since the one before.
    leapt: bool,
    /// What a clock that is believed again showed when it was last believed, be it in an earlier
    /// run.
    left: Option<Timestamp>,
    /// When this daemon started, by the boot clock: it cannot be set.
    started: SignedDuration,
    /// The newest believed time up to which all slots were looked at. Not the time of a stop: what
    /// falls due while acts in flight end is the next start's to note.
    looked: Timestamp,
    wakes: Wakes,
    touched: BTreeSet<ResourceName>,
    actions: Vec<Action>,
    /// Randomness, given once; ids are drawn from it so that a simulation replays exactly.
    seed: u128,
    stopping: bool,
    /// The idempotency key of the request in hand, until the operation that it becomes has it.
    key: Option<Key>,
}

impl Keeper {
    /// Takes over a ledger as a crash may have left it. `floor` is the earliest believable time
    /// (the build date); `seed` is fresh randomness.
    pub fn new(ledger: Ledger, floor: Timestamp, reading: Reading, seed: u128) -> Self {
        let floor = ledger.floor.map_or(floor, |known| known.max(floor));
        let left = ledger.floor;
        let mut keeper = Self {
            ledger,
            trust: Trust::new(floor),
            belief: Belief::Trusted,
            reading,
            leapt: false,
            left,
            started: reading.boot,
            looked: floor,
            wakes: Wakes::default(),
            touched: BTreeSet::new(),
            actions: Vec::new(),
            seed,
            stopping: false,
            key: None,
        };
        keeper.resume_queues();
        keeper
    }

    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The clocks as they were last read.
    pub fn reading(&self) -> Reading {
        self.reading
    }

    pub fn belief(&self) -> Belief {
        self.belief
    }

    /// When this daemon started, and from when it catches up, as the wall clock of now would have
    /// shown it.
    pub fn beginnings(&self) -> (Timestamp, Timestamp) {
        let ago = self.reading.boot.saturating_sub(self.started);
        let started = self.reading.wall.saturating_sub(ago).unwrap_or(Timestamp::MIN);
        let wait = AFTER_BOOT.saturating_sub(self.started).max(SignedDuration::ZERO);
        (started, started.saturating_add(wait).unwrap_or(Timestamp::MAX))
    }

    /// Decides what follows from an event at the time of `reading`.
    pub fn handle(&mut self, event: Event, reading: Reading) -> Vec<Action> {
        self.notice(reading);
        match event {
            Event::Tick => {}
            Event::Configured(resources) => self.configure(resources),
            Event::Barred(barred) => self.bar(barred),
            Event::Welcomed(name) => self.welcome(&name),
            Event::Asked(ask) => self.answer(ask),
            Event::Finished(finished) => self.conclude(finished),
            Event::GivenUp(id) => self.give_up(id),
            Event::Sweep => self.sweep(),
            Event::Look => self.look(),
            Event::Stop => self.stopping = true,
        }
        self.tend();
        if !self.stopping {
            self.looked = self.trust.floor;
        }
        std::mem::take(&mut self.actions)
    }

    /// When to look again, by the wall clock, if nothing happens before.
    pub fn wake(&self) -> Option<Timestamp> {
        if self.stopping { None } else { self.wakes.first() }
    }

    fn now(&self) -> Timestamp {
        self.reading.wall
    }

    /// Judges the clock; after a step everything is looked at anew.
    fn notice(&mut self, reading: Reading) {
        let wall = reading.wall.duration_since(self.reading.wall);
        let boot = reading.boot.saturating_sub(self.reading.boot);
        let step = wall.saturating_sub(boot);
        let stepped = step.abs() > SignedDuration::from_secs(1);
        self.leapt = stepped && step.is_positive();
        let (before, floor) = (self.belief, self.trust.floor);
        let belief = self.trust.judge(reading);
        if before != Belief::Trusted && belief == Belief::Trusted {
            self.left = Some(floor);
        }
        if stepped || belief != self.belief {
            self.touched.extend(self.ledger.accounts.keys().cloned());
        }
        (self.belief, self.reading) = (belief, reading);
        self.ledger.elapsed = reading.elapsed;
    }

    /// Notes a fact: known from now on, durable before anything that follows.
    fn put(&mut self, entry: Entry) {
        self.ledger.apply(&entry);
        self.actions.push(Action::Record(entry));
    }

    fn put_account(&mut self, account: Account) {
        self.touched.insert(account.name().clone());
        self.put(Entry::Account(Box::new(account)));
    }

    /// The newest believed time, recorded now and then by the driver's housekeeping.
    pub fn clock_entry(&self) -> Entry {
        Entry::Clock { floor: self.looked, elapsed: self.reading.elapsed }
    }

    /// An operation in its first state; not yet recorded.
    fn operation(&mut self, resource: &ResourceName, act: Act, cause: Cause) -> Operation {
        let id = self.ledger.next_operation;
        self.ledger.next_operation = id.next();
        Operation {
            id,
            resource: resource.clone(),
            act,
            cause,
            key: if matches!(cause, Cause::Peer(_)) { self.key.take() } else { None },
            created: self.now(),
            started: None,
            finished: None,
            state: State::Queued,
            tries: 0,
            cancel_asked_by: None,
            output: String::new(),
        }
    }

    /// Draws the next sequence number of an account; the account is recorded with it.
    fn draw_seq(&mut self, account: &mut Account) -> Seq {
        let seq = account.next_seq;
        account.next_seq = seq.next();
        self.put_account(account.clone());
        seq
    }

    /// A fresh random-looking id: the seed, stepped and scrambled.
    fn draw_id(&mut self) -> Uuid {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let mut bits = self.seed;
        bits = (bits ^ (bits >> 67)).wrapping_mul(0xda94_2042_e4dd_58b5_2545_f491_4f6c_dd1d);
        uuid::Builder::from_random_bytes((bits ^ (bits >> 61)).to_be_bytes()).into_uuid()
    }

    /// Whether an open operation needs this snapshot.
    fn pinned(&self, resource: &ResourceName, seq: Seq) -> Option<OperationId> {
        let mut open = self.ledger.open_of(resource);
        open.find(|operation| operation.act.pins(seq)).map(|operation| operation.id)
    }
}
