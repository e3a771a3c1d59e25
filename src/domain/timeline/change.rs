//! How one rhythm gives way to another.
//!
//! A change never makes two snapshots in one day nor a day without one. So a new rhythm often
//! begins tomorrow, and until then the old one rules on: the timeline holds both.

use super::super::policy::{LEAD, Rhythm, When};
use super::super::schedule::{self, Period};
use super::{INSTANT, Phase, Timeline, before};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// What is known of the slot of the current day when the time is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Today {
    /// The snapshot is complete, suspect or being taken.
    Done,
    NotDone,
}

impl Timeline {
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
    use super::super::tests::{at, daily};
    use super::*;
    use crate::domain::policy::Zone;

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
    fn many_changes_within_an_hour_heap_up_nothing() {
        let first = Timeline::new(vec![Phase { rhythm: daily("20:00"), from: at("01T00:00") }]);
        let times = ["21:00", "22:00"].iter().cycle().take(1001);
        let after =
            times.fold(first, |t, time| t.change(daily(time), at("22T10:00"), Today::NotDone));
        assert!(after.phases().len() < 5, "{after:?}");
        assert_eq!(after.next_due(at("22T10:00")).unwrap().due, at("22T21:00").max(at("22T22:00")));
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
