//! How far the times that snapshots bear can be believed. A clock that was ahead leaves snapshots
//! of days that are yet to come: once it is right again, none of them is the newest, and those
//! days are due again.

use super::slot_record::SlotRecord;
use super::snapshot::Seq;
use jiff::{SignedDuration, Timestamp};

/// A clock that is set by less than this proves nothing.
const LITTLE: SignedDuration = SignedDuration::from_mins(1);

/// What is known beside the times themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dating {
    /// How long heptad had run when the newest automatic snapshot was taken.
    pub taken: Option<SignedDuration>,
    /// The same of the newest complete one.
    pub completed: Option<SignedDuration>,
    pub rewound: Option<Rewound>,
}

/// The clock went back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewound {
    /// The latest time at which those up to `seq` can have been taken.
    pub at: Timestamp,
    pub seq: Seq,
    /// By a clock that is believed; otherwise it holds only until one is.
    pub sure: bool,
}

impl Dating {
    /// The latest time at which a snapshot can have been taken that claims a time.
    pub fn believed(&self, seq: Seq, claimed: Timestamp) -> Timestamp {
        match self.rewound {
            Some(rewound) if seq <= rewound.seq => claimed.min(rewound.at),
            _ => claimed,
        }
    }

    /// When the snapshot of a slot was there, at the latest.
    pub fn finished(&self, record: &SlotRecord) -> Option<Timestamp> {
        let claimed = record.finished?;
        Some(record.seq.map_or(claimed, |seq| self.believed(seq, claimed)))
    }

    /// Whether its time is none that can be believed.
    pub fn is_doubted(&self, record: &SlotRecord) -> bool {
        record.is_taken() && self.finished(record) != record.finished
    }

    /// Whether a day that is on the list of those that have their snapshot may be due again.
    pub fn may_be_ahead(&self, begin: Timestamp) -> bool {
        self.rewound.is_some_and(|rewound| rewound.at < begin)
    }

    /// What is to be remembered from now on, if that is something new: slots that claim to have
    /// been filled later than now, up to number `newest`, or a clock that is believed again.
    pub fn rewind<'a>(
        &self,
        records: impl Iterator<Item = &'a SlotRecord>,
        newest: Seq,
        look: Look,
    ) -> Option<Self> {
        let Look { now, elapsed, sure, leapt } = look;
        let mut known = *self;
        // It was the clock of then that was wrong.
        known.rewound = known.rewound.filter(|rewound| rewound.sure || !sure);
        let soon = now.saturating_add(LITTLE).unwrap_or(now);
        let ago = self.taken.map_or(SignedDuration::ZERO, |taken| elapsed.saturating_sub(taken));
        let ago = ago.max(SignedDuration::ZERO);
        let taken: Vec<&SlotRecord> = records.filter(|record| record.is_taken()).collect();
        if sure && leapt && known.is_refuted(&taken, soon.saturating_sub(ago).unwrap_or(soon)) {
            known.rewound = None;
        }
        if taken.iter().any(|record| known.finished(record).is_some_and(|at| at > soon)) {
            let at = now.saturating_sub(ago).unwrap_or(now);
            known.rewound = Some(Rewound { at, seq: newest, sure });
        }
        (known != *self).then_some(known)
    }

    /// Whether it was the clock that went back which was wrong, though it was believed: now that it
    /// is set ahead, it is later than every time that it made doubtful, by as much as heptad has
    /// run since the newest was taken. After a time off nobody can tell; rather two of a day than
    /// none.
    fn is_refuted(&self, taken: &[&SlotRecord], latest: Timestamp) -> bool {
        let Some(rewound) = self.rewound else { return false };
        let doubted =
            taken.iter().filter(|record| record.seq.is_some_and(|seq| seq <= rewound.seq));
        let claimed = doubted.filter_map(|record| record.finished).max();
        claimed.is_some_and(|claimed| claimed > rewound.at && claimed <= latest)
    }

    /// For how long there was no complete one, in time that heptad ran.
    pub fn without(&self, elapsed: SignedDuration) -> SignedDuration {
        self.completed.map_or(SignedDuration::ZERO, |at| elapsed.saturating_sub(at))
    }
}

/// One look at the clock.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub now: Timestamp,
    pub elapsed: SignedDuration,
    /// Whether the clock is believed.
    pub sure: bool,
    /// It was just set ahead.
    pub leapt: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample::{Builder, at};

    fn look(now: &str, hours: i64, sure: bool) -> Look {
        Look { now: at(now), elapsed: SignedDuration::from_hours(hours), sure, leapt: false }
    }

    #[test]
    fn a_slot_filled_later_than_now_shows_that_the_clock_went_back() {
        let account = Builder::daily().complete(20..=22).account();
        let finished = |day: u8| {
            let mut record = account.slots[&format!("2026-11-{day}").parse().unwrap()].clone();
            record.finished = Some(record.due);
            record
        };
        let records = [finished(20), finished(21), finished(22)];
        let taken = Some(SignedDuration::from_hours(100));
        let known = Dating { taken, ..Dating::default() };
        let seen = |known: Dating, look| known.rewind(records.iter(), Seq(3), look);
        assert_eq!(seen(known, look("22T06:00", 100, true)), None);
        assert_eq!(seen(known, look("22T05:59", 100, true)), None, "by a minute");
        // It ran for ten hours since the newest was taken.
        let rewound = seen(known, look("18T16:00", 110, true)).unwrap();
        let sure = Rewound { at: at("18T06:00"), seq: Seq(3), sure: true };
        assert_eq!(rewound.rewound, Some(sure));
        assert_eq!(rewound.believed(Seq(2), at("21T06:00")), at("18T06:00"));
        assert_eq!(rewound.believed(Seq(2), at("17T06:00")), at("17T06:00"));
        assert_eq!(rewound.believed(Seq(4), at("21T06:00")), at("21T06:00"));
        assert_eq!(seen(rewound, look("18T17:00", 111, true)), None, "that is known");
        assert_eq!(seen(rewound, look("22T06:00", 200, true)), None, "and stays so");
        // It was that one which was wrong: ten hours, and then the right one again.
        let leap = |now, hours| Look { leapt: true, ..look(now, hours, true) };
        assert_eq!(seen(rewound, leap("22T16:00", 110)), Some(known));
        assert_eq!(seen(rewound, leap("22T15:58", 110)), None, "too early for that");
        assert_eq!(seen(rewound, look("22T16:00", 110, true)), None, "off until then, perhaps");
        // A clock that nobody believes is remembered only until one is believed.
        let unsure = seen(known, look("18T16:00", 100, false)).unwrap();
        assert!(!unsure.rewound.unwrap().sure);
        assert_eq!(seen(unsure, look("18T17:00", 101, false)), None);
        assert_eq!(seen(unsure, look("22T12:00", 102, true)), Some(known));
    }
}
