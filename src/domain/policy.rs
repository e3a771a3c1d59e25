//! When automatic snapshots happen and how many stay.

use super::cron::CronExpression;
use jiff::SignedDuration;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use std::fmt;

/// How far ahead a new time must lie to count today (Lightsail's thirty minutes).
pub const LEAD: SignedDuration = SignedDuration::from_mins(30);

/// The time of day when none is configured.
pub const DEFAULT_TIME: Time = Time::constant(6, 0, 0, 0);

/// The policy in force for one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub rhythm: Rhythm,
    pub retention: Retention,
    /// Whether automatic snapshots are taken at all.
    pub enabled: bool,
}

/// When slots fall due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rhythm {
    pub when: When,
    pub zone: Zone,
    /// Seconds in `[0, spread)` added to every due instant, fixed per resource.
    pub offset: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    Daily(Time),
    Cron(CronExpression),
}

impl Rhythm {
    /// The wished time of day, if the rhythm is a daily one.
    pub fn time(&self) -> Option<Time> {
        match self.when {
            When::Daily(time) => Some(time),
            When::Cron(_) => None,
        }
    }

    pub fn with_time(&self, time: Time) -> Self {
        Self { when: When::Daily(time), ..self.clone() }
    }
}

impl fmt::Display for Rhythm {
    /// `06:00 UTC`, or `cron 15 * * * * UTC`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.when {
            When::Daily(time) => write!(f, "{}", time.strftime("%H:%M"))?,
            When::Cron(expression) => write!(f, "cron {}", expression.as_str())?,
        }
        write!(f, " {}", self.zone)
    }
}

/// An IANA time zone that was found on this host; equal by name.
#[derive(Clone)]
pub struct Zone(TimeZone);

impl Zone {
    pub const UTC: Zone = Zone(TimeZone::UTC);

    /// Wraps a resolved zone. Looking one up by name is the configuration's work: it reads files.
    pub fn new(zone: TimeZone) -> Self {
        Self(zone)
    }

    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    pub fn tz(&self) -> &TimeZone {
        &self.0
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}
impl Eq for Zone {}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How many complete automatic snapshots stay. `latest` is the seven of the name; the other tiers
/// each keep the newest snapshot of that many weeks, months or years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// At least 1.
    pub latest: u32,
    pub weekly: u32,
    pub monthly: u32,
    pub yearly: u32,
}

impl Retention {
    pub const SEVEN: Retention = Retention { latest: 7, weekly: 0, monthly: 0, yearly: 0 };
}

/// The fixed offset of a resource within `spread` seconds: FNV-1a of its name, so that it is the
/// same on every host and after every restart.
pub fn offset(name: &str, spread: u32) -> u32 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    u32::try_from(hash.checked_rem(u64::from(spread)).unwrap_or(0)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_is_fixed_and_below_the_spread() {
        assert_eq!(offset("web-1", 0), 0);
        for name in ["web-1", "web-2", "db", "a-long-name"] {
            assert!(offset(name, 2700) < 2700);
            assert_eq!(offset(name, 2700), offset(name, 2700));
        }
        assert_ne!(offset("web-1", 2700), offset("web-2", 2700));
    }
}
