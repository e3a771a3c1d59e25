//! When automatic snapshots happen and how many stay.

use super::cron::CronExpression;
use jiff::SignedDuration;
use jiff::civil::Time;
use jiff::tz::{TimeZone, TimeZoneDatabase};
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

/// An IANA time zone, or the name of one that nobody here knows; equal by name.
#[derive(Clone)]
pub struct Zone {
    tz: TimeZone,
    /// Its name, where UTC stands in for it.
    lost: Option<Box<str>>,
}

impl Zone {
    pub const UTC: Zone = Zone { tz: TimeZone::UTC, lost: None };

    /// Wraps a resolved zone. Looking one up by name is the shell's work: it reads files.
    pub fn new(tz: TimeZone) -> Self {
        Self { tz, lost: None }
    }

    /// The zone of this name: as the `host` knows it, else from heptad's own tables, else lost.
    /// What a host drops from its database must not stop what runs by it.
    pub fn named(name: &str, host: Option<TimeZone>) -> Self {
        match host.or_else(|| TimeZoneDatabase::bundled().get(name).ok()) {
            Some(tz) => Self::new(tz),
            None => Self { tz: TimeZone::UTC, lost: Some(name.into()) },
        }
    }

    pub fn name(&self) -> &str {
        self.lost.as_deref().or(self.tz.iana_name()).unwrap_or("UTC")
    }

    pub fn tz(&self) -> &TimeZone {
        &self.tz
    }

    /// Whether nobody here knows it, so that UTC stands in.
    pub fn is_lost(&self) -> bool {
        self.lost.is_some()
    }
}

impl PartialEq for Zone {
    /// One that is found again is another one: what is planned by UTC is planned anew.
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && self.is_lost() == other.is_lost()
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
    fn a_zone_that_the_host_has_dropped_is_known_all_the_same() {
        let check = |name: &str, host: Option<TimeZone>, lost: bool| {
            let zone = Zone::named(name, host);
            assert_eq!((zone.name(), zone.is_lost()), (name, lost));
            assert_eq!(zone.tz() == &TimeZone::UTC, lost, "{name}");
        };
        check("Europe/Berlin", TimeZone::get("Europe/Berlin").ok(), false);
        check("US/Eastern", None, false);
        check("Mars/Olympus", None, true);
        let found = Zone::new(TimeZone::get("Europe/Berlin").unwrap());
        let lost = Zone { tz: TimeZone::UTC, lost: Some("Europe/Berlin".into()) };
        assert_ne!(found, lost, "found again, the schedule follows it");
    }

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
