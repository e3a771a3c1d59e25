//! Instants as wall time in a resource's zone.

use super::units;
use crate::api::wire::Resource;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use std::collections::BTreeMap;

/// The zone of a name, or UTC where nobody here knows it: the offset is always printed, so the text
/// stays true.
pub fn zone(name: &str) -> TimeZone {
    let own = |_| TimeZoneDatabase::bundled().get(name);
    TimeZone::get(name).or_else(own).unwrap_or(TimeZone::UTC)
}

/// `2026-11-22 06:00 +01:00`.
pub fn wall(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %:z").to_string()
}

/// To the second, for live events and for what went on within a minute.
pub fn wall_seconds(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

pub fn date(at: Timestamp, zone: &TimeZone) -> Date {
    at.to_zoned(zone.clone()).date()
}

/// `in 3 h 12 min`, `2 d 4 h ago`, `now`.
pub fn relative(at: Timestamp, now: Timestamp) -> String {
    match at.as_second().saturating_sub(now.as_second()) {
        0 => "now".into(),
        ahead if ahead > 0 => format!("in {}", units::span(ahead)),
        past => format!("{} ago", units::span(past)),
    }
}

/// Which zone each resource lives in, for answers that do not say it.
#[derive(Clone, Debug, Default)]
pub struct Zones(BTreeMap<String, TimeZone>);

impl Zones {
    pub fn learn(&mut self, resource: &Resource) {
        self.0.insert(resource.name.clone(), zone(&resource.zone));
    }

    pub fn of(&self, resource: &str) -> TimeZone {
        self.0.get(resource).cloned().unwrap_or(TimeZone::UTC)
    }
}

impl<'a> FromIterator<&'a Resource> for Zones {
    fn from_iter<T: IntoIterator<Item = &'a Resource>>(resources: T) -> Self {
        let mut zones = Self::default();
        resources.into_iter().for_each(|resource| zones.learn(resource));
        zones
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_is_in_the_zone_and_shows_the_offset() {
        let at: Timestamp = "2026-11-22T05:00:09Z".parse().unwrap();
        let check = |name, want: &str| assert_eq!(wall(at, &zone(name)), want, "{name}");
        check("Europe/Berlin", "2026-11-22 06:00 +01:00");
        check("Asia/Kolkata", "2026-11-22 10:30 +05:30");
        check("UTC", "2026-11-22 05:00 +00:00");
        check("Mars/Olympus", "2026-11-22 05:00 +00:00");
        assert_eq!(wall_seconds(at, &TimeZone::UTC), "2026-11-22 05:00:09 +00:00");
    }

    #[test]
    fn relative_time_looks_both_ways() {
        let now: Timestamp = "2026-11-22T05:00:00Z".parse().unwrap();
        let check = |at: &str, want: &str| {
            assert_eq!(relative(at.parse().unwrap(), now), want, "{at}");
        };
        check("2026-11-22T05:00:00.4Z", "now");
        check("2026-11-22T08:12:00Z", "in 3 h 12 min");
        check("2026-11-20T01:00:00Z", "2 d 4 h ago");
    }
}
