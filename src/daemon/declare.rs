//! Handing what is declared to the driver, and hearing whether it is in force.

use crate::domain::event::Event;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// How long whoever declares waits for the driver to take it over.
pub(super) const TURN: Duration = Duration::from_secs(10);

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
pub(super) struct Declaration {
    events: Vec<Event>,
    /// A command's own result: it waits for better times rather than get lost.
    pub lasting: bool,
    /// By whoever was first: the driver, or the one who would not wait any longer.
    claimed: Arc<AtomicBool>,
    teller: Sender<Result<(), Undeclared>>,
}

/// The other end of a [`Declaration`].
pub(super) struct Awaited {
    told: Receiver<Result<(), Undeclared>>,
    claimed: Arc<AtomicBool>,
}

impl Declaration {
    pub(super) fn new(events: Vec<Event>, lasting: bool) -> (Self, Awaited) {
        let (teller, told) = channel();
        let claimed = Arc::new(AtomicBool::new(false));
        (Self { events, lasting, claimed: claimed.clone(), teller }, Awaited { told, claimed })
    }

    /// What to declare, unless nobody waits for it any more.
    pub(super) fn claim(&mut self) -> Option<Vec<Event>> {
        let late = self.claimed.swap(true, Ordering::SeqCst);
        (!late).then(|| std::mem::take(&mut self.events))
    }

    pub(super) fn tell(&self, what: Result<(), Undeclared>) {
        // Whoever waited may have gone.
        let _ = self.teller.send(what);
    }
}

impl Awaited {
    /// # Errors
    /// Why it is not in force. What nobody has claimed by then is not done later either.
    pub(super) fn wait(&self, timeout: Duration) -> Result<(), Undeclared> {
        match self.told.recv_timeout(timeout) {
            Ok(told) => told,
            Err(RecvTimeoutError::Disconnected) => Err(Undeclared::Stopping),
            Err(RecvTimeoutError::Timeout) if self.claimed.swap(true, Ordering::SeqCst) => {
                // It is being done at this moment, and what comes of it is known soon.
                self.told.recv().unwrap_or(Err(Undeclared::Stopping))
            }
            Err(RecvTimeoutError::Timeout) => Err(Undeclared::Busy),
        }
    }
}
