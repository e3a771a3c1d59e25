//! When a slot falls due, and how long its period lasts. Pure calendar arithmetic.
//!
//! A slot's *period* is the time in which its snapshot may still be taken: for a daily policy up
//! to the midnight that ends its date, for a cron policy up to the next firing. Retries and
//! catch-up stay inside it.

use super::policy::{Rhythm, When};
use super::slot::Slot;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan};

/// A slot with the instants that bound it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    pub slot: Slot,
    /// When its day begins; for an instant, when it falls due.
    pub begin: Timestamp,
    pub due: Timestamp,
    /// The first instant that no longer belongs to the slot; always after `due`.
    pub end: Timestamp,
}

/// The latest slot with `due <= now`, if the calendar reaches that far.
pub fn latest_due(rhythm: &Rhythm, now: Timestamp) -> Option<Period> {
    match &rhythm.when {
        When::Daily(time) => days(rhythm, now, -1)
            .filter_map(|date| daily(rhythm, *time, date))
            .find(|period| period.due <= now),
        When::Cron(_) => cron_around(rhythm, now).0,
    }
}

/// The soonest slot with `due > now`.
pub fn next_due(rhythm: &Rhythm, now: Timestamp) -> Option<Period> {
    match &rhythm.when {
        When::Daily(time) => days(rhythm, now, 1)
            .filter_map(|date| daily(rhythm, *time, date))
            .find(|period| period.due > now),
        When::Cron(_) => cron_around(rhythm, now).1,
    }
}

/// Tomorrow's first instant in the rhythm's zone, as seen at `now`.
pub fn tomorrow(rhythm: &Rhythm, now: Timestamp) -> Timestamp {
    let today = now.to_zoned(rhythm.zone.tz().clone()).date();
    start_of_next_day(rhythm.zone.tz(), today).unwrap_or(Timestamp::MAX)
}

/// The instant of a civil time: a time inside a gap is the first instant after the gap, one inside
/// a fold is the first of the two.
pub fn instant(tz: &TimeZone, civil: DateTime) -> Option<Timestamp> {
    let ambiguous = tz.to_ambiguous_zoned(civil);
    match ambiguous.offset() {
        AmbiguousOffset::Gap { after, .. } => {
            let before_the_gap = after.to_timestamp(civil).ok()?;
            tz.following(before_the_gap).next().map(|transition| transition.timestamp())
        }
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => {
            Some(ambiguous.earlier().ok()?.timestamp())
        }
    }
}

/// Whether the date occurs in the zone at all (Samoa had no 2011-12-30).
pub fn exists(tz: &TimeZone, date: Date) -> bool {
    instant(tz, date.at(0, 0, 0, 0)).is_some_and(|at| at.to_zoned(tz.clone()).date() == date)
}

/// Dates around now, walking in `step`'s direction, one further than now on each side so that an
/// offset cannot hide the answer.
fn days(rhythm: &Rhythm, now: Timestamp, step: i64) -> impl Iterator<Item = Date> + use<> {
    let today = now.to_zoned(rhythm.zone.tz().clone()).date();
    let first = today.checked_add((-step).days()).unwrap_or(today);
    (0..5).filter_map(move |n| first.checked_add((step * n).days()).ok())
}

fn daily(rhythm: &Rhythm, time: Time, date: Date) -> Option<Period> {
    let tz = rhythm.zone.tz();
    if !exists(tz, date) {
        return None;
    }
    let begin = instant(tz, date.at(0, 0, 0, 0))?;
    let end = start_of_next_day(tz, date)?;
    let at = instant(tz, date.to_datetime(time))?;
    let shifted = at.checked_add(SignedDuration::from_secs(i64::from(rhythm.offset))).ok()?;
    // The spread never carries a slot past its own midnight.
    let last = end.checked_sub(SignedDuration::from_secs(1)).ok()?;
    Some(Period { slot: Slot::Day(date), begin, due: shifted.min(last), end })
}

fn start_of_next_day(tz: &TimeZone, date: Date) -> Option<Timestamp> {
    instant(tz, date.tomorrow().ok()?.at(0, 0, 0, 0))
}

/// The firings on either side of now: the last one due and the next, each with its end.
fn cron_around(rhythm: &Rhythm, now: Timestamp) -> (Option<Period>, Option<Period>) {
    let When::Cron(expression) = &rhythm.when else {
        return (None, None);
    };
    let tz = rhythm.zone.tz();
    let offset = SignedDuration::from_secs(i64::from(rhythm.offset));
    // Three hours cover every gap and fold but Samoa's lost day, which the neighbours cover;
    // civil times that land on one instant collapse.
    let window = SignedDuration::from_hours(3) + offset;
    let here = now.to_zoned(tz.clone()).datetime();
    let early = here.checked_sub(window).unwrap_or(here);
    let late = here.checked_add(window).unwrap_or(here);
    let civil = expression
        .before(early)
        .into_iter()
        .take(2)
        .chain(between(expression, early, late))
        .chain(expression.after(late).into_iter().take(2));
    let twice = expression.is_of_every_hour();
    let mut at: Vec<Timestamp> = civil.flat_map(|civil| firings(tz, civil, twice)).collect();
    at.sort_unstable();
    at.dedup();
    let period = |pair: &[Timestamp]| {
        let due = pair[0].checked_add(offset).ok()?;
        let end = pair[1].checked_add(offset).ok()?;
        Some(Period { slot: Slot::Instant(pair[0]), begin: due, due, end })
    };
    let periods: Vec<Period> = at.windows(2).filter_map(period).collect();
    (
        periods.iter().rev().find(|p| p.due <= now).copied(),
        periods.iter().find(|p| p.due > now).copied(),
    )
}

/// The instants of one civil firing. What runs in every hour also runs in the one that autumn
/// repeats, or two hours would lie between two.
fn firings(tz: &TimeZone, civil: DateTime, twice: bool) -> impl Iterator<Item = Timestamp> {
    let ambiguous = tz.to_ambiguous_zoned(civil);
    let fold = twice && matches!(ambiguous.offset(), AmbiguousOffset::Fold { .. });
    let later = if fold { ambiguous.later().ok() } else { None };
    instant(tz, civil).into_iter().chain(later.map(|zoned| zoned.timestamp()))
}

fn between(
    expression: &super::cron::CronExpression,
    early: DateTime,
    late: DateTime,
) -> Vec<DateTime> {
    let mut found = Vec::new();
    let mut from = early.checked_sub(1.second()).unwrap_or(early);
    loop {
        let batch = expression.after(from);
        let Some(last) = batch.last().copied() else {
            return found;
        };
        found.extend(batch.into_iter().take_while(|civil| *civil < late));
        if last >= late {
            return found;
        }
        from = last;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::Zone;

    fn rhythm(zone: &str, time: &str) -> Rhythm {
        Rhythm {
            when: When::Daily(time.parse().unwrap()),
            zone: Zone::new(TimeZone::get(zone).unwrap()),
            offset: 0,
        }
    }

    fn cron(zone: &str, text: &str) -> Rhythm {
        Rhythm { when: When::Cron(text.parse().unwrap()), ..rhythm(zone, "00:00") }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_in_a_gap_runs_right_after_it_and_one_in_a_fold_at_the_first() {
        let check = |zone, time, now: &str, slot: &str, due: &str| {
            let period = next_due(&rhythm(zone, time), at(now)).unwrap();
            assert_eq!(
                (period.slot.to_string().as_str(), period.due),
                (slot, at(due)),
                "{zone} {time}"
            );
            assert_eq!(latest_due(&rhythm(zone, time), at(due)).unwrap(), period, "{zone} {time}");
        };
        check("UTC", "06:00", "2026-11-22T06:00:00Z", "2026-11-23", "2026-11-23T06:00:00Z");
        check(
            "Europe/Berlin",
            "02:30",
            "2027-03-27T12:00:00Z",
            "2027-03-28",
            "2027-03-28T01:00:00Z",
        );
        check(
            "Europe/Berlin",
            "02:30",
            "2026-10-24T12:00:00Z",
            "2026-10-25",
            "2026-10-25T00:30:00Z",
        );
        check(
            "Europe/Berlin",
            "02:30",
            "2026-10-25T00:30:00Z",
            "2026-10-26",
            "2026-10-26T01:30:00Z",
        );
        check(
            "Africa/Cairo",
            "00:00",
            "2026-04-23T12:00:00Z",
            "2026-04-24",
            "2026-04-23T22:00:00Z",
        );
        check(
            "Australia/Lord_Howe",
            "02:15",
            "2026-10-03T00:00:00Z",
            "2026-10-04",
            "2026-10-03T15:30:00Z",
        );
        check(
            "Pacific/Apia",
            "06:00",
            "2011-12-29T20:00:00Z",
            "2011-12-31",
            "2011-12-30T16:00:00Z",
        );
    }

    #[test]
    fn a_day_has_one_slot_in_every_zone_and_its_period_ends_where_the_next_day_begins() {
        for zone in [
            "Europe/Berlin",
            "America/New_York",
            "America/Sao_Paulo",
            "Pacific/Apia",
            "Australia/Lord_Howe",
        ] {
            let rhythm = rhythm(zone, "02:30");
            let mut period = next_due(&rhythm, at("2026-01-01T00:00:00Z")).unwrap();
            for _ in 0..800 {
                let next = next_due(&rhythm, period.due).unwrap();
                assert!(next.slot > period.slot && next.due > period.due, "{zone} {}", next.slot);
                assert!(
                    period.end > period.due && period.end <= next.due,
                    "{zone} {}",
                    period.slot
                );
                assert_eq!(latest_due(&rhythm, period.end), Some(period), "{zone}");
                period = next;
            }
        }
    }

    #[test]
    fn the_spread_never_leaves_the_day() {
        let late = Rhythm { offset: 3_000, ..rhythm("UTC", "23:50") };
        let period = next_due(&late, at("2026-11-22T12:00:00Z")).unwrap();
        assert_eq!(period.due, at("2026-11-22T23:59:59Z"));
    }

    #[test]
    fn a_cron_slot_lasts_until_the_next_firing() {
        let check = |zone, text, now: &str, latest: &str, next: &str| {
            let rhythm = cron(zone, text);
            let (a, b) =
                (latest_due(&rhythm, at(now)).unwrap(), next_due(&rhythm, at(now)).unwrap());
            assert_eq!((a.due, b.due), (at(latest), at(next)), "{zone} {text}");
            assert_eq!(a.end, b.due, "{zone} {text}");
        };
        check(
            "UTC",
            "*/15 * * * *",
            "2026-11-22T12:01:00Z",
            "2026-11-22T12:00:00Z",
            "2026-11-22T12:15:00Z",
        );
        check(
            "UTC",
            "* * * * *",
            "2026-11-22T12:01:30Z",
            "2026-11-22T12:01:00Z",
            "2026-11-22T12:02:00Z",
        );
        check(
            "UTC",
            "30 4 * * SUN",
            "2026-11-24T00:00:00Z",
            "2026-11-22T04:30:00Z",
            "2026-11-29T04:30:00Z",
        );
        check(
            "UTC",
            "0 0 1 1 *",
            "2026-11-24T00:00:00Z",
            "2026-01-01T00:00:00Z",
            "2027-01-01T00:00:00Z",
        );
        // What runs in every hour runs in the repeated one too.
        let hourly =
            |text, latest: &str, next: &str| check("Europe/Berlin", text, latest, latest, next);
        hourly("0 * * * *", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z");
        hourly("0 * * * *", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z");
        hourly("15 */2 * * *", "2026-10-25T00:15:00Z", "2026-10-25T01:15:00Z");
        hourly("@hourly", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z");
        hourly("0 0-23 * * *", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z");
        hourly("*/30 * * * *", "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z");
        hourly("0 * * * *", "2027-03-28T01:00:00Z", "2027-03-28T02:00:00Z");
        let half = |latest: &str, next: &str| {
            check("Australia/Lord_Howe", "*/15 * * * *", latest, latest, next);
        };
        half("2026-04-04T14:45:00Z", "2026-04-04T15:00:00Z");
        half("2026-04-04T15:15:00Z", "2026-04-04T15:30:00Z");
        // In the fold the firing happens once, at the first 02:30; in the gap right after it.
        check(
            "Europe/Berlin",
            "30 2 * * *",
            "2026-10-25T01:45:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-26T01:30:00Z",
        );
        check(
            "Europe/Berlin",
            "30 2 * * *",
            "2027-03-28T01:00:00Z",
            "2027-03-28T01:00:00Z",
            "2027-03-29T00:30:00Z",
        );
    }

    #[test]
    fn a_daily_cron_fires_once_for_every_date_of_every_zone() {
        for zone in [
            "Europe/Berlin",
            "America/New_York",
            "Africa/Cairo",
            "Australia/Lord_Howe",
            "Asia/Kathmandu",
        ] {
            let rhythm = cron(zone, "30 2 * * *");
            let mut now = at("2026-01-01T12:00:00Z");
            let mut date = None;
            for _ in 0..730 {
                let period = next_due(&rhythm, now).unwrap();
                let day = period.due.to_zoned(rhythm.zone.tz().clone()).date();
                if let Some(last) = date {
                    assert_eq!(day, Date::tomorrow(last).unwrap(), "{zone}");
                }
                (date, now) = (Some(day), period.due);
            }
        }
    }
}
