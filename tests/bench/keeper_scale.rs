//! What one more resource costs when many are due at the same instant: the shipped keeper on a
//! simulated machine, one day of 1,000 and of 10,000 resources in the same run. The figure is the
//! ratio of the costs per resource; 1 means that nobody pays for the others.

use heptad::backend::fake::{FakeDisk, Live};
use heptad::daemon::simulate::{Machine, Memory};
use heptad::domain::policy::{DEFAULT_TIME, Policy, Retention, Rhythm, When, Zone};
use heptad::domain::resource::{Binding, Kind, Resource};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::time::Instant;

#[expect(clippy::expect_used, reason = "a name made here")]
fn resource(n: usize) -> Resource {
    let rhythm = Rhythm { when: When::Daily(DEFAULT_TIME), zone: Zone::UTC, offset: 0 };
    Resource {
        name: format!("resource-{n:05}").parse().expect("a valid name"),
        kind: Kind::Disk,
        backend: Binding { kind: "fake".into(), options: "{}".into() },
        policy: Policy { rhythm, retention: Retention::SEVEN, enabled: true },
        tags: BTreeMap::new(),
        plan: None,
        blueprint: None,
        enrolled: false,
    }
}

/// Microseconds per resource for a boot and a day.
fn day_of(count: usize) -> f64 {
    let resources: Vec<Resource> = (0..count).map(resource).collect();
    let disk = FakeDisk::default();
    for resource in &resources {
        let live = Live { identity: Some("disk".into()), entries: 100, turned: None };
        disk.world().lives.insert(resource.name.clone(), live);
    }
    let start = Timestamp::constant(1_767_225_600, 0);
    let began = Instant::now();
    let mut machine = Machine::new(Box::new(Memory::default()), disk, resources, start);
    machine.run(start + SignedDuration::from_hours(24));
    assert_eq!(machine.oracle.taken, count as u64);
    began.elapsed().as_secs_f64() * 1e6 / count as f64
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its result")]
fn main() {
    let (few, many) = (day_of(1_000), day_of(10_000));
    println!(
        "{{\"us_per_resource_of_1000\": {few:.1}, \"us_per_resource_of_10000\": {many:.1}, \
         \"ratio\": {:.2}}}",
        many / few
    );
}
