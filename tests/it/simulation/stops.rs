//! A dense rhythm with stops, cuts and sleep: each slot that fell due has exactly one outcome.

use crate::support::simulated::{at, day, name, resource};
use heptad::backend::fake::{FakeDisk, Live};
use heptad::daemon::simulate::{Machine, Memory, Moment};
use heptad::domain::policy::When;
use heptad::domain::slot::Slot;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Happening {
    Pass(i64),
    Sleep(i64),
    Cut(i64),
    /// With an act in flight that takes so many minutes to end, and then off for as many.
    Stop(i64, i64),
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::*;
    prop_oneof![
        3 => (1i64..40).prop_map(Pass),
        1 => (1i64..40).prop_map(Sleep),
        1 => (0i64..30).prop_map(Cut),
        3 => (0i64..20, 0i64..20).prop_map(|(takes, off)| Stop(takes, off)),
    ]
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// Every two minutes.
fn dense() -> Machine {
    let mut web = resource("web", "06:00");
    web.policy.rhythm.when = When::Cron("*/2 * * * *".parse().unwrap());
    let disk = FakeDisk::default();
    let live = Live { identity: Some("disk-1".into()), entries: 100, turned: None };
    disk.world().lives.insert(name("web"), live);
    let mut machine =
        Machine::new(Box::new(Memory::default()), disk, vec![web], at(&day(1, "00:01")));
    machine.settle();
    machine
}

/// What became of the slots, noted as they are seen, as records leave memory.
fn note(machine: &Machine, seen: &mut BTreeMap<Timestamp, &'static str>) {
    let account = machine.keeper().ledger().account(&name("web")).unwrap();
    for record in account.slots.values() {
        let (Slot::Instant(due), Some(outcome)) = (record.slot, &record.outcome) else { continue };
        seen.insert(due, outcome.word());
    }
}

fn happen(machine: &mut Machine, what: &Happening) {
    match what {
        Happening::Pass(by) => machine.run(machine.now() + minutes(*by)),
        Happening::Sleep(by) => machine.sleep(minutes(*by)),
        Happening::Cut(off) => machine.cut(Moment::Between, minutes(*off)),
        Happening::Stop(takes, off) => machine.stop(minutes(*takes), minutes(*off)),
    }
    machine.settle();
}

/// Each slot from the first one to the last whose period is over.
fn lost(machine: &Machine, seen: &BTreeMap<Timestamp, &'static str>) -> Vec<Timestamp> {
    let account = machine.keeper().ledger().account(&name("web")).unwrap();
    let begun = account.timeline.phases()[0].from;
    let (mut due, mut lost) = (account.timeline.next_due(begun).unwrap().due, Vec::new());
    while due + minutes(2) <= machine.now() {
        lost.extend((!seen.contains_key(&due)).then_some(due));
        due += minutes(2);
    }
    lost
}

#[test]
fn slots_that_pass_while_a_stop_waits_for_what_is_in_flight_have_their_outcomes() {
    let (mut machine, mut seen) = (dense(), BTreeMap::new());
    machine.run(at(&day(1, "01:09")));
    note(&machine, &mut seen);
    // From 01:09 until 01:18 it is stopping, and it is off until 01:21.
    happen(&mut machine, &Happening::Stop(9, 3));
    machine.run(at(&day(1, "01:31")));
    note(&machine, &mut seen);
    assert_eq!(lost(&machine, &seen), []);
    let of = |time: &str| seen[&at(&day(1, time))];
    assert_eq!(
        ["01:08", "01:10", "01:12", "01:18"].map(of),
        ["complete", "missed", "missed", "missed"]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_stop_loses_a_slot(happenings in prop::collection::vec(happening(), 1..12)) {
        let (mut machine, mut seen) = (dense(), BTreeMap::new());
        for what in &happenings {
            happen(&mut machine, what);
            note(&machine, &mut seen);
        }
        happen(&mut machine, &Happening::Pass(10));
        note(&machine, &mut seen);
        prop_assert_eq!(lost(&machine, &seen), []);
        prop_assert_eq!(&machine.oracle.violations, &[]);
    }
}
