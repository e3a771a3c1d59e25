//! The loop: wait for something to happen, take one turn, do what follows. One thread; it owns
//! keeper and catalogue, so nothing else can change them.

use super::declare::Undeclared;
use super::engine::{Engine, Turn};
use super::inbox::{Inbox, Message};
use super::journal::Seen;
use super::workers::Workers;
use crate::api::service::Published;
use crate::domain::alarm::Alarm;
use crate::domain::clock::Reading;
use crate::domain::denied::Denied;
use crate::domain::event::{Entry, Event};
use crate::domain::name::ResourceName;
use crate::domain::operation::{Act, Operation, State};
use crate::domain::view::Moment;
use crate::host::clock::{self, Clock, Waiter, Woke};
use crate::host::systemd;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{oneshot, watch};

/// While the catalogue takes no writes it is tried again this often.
const THAW: SignedDuration = SignedDuration::from_secs(10);

/// What a driver is made of.
pub(super) struct Parts {
    pub engine: Engine,
    pub clock: Arc<dyn Clock>,
    pub waiter: Waiter,
    pub inbox: Inbox,
    pub workers: Arc<Workers>,
    pub published: watch::Sender<Published>,
    /// The clocks at the start of this process, and how long heptad had run before it.
    pub began: clock::Moment,
    pub elapsed_before: SignedDuration,
}

pub(super) struct Driver {
    parts: Parts,
    tickets: BTreeMap<u64, oneshot::Sender<Result<Operation, Denied>>>,
    next_ticket: u64,
    /// A stop was asked for.
    stopping: bool,
    /// Nothing is waited for any more.
    leaving: bool,
}

/// A clock's reading as the keeper wants it.
pub(super) fn reading(clock: &dyn Clock, began: clock::Moment, before: SignedDuration) -> Reading {
    let moment = clock.read();
    let zero = SignedDuration::ZERO;
    let slept = moment.asleep.saturating_sub(began.asleep).max(zero);
    let awake = moment.boot.saturating_sub(began.boot).saturating_sub(slept).max(zero);
    Reading {
        wall: moment.wall,
        boot: moment.boot,
        synchronised: moment.synchronised,
        elapsed: before.saturating_add(awake),
        slept,
    }
}

impl Driver {
    pub(super) fn new(parts: Parts) -> Self {
        Self { parts, tickets: BTreeMap::new(), next_ticket: 1, stopping: false, leaving: false }
    }

    /// Runs until stopped.
    pub(super) fn run(mut self) {
        let alive_every =
            systemd::sign_of_life_every().and_then(|every| SignedDuration::try_from(every).ok());
        loop {
            if alive_every.is_some() {
                let _ = systemd::alive();
            }
            let woke = self.parts.waiter.wait(self.until(alive_every));
            self.turn(woke);
            if self.is_over() {
                break;
            }
        }
        // A report may have come after the last turn.
        self.turn(Woke::Bell);
        self.count_usage();
        self.parts.engine.note_clock();
        tracing::info!("stopped");
    }

    fn count_usage(&mut self) {
        let reading = self.reading();
        if let Err(error) = self.parts.engine.count_usage(reading) {
            tracing::warn!(%error, "usage is not counted now: {error}; the next count makes up for it");
        }
    }

    fn reading(&self) -> Reading {
        reading(self.parts.clock.as_ref(), self.parts.began, self.parts.elapsed_before)
    }

    /// When to wake at the latest, by the wall clock.
    fn until(&self, alive_every: Option<SignedDuration>) -> Option<Timestamp> {
        let now = self.parts.clock.read().wall;
        let thaw = self.parts.engine.frozen().map(|_| THAW);
        let soon = alive_every.into_iter().chain(thaw).min();
        let soon = soon.and_then(|pause| now.saturating_add(pause).ok());
        // What is due stays due while nothing can be recorded: it must not wake us at once again.
        let due = self.parts.engine.keeper().wake().filter(|_| thaw.is_none());
        due.into_iter().chain(soon).min()
    }

    /// Drains the inbox and takes one turn with all of it.
    fn turn(&mut self, woke: Woke) {
        if woke == Woke::ClockSet {
            tracing::warn!(
                "the clock was set, or the machine woke: everything due is computed anew"
            );
        }
        let mut events = vec![Event::Tick];
        let (mut lasting, mut declared) = (Vec::new(), Vec::new());
        for message in self.parts.inbox.drain() {
            match message {
                Message::Event(event) => events.push(event),
                Message::Ask(mut ask, answer) => {
                    ask.ticket = self.next_ticket;
                    self.next_ticket += 1;
                    self.tickets.insert(ask.ticket, answer);
                    events.push(Event::Asked(ask));
                }
                Message::Catalogue(act) => act(self.parts.engine.catalogue()),
                Message::Declared(mut declaration) => match declaration.claim() {
                    Some(all) if declaration.lasting => {
                        events.extend(all);
                        lasting.push(declaration);
                    }
                    Some(all) => declared.push((all, declaration)),
                    None => {}
                },
                Message::NoteClock => self.parts.engine.note_clock(),
                Message::CountUsage => self.count_usage(),
                Message::Stop => {
                    events.push(Event::Stop);
                    self.stopping = true;
                }
                Message::Leave => self.leaving = true,
            }
        }
        let was_frozen = self.parts.engine.frozen().is_some();
        // The end of a survey that found nothing new is no record, and yet clients see it.
        let reported = events.iter().any(|event| matches!(event, Event::Finished(_)));
        let turn = self.parts.engine.turn(events, self.reading());
        let refused = turn.refused.first().cloned();
        self.follow(turn, reported);
        for declaration in lasting {
            let why = refused.clone().map(Undeclared::Unrecordable);
            declaration.tell(why.map_or(Ok(()), Err));
        }
        for (events, declaration) in declared {
            let done = self.parts.engine.declare(&events, self.reading());
            declaration.tell(done.map(|turn| self.follow(turn, true)));
        }
        self.note_freezing(was_frozen);
    }

    fn note_freezing(&self, was_frozen: bool) {
        match (was_frozen, self.parts.engine.frozen()) {
            (false, Some(reason)) => {
                tracing::error!(
                    reason,
                    "the catalogue cannot be written ({reason}): nothing is taken, \
                    deleted or changed any more; make room on the disk of the state directory"
                );
            }
            (true, None) => {
                tracing::info!("the catalogue can be written again: everything goes on")
            }
            _ => {}
        }
    }

    /// What was recorded may now be shown, answered and done, in this order.
    fn follow(&mut self, turn: Turn, reported: bool) {
        let before = self.parts.published.borrow().ledger.clone();
        let after = self.parts.engine.keeper().ledger();
        let moment = self.moment();
        Seen { before: &before, after, moment }.tell(&turn.records);
        self.publish(moment, reported || !turn.records.is_empty() || !turn.orders.is_empty());
        for (ticket, reply) in turn.replies {
            if let Some(answer) = self.tickets.remove(&ticket) {
                // The client may be gone; its operation goes on.
                let _ = answer.send(reply);
            }
        }
        for order in turn.orders {
            self.parts.workers.submit(order);
        }
        for operation in turn.halts {
            self.parts.workers.halt(operation);
        }
        self.parts.workers.let_go(turn.records.iter().filter_map(forgotten).collect());
    }

    fn moment(&self) -> Moment {
        let keeper = self.parts.engine.keeper();
        let (started, settled) = keeper.beginnings();
        Moment {
            now: self.parts.clock.read().wall,
            started,
            settled,
            belief: keeper.belief(),
            elapsed: keeper.ledger().elapsed,
            slept: keeper.reading().slept,
            synchronised: keeper.reading().synchronised,
        }
    }

    fn publish(&self, moment: Moment, changed: bool) {
        let keeper = self.parts.engine.keeper();
        let alarms: Vec<Alarm> =
            self.parts.engine.frozen().map(Alarm::catalogue_frozen).into_iter().collect();
        self.parts.published.send_if_modified(|published| {
            let first = published.generation == 0;
            let moved = published.alarms != alarms || published.moment.belief != moment.belief;
            let changed = changed || first || moved;
            if changed {
                published.generation += 1;
                published.ledger = Arc::new(keeper.ledger().clone());
            }
            (published.moment, published.alarms) = (moment, alarms.clone());
            changed
        });
    }

    fn is_over(&self) -> bool {
        if self.stopping && self.parts.workers.busy() == 0 {
            return true;
        }
        if self.leaving {
            tracing::warn!("leaving acts in flight; the next start finds out what became of them");
        }
        self.leaving
    }
}

/// The resource that a record says was forgotten for good.
fn forgotten(record: &Entry) -> Option<ResourceName> {
    match record {
        Entry::Operation(operation) => {
            let is_forgotten = matches!(operation.act, Act::Forget { .. });
            let done = operation.state == State::Succeeded;
            (is_forgotten && done).then(|| operation.resource.clone())
        }
        _ => None,
    }
}
