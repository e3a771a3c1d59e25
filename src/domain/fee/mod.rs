//! What snapshots cost: which bytes are billed, for how long, at what price.
//!
//! Billed is what all snapshots of a resource *occupy* together, those in the trash too: what would
//! become free if all of them went. Where no backend tells that, it is the sum over them: of each
//! its *exclusive* bytes where those are told, else its *stored* (logical) ones; one of which
//! neither is known counts as nothing and is told as unmeasured. Exclusive is what would become
//! free if just that one went: blocks that only several snapshots share are counted in none, so
//! such a sum is the least that they take up.
//!
//! Only hours in which heptad runs, or the machine sleeps with it, are counted: nobody saw the
//! others. Their length comes from running time, never from the wall clock, which only says to
//! which day they belong; setting it can move byte-hours to another day but makes none.

mod resource_usage;

pub use resource_usage::{Basis, ResourceUsage, billed, occupies};

use super::name::ResourceName;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::fmt;
use std::str::FromStr;

/// Hours of a GB-month, whatever the month's length: a twelfth of 365 days.
pub const HOURS_PER_MONTH: f64 = 730.0;

/// Bytes of a GB on a bill: decimal, as in Lightsail's price list.
pub const BYTES_PER_GB: f64 = 1e9;

/// Lightsail's price of one GB-month, in USD (its FAQ, "How are snapshots billed?").
pub const LIGHTSAIL_PRICE: f64 = 0.05;

/// How many days of usage are remembered, and the longest stretch that is counted at once.
pub const HISTORY_DAYS: u16 = 400;

/// No real disk holds more; keeps sums far from overflow.
const MOST_BYTE_HOURS: u128 = 1 << 60;

/// Price of one GB-month.
#[derive(Clone, Debug, PartialEq)]
pub struct Tariff {
    pub price: f64,
    /// Shown behind amounts; means nothing to heptad.
    pub currency: String,
}

impl Default for Tariff {
    fn default() -> Self {
        Self { price: LIGHTSAIL_PRICE, currency: "USD".into() }
    }
}

/// One resource's usage in one UTC day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageDay {
    pub resource: ResourceName,
    pub day: Date,
    pub byte_hours: u64,
    /// As last seen that day.
    pub stored: Option<u64>,
    pub exclusive: Option<u64>,
    pub occupied: Option<u64>,
}

/// So many bytes held for so long, rounded to whole byte-hours.
pub fn byte_hours(bytes: u64, span: SignedDuration) -> u64 {
    let nanos = u128::try_from(span.as_nanos()).unwrap_or(0);
    let hour = 3_600 * 1_000_000_000;
    let exact = u128::from(bytes).saturating_mul(nanos).saturating_add(hour / 2) / hour;
    u64::try_from(exact.min(MOST_BYTE_HOURS)).unwrap_or(u64::MAX)
}

/// Lays a stretch of running time that ends at `now` over UTC days, newest first; what lies more
/// than [`HISTORY_DAYS`] back is left out.
pub fn spread(now: Timestamp, span: SignedDuration) -> Vec<(Date, SignedDuration)> {
    let mut days = Vec::new();
    let (mut day, mut end, mut left) = (utc_day(now), now, span);
    while left > SignedDuration::ZERO && days.len() < usize::from(HISTORY_DAYS) {
        let start = midnight(day);
        let within = end.duration_since(start).min(left);
        if within > SignedDuration::ZERO {
            days.push((day, within));
        }
        left = left.saturating_sub(within);
        let Ok(yesterday) = day.yesterday() else { break };
        (day, end) = (yesterday, start);
    }
    days
}

fn utc_day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

fn midnight(day: Date) -> Timestamp {
    day.to_zoned(TimeZone::UTC).map_or(Timestamp::MAX, |start| start.timestamp())
}

/// A civil month in UTC; bills follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(Date);

/// A text that is no month.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a valid month")]
pub struct MonthError(String);

impl Month {
    pub fn of(at: Timestamp) -> Self {
        Self(utc_day(at).first_of_month())
    }

    pub fn first_day(self) -> Date {
        self.0
    }

    /// The first day of the next month; the last one of the calendar ends with its last day.
    pub fn end_day(self) -> Date {
        self.0.last_of_month().tomorrow().unwrap_or(Date::MAX)
    }

    pub fn end(self) -> Timestamp {
        midnight(self.end_day())
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0.year(), self.0.month())
    }
}

impl FromStr for Month {
    type Err = MonthError;

    /// `YYYY-MM`.
    fn from_str(text: &str) -> Result<Self, MonthError> {
        let refuse = || MonthError(text.into());
        let shaped = text.len() == 7 && text.as_bytes()[4] == b'-';
        let day = format!("{text}-01").parse().map_err(|_| refuse())?;
        if shaped { Ok(Self(day)) } else { Err(refuse()) }
    }
}

/// An amount of storage over time and its price.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Charge {
    pub gb_months: f64,
    pub cost: f64,
}

/// What byte-hours cost.
pub fn charge(byte_hours: u128, tariff: &Tariff) -> Charge {
    let gb_months = byte_hours as f64 / HOURS_PER_MONTH / BYTES_PER_GB;
    Charge { gb_months, cost: gb_months * tariff.price }
}

/// The byte-hours of the whole month if what is held now stays until its end; none once the month
/// is over. What was held since the last count, an hour at most, is not in it.
pub fn foretell(so_far: u128, held: u64, month: Month, now: Timestamp) -> Option<u128> {
    let left = month.end().duration_since(now);
    let ahead = (left > SignedDuration::ZERO).then(|| byte_hours(held, left))?;
    Some(so_far.saturating_add(u128::from(ahead)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn hours(hours: i64) -> SignedDuration {
        SignedDuration::from_hours(hours)
    }

    #[test]
    fn byte_hours_are_bytes_times_running_time() {
        let check =
            |bytes, span, want| assert_eq!(byte_hours(bytes, span), want, "{bytes} {span:?}");
        check(0, hours(24), 0);
        check(GB, hours(1), GB);
        check(GB, SignedDuration::from_mins(30), GB / 2);
        check(1, SignedDuration::from_mins(29), 0);
        check(1, SignedDuration::from_mins(31), 1);
        check(GB, hours(-1), 0);
        check(u64::MAX, SignedDuration::MAX, 1 << 60);
    }

    #[test]
    fn a_stretch_of_time_is_laid_over_utc_days() {
        let check = |now: &str, span, want: &[(&str, i64)]| {
            let got = spread(at(now), span);
            let got: Vec<(String, i64)> =
                got.iter().map(|(day, span)| (day.to_string(), span.as_secs())).collect();
            let want: Vec<_> = want.iter().map(|(day, span)| ((*day).to_owned(), *span)).collect();
            assert_eq!(got, want, "{now} {span:?}");
        };
        check("2026-11-22T12:00:00Z", hours(0), &[]);
        check("2026-11-22T12:00:00Z", hours(-5), &[]);
        check("2026-11-22T12:00:00Z", hours(1), &[("2026-11-22", 3_600)]);
        check("2026-11-22T00:00:00Z", hours(1), &[("2026-11-21", 3_600)]);
        check("2026-03-01T00:30:00Z", hours(1), &[("2026-03-01", 1_800), ("2026-02-28", 1_800)]);
        check(
            "2026-01-01T01:00:00Z",
            hours(26),
            &[("2026-01-01", 3_600), ("2025-12-31", 86_400), ("2025-12-30", 3_600)],
        );
        // A running time that cannot be is cut off, and so is the beginning of the calendar.
        assert_eq!(spread(at("2026-01-01T01:00:00Z"), SignedDuration::MAX).len(), 400);
        assert!(spread(Timestamp::MIN, SignedDuration::MAX).len() < 3);
    }

    #[test]
    fn a_month_is_a_civil_one_in_utc() {
        let check = |now: &str, month: &str, end: &str| {
            let got = Month::of(at(now));
            assert_eq!((got.to_string().as_str(), got.end()), (month, at(end)), "{now}");
            assert_eq!(month.parse(), Ok(got));
        };
        check("2026-11-22T12:00:00Z", "2026-11", "2026-12-01T00:00:00Z");
        check("2026-12-31T23:59:59Z", "2026-12", "2027-01-01T00:00:00Z");
        check("2028-02-01T00:00:00Z", "2028-02", "2028-03-01T00:00:00Z");
        for text in
            ["", "2026", "2026-13", "2026-1", "202611", "2026-11-01", "+2026-1", "-000001-01"]
        {
            assert!(text.parse::<Month>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_month_of_28_gb_costs_what_lightsail_says() {
        // Lightsail's FAQ: 28 GB for a month are 1.40 USD, 2 GB more 0.10.
        let check = |gb: u64, cost: f64| {
            let charge = charge(u128::from(gb * GB) * 730, &Tariff::default());
            assert!((charge.gb_months - gb as f64).abs() < 1e-9, "{charge:?}");
            assert!((charge.cost - cost).abs() < 1e-9, "{charge:?}");
        };
        check(28, 1.40);
        check(2, 0.10);
        check(0, 0.0);
    }

    #[test]
    fn the_forecast_holds_what_is_held_now_until_the_month_ends() {
        let check = |now: &str, so_far, held, want| {
            let month = "2026-11".parse().unwrap();
            assert_eq!(foretell(so_far, held, month, at(now)), want, "{now}");
        };
        check("2026-11-01T00:00:00Z", 0, 10, Some(7_200));
        check("2026-11-30T22:00:00Z", 100, 10, Some(120));
        check("2026-11-30T22:00:00Z", 100, 0, Some(100));
        check("2026-12-01T00:00:00Z", 100, 10, None);
        check("2027-06-01T00:00:00Z", 100, 10, None);
    }
}
