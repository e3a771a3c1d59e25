//! One simulated machine: keeper, store, disk and clock, moved one step at a time.

use super::oracle::Oracle;
use super::store::Store;
use super::whim::Whim;
use crate::backend::fake::{FakeDisk, FakeObject};
use crate::daemon::perform::perform;
use crate::domain::clock::Reading;
use crate::domain::denied::Denied;
use crate::domain::event::{Action, Ask, Entry, Event};
use crate::domain::id::OperationId;
use crate::domain::keeper::Keeper;
use crate::domain::key::Key;
use crate::domain::operation::Operation;
use crate::domain::order::{Order, Work};
use crate::domain::report::Finished;
use crate::domain::request::Request;
use crate::domain::resource::Resource;
use crate::domain::snapshot::Content;
use crate::domain::survey::{Mark, Wholeness};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeSet, VecDeque};

/// Where the power may be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Between two steps: what was recorded and done is there, the rest is not.
    Between,
    /// In the middle of the next act of a backend, before its commit point.
    InTheAct,
}

#[derive(Debug)]
pub struct Machine {
    pub disk: FakeDisk,
    pub oracle: Oracle,
    store: Box<dyn Store>,
    keeper: Keeper,
    resources: Vec<Resource>,
    reading: Reading,
    orders: VecDeque<Order>,
    reports: VecDeque<Finished>,
    replies: Vec<Result<Operation, Denied>>,
    /// What is under way and not wanted any more.
    halted: BTreeSet<OperationId>,
    boots: u64,
}

/// The earliest time that a simulated machine believes.
const FLOOR: Timestamp = Timestamp::UNIX_EPOCH;

impl Machine {
    /// Switches a new machine on at `now`.
    pub fn new(
        store: Box<dyn Store>,
        disk: FakeDisk,
        resources: Vec<Resource>,
        now: Timestamp,
    ) -> Self {
        let reading = Reading {
            wall: now,
            boot: SignedDuration::from_mins(10),
            synchronised: true,
            elapsed: SignedDuration::ZERO,
            slept: SignedDuration::ZERO,
        };
        let mut machine = Self {
            disk,
            oracle: Oracle::default(),
            keeper: Keeper::new(store.load(), FLOOR, reading, 1),
            store,
            resources,
            reading,
            orders: VecDeque::new(),
            reports: VecDeque::new(),
            replies: Vec::new(),
            halted: BTreeSet::new(),
            boots: 1,
        };
        machine.turn(Event::Configured(machine.resources.clone()));
        machine
    }

    pub fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    pub fn now(&self) -> Timestamp {
        self.reading.wall
    }

    /// How long heptad has run in all.
    pub fn elapsed(&self) -> SignedDuration {
        self.reading.elapsed
    }

    /// Asks as a client would.
    ///
    /// # Errors
    /// The keeper's refusal.
    pub fn ask(&mut self, request: Request) -> Result<Operation, Denied> {
        self.ask_with_key(request, None)
    }

    /// As [`Machine::ask`], with an idempotency key.
    ///
    /// # Errors
    /// The keeper's refusal.
    pub fn ask_with_key(
        &mut self,
        request: Request,
        key: Option<Key>,
    ) -> Result<Operation, Denied> {
        if let Request::Rotate { resource } = &request {
            self.oracle.asked_to_rotate(resource);
        }
        self.turn(Event::Asked(Ask { ticket: 0, uid: 1000, key, request }));
        self.replies.pop().unwrap_or(Err(Denied::Stopping))
    }

    /// Loads another configuration.
    pub fn configure(&mut self, resources: Vec<Resource>) {
        self.resources.clone_from(&resources);
        self.turn(Event::Configured(resources));
    }

    /// Does what is to be done at this moment, until nothing is left.
    pub fn settle(&mut self) {
        while self.step() {}
    }

    /// One step: a report delivered or an order performed. `false` when there is none.
    pub fn step(&mut self) -> bool {
        if let Some(report) = self.reports.pop_front() {
            self.turn(Event::Finished(report));
            return true;
        }
        let Some(order) = self.orders.pop_front() else { return false };
        self.oracle.before(&order, &self.disk);
        let backend = self.disk.backend(&order.resource);
        let whim = Whim::of(&order, self.halted.remove(&order.operation));
        let result = perform(&backend, &order, &whim);
        self.oracle.after(&order, &self.disk, self.reading);
        let output = String::new();
        self.reports.push_back(Finished { operation: order.operation, result, output });
        true
    }

    /// Lets time pass up to `until`, stopping at everything that falls due; one wake-up a call.
    /// `false` when it is reached.
    pub fn pass(&mut self, until: Timestamp) -> bool {
        if self.now() >= until {
            return false;
        }
        let wake = self.keeper.wake().filter(|wake| *wake > self.now() && *wake < until);
        let by = wake.unwrap_or(until).duration_since(self.now());
        self.advance(by);
        true
    }

    /// Runs until `until`, doing everything that falls due.
    pub fn run(&mut self, until: Timestamp) {
        self.settle();
        while self.pass(until) {
            self.settle();
        }
    }

    /// Moves wall and boot clock ahead and wakes the keeper.
    pub fn advance(&mut self, by: SignedDuration) {
        self.reading.wall = self.reading.wall.saturating_add(by).unwrap_or(Timestamp::MAX);
        self.reading.boot += by;
        self.reading.elapsed += by;
        self.turn(Event::Tick);
    }

    /// As [`Machine::advance`], with the machine asleep until then.
    pub fn sleep(&mut self, by: SignedDuration) {
        self.reading.wall = self.reading.wall.saturating_add(by).unwrap_or(Timestamp::MAX);
        self.reading.boot += by;
        self.reading.slept += by;
        self.turn(Event::Tick);
    }

    /// The hourly look at every backend.
    pub fn sweep(&mut self) {
        self.turn(Event::Sweep);
    }

    /// Sets the wall clock alone, as a person or a time server does.
    pub fn set_clock(&mut self, wall: Timestamp, synchronised: bool) {
        (self.reading.wall, self.reading.synchronised) = (wall, synchronised);
        self.turn(Event::Tick);
    }

    /// Another machine in the same state, for trying what a power cut does.
    pub fn fork(&self) -> Self {
        Self {
            disk: self.disk.fork(),
            oracle: self.oracle.clone(),
            store: self.store.fork(),
            keeper: self.keeper.clone(),
            resources: self.resources.clone(),
            reading: self.reading,
            orders: self.orders.clone(),
            reports: self.reports.clone(),
            replies: Vec::new(),
            halted: self.halted.clone(),
            boots: self.boots,
        }
    }

    /// Cuts the power and boots again after `off`.
    pub fn cut(&mut self, moment: Moment, off: SignedDuration) {
        if moment == Moment::InTheAct
            && let Some(order) = self.orders.pop_front()
        {
            self.leave_half_done(&order);
        }
        self.orders.clear();
        self.reports.clear();
        self.boot(off);
    }

    /// Stops as the daemon does when it is told to: what is in flight ends, which takes so long,
    /// and the clock is noted last. Boots again after `off`.
    pub fn stop(&mut self, takes: SignedDuration, off: SignedDuration) {
        self.turn(Event::Stop);
        self.advance(takes);
        self.settle();
        self.store.record(&[self.keeper.clock_entry()]);
        self.boot(off);
    }

    fn boot(&mut self, off: SignedDuration) {
        self.halted.clear();
        self.boots += 1;
        self.reading.wall = self.reading.wall.saturating_add(off).unwrap_or(Timestamp::MAX);
        self.reading.boot = SignedDuration::from_secs(20);
        self.reading.slept = SignedDuration::ZERO;
        self.keeper =
            Keeper::new(self.store.load(), FLOOR, self.reading, u128::from(self.boots) << 64);
        self.turn(Event::Configured(self.resources.clone()));
    }

    /// Cuts the power and boots again after `off`, with another configuration.
    pub fn cut_with(&mut self, resources: Vec<Resource>, off: SignedDuration) {
        self.resources = resources;
        self.cut(Moment::Between, off);
    }

    fn leave_half_done(&mut self, order: &Order) {
        let mut world = self.disk.world();
        match &order.work {
            Work::Take { card, .. } => {
                let half = FakeObject {
                    card: card.clone(),
                    state: Wholeness::Partial,
                    mark: Mark::default(),
                    content: Content::default(),
                };
                world.objects.insert((order.resource.clone(), card.handle.seq), half);
            }
            Work::Destroy { handle, .. } => {
                if let Some(object) = world.objects.get_mut(&(order.resource.clone(), handle.seq)) {
                    object.state = Wholeness::Partial;
                }
            }
            // The last step was done, and nobody heard of it.
            Work::Rollback { handle, token, .. } => {
                let key = (order.resource.clone(), handle.seq);
                let content = world.objects.get(&key).map(|object| object.content);
                let live = world.lives.get(&order.resource).and_then(|l| l.identity.as_ref());
                if let (Some(content), true) = (content, live.is_some()) {
                    world.roll_back(&order.resource, content, *token);
                }
            }
            // It is written whole or not at all.
            Work::Mark { handle, mark } => {
                if let Some(object) = world.objects.get_mut(&(order.resource.clone(), handle.seq)) {
                    object.mark = mark.clone();
                }
            }
            Work::Survey { .. }
            | Work::Restore { .. }
            | Work::Attach { .. }
            | Work::Detach { .. } => {}
        }
    }

    /// One turn, as the driver makes it: everything is recorded before anything is started.
    pub fn turn(&mut self, event: Event) {
        let actions = self.keeper.handle(event, self.reading);
        let mut entries: Vec<Entry> = Vec::new();
        for action in actions {
            match action {
                Action::Record(entry) => entries.push(entry),
                Action::Start(order) => self.orders.push_back(*order),
                Action::Halt(operation) => {
                    self.halted.insert(operation);
                }
                Action::Reply(_, reply) => self.replies.push(reply),
            }
        }
        self.store.record(&entries);
    }
}
