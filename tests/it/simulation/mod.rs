//! Sixty days of the shipped keeper on the real catalogue, with the power cut at every single
//! step, and random histories with a hostile clock.

mod stops;
mod storms;

use crate::support::simulated::{Scene, at, day, name, resource, selector, snapshot_name};
use heptad::daemon::simulate::{Machine, Memory, Moment, OnDisk};
use heptad::domain::operation::{Fault, State};
use heptad::domain::request::Request;
use heptad::domain::snapshot::Part;
use heptad::domain::snapshot::{Health, Origin};
use heptad::domain::tag::Retag;
use jiff::SignedDuration;
use proptest::prelude::*;

const DAYS: i16 = 60;

/// What the operator does on some days, so that every kind of act is cut somewhere.
fn operator(machine: &mut Machine, today: i16) {
    let web = || name("web");
    let request = match today {
        5 => Request::Keep {
            from: selector("web@2026-01-04"),
            name: snapshot_name("golden"),
            tags: Default::default(),
        },
        9 => Request::Take {
            resource: web(),
            name: Some(snapshot_name("by-hand")),
            tags: Default::default(),
            part: Part::Whole,
        },
        10 => Request::TagSnapshot { snapshot: selector("by-hand"), change: retag("a", "b") },
        11 => Request::TagResource { resource: web(), change: retag("a", "b") },
        12 => Request::Delete { snapshot: selector("by-hand"), now: false },
        15 => Request::SetTime { resource: web(), time: "20:00".parse().unwrap() },
        20 => Request::Disable { resource: web() },
        22 => Request::Enable { resource: web(), time: None },
        26 => Request::Rollback {
            resource: web(),
            to: selector("web@2026-01-24"),
            safety: Some(snapshot_name("before-rollback")),
        },
        30 => Request::Delete { snapshot: selector("web@2026-01-28"), now: true },
        40 => Request::Reset { resource: web() },
        _ => return,
    };
    machine.ask(request).unwrap();
}

fn retag(set: &str, remove: &str) -> Retag {
    Retag { set: [(set.to_owned(), "x".to_owned())].into(), remove: [remove.to_owned()].into() }
}

/// Runs the rest of the life after a cut and looks at where it ends.
fn live_on(mut machine: Machine, until: &str, what: &str) {
    machine.settle();
    let account = machine.keeper().ledger().account(&name("web")).unwrap();
    let pending = account
        .snapshots
        .values()
        .filter(|snapshot| snapshot.health == Health::Taking || snapshot.fate.is_doomed());
    assert_eq!(pending.count(), 0, "recovery converges: {what}");
    let before = format!("{:?}", account.snapshots);
    let taken = machine.oracle.taken;
    machine.cut(Moment::Between, SignedDuration::ZERO);
    machine.settle();
    let account = machine.keeper().ledger().account(&name("web")).unwrap();
    assert_eq!(format!("{:?}", account.snapshots), before, "a second recovery: {what}");
    assert_eq!(machine.oracle.taken, taken, "a second recovery takes nothing: {what}");
    machine.run(at(until));
    assert_eq!(machine.oracle.violations, [], "{what}");
}

#[test]
fn sixty_days_with_the_power_cut_at_every_single_step() {
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let store = OnDisk::open(dir.path().to_path_buf()).unwrap();
    let mut scene = Scene::on(Box::new(store), vec![resource("web", "06:00")]);
    let mut steps = 0;
    for today in 1..=DAYS {
        operator(&mut scene.machine, today);
        let midnight = at(&day(today + 1, "00:00"));
        loop {
            for moment in [Moment::Between, Moment::InTheAct] {
                let mut cut = scene.machine.fork();
                cut.cut(moment, SignedDuration::from_secs(30));
                live_on(
                    cut,
                    &day(today + 2, "23:00"),
                    &format!("day {today} step {steps} {moment:?}"),
                );
            }
            steps += 1;
            if !scene.machine.step() && !scene.machine.pass(midnight) {
                break;
            }
        }
    }
    assert!(steps > 400, "every act was cut: {steps} steps");
    scene.no_violations();
    let account = scene.account();
    let of = |origin| account.snapshots.values().filter(|s| s.card.origin == origin).count();
    assert_eq!(
        (of(Origin::Automatic), of(Origin::Manual)),
        (7, 2),
        "two by hand: one kept, one before the rollback"
    );
    let open = scene.machine.keeper().ledger().open_operations().count();
    assert_eq!(open, 0);
}

/// One thing that can happen to a machine.
#[derive(Clone, Debug)]
enum Happening {
    Hours(i64),
    Clock {
        days: i64,
        synchronised: bool,
    },
    Cut {
        in_the_act: bool,
        hours: i64,
    },
    Fault(Fault),
    Unmount,
    Mount,
    Empty,
    Fill,
    Ask(u8),
    /// What is under way, or waits; then perhaps the power goes.
    Cancel {
        steps: u8,
        queued: bool,
        cut: Option<bool>,
    },
    Retention(u32),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        8 => (1i64..60).prop_map(Happening::Hours),
        2 => (-800i64..800, any::<bool>())
            .prop_map(|(days, synchronised)| Happening::Clock { days, synchronised }),
        2 => (any::<bool>(), 0i64..80)
            .prop_map(|(in_the_act, hours)| Happening::Cut { in_the_act, hours }),
        2 => prop_oneof![Just(Fault::Transient), Just(Fault::NoSpace), Just(Fault::Permanent)]
            .prop_map(Happening::Fault),
        1 => Just(Happening::Unmount),
        1 => Just(Happening::Mount),
        1 => Just(Happening::Empty),
        1 => Just(Happening::Fill),
        3 => (0u8..11).prop_map(Happening::Ask),
        3 => (0u8..4, any::<bool>(), prop::option::of(any::<bool>()))
            .prop_map(|(steps, queued, cut)| Happening::Cancel { steps, queued, cut }),
        1 => (1u32..10).prop_map(Happening::Retention),
    ]
}

fn happen(scene: &mut Scene, what: &Happening, n: usize) {
    let machine = &mut scene.machine;
    match what {
        Happening::Hours(hours) => {
            let until = machine.now().saturating_add(SignedDuration::from_hours(*hours)).unwrap();
            machine.run(until);
        }
        Happening::Clock { days, synchronised } => {
            let to = machine.now().saturating_add(SignedDuration::from_hours(24 * days)).unwrap();
            machine.set_clock(to, *synchronised);
            machine.step();
        }
        Happening::Cut { in_the_act, hours } => {
            let moment = if *in_the_act { Moment::InTheAct } else { Moment::Between };
            machine.advance(SignedDuration::from_hours(7));
            machine.step();
            machine.cut(moment, SignedDuration::from_hours(*hours));
            machine.step();
        }
        Happening::Fault(fault) => machine.disk.world().faults.push_back(Some(*fault)),
        Happening::Unmount => scene.live().identity = None,
        Happening::Mount => scene.live().identity = Some("disk-1".into()),
        Happening::Empty => scene.live().entries = 0,
        Happening::Fill => scene.live().entries = 100,
        Happening::Ask(which) => ask(machine, *which, n),
        Happening::Cancel { steps, queued, cut } => {
            ask(machine, [0, 1, 7][n % 3], n);
            for _ in 0..*steps {
                machine.step();
            }
            cancel(machine, *queued);
            if let Some(in_the_act) = cut {
                let moment = if *in_the_act { Moment::InTheAct } else { Moment::Between };
                machine.cut(moment, SignedDuration::from_mins(10));
            }
        }
        Happening::Retention(latest) => {
            let mut changed = resource("web", "06:00");
            changed.policy.retention.latest = *latest;
            machine.configure(vec![changed]);
        }
    }
}

fn ask(machine: &mut Machine, which: u8, n: usize) {
    let web = || name("web");
    let fresh = snapshot_name(&format!("manual-{n}"));
    let request = match which {
        0 => Request::Take {
            resource: web(),
            name: Some(fresh),
            tags: Default::default(),
            part: Part::Whole,
        },
        1 => Request::Keep { from: selector("web@latest"), name: fresh, tags: Default::default() },
        2 => Request::Disable { resource: web() },
        3 => Request::Enable { resource: web(), time: None },
        4 => Request::SetTime { resource: web(), time: "13:00".parse().unwrap() },
        5 => Request::Acknowledge { resource: web() },
        6 => Request::Rotate { resource: web() },
        7 => Request::Rollback { resource: web(), to: selector("web@latest"), safety: None },
        8 => Request::TagSnapshot {
            snapshot: selector("web@latest"),
            change: retag(&format!("k{}", n % 3), &format!("k{}", (n + 1) % 3)),
        },
        9 => Request::TagResource { resource: web(), change: retag("a", "b") },
        _ => Request::Reset { resource: web() },
    };
    // Some are refused, as they should be.
    let _ = machine.ask(request);
}

/// Whatever runs, or what waits first. Some cannot be stopped, and say so.
fn cancel(machine: &mut Machine, queued: bool) {
    let Some(account) = machine.keeper().ledger().account(&name("web")) else { return };
    let waits = account.queue.first().copied().filter(|_| queued);
    if let Some(operation) = waits.or(account.running) {
        let _ = machine.ask(Request::Cancel { operation });
    }
}

/// What ended as cancelled is nowhere, and what was made is not told to be cancelled.
fn cancelled_are_gone(scene: &Scene) -> Result<(), TestCaseError> {
    let ledger = scene.machine.keeper().ledger();
    let account = scene.account();
    for operation in ledger.operations.values().filter(|operation| operation.is_cancelled()) {
        let seq = operation.act.seq().filter(|_| operation.act.makes_snapshot());
        let made = seq.and_then(|seq| account.snapshots.get(&seq));
        let is_left = made.is_some_and(|s| s.health != Health::Taking && !s.fate.is_doomed());
        prop_assert!(!is_left, "{:?} was cancelled, and there is {:?}", operation, made);
    }
    Ok(())
}

fn manual(scene: &Scene) -> Vec<String> {
    let world = scene.machine.disk.world();
    let kept = world.objects.values().filter(|o| o.card.origin == Origin::Manual);
    kept.filter_map(|object| object.card.name.as_ref().map(ToString::to_string)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_history_breaks_a_promise(happenings in prop::collection::vec(happening(), 1..60)) {
        let mut scene = Scene::on(Box::new(Memory::default()), vec![resource("web", "06:00")]);
        let mut seen: Vec<String> = Vec::new();
        for (n, what) in happenings.iter().enumerate() {
            happen(&mut scene, what, n);
            prop_assert_eq!(&scene.machine.oracle.violations, &[]);
            cancelled_are_gone(&scene)?;
            let now = manual(&scene);
            // Nobody deletes one here, so each that was whole once is there for good. One that is
            // being made again after a cut may be away for a moment.
            let whole = |label: &String| {
                let ledger = scene.machine.keeper().ledger();
                ledger.named(&snapshot_name(label)).is_some_and(|s| s.health == Health::Complete)
            };
            prop_assert!(seen.iter().all(|label| now.contains(label)), "{:?} lost from {:?}", now, seen);
            seen = now.into_iter().filter(whole).collect();
        }
        calm_after_the_storm(&mut scene)?;
    }
}

/// Two weeks without trouble end in health.
fn calm_after_the_storm(scene: &mut Scene) -> Result<(), TestCaseError> {
    scene.machine.disk.world().faults.clear();
    scene.live().identity = Some("disk-1".into());
    scene.live().entries = 100;
    let now = scene.machine.now();
    scene.machine.set_clock(now, true);
    scene.machine.configure(vec![resource("web", "06:00")]);
    scene.machine.sweep();
    scene.machine.settle();
    let _ = scene.machine.ask(Request::Acknowledge { resource: name("web") });
    scene.machine.ask(Request::Enable { resource: name("web"), time: None }).unwrap();
    let until = now.saturating_add(SignedDuration::from_hours(24 * 40)).unwrap();
    scene.machine.run(until);
    let _ = scene.machine.ask(Request::Acknowledge { resource: name("web") });
    scene.machine.ask(Request::Rotate { resource: name("web") }).unwrap();
    scene.machine.settle();
    prop_assert_eq!(&scene.machine.oracle.violations, &[]);
    let account = scene.account();
    let counting = account.snapshots.values().filter(|snapshot| snapshot.counts()).count();
    prop_assert_eq!(counting, 7, "{:?}", account.snapshots);
    let failed = scene.machine.keeper().ledger().operations.values();
    let open = failed.filter(|o| matches!(o.state, State::Queued | State::Running)).count();
    prop_assert_eq!(open, 0);
    Ok(())
}
