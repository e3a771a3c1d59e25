//! Days of one resource with the power cut at every step, as a command: the promises, checked on
//! the very binary that is installed.

use super::machine::{Machine, Moment};
use super::oracle::Violation;
use super::store::OnDisk;
use crate::backend::fake::{FakeDisk, Live};
use crate::catalogue::CatalogueError;
use crate::domain::name::ResourceName;
use crate::domain::policy::{DEFAULT_TIME, Policy, Retention, Rhythm, When, Zone};
use crate::domain::resource::{Binding, Kind, Resource};
use jiff::{SignedDuration, Timestamp};
use std::fmt;

/// What a sweep saw.
#[derive(Debug, Default)]
pub struct Report {
    pub days: u16,
    pub steps: u64,
    pub cuts: u64,
    pub taken: u64,
    pub rotated: u64,
    pub violations: Vec<Violation>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { days, steps, cuts, taken, rotated, violations } = self;
        writeln!(f, "{days} days, {steps} steps, the power cut {cuts} times")?;
        writeln!(f, "{taken} snapshots taken, {rotated} rotated out")?;
        if violations.is_empty() {
            return write!(f, "no promise was broken");
        }
        violations.iter().try_for_each(|violation| writeln!(f, "BROKEN: {violation:?}"))
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    #[error("no scratch directory for the simulation: {0}")]
    Scratch(#[from] std::io::Error),
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
}

/// Simulates `days` days and cuts the power before and in the middle of every act; each time the
/// machine boots again and lives on for a day and a half.
///
/// # Errors
/// [`SweepError`] when there is no room for the simulated catalogue.
pub fn sweep(days: u16) -> Result<Report, SweepError> {
    let scratch = std::env::temp_dir().join(format!("heptad-simulate-{}", std::process::id()));
    std::fs::create_dir(&scratch)?;
    let report = live(days, OnDisk::open(scratch.clone())?);
    std::fs::remove_dir_all(&scratch)?;
    Ok(report)
}

fn live(days: u16, store: OnDisk) -> Report {
    let mut report = Report { days, ..Report::default() };
    let start = Timestamp::constant(1_767_225_600, 0);
    let (resource, disk) = (resource(), FakeDisk::default());
    let live = Live { identity: Some("disk-1".into()), entries: 100, turned: None };
    disk.world().lives.insert(resource.name.clone(), live);
    let mut machine = Machine::new(Box::new(store), disk, vec![resource], start);
    let end = start + SignedDuration::from_hours(24 * i64::from(days));
    loop {
        for moment in [Moment::Between, Moment::InTheAct] {
            let mut cut = machine.fork();
            cut.cut(moment, SignedDuration::from_secs(30));
            let until = cut.now().saturating_add(SignedDuration::from_hours(36));
            cut.run(until.unwrap_or(Timestamp::MAX));
            report.cuts += 1;
            report.violations.extend(cut.oracle.violations);
        }
        report.steps += 1;
        if !machine.step() && !machine.pass(end) {
            break;
        }
    }
    (report.taken, report.rotated) = (machine.oracle.taken, machine.oracle.rotated);
    report.violations.extend(machine.oracle.violations);
    report
}

#[expect(clippy::expect_used, reason = "a constant name that follows the rule")]
fn resource() -> Resource {
    let name: ResourceName = "simulated".parse().expect("a valid name");
    let rhythm = Rhythm { when: When::Daily(DEFAULT_TIME), zone: Zone::UTC, offset: 0 };
    Resource {
        name,
        kind: Kind::Disk,
        backend: Binding { kind: "fake".into(), options: "{}".into() },
        policy: Policy { rhythm, retention: Retention::SEVEN, enabled: true },
        tags: std::collections::BTreeMap::new(),
        plan: None,
        blueprint: None,
        enrolled: false,
    }
}
