//! A catalogue that is older than the store: put back from its copy, or another heptad's.

use crate::support::simulated::{Scene, at, day, name, resource, selector, snapshot_name};
use heptad::daemon::simulate::{Memory, Moment, Store};
use heptad::domain::request::Request;
use heptad::domain::slot_record::Outcome;
use heptad::domain::snapshot::{Fate, Health, Part, Seq};
use heptad::domain::survey::Wholeness;
use jiff::SignedDuration;

fn take(text: &str) -> Request {
    let (tags, part) = (Default::default(), Part::Whole);
    Request::Take { resource: name("web"), name: Some(snapshot_name(text)), tags, part }
}

fn keep(from: &str, text: &str) -> Request {
    Request::Keep { from: selector(from), name: snapshot_name(text), tags: Default::default() }
}

/// The machine of a scene as it is, and one that has its disk and the catalogue of before.
fn put_back(scene: &Scene, older: &Scene) -> Scene {
    let mut machine = older.machine.fork();
    machine.disk = scene.machine.disk.fork();
    let off = scene.machine.now().duration_since(machine.now());
    machine.cut(Moment::Between, off);
    Scene { machine }
}

/// Another machine in the same state, which draws other ids from now on.
fn copy(scene: &Scene) -> Scene {
    let mut copy = Scene { machine: scene.machine.fork() };
    copy.cut(SignedDuration::ZERO);
    copy.machine.settle();
    copy
}

/// Each number stands for one snapshot, and what is in the store is known.
fn consistent(scene: &Scene, what: &str) {
    let world = scene.machine.disk.world();
    let known = &scene.account().snapshots;
    for ((of, seq), object) in &world.objects {
        if *of == name("web") && object.state == Wholeness::Whole {
            let snapshot = known.get(seq).unwrap_or_else(|| panic!("{what}: {seq} is not known"));
            assert_eq!(snapshot.card.handle.id, object.card.handle.id, "{what}: {seq}");
        }
    }
}

#[test]
fn a_catalogue_behind_by_any_number_of_snapshots_finds_its_way() {
    // Before today's was due, and with it taken already.
    for (today, behind) in (0..=20).flat_map(|n| [(false, n), (true, n)]) {
        let what = format!("{behind} behind, today's taken: {today}");
        let mut scene = Scene::daily("06:00");
        scene.run_to(&day(4, "05:00"));
        if today {
            scene.run_to(&day(4, "06:01"));
        }
        let older = copy(&scene);
        for n in 0..behind {
            scene.machine.ask(take(&format!("newer-{n}"))).unwrap();
            scene.machine.settle();
        }
        scene.run_to(&day(4, "06:02"));
        let mut again = put_back(&scene, &older);
        again.machine.settle();
        again.machine.ask(take("asked")).unwrap();
        again.run_to(&day(5, "12:00"));
        assert_eq!(again.slot("2026-01-05").outcome, Some(Outcome::Complete), "{what}");
        for n in 0..behind {
            assert!(again.labels().contains(&format!("newer-{n}")), "{what}: newer-{n} is lost");
        }
        assert_eq!(again.labels().len(), 6 + behind, "{what}: {:?}", again.labels());
        consistent(&again, &what);
        again.no_violations();
    }
}

#[test]
fn what_waited_in_an_older_catalogue_gets_numbers_that_nobody_has() {
    for behind in 0..=3 {
        let mut scene = Scene::daily("06:00");
        scene.run_to(&day(4, "12:00"));
        scene.machine.ask(take("doomed")).unwrap();
        scene.machine.settle();
        let mut older = copy(&scene);
        // The machine stops before any of this is begun.
        older.machine.ask(take("waits-1")).unwrap();
        older.machine.ask(keep("web@2026-01-02", "waits-2")).unwrap();
        older.machine.ask(take("waits-3")).unwrap();
        let delete = |snapshot, now| Request::Delete { snapshot: selector(snapshot), now };
        older.machine.ask(delete("doomed", true)).unwrap();
        older.machine.ask(delete("web@2026-01-01", false)).unwrap();
        for n in 0..behind {
            scene.machine.ask(take(&format!("newer-{n}"))).unwrap();
            scene.machine.settle();
        }
        let mut again = put_back(&scene, &older);
        again.run_to(&day(5, "12:00"));
        let what = format!("{behind} behind");
        consistent(&again, &what);
        let account = again.account();
        let seq = |text: &str| {
            let found = account.snapshots.values().find(|s| s.label() == text);
            found.unwrap_or_else(|| panic!("{what}: no {text}")).seq()
        };
        for n in 0..behind {
            assert_eq!(seq(&format!("newer-{n}")), Seq(6 + n), "{what}");
        }
        assert!(seq("waits-1") < seq("waits-2") && seq("waits-2") < seq("waits-3"), "{what}");
        assert!(!again.labels().contains(&"doomed".to_owned()), "{what}");
        again.no_violations();
    }
}

#[test]
fn two_heptads_on_one_store_take_each_day_once_and_destroy_nothing_of_each_other() {
    let mut one = Scene::daily("06:00");
    one.run_to(&day(3, "12:00"));
    let mut two = Scene { machine: one.machine.fork() };
    two.machine.disk = one.machine.disk.clone();
    // It draws other ids.
    two.cut(SignedDuration::ZERO);
    for n in 4..=14 {
        // By turns each is the first to see the day.
        let turns = [("one", &mut one), ("two", &mut two)];
        let turns: Vec<_> =
            if n % 2 == 0 { turns.into() } else { turns.into_iter().rev().collect() };
        for (who, scene) in turns {
            scene.run_to(&day(n, "05:59"));
            scene.machine.advance(SignedDuration::from_mins(1));
            scene.machine.ask(take(&format!("{who}-{n}"))).unwrap();
            for _ in 0..n % 7 {
                scene.machine.step();
            }
        }
        one.run_to(&day(n, "12:00"));
        two.run_to(&day(n, "12:00"));
        let slot = Some(day(n, "06:00")[..10].parse().unwrap());
        let world = one.machine.disk.world();
        let of_day = world.objects.values().filter(|object| object.card.slot == slot).count();
        assert_eq!(of_day, 1, "day {n}");
    }
    for scene in [&mut one, &mut two] {
        scene.machine.sweep();
        scene.machine.settle();
        consistent(scene, "both");
        let automatic = scene.account().snapshots.values().filter(|s| s.counts()).count();
        assert!(automatic >= 7, "{automatic} are left");
    }
}

#[test]
fn a_taking_whose_number_another_one_has_used_is_done_again_under_its_own() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "12:00"));
    let mut other = copy(&scene);
    scene.machine.ask(take("mine")).unwrap();
    // The intent is recorded; the power goes before anything is there.
    other.machine.ask(take("theirs")).unwrap();
    other.machine.settle();
    scene.machine.disk = other.machine.disk.fork();
    scene.cut(SignedDuration::from_secs(1));
    scene.machine.settle();
    consistent(&scene, "after the cut");
    let health = |text: &str| {
        let found = scene.account().snapshots.values().find(|s| s.label() == text);
        found.map(|snapshot| (snapshot.seq(), snapshot.health.clone(), snapshot.fate))
    };
    assert_eq!(health("theirs"), Some((Seq(4), Health::Complete, Fate::Live)));
    assert_eq!(health("mine"), Some((Seq(5), Health::Complete, Fate::Live)));
    // Also if what has the number was to be destroyed: it is not what was meant.
    let older = copy(&scene);
    let world = |scene: &Scene| scene.machine.disk.world().objects.len();
    let before = world(&scene);
    let mut ahead = put_back(&scene, &older);
    ahead.machine.settle();
    assert_eq!(world(&ahead), before);
}

/// Two objects under one number cannot be told apart: the resource waits, and says why.
#[test]
fn a_store_with_two_snapshots_of_one_number_is_in_trouble_and_loses_nothing() {
    let mut scene = Scene::on(
        Box::new(Memory::default()) as Box<dyn Store>,
        vec![resource("web", "06:00"), resource("good", "06:00")],
    );
    scene.run_to(&day(8, "12:00"));
    let twin = {
        let mut world = scene.machine.disk.world();
        let mut twin = world.objects[&(name("web"), Seq(3))].clone();
        twin.card.handle.id = uuid::Uuid::from_u128(3);
        // In a place of its own, as a copied directory is.
        world.objects.insert((name("web"), Seq(1_000)), twin.clone());
        twin
    };
    let before = scene.labels();
    scene.run_to(&day(12, "12:00"));
    scene.machine.sweep();
    scene.machine.settle();
    let trouble = scene.account().trouble.clone().unwrap_or_default();
    assert!(trouble.contains("two snapshots with number 3"), "{trouble}");
    assert!(before.iter().all(|label| scene.labels().contains(label)), "{:?}", scene.labels());
    let good = scene.machine.keeper().ledger().account(&name("good")).unwrap();
    assert_eq!(good.snapshots.len(), 7);
    assert_eq!(good.newest_complete(), Some(at(&day(12, "06:00"))));
    scene.machine.disk.world().objects.remove(&(name("web"), Seq(1_000)));
    drop(twin);
    scene.run_to(&day(20, "12:00"));
    assert_eq!(scene.labels().len(), 7);
    scene.no_violations();
}
