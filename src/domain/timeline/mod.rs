//! Which rhythm rules when: the phases of a resource's schedule, and the times in which it was off.
//!
//! Off and on leave the phases as they are: what was promised is promised again, but for what fell
//! due meanwhile. How one rhythm gives way to another is in [`change`].

mod change;

pub use change::Today;

use super::policy::{LEAD, Rhythm};
use super::schedule::{self, Period};
use jiff::{SignedDuration, Timestamp};

/// A rhythm and the first instant at which its slots count; it rules until the next phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    pub rhythm: Rhythm,
    pub from: Timestamp,
}

/// A time in which it was switched off: a slot that would have fallen due within it does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Off {
    pub from: Timestamp,
    /// None: it is off.
    pub until: Option<Timestamp>,
}

/// Phases and times off, oldest first. Empty for a resource that was never enabled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    phases: Vec<Phase>,
    off: Vec<Off>,
}

/// What ended longer ago than this is no longer needed: a new rhythm begins tomorrow at the latest,
/// in whatever zone.
const FURTHEST: SignedDuration = SignedDuration::from_hours(72);

/// A clock that is set by less than this changes nothing.
const LITTLE: SignedDuration = SignedDuration::from_mins(1);

const INSTANT: SignedDuration = SignedDuration::from_nanos(1);

impl Timeline {
    pub fn new(phases: Vec<Phase>) -> Self {
        Self { phases, off: Vec::new() }
    }

    #[must_use]
    pub fn with_off(self, off: Vec<Off>) -> Self {
        Self { off, ..self }
    }

    pub fn phases(&self) -> &[Phase] {
        &self.phases
    }

    pub fn off(&self) -> &[Off] {
        &self.off
    }

    /// The rhythm asked for last, whether it rules already or not.
    pub fn wished(&self) -> Option<&Rhythm> {
        self.phases.last().map(|phase| &phase.rhythm)
    }

    /// The rhythm that rules now; before the first one does, that one.
    pub fn ruling(&self, now: Timestamp) -> Option<&Rhythm> {
        let ruling = self.phases.iter().rev().find(|phase| phase.from <= now);
        ruling.or(self.phases.first()).map(|phase| &phase.rhythm)
    }

    /// First enabling: the first slot is the first one more than [`LEAD`] ahead.
    pub fn start(rhythm: Rhythm, now: Timestamp) -> Self {
        let from = now.saturating_add(LEAD + INSTANT).unwrap_or(now);
        Self::new(vec![Phase { rhythm, from }])
    }

    /// The latest slot with `due <= now`.
    pub fn latest_due(&self, now: Timestamp) -> Option<Period> {
        let mut until = now;
        loop {
            let period = self.ruled_before(until)?;
            match self.off_at(period.due) {
                Some(off) => until = off.from,
                None => return Some(period),
            }
        }
    }

    /// The soonest slot with `due > now`.
    pub fn next_due(&self, now: Timestamp) -> Option<Period> {
        let mut from = now;
        loop {
            let period = self.ruled_after(from)?;
            match self.off_at(period.due) {
                Some(off) => from = before(off.until?),
                None => return Some(period),
            }
        }
    }

    fn ruled_before(&self, now: Timestamp) -> Option<Period> {
        let mut until = now;
        for phase in self.phases.iter().rev() {
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

    fn ruled_after(&self, now: Timestamp) -> Option<Period> {
        let untils = self.phases.iter().skip(1).map(|phase| phase.from).chain([Timestamp::MAX]);
        self.phases.iter().zip(untils).find_map(|(phase, until)| {
            let start = now.max(before(phase.from));
            schedule::next_due(&phase.rhythm, start).filter(|period| period.due < until)
        })
    }

    /// At the very instant of a switch it counts as on.
    fn off_at(&self, due: Timestamp) -> Option<&Off> {
        self.off.iter().find(|off| off.from < due && off.until.is_none_or(|until| due < until))
    }

    /// Whether it was off for a part of that time.
    pub fn was_off(&self, begin: Timestamp, end: Timestamp) -> bool {
        let touches = |off: &Off| off.from < end && off.until.is_none_or(|until| until > begin);
        self.off.iter().any(touches)
    }

    pub fn is_off(&self) -> bool {
        self.off.last().is_some_and(|off| off.until.is_none())
    }

    /// Switched off: what is promised from now on does not come, unless it is switched on again
    /// before its time.
    #[must_use]
    pub fn stopped(mut self, now: Timestamp) -> Self {
        if !self.is_off() {
            self.off.push(Off { from: now, until: None });
        }
        self
    }

    /// Switched on again. Nothing remains of a time off in which nothing fell due, however often
    /// that is done.
    #[must_use]
    pub fn resumed(mut self, now: Timestamp) -> Self {
        let Some(off) = self.off.pop_if(|off| off.until.is_none()) else { return self };
        if self.ruled_after(off.from).is_some_and(|period| period.due < now) {
            self.off.push(Off { until: Some(now), ..off });
        }
        self.pruned(now)
    }

    /// The rhythm that rules until the one that was asked for last does, and until when.
    pub fn still(&self, now: Timestamp) -> Option<(&Rhythm, Timestamp)> {
        let coming = self.phases.iter().find(|phase| phase.from > now)?;
        let ruling = self.ruling(now).filter(|ruling| Some(*ruling) != self.wished())?;
        Some((ruling, coming.from))
    }

    /// The timeline anew, if it lies further ahead than any change can put it: it was made while
    /// the clock was ahead, and nothing would be taken until that time comes.
    pub fn rebased(&self, now: Timestamp) -> Option<Self> {
        let late = now.saturating_add(LITTLE).unwrap_or(now);
        let ahead = |at: Timestamp| at > late;
        let set = self.off.iter().any(|off| ahead(off.until.unwrap_or(off.from)));
        if !set && !self.phases.iter().any(|phase| ahead(phase.from)) {
            return None;
        }
        let mut next = self.clone();
        for index in 0..next.phases.len() {
            let (first, last) = next.bounds(index, now);
            let from = &mut next.phases[index].from;
            if from.duration_since(last) > LITTLE {
                *from = first;
            }
        }
        next.off.retain(|off| !ahead(off.from) || off.until.is_none());
        for off in &mut next.off {
            off.from = off.from.min(now);
            off.until = off.until.map(|until| until.min(now));
        }
        (next != *self).then_some(next)
    }

    /// From when a phase counts that a change of now makes, and the latest time for that.
    fn bounds(&self, index: usize, now: Timestamp) -> (Timestamp, Timestamp) {
        let Some(old) = index.checked_sub(1).and_then(|before| self.phases.get(before)) else {
            let start = now.saturating_add(LEAD + INSTANT).unwrap_or(now);
            return (start, start);
        };
        let tomorrow = schedule::tomorrow(&old.rhythm, now);
        let next = schedule::next_due(&old.rhythm, now).map_or(tomorrow, |period| period.due);
        (tomorrow, tomorrow.max(next))
    }

    /// Forgets what ended more than three days ago. Every slot from before has its record.
    fn pruned(mut self, now: Timestamp) -> Self {
        let horizon = now.saturating_sub(FURTHEST).unwrap_or(Timestamp::MIN);
        let over = |off: &&Off| off.until.is_some_and(|until| until < horizon);
        let begin = self.off.iter().filter(over).filter_map(|off| off.until).max();
        self.off.retain(|off| !over(&off));
        let past = |phase: &Phase| phase.from < horizon || begin.is_some_and(|at| phase.from <= at);
        while self.phases.get(1).is_some_and(past) {
            self.phases.remove(0);
        }
        if let Some(first) = self.phases.first_mut() {
            first.from = begin.map_or(first.from, |begin| first.from.max(begin));
        }
        self
    }
}

fn before(at: Timestamp) -> Timestamp {
    at.saturating_sub(INSTANT).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::{When, Zone};

    pub(super) fn daily(time: &str) -> Rhythm {
        Rhythm { when: When::Daily(time.parse().unwrap()), zone: Zone::UTC, offset: 0 }
    }

    pub(super) fn at(text: &str) -> Timestamp {
        format!("2026-11-{text}:00Z").parse().unwrap()
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
    fn what_falls_due_while_it_is_off_does_not_exist_and_nothing_else_is_lost() {
        let all = || Timeline::new(vec![Phase { rhythm: daily("06:00"), from: at("01T00:00") }]);
        // Off, on, and what is due next after the 22nd, 00:00.
        let check = |off: &str, on: &str, next: &str, remembered: usize| {
            let timeline = all().stopped(at(off)).resumed(at(on));
            assert_eq!(timeline.next_due(at("22T00:00")).unwrap().due, at(next), "{off} {on}");
            assert_eq!(timeline.off().len(), remembered, "{off} {on}");
        };
        check("22T05:40", "22T05:50", "22T06:00", 0);
        check("22T05:40", "22T06:00", "22T06:00", 0);
        check("22T05:40", "22T06:01", "23T06:00", 1);
        check("22T06:00", "22T06:01", "22T06:00", 0);
        check("22T06:01", "23T05:59", "22T06:00", 0);
        check("02T06:01", "22T05:59", "22T06:00", 1);
        check("02T06:01", "24T12:00", "25T06:00", 1);
        let off = all().stopped(at("22T07:00"));
        assert_eq!((off.is_off(), off.next_due(at("22T08:00"))), (true, None));
        assert_eq!(off.latest_due(at("25T08:00")).unwrap().due, at("22T06:00"), "it may be tried");
        let storm =
            (0..1000).fold(off, |off, _| off.resumed(at("22T08:00")).stopped(at("22T08:00")));
        assert_eq!(storm.off().len(), 1);
        let nights = (2..28).fold(all(), |on, day| {
            on.stopped(at(&format!("{day:02}T05:00"))).resumed(at(&format!("{day:02}T07:00")))
        });
        assert!(nights.off().len() < 5 && nights.next_due(at("28T00:00")).is_some());
    }

    #[test]
    fn a_timeline_made_under_a_wrong_clock_begins_anew() {
        let wrong = Timeline::start(daily("06:00"), "2098-01-01T00:00:00Z".parse().unwrap());
        let right = wrong.rebased(at("22T10:00")).unwrap();
        assert_eq!(right.next_due(at("22T10:00")).unwrap().due, at("23T06:00"));
        assert_eq!(right.rebased(at("22T10:00")), None);
        // A day or two are enough to lose one.
        let check = |wrong: &Timeline, now: &str, next: &str| {
            let right = wrong.rebased(at(now)).unwrap_or_else(|| wrong.clone());
            assert_eq!(right.next_due(at(now)).unwrap().due, at(next), "{now}");
            assert_eq!(right.rebased(at(now)), None, "once");
        };
        let wrong = Timeline::start(daily("06:00"), at("22T10:00"));
        check(&wrong, "22T10:00", "23T06:00");
        check(&wrong, "22T00:00", "22T06:00");
        check(&wrong, "20T12:00", "21T06:00");
        let ruling = Timeline::new(vec![Phase { rhythm: daily("06:00"), from: at("01T00:00") }]);
        let changed = ruling.change(daily("20:00"), at("22T10:00"), Today::Done);
        check(&changed, "22T10:00", "23T20:00");
        check(&changed, "19T10:00", "20T20:00");
        let gap = ruling.clone().stopped(at("22T05:00")).resumed(at("22T07:00"));
        check(&gap, "22T07:00", "23T06:00");
        check(&gap, "20T07:00", "21T06:00");
        let off = ruling.stopped(at("22T05:00")).rebased(at("20T07:00")).unwrap();
        assert_eq!((off.next_due(at("20T08:00")), off.is_off()), (None, true));
    }
}
