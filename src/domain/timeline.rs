//! Which rhythm rules when: the phases of a resource's schedule, the times in which it was off, and
//! the rules for changing both.
//!
//! A change never makes two snapshots in one day nor a day without one. So a new rhythm often
//! begins tomorrow, and until then the old one rules on: the timeline holds both. Off and on leave
//! the phases as they are: what was promised is promised again, but for what fell due meanwhile.

use super::policy::{LEAD, Rhythm, When};
use super::schedule::{self, Period};
use jiff::tz::TimeZone;
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

/// What is known of the slot of the current day when the time is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Today {
    /// The snapshot is complete, suspect or being taken.
    Done,
    NotDone,
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

    /// Changes the rhythm by the table of the design: `today` tells whether the slot of the
    /// current day is done.
    #[must_use]
    pub fn change(&self, new: Rhythm, now: Timestamp, today: Today) -> Self {
        let mut next = self.clone();
        // A wish that does not rule yet gives way to the newer one.
        while next.phases.len() > 1 {
            if next.phases.pop_if(|phase| phase.from > now).is_none() {
                break;
            }
        }
        let Some(old) = next.ruling(now).cloned() else { return Self::start(new, now) };
        if old == new {
            return next.pruned(now);
        }
        let from = match zones(&old, &new) {
            Some(zone) => next.across(zone, &new, now, today),
            None if is_cron(&old) || is_cron(&new) => next.turning(&old, &new, now, today),
            None if next.begins_now(&old, &new, now, today) => now,
            None => schedule::tomorrow(&old, now),
        };
        next.phases.retain(|phase| phase.from < from);
        next.phases.push(Phase { rhythm: new, from });
        next.merged().pruned(now)
    }

    /// The table of the design, row by row: whether the new rhythm counts today.
    fn begins_now(&self, old: &Rhythm, new: &Rhythm, now: Timestamp, today: Today) -> bool {
        let tomorrow = schedule::tomorrow(old, now);
        let soon = now.saturating_add(LEAD).unwrap_or(now);
        let new = schedule::next_due(new, now).map(|period| period.due);
        let Some(new) = new.filter(|due| *due < tomorrow && *due > soon) else { return false };
        let waiting = self.latest_due(now).is_some_and(|period| period.end > now);
        if today == Today::Done || waiting {
            return false;
        }
        // Where today has no slot yet there is nothing to lose.
        let promised = self.next_due(now).map(|period| period.due).filter(|due| *due < tomorrow);
        promised.is_none_or(|due| due > soon && new >= due)
    }

    /// From when a rhythm counts where it or the one before is a cron expression, which promises no
    /// day just one snapshot: at once. But if that left today without one, the next one still comes
    /// by the old rhythm.
    fn turning(&self, old: &Rhythm, new: &Rhythm, now: Timestamp, today: Today) -> Timestamp {
        let tomorrow = schedule::tomorrow(old, now);
        let of_today = |period: Option<Period>| period.filter(|period| period.due < tomorrow);
        let covered = today == Today::Done || of_today(schedule::next_due(new, now)).is_some();
        match of_today(self.next_due(now)).filter(|_| !covered) {
            Some(promised) => promised.due.saturating_add(INSTANT).unwrap_or(promised.due),
            None => now,
        }
    }

    /// The rhythm that rules until the one that was asked for last does, and until when.
    pub fn still(&self, now: Timestamp) -> Option<(&Rhythm, Timestamp)> {
        let coming = self.phases.iter().find(|phase| phase.from > now)?;
        let ruling = self.ruling(now).filter(|ruling| Some(*ruling) != self.wished())?;
        Some((ruling, coming.from))
    }

    /// From when a rhythm of another zone counts: at once, so that every date of the new zone has
    /// its snapshot at the new time; but if a date would be left without one, the next one still
    /// comes by the old zone.
    fn across(&self, zone: &TimeZone, new: &Rhythm, now: Timestamp, today: Today) -> Timestamp {
        let date = |at: Timestamp| at.to_zoned(zone.clone()).date();
        let yesterday = date(now).yesterday().unwrap_or(date(now));
        let last = self.latest_due(now).map(|period| date(period.due));
        let last = last.map_or(yesterday, |last| last.max(yesterday));
        let coming = schedule::next_due(new, now).and_then(|period| {
            let has_one = today == Today::Done && date(period.due) == last;
            if has_one { schedule::next_due(new, period.due) } else { Some(period) }
        });
        let by_the_old = self.next_due(now).map(|period| period.due);
        match (coming.map(|period| period.due), by_the_old) {
            (Some(new), Some(old)) if old < new && last.tomorrow().is_ok_and(|d| d < date(new)) => {
                old.saturating_add(INSTANT).unwrap_or(old)
            }
            _ => now,
        }
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

    /// Without a phase in which nothing fell due, as of several changes within an hour.
    fn merged(mut self) -> Self {
        let idle = |phases: &[Phase]| match phases {
            [.., old, idle, last] => {
                let free = |phase: &Phase| {
                    let first = schedule::next_due(&phase.rhythm, before(idle.from));
                    first.is_none_or(|period| period.due >= last.from)
                };
                free(old) && free(idle)
            }
            _ => false,
        };
        if idle(&self.phases) {
            self.phases.remove(self.phases.len() - 2);
        }
        self
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

fn is_cron(rhythm: &Rhythm) -> bool {
    matches!(rhythm.when, When::Cron(_))
}

/// The new zone, where dates of one zone become those of another.
fn zones<'a>(old: &Rhythm, new: &'a Rhythm) -> Option<&'a TimeZone> {
    let daily = |rhythm: &Rhythm| matches!(rhythm.when, When::Daily(_));
    (daily(old) && daily(new) && old.zone != new.zone).then(|| new.zone.tz())
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

    fn cron(text: &str) -> Rhythm {
        Rhythm { when: When::Cron(text.parse().unwrap()), ..daily("06:00") }
    }

    #[test]
    fn each_row_of_the_table_for_cron_rhythms() {
        // Old, new, today -> the next two runs at 10:00 of the 22nd, a Sunday, and until when the
        // old one rules.
        let check = |old: &Rhythm, new: &Rhythm, today, runs: [&str; 2], until: Option<&str>| {
            let row = format!("{old:?} to {new:?}, {today:?}");
            let now = at("22T10:00");
            let phase = Phase { rhythm: old.clone(), from: at("01T00:00") };
            let after = Timeline::new(vec![phase]).change(new.clone(), now, today);
            assert_eq!(after.wished(), Some(new), "{row}");
            let first = after.next_due(now).unwrap().due;
            let second = after.next_due(first).unwrap().due;
            assert_eq!([first, second], runs.map(at), "{row}");
            let still = after.still(now).map(|(rhythm, until)| (rhythm.clone(), until));
            let want = until.map(|until| (old.clone(), at(until) + INSTANT));
            assert_eq!(still, want, "{row}");
            // Back again, before the new one rules, is as if nothing had been.
            if until.is_some() {
                let back = after.change(old.clone(), now, today);
                assert_eq!((back.phases().len(), back.still(now)), (1, None), "{row}");
            }
        };
        use Today::{Done, NotDone};
        let (minutes, hours) = (cron("* * * * *"), cron("0 * * * *"));
        let (weekly, sundays) = (cron("0 6 * * MON"), cron("0 20 * * SUN"));
        let (six, eight) = (daily("06:00"), daily("20:00"));
        // A fast one ends at once.
        check(&minutes, &six, Done, ["23T06:00", "24T06:00"], None);
        check(&minutes, &eight, Done, ["22T20:00", "23T20:00"], None);
        check(&minutes, &eight, NotDone, ["22T20:00", "23T20:00"], None);
        // Nothing was taken today, and the new time is over: one more by the old one.
        check(&minutes, &six, NotDone, ["22T10:01", "23T06:00"], Some("22T10:01"));
        check(&hours, &six, NotDone, ["22T11:00", "23T06:00"], Some("22T11:00"));
        check(&sundays, &six, NotDone, ["22T20:00", "23T06:00"], Some("22T20:00"));
        check(&sundays, &six, Done, ["23T06:00", "24T06:00"], None);
        // The old one promised nothing for today.
        check(&weekly, &six, NotDone, ["23T06:00", "24T06:00"], None);
        // To a cron expression: at once, but for what was promised and would not come.
        check(&six, &hours, Done, ["22T11:00", "22T12:00"], None);
        check(&eight, &hours, NotDone, ["22T11:00", "22T12:00"], None);
        check(&eight, &weekly, NotDone, ["22T20:00", "23T06:00"], Some("22T20:00"));
        check(&six, &weekly, Done, ["23T06:00", "30T06:00"], None);
        // From one to another.
        check(&minutes, &hours, Done, ["22T11:00", "22T12:00"], None);
        check(&hours, &minutes, Done, ["22T10:01", "22T10:02"], None);
        check(&sundays, &weekly, NotDone, ["22T20:00", "23T06:00"], Some("22T20:00"));
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
    fn many_changes_within_an_hour_heap_up_nothing() {
        let first = Timeline::new(vec![Phase { rhythm: daily("20:00"), from: at("01T00:00") }]);
        let times = ["21:00", "22:00"].iter().cycle().take(1001);
        let after =
            times.fold(first, |t, time| t.change(daily(time), at("22T10:00"), Today::NotDone));
        assert!(after.phases().len() < 5, "{after:?}");
        assert_eq!(after.next_due(at("22T10:00")).unwrap().due, at("22T21:00").max(at("22T22:00")));
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

    #[test]
    fn after_a_change_of_the_zone_each_date_of_the_new_one_has_its_slot() {
        let rhythm = |zone: &str, time: &str| Rhythm {
            when: When::Daily(time.parse().unwrap()),
            zone: Zone::new(jiff::tz::TimeZone::get(zone).unwrap()),
            offset: 0,
        };
        let zones = [
            "UTC",
            "Asia/Tokyo",
            "America/Los_Angeles",
            "Asia/Kolkata",
            "Pacific/Apia",
            "America/St_Johns",
            "Australia/Lord_Howe",
            "Europe/Berlin",
            "Pacific/Pago_Pago",
        ];
        let times = ["00:10", "06:00", "12:00", "23:50"];
        let cases = zones.iter().flat_map(|a| zones.iter().map(move |b| (*a, *b)));
        for ((a, b), hour) in cases.flat_map(|pair| (0..24).map(move |hour| (pair, hour))) {
            for (old, new) in times.iter().flat_map(|o| times.iter().map(move |n| (*o, *n))) {
                let from = at("01T00:00");
                let timeline = Timeline::new(vec![Phase { rhythm: rhythm(a, old), from }]);
                let now = at(&format!("22T{hour:02}:05"));
                let after = timeline.change(rhythm(b, new), now, Today::Done);
                let zone = jiff::tz::TimeZone::get(b).unwrap();
                let mut dates = std::collections::BTreeSet::new();
                let mut due = at("18T00:00");
                while let Some(period) = after.next_due(due).filter(|p| p.due < at("27T00:00")) {
                    dates.insert(period.due.to_zoned(zone.clone()).date().day());
                    due = period.due;
                }
                for date in 19..=25 {
                    // Dates that were over, or begun, belong to the old zone.
                    let today = now.to_zoned(zone.clone()).date().day();
                    let free = a == b || date < today;
                    assert!(
                        free || dates.contains(&date),
                        "{a} {old} -> {b} {new} at {now}: {date} of {dates:?}"
                    );
                }
            }
        }
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
