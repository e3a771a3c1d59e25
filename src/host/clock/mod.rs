//! The only clock: what time it is, and waiting for a time.
//!
//! Waiting is level-triggered and carries nothing over: whoever wakes looks at the clock again and
//! computes anew what is due. So a wake for no reason costs a look, and none is ever missed.

mod simulated;
mod system;

use jiff::{SignedDuration, Timestamp};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::fmt::Debug;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::Arc;

pub use simulated::Simulated;
pub use system::System;

/// One look at the clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub wall: Timestamp,
    /// Since the machine booted, sleep included (`CLOCK_BOOTTIME`). Never goes back.
    pub boot: SignedDuration,
    /// How much of that it slept.
    pub asleep: SignedDuration,
    /// Whether the kernel says that the wall clock is synchronised.
    pub synchronised: bool,
}

/// A source of time. Cheap to read; shared by all threads.
pub trait Clock: Send + Sync + Debug {
    fn read(&self) -> Moment;

    /// A new waiter. It notices every setting of the clock from now on, also between its waits.
    ///
    /// # Errors
    /// [`ClockError::Kernel`] when the kernel is out of file descriptors, watches or memory.
    fn waiter(&self) -> Result<Waiter, ClockError>;
}

#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    #[error("the kernel gives no {what}: {source}")]
    Kernel { what: &'static str, source: std::io::Error },
    #[error("simulated clock {path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("simulated clock {path}: {text:?} is not like \"2026-11-22T06:00:00Z 86400 true\"")]
    Format { path: PathBuf, text: String },
    #[error("simulated clock {path}: that is beyond the calendar")]
    Range { path: PathBuf },
}

impl ClockError {
    fn kernel<E: Into<std::io::Error>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Kernel { what, source: source.into() }
    }
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woke {
    /// Somebody rang.
    Bell,
    /// The time waited for has come.
    Due,
    /// The wall clock was set, or the machine woke from sleep: whatever was computed from an
    /// earlier look is void.
    ClockSet,
}

/// Wakes one waiter, from any thread. Rings that nobody has heard yet count as one.
#[derive(Clone, Debug)]
pub struct Bell(Arc<EventFd>);

impl Bell {
    fn new() -> Result<Self, ClockError> {
        let fd = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK);
        Ok(Self(Arc::new(fd.map_err(ClockError::kernel("eventfd"))?)))
    }

    pub fn ring(&self) {
        // The one error of a write to an eventfd of ours is a full counter: it is ringing already.
        let _ = self.0.write(1);
    }

    /// Whether it was rung since the last look.
    fn heard(&self) -> bool {
        self.0.read().is_ok()
    }
}

/// What ends a wait beside the bell.
trait Source: Send + Debug {
    /// Whether `until` has come or the clock was set; otherwise the descriptor becomes readable
    /// when this must be asked again.
    fn check(&mut self, until: Option<Timestamp>) -> Option<Woke>;
    fn fd(&self) -> BorrowedFd<'_>;
}

/// Waits for a time; one thread's own.
#[derive(Debug)]
pub struct Waiter {
    bell: Bell,
    source: Box<dyn Source>,
}

impl Waiter {
    fn new(source: impl Source + 'static) -> Result<Self, ClockError> {
        Ok(Self { bell: Bell::new()?, source: Box::new(source) })
    }

    pub fn bell(&self) -> Bell {
        self.bell.clone()
    }

    /// Blocks until the bell rings, the wall clock reaches `until` (at once if it is past), or the
    /// clock is set. `None` waits for the other two only.
    pub fn wait(&mut self, until: Option<Timestamp>) -> Woke {
        loop {
            if self.bell.heard() {
                return Woke::Bell;
            }
            if let Some(woke) = self.source.check(until) {
                return woke;
            }
            self.block();
        }
    }

    #[expect(clippy::expect_used, reason = "two open descriptors of ours leave only EINTR")]
    fn block(&self) {
        let mut fds = [self.bell.0.as_fd(), self.source.fd()].map(|fd| {
            let events = PollFlags::POLLIN;
            PollFd::new(fd, events)
        });
        match poll(&mut fds, PollTimeout::NONE) {
            Err(Errno::EINTR) => {}
            result => {
                result.expect("poll on open descriptors");
            }
        }
    }
}
