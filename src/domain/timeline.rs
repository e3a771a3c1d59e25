//! Which rhythm rules when: the phases of a resource's schedule, and the rules for changing it.
//!
//! A change never makes two snapshots in one day nor a day without one. So a new rhythm often
//! begins tomorrow, and until then the old one rules on: the timeline holds both.

use super::policy::{LEAD, Rhythm};
use super::schedule::{self, Period};
use jiff::{SignedDuration, Timestamp};

/// A rhythm and the first instant at which its slots count; it rules until the next phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    pub rhythm: Rhythm,
    pub from: Timestamp,
}

/// Phases, oldest first. Empty for a resource that was never enabled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline(Vec<Phase>);

/// What is known of the slot of the current day when the time is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Today {
    /// The snapshot is complete, suspect or being taken.
    Done,
    NotDone,
}

/// A phase begins tomorrow at the latest, in whatever zone.
const FURTHEST: SignedDuration = SignedDuration::from_hours(72);

const INSTANT: SignedDuration = SignedDuration::from_nanos(1);

impl Timeline {
    pub fn new(phases: Vec<Phase>) -> Self {
        Self(phases)
    }

    pub fn phases(&self) -> &[Phase] {
        &self.0
    }

    /// The rhythm asked for last, whether it rules already or not.
    pub fn wished(&self) -> Option<&Rhythm> {
        self.0.last().map(|phase| &phase.rhythm)
    }

    /// First enabling: the first slot is the first one more than [`LEAD`] ahead.
    pub fn start(rhythm: Rhythm, now: Timestamp) -> Self {
        let from = now.saturating_add(LEAD + INSTANT).unwrap_or(now);
        Self(vec![Phase { rhythm, from }])
    }

    /// The latest slot with `due <= now`.
    pub fn latest_due(&self, now: Timestamp) -> Option<Period> {
        let mut until = now;
        for phase in self.0.iter().rev() {
            if phase.from <= until
                && let Some(period) = schedule::latest_due(&phase.rhythm, until)
                && period.due >= phase.from
            {
                return Some(period);
            }
            until = until.min(before(phase.from));
        }
        None
    }

    /// The soonest slot with `due > now`.
    pub fn next_due(&self, now: Timestamp) -> Option<Period> {
        let untils = self.0.iter().skip(1).map(|phase| phase.from).chain([Timestamp::MAX]);
        self.0.iter().zip(untils).find_map(|(phase, until)| {
            let start = now.max(before(phase.from));
            schedule::next_due(&phase.rhythm, start).filter(|period| period.due < until)
        })
    }

    /// Changes the rhythm by the table of the design: `today` tells whether the slot of the
    /// current day is done.
    #[must_use]
    pub fn change(&self, new: Rhythm, now: Timestamp, today: Today) -> Self {
        let Some(old) = self.0.iter().rev().find(|phase| phase.from <= now) else {
            return Self::start(new, now);
        };
        let from = match beginning(&old.rhythm, &new, now, today) {
            Beginning::Now => now,
            Beginning::Tomorrow => schedule::tomorrow(&old.rhythm, now),
        };
        let phases = [old.clone(), Phase { rhythm: new, from }];
        Self(phases.into()).pruned(now)
    }

    /// The timeline anew, if it begins further ahead than any change can put it: it was made while
    /// the clock was wrong, and nothing would be taken until that time comes.
    pub fn rebased(&self, now: Timestamp) -> Option<Self> {
        let last = self.0.last()?;
        let horizon = now.saturating_add(FURTHEST).unwrap_or(Timestamp::MAX);
        (last.from > horizon).then(|| Self::start(last.rhythm.clone(), now))
    }

    /// Forgets phases that ended more than three days ago.
    fn pruned(mut self, now: Timestamp) -> Self {
        let horizon = now.saturating_sub(FURTHEST).unwrap_or(Timestamp::MIN);
        while self.0.len() > 1 && self.0[1].from < horizon {
            self.0.remove(0);
        }
        self
    }
}

fn before(at: Timestamp) -> Timestamp {
    at.saturating_sub(INSTANT).unwrap_or(at)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beginning {
    Now,
    Tomorrow,
}

/// The table of the design, row by row.
fn beginning(old: &Rhythm, new: &Rhythm, now: Timestamp, today: Today) -> Beginning {
    let (Some(old_time), Some(new_time)) = (old.time(), new.time()) else {
        // A cron rhythm has no day to protect: the new one begins with its next firing.
        return if today == Today::Done { Beginning::Tomorrow } else { Beginning::Now };
    };
    let soon = now.saturating_add(LEAD).unwrap_or(now);
    let due_today = |rhythm: &Rhythm| {
        let tomorrow = schedule::tomorrow(old, now);
        schedule::next_due(rhythm, now).map(|p| p.due).filter(|due| *due < tomorrow)
    };
    let too_close = |rhythm: &Rhythm| due_today(rhythm).is_none_or(|due| due <= soon);
    if today == Today::Done
        || (old.zone == new.zone && new_time < old_time)
        || too_close(new)
        || too_close(old)
    {
        Beginning::Tomorrow
    } else {
        Beginning::Now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::{When, Zone};

    fn daily(time: &str) -> Rhythm {
        Rhythm { when: When::Daily(time.parse().unwrap()), zone: Zone::UTC, offset: 0 }
    }

    fn at(text: &str) -> Timestamp {
        format!("2026-11-{text}:00Z").parse().unwrap()
    }

    #[test]
    fn each_row_of_the_table_of_changes() {
        // Now, old time, new time, today -> the next run.
        let check = |row, now: &str, old: &str, new: &str, today, next: &str| {
            let before = Timeline::new(vec![Phase { rhythm: daily(old), from: at("01T00:00") }]);
            let now = at(now);
            let after = before.change(daily(new), now, today);
            assert_eq!(after.wished(), Some(&daily(new)), "{row}");
            // A slot of today that waits for catch-up or retry is latest_due and still open.
            let open = after.latest_due(now).filter(|p| p.end > now && today == Today::NotDone);
            let run = open.or(after.next_due(now)).unwrap();
            assert_eq!(run.due, at(next), "{row}");
        };
        use Today::{Done, NotDone};
        check("done, later", "22T10:00", "06:00", "20:00", Done, "23T20:00");
        check("done, earlier", "22T10:00", "06:00", "04:00", Done, "23T04:00");
        check("done, at once", "22T10:00", "06:00", "10:01", Done, "23T10:01");
        check("earlier than the old", "22T10:00", "20:00", "15:00", NotDone, "22T20:00");
        check("earlier and past", "22T10:00", "20:00", "09:00", NotDone, "22T20:00");
        check("new within the lead", "22T10:00", "20:00", "10:20", NotDone, "22T20:00");
        check("new just at the lead", "22T10:00", "10:10", "10:30", NotDone, "22T10:10");
        check("old within the lead", "22T10:00", "10:20", "22:00", NotDone, "22T10:20");
        check("old just at the lead", "22T10:00", "10:30", "22:00", NotDone, "22T10:30");
        check("old past, waiting", "22T10:00", "09:00", "22:00", NotDone, "22T09:00");
        check("anything else", "22T10:00", "20:00", "22:00", NotDone, "22T22:00");
        check("just past the lead", "22T10:00", "10:31", "11:00", NotDone, "22T11:00");
    }

    #[test]
    fn after_a_change_every_day_has_exactly_one_slot() {
        let times = ["00:00", "05:00", "09:40", "10:00", "10:20", "10:31", "15:00", "23:59"];
        for (old, new) in times.iter().flat_map(|o| times.iter().map(move |n| (*o, *n))) {
            let now = at("22T10:00");
            let timeline = Timeline::new(vec![Phase { rhythm: daily(old), from: at("01T00:00") }]);
            for today in [Today::Done, Today::NotDone] {
                let after = timeline.change(daily(new), now, today);
                let mut at_ = before(at("20T00:00"));
                let mut dates = Vec::new();
                while let Some(period) = after.next_due(at_).filter(|p| p.due < at("26T00:00")) {
                    dates.push(period.slot.date().day());
                    at_ = period.due;
                }
                assert_eq!(dates, [20, 21, 22, 23, 24, 25], "{old} -> {new} {today:?}");
            }
        }
    }

    #[test]
    fn first_enabling_is_never_a_surprise() {
        let check = |time: &str, next: &str| {
            let timeline = Timeline::start(daily(time), at("22T10:00"));
            assert_eq!(timeline.latest_due(at("22T10:00")), None, "{time}");
            assert_eq!(timeline.next_due(at("22T10:00")).unwrap().due, at(next), "{time}");
        };
        check("10:31", "22T10:31");
        check("10:30", "23T10:30");
        check("10:00", "23T10:00");
        check("09:00", "23T09:00");
    }

    #[test]
    fn a_timeline_made_under_a_wrong_clock_begins_anew() {
        let wrong = Timeline::start(daily("06:00"), "2098-01-01T00:00:00Z".parse().unwrap());
        let right = wrong.rebased(at("22T10:00")).unwrap();
        assert_eq!(right.next_due(at("22T10:00")).unwrap().due, at("23T06:00"));
        assert_eq!(right.rebased(at("22T10:00")), None);
    }

    #[test]
    fn changing_twice_before_tomorrow_keeps_todays_run_and_the_last_wish() {
        let now = at("22T10:00");
        let first = Timeline::new(vec![Phase { rhythm: daily("20:00"), from: at("01T00:00") }]);
        let twice = first.change(daily("15:00"), now, Today::NotDone).change(
            daily("16:00"),
            now,
            Today::NotDone,
        );
        assert_eq!(twice.next_due(now).unwrap().due, at("22T20:00"));
        assert_eq!(twice.next_due(at("22T20:00")).unwrap().due, at("23T16:00"));
    }
}
