//! Handing what is declared to the driver, and hearing whether it is in force.

use super::driver::{Inbox, Message};
use crate::domain::event::Event;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// How long whoever declares waits for the driver to take it over.
pub const TURN: Duration = Duration::from_secs(10);

/// Why what was declared is not in force.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undeclared {
    #[error("what follows from it cannot be recorded ({0})")]
    Unrecordable(String),
    #[error("the catalogue cannot be written ({0}), and nothing is changed meanwhile")]
    Frozen(String),
    #[error("heptad is busy with something else")]
    Busy,
    #[error("heptad is stopping")]
    Stopping,
}

impl Undeclared {
    /// What to do about it.
    pub fn way_out(&self) -> &'static str {
        match self {
            Undeclared::Unrecordable(_) => {
                "the old configuration stays in force; undo what was changed last"
            }
            Undeclared::Frozen(_) => {
                "the old configuration stays in force; make room on the disk of the state \
                directory, then load it again: heptactl reload"
            }
            Undeclared::Busy => "the old configuration stays in force; try again: heptactl reload",
            Undeclared::Stopping => "its next start loads the configuration",
        }
    }
}

/// What is declared from now on.
pub struct Declaration {
    events: Vec<Event>,
    /// A command's own result: it waits for better times rather than get lost.
    pub lasting: bool,
    /// By whoever was first: the driver, or the one who would not wait any longer.
    claimed: Arc<AtomicBool>,
    teller: Sender<Result<(), Undeclared>>,
}

impl Declaration {
    /// What to declare, unless nobody waits for it any more.
    pub fn claim(&mut self) -> Option<Vec<Event>> {
        let late = self.claimed.swap(true, Ordering::SeqCst);
        (!late).then(|| std::mem::take(&mut self.events))
    }

    pub fn tell(&self, what: Result<(), Undeclared>) {
        // Whoever waited may have gone.
        let _ = self.teller.send(what);
    }
}

/// On success it is in force: who is told so may ask for what it added. A driver that does not come
/// to it in time is not waited for, and then does not do it later either.
///
/// # Errors
/// Why it is not in force.
pub fn declare(
    inbox: &Inbox,
    events: Vec<Event>,
    lasting: bool,
    timeout: Duration,
) -> Result<(), Undeclared> {
    let (teller, told) = channel();
    let claimed = Arc::new(AtomicBool::new(false));
    let declaration = Declaration { events, lasting, claimed: claimed.clone(), teller };
    inbox.put(Message::Declared(declaration));
    match told.recv_timeout(timeout) {
        Ok(told) => told,
        Err(RecvTimeoutError::Disconnected) => Err(Undeclared::Stopping),
        Err(RecvTimeoutError::Timeout) if claimed.swap(true, Ordering::SeqCst) => {
            // It is being done at this moment, and what comes of it is known soon.
            told.recv().unwrap_or(Err(Undeclared::Stopping))
        }
        Err(RecvTimeoutError::Timeout) => Err(Undeclared::Busy),
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
        let answer = declare(&inbox, vec![Event::Tick], false, Duration::ZERO);
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
                let asked = scope.spawn(move || declare(inbox, vec![Event::Tick], false, timeout));
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
