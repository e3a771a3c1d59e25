//! The machine's own clock.

use super::{Clock, ClockError, Moment, Source, Waiter, Woke};
use crate::host::sys;
use jiff::{SignedDuration, Timestamp};
use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::time::{ClockId as ReadId, clock_gettime};
use std::os::fd::{AsFd, BorrowedFd};

#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl Clock for System {
    fn read(&self) -> Moment {
        let wall = gettime(ReadId::CLOCK_REALTIME);
        // In this order the difference is never too large by more than the time between.
        let awake = gettime(ReadId::CLOCK_MONOTONIC);
        let boot = gettime(ReadId::CLOCK_BOOTTIME);
        Moment {
            wall: Timestamp::from_duration(wall).unwrap_or(Timestamp::MAX),
            boot,
            asleep: boot.saturating_sub(awake).max(SignedDuration::ZERO),
            synchronised: sys::clock_is_synchronised().unwrap_or(false),
        }
    }

    fn waiter(&self) -> Result<Waiter, ClockError> {
        Waiter::new(Timer::new()?)
    }
}

#[expect(clippy::expect_used, reason = "every Linux since 2.6.39 has both clocks")]
fn gettime(clock: ReadId) -> SignedDuration {
    let time = clock_gettime(clock).expect("a clock that every Linux has");
    let nanos = i32::try_from(time.tv_nsec()).unwrap_or(0);
    SignedDuration::new(time.tv_sec(), nanos)
}

/// A timer on the wall clock. Such timers also fire on waking from sleep, which those on the
/// monotonic clock do not.
#[derive(Debug)]
struct Timer(TimerFd);

impl Timer {
    fn new() -> Result<Self, ClockError> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_REALTIME, flags)
            .map(Self)
            .map_err(ClockError::kernel("timerfd"))?;
        // From here on the kernel notes every setting of the clock.
        timer.arm(None).map_err(ClockError::kernel("timer"))?;
        Ok(timer)
    }

    fn arm(&self, until: Option<Timestamp>) -> nix::Result<()> {
        let until = until.unwrap_or(Timestamp::MAX);
        // A negative time is refused and zero would disarm; both are long past anyway.
        let at = match until.as_second() {
            ..1 => TimeSpec::new(1, 0),
            seconds => TimeSpec::new(seconds, until.subsec_nanosecond().into()),
        };
        let flags =
            TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
        self.0.set(Expiration::OneShot(at), flags)
    }

    /// Takes note of what the timer did: it fired, it was cancelled, or neither.
    fn consume(&self) -> nix::Result<()> {
        // Not TimerFd::wait, which hides ECANCELED.
        nix::unistd::read(&self.0, &mut [0; 8]).map(drop)
    }
}

impl Source for Timer {
    #[expect(clippy::expect_used, reason = "a valid time on a timer of ours leaves no other error")]
    fn check(&mut self, until: Option<Timestamp>) -> Option<Woke> {
        if clock_was_set(self.consume()).is_ok_and(|set| set) {
            return Some(Woke::ClockSet);
        }
        // Arming tells as well, if the clock was set since (timerfd_create(2), NOTES).
        if clock_was_set(self.arm(until)).expect("arming a timer") {
            return Some(Woke::ClockSet);
        }
        until.is_some_and(|until| until <= System.read().wall).then_some(Woke::Due)
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The seam for the test: a kernel that cancels a timer needs the machine's clock set, which no
/// test may do to the machine that it runs on.
fn clock_was_set(result: nix::Result<()>) -> nix::Result<bool> {
    match result {
        Ok(()) => Ok(false),
        Err(Errno::ECANCELED) => Ok(true),
        Err(other) => Err(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancelled_timer_means_that_the_clock_was_set() {
        assert_eq!(clock_was_set(Err(Errno::ECANCELED)), Ok(true));
        assert_eq!(clock_was_set(Ok(())), Ok(false));
        assert_eq!(clock_was_set(Err(Errno::EAGAIN)), Err(Errno::EAGAIN));
    }

    #[test]
    fn every_time_of_the_calendar_can_be_waited_for() {
        let timer = Timer::new().unwrap();
        for until in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
            timer.arm(Some(until)).unwrap();
        }
    }
}
