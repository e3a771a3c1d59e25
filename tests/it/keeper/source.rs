//! What goes, goes in a pass that saw the resource itself; and the more careful of ledger and mark.

use super::delete;
use crate::support::simulated::{Scene, day, name, resource, selector};
use heptad::backend::fake::Live;
use heptad::domain::operation::State;
use heptad::domain::request::Request;
use heptad::domain::snapshot::{Fate, Health, Seq};
use jiff::SignedDuration;

fn acknowledge(scene: &mut Scene) {
    scene.machine.ask(Request::Acknowledge { resource: name("web") }).unwrap();
    scene.machine.settle();
}

fn away(scene: &Scene) -> Live {
    std::mem::replace(&mut *scene.live(), Live { identity: None, entries: 0, turned: None })
}

fn sweeps(scene: &mut Scene, until: &str) {
    for hour in 0..18 {
        scene.run_to(&format!("{}{:02}:30:00Z", &until[..11], hour));
        scene.machine.sweep();
        scene.machine.settle();
    }
}

#[test]
fn what_is_left_of_a_payment_is_not_spent_while_the_source_is_away() {
    // As it is, with fewer to stay, and asked for by a person.
    for way in 0..3 {
        let mut scene = Scene::daily("06:00");
        scene.run_to(&day(7, "12:00"));
        scene.live().entries = 0;
        scene.run_to(&day(8, "12:00"));
        acknowledge(&mut scene);
        let live = away(&scene);
        let before = scene.labels();
        if way == 1 {
            let mut lowered = resource("web", "06:00");
            lowered.policy.retention.latest = 2;
            scene.machine.configure(vec![lowered]);
        }
        if way == 2 {
            let asked = scene.machine.ask(Request::Rotate { resource: name("web") }).unwrap();
            scene.machine.settle();
            let done = &scene.machine.keeper().ledger().operations[&asked.id];
            assert!(matches!(&done.state, State::Failed(why) if why.message.contains("not seen")));
        }
        sweeps(&mut scene, &day(9, "00:00"));
        assert_eq!(scene.live_labels(), before, "way {way}");
        *scene.live() = live;
        scene.run_to(&day(12, "12:00"));
        assert!(scene.live_labels().len() <= 7, "way {way}: {:?}", scene.live_labels());
        scene.no_violations();
    }
}

#[test]
fn what_rotation_has_chosen_stays_if_the_source_goes_before_its_turn() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(8, "05:59"));
    scene.machine.advance(SignedDuration::from_mins(1));
    // Until the taking has been reported, and the oldest is to go.
    let chosen = |scene: &Scene| {
        let oldest = &scene.account().snapshots[&Seq(1)];
        oldest.fate.is_doomed()
    };
    while !chosen(&scene) {
        assert!(scene.machine.step());
    }
    let live = away(&scene);
    scene.machine.settle();
    assert_eq!(scene.labels().len(), 8);
    assert_eq!(scene.account().snapshots[&Seq(1)].fate, Fate::Live);
    *scene.live() = live;
    scene.machine.sweep();
    scene.machine.settle();
    assert_eq!(scene.labels().len(), 7, "it was paid for");
    scene.no_violations();
}

#[test]
fn a_ledger_that_is_older_than_an_undelete_destroys_nothing() {
    for snapshot in ["web@2026-01-02", "golden"] {
        let mut scene = Scene::daily("06:00");
        scene.run_to(&day(3, "12:00"));
        let keep = Request::Keep {
            from: selector("web@2026-01-03"),
            name: "golden".parse().unwrap(),
            tags: Default::default(),
        };
        scene.machine.ask(keep).unwrap();
        scene.machine.settle();
        scene.machine.ask(delete(snapshot, false)).unwrap();
        scene.machine.settle();
        let mut older = scene.machine.fork();
        scene.machine.ask(Request::Undelete { snapshot: selector(snapshot) }).unwrap();
        scene.machine.settle();
        older.disk = scene.machine.disk.fork();
        let mut again = Scene { machine: older };
        again.cut(SignedDuration::ZERO);
        again.machine.settle();
        assert!(again.live_labels().contains(&snapshot.to_owned()), "{snapshot} is in the trash");
        again.run_to(&day(6, "12:00"));
        assert!(again.live_labels().contains(&snapshot.to_owned()), "{snapshot} is gone");
    }
}

#[test]
fn what_was_taken_out_of_the_trash_behind_the_back_is_not_destroyed_when_its_time_is_over() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "12:00"));
    scene.machine.ask(delete("web@2026-01-02", false)).unwrap();
    scene.machine.settle();
    scene.machine.disk.world().objects.get_mut(&(name("web"), Seq(2))).unwrap().mark.trashed =
        false;
    // No look comes before the last one, right before it would go.
    scene.machine.advance(SignedDuration::from_hours(24));
    scene.machine.settle();
    assert!(scene.live_labels().contains(&"web@2026-01-02".to_owned()), "{:?}", scene.labels());
    scene.no_violations();
}

#[test]
fn a_doubt_that_only_the_mark_knows_of_stops_rotation() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(7, "12:00"));
    {
        let mut world = scene.machine.disk.world();
        let mark = &mut world.objects.get_mut(&(name("web"), Seq(7))).unwrap().mark;
        mark.doubt = Some("it is empty".into());
    }
    scene.machine.sweep();
    scene.machine.settle();
    assert!(matches!(scene.health(7), Health::Suspect(_)));
    let before = scene.labels();
    scene.run_to(&day(9, "12:00"));
    assert_eq!(scene.labels().len(), before.len() + 2);
    acknowledge(&mut scene);
    scene.machine.sweep();
    scene.machine.settle();
    assert_eq!(scene.health(7), Health::Complete);
    scene.run_to(&day(12, "12:00"));
    assert_eq!(scene.labels().len(), 7);
    scene.no_violations();
}
