//! The only way to reach the driver, from any thread.

use super::declare::{Declaration, Undeclared};
use crate::catalogue::Catalogue;
use crate::domain::denied::Denied;
use crate::domain::event::Event;
use crate::domain::operation::Operation;
use crate::host::clock::Bell;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// What can be put into the driver's inbox.
pub(super) enum Message {
    Event(Event),
    /// A client's request, and where its answer goes.
    Ask(crate::domain::event::Ask, oneshot::Sender<Result<Operation, Denied>>),
    /// Something to be done with the catalogue, on the thread that owns it.
    Catalogue(Box<dyn FnOnce(&mut Catalogue) + Send>),
    /// What is declared from now on; to be told when its turn is over and published.
    Declared(Declaration),
    /// Persist how long heptad has run, and what time it was.
    NoteClock,
    /// Count what snapshots occupy, for the fee.
    CountUsage,
    /// Begin nothing more, and end the loop once workers are idle.
    Stop,
    /// End it now, whatever is in flight.
    Leave,
}

/// The only way to reach the driver, from any thread.
#[derive(Clone)]
pub(super) struct Inbox {
    queue: Arc<Mutex<VecDeque<Message>>>,
    bell: Bell,
}

impl Inbox {
    pub(super) fn new(bell: Bell) -> Self {
        Self { queue: Arc::default(), bell }
    }

    pub(super) fn put(&self, message: Message) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).push_back(message);
        self.bell.ring();
    }

    /// Has the driver look again whether it is done.
    pub(super) fn nudge(&self) {
        self.bell.ring();
    }

    pub(super) fn drain(&self) -> VecDeque<Message> {
        std::mem::take(&mut *self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// On success it is in force: who is told so may ask for what it added. A driver that does not
    /// come to it in time is not waited for, and then does not do it later either.
    ///
    /// # Errors
    /// Why it is not in force.
    pub(super) fn declare(
        &self,
        events: Vec<Event>,
        lasting: bool,
        timeout: Duration,
    ) -> Result<(), Undeclared> {
        let (declaration, awaited) = Declaration::new(events, lasting);
        self.put(Message::Declared(declaration));
        awaited.wait(timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::clock::{Clock, Simulated};

    fn inbox(dir: &std::path::Path) -> Inbox {
        let path = dir.join("clock");
        Simulated::set(&path, "2026-11-22T05:00:00Z".parse().unwrap()).unwrap();
        Inbox::new(Simulated::open(&path).unwrap().waiter().unwrap().bell())
    }

    fn next(inbox: &Inbox) -> Declaration {
        match inbox.drain().pop_front() {
            Some(Message::Declared(declaration)) => declaration,
            _ => panic!("something was declared"),
        }
    }

    #[test]
    fn what_the_driver_did_not_take_over_in_time_is_not_done_later() {
        let dir = tempfile::tempdir().unwrap();
        let inbox = inbox(dir.path());
        let answer = inbox.declare(vec![Event::Tick], false, Duration::ZERO);
        assert_eq!(answer, Err(Undeclared::Busy));
        assert!(next(&inbox).claim().is_none());
    }

    #[test]
    fn what_the_driver_took_over_is_waited_for_and_answered_as_it_ended() {
        let dir = tempfile::tempdir().unwrap();
        let inbox = &inbox(dir.path());
        let check = |what: Result<(), Undeclared>| {
            let answer = std::thread::scope(|scope| {
                let timeout = Duration::from_secs(60);
                let asked = scope.spawn(move || inbox.declare(vec![Event::Tick], false, timeout));
                let mut declaration = loop {
                    if let Some(Message::Declared(found)) = inbox.drain().pop_front() {
                        break found;
                    }
                    std::thread::yield_now();
                };
                assert!(declaration.claim().is_some());
                declaration.tell(what.clone());
                asked.join().unwrap()
            });
            assert_eq!(answer, what);
        };
        check(Ok(()));
        check(Err(Undeclared::Frozen("the disk is full".into())));
    }
}
