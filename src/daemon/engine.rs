//! One turn: what happened goes to the keeper, its records to the catalogue, and only then may
//! anything be started or answered.
//!
//! If the records cannot be written, the turn did not happen: the keeper is set back, clients are
//! refused, and what workers reported is held until the catalogue takes writes again. If it is one
//! event whose records are no records, or that the keeper cannot stand, that event alone did not
//! happen: the act that it reports has failed, and everything else goes on.

use super::declare::Undeclared;
use crate::catalogue::{Catalogue, CatalogueError};
use crate::domain::clock::{Belief, Reading};
use crate::domain::denied::Denied;
use crate::domain::event::{Action, Ask, Entry, Event};
use crate::domain::fee::ResourceUsage;
use crate::domain::id::OperationId;
use crate::domain::keeper::Keeper;
use crate::domain::operation::{Failure, Fault, Operation};
use crate::domain::order::Order;
use crate::domain::repeat::repeat;
use crate::domain::report::Finished;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// The keeper with its durable memory.
#[derive(Debug)]
pub struct Engine {
    keeper: Keeper,
    catalogue: Catalogue,
    /// Why nothing changes any more, if so.
    frozen: Option<String>,
    /// Events that must not be lost while nothing can be recorded.
    held: Vec<Event>,
}

/// What follows from a turn, to be done by the caller.
#[derive(Debug, Default)]
pub struct Turn {
    pub orders: Vec<Order>,
    /// What is under way and not wanted any more.
    pub halts: Vec<OperationId>,
    pub replies: Vec<(u64, Result<Operation, Denied>)>,
    /// What became known, for the log.
    pub records: Vec<Entry>,
    /// Why something that nobody is answered about did not happen.
    pub refused: Vec<String>,
}

/// Why events did not happen.
enum Failed {
    /// The catalogue takes no writes.
    Unwritable(CatalogueError),
    /// What followed from them cannot be recorded.
    Refused(CatalogueError),
    /// A broken assertion in the keeper.
    Panicked(Box<dyn std::any::Any + Send>),
}

impl Engine {
    pub fn new(keeper: Keeper, catalogue: Catalogue) -> Self {
        Self { keeper, catalogue, frozen: None, held: Vec::new() }
    }

    pub fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    pub fn catalogue(&mut self) -> &mut Catalogue {
        &mut self.catalogue
    }

    /// Why nothing changes, while the catalogue takes no writes.
    pub fn frozen(&self) -> Option<&str> {
        self.frozen.as_deref()
    }

    /// Handles events in order and records what follows in one transaction.
    pub fn turn(&mut self, events: Vec<Event>, reading: Reading) -> Turn {
        let mut all = std::mem::take(&mut self.held);
        all.extend(events);
        match self.attempt(&all, reading) {
            Ok(turn) => turn,
            Err(Failed::Unwritable(error)) => self.freeze(all, error.to_string()),
            Err(_) => self.one_by_one(all.into(), reading),
        }
    }

    /// Puts in force what is declared, whole, or says why nothing of it is: then nothing of it
    /// happens later either.
    ///
    /// # Errors
    /// Why it is not in force.
    pub fn declare(&mut self, events: &[Event], reading: Reading) -> Result<Turn, Undeclared> {
        if let Some(reason) = &self.frozen {
            return Err(Undeclared::Frozen(reason.clone()));
        }
        self.attempt(events, reading).map_err(|failed| match failed {
            Failed::Unwritable(error) => {
                self.frozen = Some(error.to_string());
                Undeclared::Frozen(error.to_string())
            }
            Failed::Refused(error) => Undeclared::Unrecordable(error.to_string()),
            Failed::Panicked(_) => Undeclared::Unrecordable("a bug in heptad stopped it".into()),
        })
    }

    /// All of them happen, or none.
    fn attempt(&mut self, events: &[Event], reading: Reading) -> Result<Turn, Failed> {
        let before = self.keeper.clone();
        let turn = match catch_unwind(AssertUnwindSafe(|| self.decide(events, reading))) {
            Ok(actions) => self.record(actions),
            Err(panic) => Err(Failed::Panicked(panic)),
        };
        if turn.is_err() {
            self.keeper = before;
        }
        turn
    }

    fn decide(&mut self, events: &[Event], reading: Reading) -> Vec<Action> {
        let mut actions = Vec::new();
        for event in events.iter().cloned() {
            if let Event::Asked(ask) = &event
                && let Some(answer) = self.repeated(ask)
            {
                actions.push(Action::Reply(ask.ticket, answer));
                continue;
            }
            actions.extend(self.keeper.handle(event, reading));
        }
        actions
    }

    fn record(&mut self, actions: Vec<Action>) -> Result<Turn, Failed> {
        let mut turn = Turn::default();
        for action in actions {
            match action {
                Action::Record(entry) => turn.records.push(entry),
                Action::Start(order) => turn.orders.push(*order),
                Action::Halt(operation) => turn.halts.push(operation),
                Action::Reply(ticket, reply) => turn.replies.push((ticket, reply)),
            }
        }
        if self.frozen.is_some() {
            // Only a write shows that writes pass again.
            turn.records.push(self.keeper.clock_entry());
        }
        match self.catalogue.record(&turn.records) {
            Ok(()) => {
                self.frozen = None;
                Ok(turn)
            }
            Err(error) if error.is_refusal() => Err(Failed::Refused(error)),
            Err(error) => Err(Failed::Unwritable(error)),
        }
    }

    /// Finds the one that spoils the others, and lets it fail.
    fn one_by_one(&mut self, mut events: VecDeque<Event>, reading: Reading) -> Turn {
        let mut whole = Turn::default();
        while let Some(event) = events.pop_front() {
            match self.attempt(std::slice::from_ref(&event), reading) {
                Ok(turn) => whole.add(turn),
                Err(Failed::Unwritable(error)) => {
                    events.push_front(event);
                    whole.add(self.freeze(events.into(), error.to_string()));
                    break;
                }
                Err(Failed::Refused(error)) => {
                    let operation = match &event {
                        Event::Finished(finished) => Some(finished.operation.0),
                        _ => None,
                    };
                    tracing::error!(%error, operation, "what was reported cannot be recorded, so it \
                        has failed: {error}");
                    self.spoil(event, &error.to_string(), &mut events, &mut whole);
                }
                Err(Failed::Panicked(panic)) => {
                    let reported = matches!(event, Event::Finished(_) | Event::GivenUp(_));
                    if !reported && !matches!(event, Event::Asked(_)) {
                        // Nobody's act: the next start is the recovery.
                        resume_unwind(panic);
                    }
                    self.spoil(event, "a bug in heptad stopped it", &mut events, &mut whole);
                }
            }
        }
        whole
    }

    /// What is left of an event that cannot happen: its act failed, or is refused.
    fn spoil(&mut self, event: Event, why: &str, events: &mut VecDeque<Event>, whole: &mut Turn) {
        match event {
            Event::Finished(Finished { operation, result: Ok(_), output }) => {
                let result = Err(Failure::new(Fault::Permanent, why));
                events.push_front(Event::Finished(Finished { operation, result, output }));
            }
            // Its failure is as bad to note: then only that it is over, or its lane stood still.
            Event::Finished(Finished { operation, .. }) => {
                events.push_front(Event::GivenUp(operation));
            }
            Event::GivenUp(operation) => drop(self.keeper.free_lane(operation)),
            Event::Asked(Ask { ticket, .. }) => {
                let denied = Denied::CatalogueUnwritable { reason: why.into() };
                whole.replies.push((ticket, Err(denied)));
            }
            Event::Configured(_) | Event::Welcomed(_) => whole.refused.push(why.into()),
            Event::Tick | Event::Sweep | Event::Look | Event::Stop | Event::Barred(_) => {}
        }
    }

    /// The answer to a request whose key became an operation that left memory. A key holds as long
    /// as its operation is in the catalogue.
    fn repeated(&self, ask: &Ask) -> Option<Result<Operation, Denied>> {
        let key = ask.key.as_ref()?;
        if self.keeper.repeated(ask).is_some() {
            return None;
        }
        match self.catalogue.operation_by_key(ask.uid, &key.text) {
            Ok(earlier) => Some(repeat(ask, &earlier?)),
            Err(error) => Some(Err(Denied::CatalogueUnwritable { reason: error.to_string() })),
        }
    }

    /// Notes the newest believed time and how long heptad has run. Losing it is harmless.
    pub fn note_clock(&mut self) {
        let entry = self.keeper.clock_entry();
        if let Err(error) = self.catalogue.record(&[entry]) {
            self.frozen = Some(error.to_string());
        }
    }

    /// Counts what all snapshots occupy, for the fee. While the clock is not to be believed nothing
    /// is counted; the running time is not lost, the next count takes it in.
    ///
    /// # Errors
    /// The catalogue's; the next count makes up for it.
    pub fn count_usage(&mut self, reading: Reading) -> Result<(), CatalogueError> {
        if self.keeper.belief() == Belief::Doubted {
            return Ok(());
        }
        let accounts = self.keeper.ledger().accounts.iter();
        let held: Vec<_> =
            accounts.map(|(name, account)| (name.clone(), ResourceUsage::of(account))).collect();
        self.catalogue.add_usage(reading.wall, reading.elapsed, &held)
    }

    fn freeze(&mut self, events: Vec<Event>, reason: String) -> Turn {
        self.frozen = Some(reason.clone());
        let mut turn = Turn::default();
        for event in events {
            match event {
                Event::Asked(Ask { ticket, .. }) => {
                    let denied = Denied::CatalogueUnwritable { reason: reason.clone() };
                    turn.replies.push((ticket, Err(denied)));
                }
                Event::Tick | Event::Sweep | Event::Look => {}
                kept => self.held.push(kept),
            }
        }
        turn
    }
}

impl Turn {
    fn add(&mut self, other: Turn) {
        self.orders.extend(other.orders);
        self.halts.extend(other.halts);
        self.replies.extend(other.replies);
        self.records.extend(other.records);
        self.refused.extend(other.refused);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ledger::Ledger;
    use crate::domain::operation::State;
    use crate::domain::report::{Done, Taken};
    use crate::domain::request::Request;
    use crate::domain::resource::Resource;
    use crate::domain::sample::{Builder, at};
    use crate::domain::snapshot::{Content, Facts, Part, Seq};
    use crate::domain::survey::Survey;
    use crate::domain::usage::UsageReport;
    use jiff::SignedDuration;

    fn reading() -> Reading {
        let (boot, elapsed) = (SignedDuration::from_hours(1), SignedDuration::from_hours(1));
        let slept = SignedDuration::ZERO;
        Reading { wall: at("22T05:00"), boot, synchronised: true, elapsed, slept }
    }

    /// With so many numbers of operations left that the catalogue can keep.
    fn engine(numbers: u64, dir: &std::path::Path) -> Engine {
        let next_operation = OperationId(i64::MAX.unsigned_abs() + 1 - numbers);
        let mut ledger = Ledger::default();
        ledger.next_operation = next_operation;
        let keeper = Keeper::new(ledger, at("01T00:00"), reading(), 7);
        Engine::new(keeper, Catalogue::open(dir).unwrap().catalogue)
    }

    fn finished(order: &Order, done: Done) -> Event {
        let (operation, output) = (order.operation, String::new());
        Event::Finished(Finished { operation, result: Ok(done), output })
    }

    fn seen() -> Survey {
        Survey { identity: Some("disk-1".into()), ..Survey::default() }
    }

    #[test]
    fn a_report_that_can_be_noted_in_no_way_ends_its_operation_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let account = Builder::daily().account();
        // One for the look, one for the taking, none for what follows.
        let mut engine = engine(2, dir.path());
        let turn = engine.turn(vec![Event::Configured(vec![account.resource.clone()])], reading());
        let look = finished(&turn.orders[0], Done::Surveyed(seen(), UsageReport::default()));
        engine.turn(vec![look], reading());
        let (resource, name) = (account.name().clone(), "by-hand".parse().ok());
        let request = Request::Take { resource, name, tags: Default::default(), part: Part::Whole };
        let ask = Ask { ticket: 1, uid: 0, key: None, request };
        let turn = engine.turn(vec![Event::Asked(ask)], reading());
        let order = turn.orders[0].clone();
        let content = Content { empty: true, entries: Some(0), bytes: None };
        let facts = Facts { content: Some(content), ..Facts::default() };
        let (object, incomplete) = ("object".into(), Some("a file could not be read".into()));
        let taken = Taken { object, facts, incomplete, survey: seen() };
        // That it lacks something is to be marked, that it failed to be cleared away.
        let turn = engine.turn(vec![finished(&order, Done::Taken(taken))], reading());
        assert_eq!(turn.refused, [""; 0]);
        let ledger = engine.keeper().ledger();
        let known = ledger.account(account.name()).unwrap();
        assert!(known.running != Some(order.operation), "its lane is free");
        assert!(matches!(ledger.operations[&order.operation].state, State::Failed(_)));
        assert!(!known.surveyed, "the next look finds out what became of it");
    }

    #[test]
    fn what_is_declared_and_cannot_be_recorded_is_told_and_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut engine = engine(9, dir.path());
        let known = Builder::daily().account().resource;
        assert_eq!(
            engine.turn(vec![Event::Configured(vec![known.clone()])], reading()).refused,
            [""; 0]
        );
        let other = Resource { name: "web-2".parse().unwrap(), ..known.clone() };
        // A number that no column holds.
        let mut poisoned = crate::domain::account::Account::new(other.clone(), at("01T00:00"));
        poisoned.next_seq = Seq(u64::MAX);
        let mut ledger = engine.keeper().ledger().clone();
        ledger.apply(&Entry::Account(Box::new(poisoned)));
        engine.keeper = Keeper::new(ledger, at("01T00:00"), reading(), 8);
        let changed = Resource { enrolled: true, ..other };
        let events = vec![Event::Tick, Event::Configured(vec![known, changed])];
        let declared = engine.declare(&events, reading());
        assert!(matches!(declared, Err(Undeclared::Unrecordable(_))), "{declared:?}");
        let turn = engine.turn(events, reading());
        assert_eq!(turn.refused.len(), 1, "{:?}", turn.refused);
        assert_eq!(engine.frozen(), None);
    }
}
