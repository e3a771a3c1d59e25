//! The keys that say when and how many: the same in `[defaults]` and in a resource.

use super::section::Section;
use super::values::{Refusal, duration, quote, time, unknown_zone, zone};
use crate::domain::cron::{CronError, CronExpression};
use crate::domain::policy::{DEFAULT_TIME, Policy, Retention, Rhythm, When, Zone, offset};

const DAY: u64 = 86_400;

/// What one table says; what it does not say is left to the defaults.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish {
    when: Option<When>,
    zone: Option<Zone>,
    spread: Option<u32>,
    latest: Option<u32>,
    weekly: Option<u32>,
    monthly: Option<u32>,
    yearly: Option<u32>,
    enabled: Option<bool>,
}

impl Wish {
    pub(super) fn read(section: &Section<'_>) -> Self {
        Self {
            when: when(section),
            zone: known_or_lost(section),
            spread: section.parsed("spread", spread),
            latest: section.number("keep"),
            weekly: section.number("weekly"),
            monthly: section.number("monthly"),
            yearly: section.number("yearly"),
            enabled: section.flag("enabled"),
        }
    }

    /// The policy of the resource called `name`; `defaults` fills the gaps, and Lightsail's rule
    /// (daily, seven) what is left.
    pub(super) fn policy(self, defaults: &Self, name: &str) -> Policy {
        let when = self.when.or_else(|| defaults.when.clone());
        let seven = Retention::SEVEN;
        Policy {
            rhythm: Rhythm {
                when: when.unwrap_or(When::Daily(DEFAULT_TIME)),
                zone: self.zone.or_else(|| defaults.zone.clone()).unwrap_or(Zone::UTC),
                offset: offset(name, self.spread.or(defaults.spread).unwrap_or(0)),
            },
            retention: Retention {
                latest: self.latest.or(defaults.latest).unwrap_or(seven.latest),
                weekly: self.weekly.or(defaults.weekly).unwrap_or(seven.weekly),
                monthly: self.monthly.or(defaults.monthly).unwrap_or(seven.monthly),
                yearly: self.yearly.or(defaults.yearly).unwrap_or(seven.yearly),
            },
            enabled: self.enabled.or(defaults.enabled).unwrap_or(true),
        }
    }
}

/// The zone. One that nobody here knows hampers this resource alone: hosts drop zones.
fn known_or_lost(section: &Section<'_>) -> Option<Zone> {
    let zone = section.parsed("timezone", zone)?;
    if zone.is_lost() {
        let (problem, hint) = unknown_zone(zone.name());
        section.find_hampering("timezone", problem, hint);
    }
    Some(zone)
}

/// A time and an expression exclude each other in one file; of two files the stronger one wins, so
/// that a drop-in can turn one rhythm into the other.
fn when(section: &Section<'_>) -> Option<When> {
    let daily = section.parsed("time", time).map(When::Daily);
    let cron = section.parsed("cron", cron).map(When::Cron);
    let layers = section.report.layers;
    let rank = |key: &str| section.has(key).then(|| layers.rank(&section.path.key(key))).flatten();
    match (rank("time"), rank("cron")) {
        (Some(of_time), Some(of_cron)) if of_time > of_cron => daily,
        (Some(of_time), Some(of_cron)) if of_time < of_cron => cron,
        (Some(_), Some(_)) => {
            section.find("cron", "stands beside time", "remove one of the two");
            None
        }
        _ => daily.or(cron),
    }
}

/// "Minutes must be less than 59. ('61' specified.)": what it means is that 59 is the last.
fn readable(reason: &str) -> String {
    let reason = reason.replace("must be less than", "must be at most");
    let reason = reason.replace("must be greater than or equal to", "must be at least");
    reason.replace(". ('", " ('").replace(" specified.)", " is written)")
}

fn cron(text: &str) -> Result<CronExpression, Refusal> {
    text.parse().map_err(|error: CronError| {
        let message = match &error {
            // A drawing of several lines; the reason, where it has one, is the last of them.
            CronError::Syntax(drawing) => {
                let reason = drawing.lines().last().filter(|line| line.trim() != "^");
                let reason = reason.map(|reason| format!(": {}", readable(reason)));
                let reason = reason.unwrap_or_default();
                format!("{} is not a valid cron expression{reason}", quote(text))
            }
            other => other.to_string(),
        };
        let example = "write five fields, such as \"15 * * * *\" or \"30 4 * * SUN\"";
        // Most of these messages bring their own way out.
        let (problem, hint) = message.split_once("; ").unwrap_or((&message, example));
        (problem.into(), hint.into())
    })
}

fn spread(text: &str) -> Result<u32, Refusal> {
    let seconds = duration(text)?;
    match u32::try_from(seconds) {
        Ok(seconds) if u64::from(seconds) < DAY => Ok(seconds),
        _ => Err(("is a day or longer".into(), "write less than \"24h\"".into())),
    }
}
