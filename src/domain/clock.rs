//! What is known of the time, and whether to believe it.

use jiff::{SignedDuration, Timestamp};

/// One look at the clocks. `host::clock` is the only place that makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    pub wall: Timestamp,
    /// Since the machine booted, sleep included.
    pub boot: SignedDuration,
    /// Whether the kernel says that the wall clock is synchronised.
    pub synchronised: bool,
    /// How long heptad has run on this host in all, without the machine's sleep: grows only,
    /// whatever the wall clock does. The trash is emptied by it, so no clock can empty it early.
    pub elapsed: SignedDuration,
    /// How long the machine has slept since heptad started.
    pub slept: SignedDuration,
}

/// After this long (since boot) an unbelievable clock is used all the same: a snapshot with a
/// wrong date is better than none.
pub const TIMEOUT: SignedDuration = SignedDuration::from_mins(15);

/// A wall clock this far ahead of where the boot clock says it should be has been stepped.
const STEP: SignedDuration = SignedDuration::from_secs(60);

/// The newest wall time that was ever believed; persisted, so that a dead CMOS battery shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trust {
    pub floor: Timestamp,
    /// The last reading in this run, to notice steps.
    last: Option<Reading>,
    /// Since when (boot clock) the wall clock has been below the floor.
    doubted_since: Option<SignedDuration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belief {
    Trusted,
    /// Below the floor: nothing automatic until it is synchronised or timeout ends.
    Doubted,
    /// Below the floor for longer than [`TIMEOUT`].
    Tolerated,
}

impl Trust {
    pub fn new(floor: Timestamp) -> Self {
        Self { floor, last: None, doubted_since: None }
    }

    /// Judges a reading and moves the floor: up to a synchronised clock's time wherever that is,
    /// and along with an unsynchronised clock only while it runs without a step.
    pub fn judge(&mut self, reading: Reading) -> Belief {
        let steady = self.last.is_some_and(|last| is_steady(last, reading));
        self.last = Some(reading);
        if reading.synchronised || (steady && reading.wall >= self.floor) {
            self.floor = reading.wall;
        }
        if reading.wall >= self.floor {
            self.doubted_since = None;
            return Belief::Trusted;
        }
        let since = *self.doubted_since.get_or_insert(reading.boot);
        if reading.boot.saturating_sub(since) >= TIMEOUT {
            Belief::Tolerated
        } else {
            Belief::Doubted
        }
    }
}

fn is_steady(last: Reading, now: Reading) -> bool {
    let wall = now.wall.duration_since(last.wall);
    let boot = now.boot.saturating_sub(last.boot);
    wall.saturating_sub(boot).abs() < STEP
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (seconds of wall clock after 2026-01-01, seconds of boot clock, synchronised) -> belief
    fn check(floor: i64, steps: &[(i64, i64, bool, Belief)]) {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut trust = Trust::new(start + SignedDuration::from_secs(floor));
        for (n, (wall, boot, synchronised, want)) in steps.iter().enumerate() {
            let reading = Reading {
                wall: start + SignedDuration::from_secs(*wall),
                boot: SignedDuration::from_secs(*boot),
                synchronised: *synchronised,
                elapsed: SignedDuration::ZERO,
                slept: SignedDuration::ZERO,
            };
            assert_eq!(trust.judge(reading), *want, "step {n} of {steps:?}");
        }
    }

    const DAY: i64 = 86_400;
    const YEAR: i64 = 365 * DAY;
    use Belief::{Doubted, Tolerated, Trusted};

    #[test]
    fn a_clock_before_the_floor_is_doubted_until_synchronised_or_for_fifteen_minutes() {
        check(0, &[(-YEAR, 10, false, Doubted), (5, 20, true, Trusted)]);
        check(0, &[(-YEAR, 10, false, Doubted), (-YEAR + 900, 910, false, Tolerated)]);
        check(0, &[(1, 10, false, Trusted)]);
    }

    #[test]
    fn a_wrong_year_ahead_does_not_block_for_ever() {
        // A step ahead without synchronisation does not move the floor.
        check(0, &[(0, 0, false, Trusted), (YEAR, 60, false, Trusted), (120, 120, false, Trusted)]);
        // A synchronised clock is right even below the floor.
        check(YEAR, &[(0, 0, true, Trusted), (60, 60, false, Trusted)]);
    }

    #[test]
    fn a_step_back_is_doubted_until_the_time_comes_again() {
        check(
            0,
            &[
                (0, 0, false, Trusted),
                (600, 600, false, Trusted),
                (100, 700, false, Doubted),
                (601, 1_201, false, Trusted),
            ],
        );
    }
}
