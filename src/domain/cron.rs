//! Cron expressions. The only file that knows the `cron` crate and its `chrono` types.
//!
//! The crate is fed a civil clock dressed as UTC and never a time zone: evaluated in a zone, it
//! skips the day of a spring gap and fires twice in an autumn fold.

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};
use cron::TimeUnitSpec;
use jiff::civil;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// How many firings are looked through for one that exists in the zone.
const LOOK: usize = 64;

/// A checked expression: the text as written and its parsed form.
#[derive(Clone)]
pub struct CronExpression {
    text: Arc<str>,
    schedule: Arc<cron::Schedule>,
    every_hour: bool,
}

/// Why an expression is refused; the message tells the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    #[error("has {0} fields; write five (minute hour day month weekday) or a name such as @daily")]
    Fields(usize),
    #[error(
        "weekday {0:?} is a number, which cron dialects read differently; write names (MON, MON-FRI)"
    )]
    NumericWeekday(String),
    #[error(
        "sets both a day of the month and a weekday, which cron dialects read differently; set one"
    )]
    BothDays,
    #[error("{0}")]
    Syntax(String),
    #[error("never fires")]
    Never,
}

impl CronExpression {
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it names no hours: it goes by time that passes and not by the clock on the wall.
    pub fn is_of_every_hour(&self) -> bool {
        self.every_hour
    }

    /// The civil times of firings after `from`, soonest first; few, and never endless.
    pub fn after(&self, from: civil::DateTime) -> Vec<civil::DateTime> {
        let Some(start) = dress(from) else {
            return Vec::new();
        };
        self.schedule.after(&start).take(LOOK).map(undress).collect()
    }

    /// The civil times of firings before `until`, latest first.
    pub fn before(&self, until: civil::DateTime) -> Vec<civil::DateTime> {
        let Some(end) = dress(until) else {
            return Vec::new();
        };
        self.schedule.after(&end).rev().take(LOOK).map(undress).collect()
    }
}

fn dress(civil: civil::DateTime) -> Option<DateTime<Utc>> {
    let date = NaiveDate::from_ymd_opt(
        i32::from(civil.year()),
        u32::try_from(civil.month()).ok()?,
        u32::try_from(civil.day()).ok()?,
    )?;
    let part = |value: i8| u32::try_from(value).ok();
    let at = date.and_hms_opt(part(civil.hour())?, part(civil.minute())?, part(civil.second())?)?;
    Some(at.and_utc())
}

fn undress(at: DateTime<Utc>) -> civil::DateTime {
    let part = |value: u32| i8::try_from(value).unwrap_or(0);
    civil::date(i16::try_from(at.year()).unwrap_or(i16::MAX), part(at.month()), part(at.day())).at(
        part(at.hour()),
        part(at.minute()),
        part(at.second()),
        0,
    )
}

impl FromStr for CronExpression {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        let text = text.trim();
        let full = if text.starts_with('@') {
            text.to_owned()
        } else {
            let fields: Vec<&str> = text.split_whitespace().collect();
            let [_, _, day, _, weekday] = fields[..] else {
                return Err(CronError::Fields(fields.len()));
            };
            if weekday.contains(|c: char| c.is_ascii_digit()) {
                return Err(CronError::NumericWeekday(weekday.into()));
            }
            let open = |field: &str| matches!(field, "*" | "?");
            if !open(day) && !open(weekday) {
                return Err(CronError::BothDays);
            }
            format!("0 {text}")
        };
        let schedule = cron::Schedule::from_str(&full)
            .map_err(|error| CronError::Syntax(error.to_string()))?;
        let starred = full.split_whitespace().nth(2).is_some_and(|hours| hours.starts_with('*'));
        let every_hour = starred || schedule.hours().count() == 24;
        let parsed = Self { text: text.into(), schedule: Arc::new(schedule), every_hour };
        if parsed.after(civil::date(2024, 1, 1).at(0, 0, 0, 0)).is_empty() {
            return Err(CronError::Never);
        }
        Ok(parsed)
    }
}

impl PartialEq for CronExpression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}
impl Eq for CronExpression {}

impl fmt::Debug for CronExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cron({})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traps_of_the_dialects_are_refused() {
        let check = |text: &str, want: fn(&CronError) -> bool| {
            let error = text.parse::<CronExpression>().expect_err(text);
            assert!(want(&error), "{text}: {error}");
        };
        check("0 30 2 * * *", |e| matches!(e, CronError::Fields(6)));
        check("", |e| matches!(e, CronError::Fields(0)));
        check("0 3 * * 1", |e| matches!(e, CronError::NumericWeekday(_)));
        check("0 3 * * MON-5", |e| matches!(e, CronError::NumericWeekday(_)));
        check("0 3 1 * MON", |e| matches!(e, CronError::BothDays));
        check("61 3 * * *", |e| matches!(e, CronError::Syntax(_)));
        check("0 0 30 2 *", |e| matches!(e, CronError::Never));
        check("@reboot", |e| matches!(e, CronError::Syntax(_)));
    }

    #[test]
    fn firings_are_found_in_both_directions() {
        let noon = civil::date(2026, 11, 22).at(12, 0, 0, 0);
        let hourly: CronExpression = "15 * * * *".parse().unwrap();
        assert_eq!(hourly.after(noon)[0], noon.date().at(12, 15, 0, 0));
        assert_eq!(hourly.before(noon)[0], noon.date().at(11, 15, 0, 0));
        let weekly: CronExpression = "30 4 * * SUN".parse().unwrap();
        assert_eq!(weekly.before(noon)[0], noon.date().at(4, 30, 0, 0));
        assert_eq!(weekly.after(noon)[0], civil::date(2026, 11, 29).at(4, 30, 0, 0));
    }
}
