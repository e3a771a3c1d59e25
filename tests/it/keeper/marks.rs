//! What stands beside a snapshot, on a disk that is full for a while.

use super::{delete, take};
use crate::support::simulated::{Scene, day, name};
use heptad::domain::operation::{Fault, State};
use heptad::domain::request::Request;
use heptad::domain::snapshot::{Fate, Health};
use heptad::domain::survey::Wholeness;

/// A listing, the act and another listing: what the fake backend does to take a snapshot.
const TAKING: usize = 3;

#[test]
fn a_full_disk_does_not_keep_a_snapshot_out_of_the_trash() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "12:00"));
    scene.machine.disk.world().faults.push_back(Some(Fault::NoSpace));
    let trash = scene.machine.ask(delete("web@2026-01-02", false)).unwrap();
    scene.machine.settle();
    let done = scene.machine.keeper().ledger().operations[&trash.id].clone();
    assert_eq!(done.state, State::Succeeded);
    assert!(done.output.contains("delete it with --now"), "{}", done.output);
    let trashed = |scene: &Scene| {
        let found = scene.account().snapshots.values().find(|s| s.label() == "web@2026-01-02");
        matches!(found.unwrap().fate, Fate::Trashed { .. })
    };
    assert!(trashed(&scene));
    let cards = |scene: &Scene| {
        let mut rebuilt = scene.with_lost_catalogue();
        rebuilt.machine.settle();
        (rebuilt.cards(), scene.cards())
    };
    let (rebuilt, known) = cards(&scene);
    assert_ne!(rebuilt, known, "without the mark it would be back, and so not lost");
    scene.machine.sweep();
    scene.machine.settle();
    let (rebuilt, known) = cards(&scene);
    assert_eq!(rebuilt, known, "the mark is there once there was room for it");
    scene.run_to(&day(4, "13:00"));
    assert!(!scene.labels().contains(&"web@2026-01-02".to_owned()));
    scene.no_violations();
}

#[test]
fn a_mark_that_could_not_be_written_is_written_at_the_next_sweep() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "12:00"));
    let marks = |scene: &Scene| {
        let world = scene.machine.disk.world();
        world.objects.values().map(|object| object.mark.clone()).collect::<Vec<_>>()
    };
    let mark_fails = |scene: &mut Scene, listings: usize| {
        let before = std::iter::repeat_n(None, listings);
        scene.machine.disk.world().faults.extend(before.chain([Some(Fault::NoSpace)]));
    };
    scene.live().entries = 0;
    // The taking and its looks pass, the mark of the doubt fails.
    mark_fails(&mut scene, TAKING);
    scene.run_to(&day(4, "12:00"));
    assert!(matches!(scene.health(4), Health::Suspect(_)));
    assert!(marks(&scene).iter().all(|mark| mark.doubt.is_none()));
    scene.machine.sweep();
    scene.machine.settle();
    assert!(marks(&scene)[3].doubt.is_some());

    mark_fails(&mut scene, 0);
    scene.machine.ask(Request::Acknowledge { resource: name("web") }).unwrap();
    scene.machine.settle();
    assert!(!marks(&scene)[3].accepted);
    scene.machine.sweep();
    scene.machine.settle();
    assert!(marks(&scene)[3].accepted);
    let operations = scene.machine.keeper().ledger().next_operation;
    scene.machine.sweep();
    scene.machine.settle();
    let looks = scene.machine.keeper().ledger().next_operation.0 - operations.0;
    assert_eq!(looks, 1, "one look, and nothing to write");
    scene.no_violations();
}

#[test]
fn a_mark_that_fails_for_ever_is_an_alarm_and_tried_less_and_less() {
    let mut scene = Scene::daily("06:00");
    scene.live().entries = 0;
    scene.run_to(&day(1, "05:00"));
    let fails = [Some(Fault::Permanent)];
    scene.machine.disk.world().faults.extend(std::iter::repeat_n(None, TAKING).chain(fails));
    scene.run_to(&day(1, "07:00"));
    let tries = |scene: &Scene| {
        let all = scene.machine.keeper().ledger().operations.values();
        all.filter(|o| o.act.word() == "mark" && matches!(o.state, State::Failed(_))).count()
    };
    // Every hour a look, for sixteen hours, which finds the mark missing and tries it or not.
    let mut at_hour = Vec::new();
    for hour in 8..24 {
        scene.run_to(&day(1, &format!("{hour:02}:00")));
        scene.machine.disk.world().faults.extend([None, Some(Fault::Permanent)]);
        scene.machine.sweep();
        scene.machine.settle();
        // Where nothing was tried, the fault is left over.
        scene.machine.disk.world().faults.clear();
        at_hour.push(tries(&scene));
        let alarmed = scene.alarms().contains(&"unmarked");
        assert_eq!(alarmed, tries(&scene) >= 3, "{hour}: {at_hour:?}");
    }
    assert_eq!(at_hour, [2, 3, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 6]);
    scene.run_to(&day(2, "05:30"));
    scene.machine.sweep();
    scene.machine.settle();
    assert!(!scene.alarms().contains(&"unmarked"), "{:?}", scene.alarms());
    scene.no_violations();
}

#[test]
fn what_a_failed_taking_left_is_cleared_before_the_next_one_begins() {
    let mut scene = Scene::daily("06:00");
    scene.machine.disk.world().faults.extend([None, Some(Fault::NoSpace)]);
    for label in ["one", "two"] {
        scene.machine.ask(take(label)).unwrap();
    }
    let states = |scene: &Scene| -> Vec<Wholeness> {
        scene.machine.disk.world().objects.values().map(|object| object.state).collect()
    };
    let mut half = false;
    while scene.machine.step() {
        let found = states(&scene);
        half |= found == [Wholeness::Partial];
        assert!(found.len() < 2, "the room of the first one is the second one's: {found:?}");
    }
    assert!(half, "the first one failed half-way");
    assert_eq!(states(&scene), [Wholeness::Whole]);
}

#[test]
fn what_a_person_accepted_once_is_in_no_doubt_after_the_catalogue_is_lost() {
    let acknowledge = |scene: &mut Scene| {
        scene.machine.ask(Request::Acknowledge { resource: name("web") }).unwrap();
        scene.machine.settle();
    };
    let is_well = |scene: &Scene, what: &str| {
        let mut rebuilt = scene.with_lost_catalogue();
        rebuilt.machine.settle();
        assert_eq!(rebuilt.cards(), scene.cards(), "{what}");
        assert_eq!(rebuilt.alarms(), [""; 0], "{what}");
        rebuilt.run_to(&day(13, "12:00"));
        assert_eq!(rebuilt.labels().len(), 7, "{what}: it rotates");
    };
    // Empty from the beginning, accepted on the first day, which is rotated out by now.
    let mut scene = Scene::daily("06:00");
    scene.live().entries = 0;
    scene.run_to(&day(1, "12:00"));
    acknowledge(&mut scene);
    scene.run_to(&day(11, "12:00"));
    is_well(&scene, "empty");
    // Marks of an earlier heptad say nothing of those after the first.
    for object in scene.machine.disk.world().objects.values_mut() {
        object.mark.accepted = false;
    }
    is_well(&scene, "empty, marked by an earlier heptad");
    // Smaller since a day whose snapshot a person deleted.
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(6, "12:00"));
    scene.live().entries = 3;
    scene.run_to(&day(7, "12:00"));
    acknowledge(&mut scene);
    scene.run_to(&day(9, "12:00"));
    scene.machine.ask(delete("web@2026-01-07", true)).unwrap();
    scene.run_to(&day(11, "12:00"));
    is_well(&scene, "smaller");
    // That it is as small as one that was accepted excuses nothing that it lacks.
    scene.machine.disk.world().incomplete = Some("3 files could not be read".to_owned());
    scene.run_to(&day(12, "12:00"));
    assert_eq!(scene.alarms(), ["suspect"]);
    acknowledge(&mut scene);
    scene.machine.disk.world().incomplete = None;
    // What nobody accepted is in doubt all the same.
    scene.live().entries = 0;
    scene.run_to(&day(13, "12:00"));
    assert_eq!(scene.alarms(), ["suspect"]);
}
