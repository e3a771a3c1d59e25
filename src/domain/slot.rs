//! What an automatic snapshot is *for*: a civil date, or an instant under a cron policy.

use jiff::Timestamp;
use jiff::civil::Date;
use std::fmt;
use std::str::FromStr;

/// At most one automatic snapshot exists per resource and slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// The civil date, in the policy's zone, of a daily policy.
    Day(Date),
    /// The instant of one firing of a cron policy.
    Instant(Timestamp),
}

impl Slot {
    /// The date by which the longer retention tiers group (UTC for an instant). It is the
    /// snapshot's own label, never the clock's opinion of today.
    pub fn date(self) -> Date {
        match self {
            Slot::Day(date) => date,
            Slot::Instant(at) => at.to_zoned(jiff::tz::TimeZone::UTC).date(),
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Slot::Day(date) => write!(f, "{date}"),
            Slot::Instant(at) => write!(f, "{at}"),
        }
    }
}

/// A text that is neither `YYYY-MM-DD` nor an RFC 3339 instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a date (2026-11-22) nor an instant (2026-11-22T13:00:00Z)")]
pub struct SlotError(String);

impl FromStr for Slot {
    type Err = SlotError;
    fn from_str(text: &str) -> Result<Self, SlotError> {
        if text.contains('T') {
            text.parse().map(Slot::Instant)
        } else {
            text.parse().map(Slot::Day)
        }
        .map_err(|_| SlotError(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_reads_back_as_it_prints() {
        for text in ["2026-11-22", "2026-11-22T13:00:00Z"] {
            assert_eq!(text.parse::<Slot>().unwrap().to_string(), text);
        }
        assert!("22.11.2026".parse::<Slot>().is_err());
        assert!("latest".parse::<Slot>().is_err());
    }
}
