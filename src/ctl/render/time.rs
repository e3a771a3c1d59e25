//! Instants as wall time.

use super::{View, units};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};

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
pub(super) fn wall_seconds(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

pub(super) fn date(at: Timestamp, zone: &TimeZone) -> Date {
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

/// What a zone is called: its IANA name, else the offset that is in force.
pub(super) fn zone_name(zone: &TimeZone, now: Timestamp) -> String {
    match zone.iana_name() {
        Some("Etc/UTC" | "Etc/UCT" | "Etc/Zulu" | "UCT" | "Zulu") => "UTC".into(),
        Some(name) => name.into(),
        None if *zone == TimeZone::UTC => "UTC".into(),
        None => now.to_zoned(zone.clone()).strftime("%:z").to_string(),
    }
}

/// All times of an answer are those of whoever reads it.
impl View {
    /// `2026-11-22 06:00`, for a table that names the zone in its head.
    pub fn cell(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
    }

    pub fn wall(&self, at: Timestamp) -> String {
        wall(at, &self.zone)
    }

    pub fn wall_seconds(&self, at: Timestamp) -> String {
        wall_seconds(at, &self.zone)
    }

    /// `TAKEN (Europe/Berlin)`.
    pub fn timed(&self, head: &str) -> String {
        format!("{head} ({})", zone_name(&self.zone, self.now))
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
    fn a_zone_has_a_name_also_where_the_system_calls_it_otherwise() {
        let now: Timestamp = "2026-11-22T05:00:00Z".parse().unwrap();
        let check = |zone: TimeZone, want: &str| assert_eq!(zone_name(&zone, now), want);
        check(TimeZone::UTC, "UTC");
        check(zone("Etc/UTC"), "UTC");
        check(zone("Europe/Berlin"), "Europe/Berlin");
        check(TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap(), "+01:00");
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
