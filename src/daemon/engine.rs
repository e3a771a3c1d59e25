//! One turn: what happened goes to the keeper, its records to the catalogue, and only then may
//! anything be started or answered.
//!
//! If the records cannot be written, the turn did not happen: the keeper is set back, clients are
//! refused, and what workers reported is held until the catalogue takes writes again. If it is one
//! event whose records are no records, or that the keeper cannot stand, that event alone did not
//! happen: the act that it reports has failed, and everything else goes on.

use crate::catalogue::{Catalogue, CatalogueError};
use crate::domain::clock::{Belief, Reading};
use crate::domain::event::{Action, Ask, Denied, Entry, Event, Finished, Order};
use crate::domain::fee::Holding;
use crate::domain::keeper::Keeper;
use crate::domain::key::repeat;
use crate::domain::operation::{Failure, Fault, Operation};
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
    pub replies: Vec<(u64, Result<Operation, Denied>)>,
    /// What became known, for the log.
    pub records: Vec<Entry>,
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
                    if !matches!(event, Event::Finished(_) | Event::Asked(_)) {
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
    fn spoil(&self, event: Event, why: &str, events: &mut VecDeque<Event>, whole: &mut Turn) {
        match event {
            Event::Finished(Finished { operation, result: Ok(_), output }) => {
                let result = Err(Failure::new(Fault::Permanent, why));
                events.push_front(Event::Finished(Finished { operation, result, output }));
            }
            Event::Asked(Ask { ticket, .. }) => {
                let denied = Denied::CatalogueUnwritable { reason: why.into() };
                whole.replies.push((ticket, Err(denied)));
            }
            _ => {}
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
            accounts.map(|(name, account)| (name.clone(), Holding::of(account))).collect();
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
                Event::Tick | Event::Sweep => {}
                kept => self.held.push(kept),
            }
        }
        turn
    }
}

impl Turn {
    fn add(&mut self, other: Turn) {
        self.orders.extend(other.orders);
        self.replies.extend(other.replies);
        self.records.extend(other.records);
    }
}
