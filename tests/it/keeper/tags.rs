//! Tags that are changed: of snapshots beside them, of resources on top of the configuration.

use super::{keep, take};
use crate::support::simulated::{Scene, day, name, resource, selector};
use heptad::daemon::simulate::{Machine, Memory, Moment};
use heptad::domain::denied::Denied;
use heptad::domain::id::OperationId;
use heptad::domain::operation::{Fault, State};
use heptad::domain::request::Request;
use heptad::domain::resource::Resource;
use heptad::domain::snapshot::Snapshot;
use heptad::domain::tag::{Retag, Tags};
use jiff::SignedDuration;

fn tags(pairs: &str) -> Tags {
    let pair = |text: &str| {
        let (key, value) = text.split_once('=').unwrap();
        (key.to_owned(), value.to_owned())
    };
    pairs.split_whitespace().map(pair).collect()
}

fn change(set: &str, remove: &str) -> Retag {
    Retag { set: tags(set), remove: remove.split_whitespace().map(Into::into).collect() }
}

fn of_snapshot(label: &str, set: &str, remove: &str) -> Request {
    Request::TagSnapshot { snapshot: selector(label), change: change(set, remove) }
}

fn of_web(set: &str, remove: &str) -> Request {
    Request::TagResource { resource: name("web"), change: change(set, remove) }
}

fn snapshot(scene: &Scene, label: &str) -> Snapshot {
    let found = scene.account().snapshots.values().find(|s| s.label() == label);
    found.unwrap_or_else(|| panic!("no {label}")).as_ref().clone()
}

fn tagged(scene: &Scene, label: &str) -> Tags {
    snapshot(scene, label).tags().clone()
}

fn state(scene: &Scene, id: OperationId) -> State {
    scene.machine.keeper().ledger().operations[&id].state.clone()
}

/// One snapshot by hand with a tag, on the third day.
fn scene() -> Scene {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "12:00"));
    let Request::Take { resource, name, part, .. } = take("by-hand") else { unreachable!() };
    scene.machine.ask(Request::Take { resource, name, part, tags: tags("why=x") }).unwrap();
    scene.machine.settle();
    scene
}

#[test]
fn changed_tags_outlive_the_catalogue_and_go_into_one_that_is_older() {
    let mut scene = scene();
    let older = Scene { machine: scene.machine.fork() };
    for (label, set, remove, want) in [
        ("by-hand", "team=web", "", "team=web why=x"),
        ("by-hand", "why=y", "team", "why=y"),
        ("by-hand", "", "why", ""),
        ("web@2026-01-02", "bug=7", "", "bug=7"),
        ("web@latest", "new=", "", "new="),
    ] {
        let asked = scene.machine.ask(of_snapshot(label, set, remove)).unwrap();
        scene.machine.settle();
        assert_eq!(state(&scene, asked.id), State::Succeeded, "{label} {set} {remove}");
        let label = label.replace("latest", "2026-01-03");
        assert_eq!(tagged(&scene, &label), tags(want), "{label} {set} {remove}");
    }
    let check = |again: &mut Scene, what: &str| {
        again.machine.settle();
        again.machine.sweep();
        again.machine.settle();
        for label in ["by-hand", "web@2026-01-01", "web@2026-01-02", "web@2026-01-03"] {
            assert_eq!(tagged(again, label), tagged(&scene, label), "{what}: {label}");
        }
        let before = again.machine.keeper().ledger().next_operation;
        again.machine.sweep();
        again.machine.settle();
        let looks = again.machine.keeper().ledger().next_operation.0 - before.0;
        assert_eq!(looks, 1, "{what}: one look, and nothing to write");
        again.no_violations();
    };
    check(&mut scene.with_lost_catalogue(), "lost");
    let mut machine = older.machine.fork();
    machine.disk = scene.machine.disk.fork();
    machine.cut(Moment::Between, SignedDuration::from_mins(5));
    check(&mut Scene { machine }, "put back");
}

#[test]
fn a_mark_that_lost_its_tags_gets_them_again() {
    let mut scene = scene();
    scene.machine.ask(of_snapshot("by-hand", "team=web", "")).unwrap();
    scene.machine.settle();
    let seq = snapshot(&scene, "by-hand").seq();
    let mark = |scene: &Scene| scene.machine.disk.world().objects[&(name("web"), seq)].mark.clone();
    assert_eq!(mark(&scene).tags, Some(tags("team=web why=x")));
    let lose = |scene: &Scene| {
        let mut world = scene.machine.disk.world();
        world.objects.get_mut(&(name("web"), seq)).unwrap().mark.tags = None;
    };
    lose(&scene);
    scene.machine.sweep();
    scene.machine.settle();
    assert_eq!(mark(&scene).tags, Some(tags("team=web why=x")));
    // The way into the trash and back takes them along.
    scene.machine.ask(super::delete("by-hand", false)).unwrap();
    scene.machine.settle();
    scene.machine.ask(Request::Undelete { snapshot: selector("by-hand") }).unwrap();
    scene.machine.settle();
    assert_eq!(mark(&scene).tags, Some(tags("team=web why=x")));
}

#[test]
fn a_cut_at_every_step_leaves_the_changes_that_were_asked_for_and_no_others() {
    let mut scene = scene();
    let changes = [("a=1", ""), ("b=2", "why"), ("a=3", "b")];
    let ids: Vec<OperationId> = changes
        .iter()
        .map(|(set, remove)| scene.machine.ask(of_snapshot("by-hand", set, remove)).unwrap().id)
        .collect();
    let live_on = |mut machine: Machine, what: &str| {
        machine.settle();
        let after = Scene { machine };
        assert_eq!(tagged(&after, "by-hand"), tags("a=3"), "{what}");
        assert!(ids.iter().all(|id| state(&after, *id) == State::Succeeded), "{what}");
        let mut rebuilt = after.with_lost_catalogue();
        rebuilt.machine.settle();
        assert_eq!(tagged(&rebuilt, "by-hand"), tags("a=3"), "{what}");
        after.no_violations();
    };
    let mut steps = 0;
    loop {
        for moment in [Moment::Between, Moment::InTheAct] {
            let mut cut = scene.machine.fork();
            cut.cut(moment, SignedDuration::from_secs(30));
            live_on(cut, &format!("step {steps} {moment:?}"));
        }
        steps += 1;
        if !scene.machine.step() {
            break;
        }
    }
    assert!(steps > 6, "each change was cut: {steps}");
}

#[test]
fn tags_that_cannot_be_written_are_not_changed() {
    let mut scene = scene();
    scene.machine.disk.world().faults.push_back(Some(Fault::NoSpace));
    let asked = scene.machine.ask(of_snapshot("by-hand", "team=web", "")).unwrap();
    scene.machine.settle();
    assert!(matches!(state(&scene, asked.id), State::Failed(_)));
    scene.machine.sweep();
    scene.machine.settle();
    assert_eq!(tagged(&scene, "by-hand"), tags("why=x"));
}

#[test]
fn what_waits_counts_and_nobody_gets_more_than_fifty() {
    let mut scene = scene();
    let set = |from: usize, until: usize| -> Tags {
        (from..until).map(|n| (format!("k{n:02}"), String::new())).collect()
    };
    let tag = |set: Tags, remove: &str| Request::TagSnapshot {
        snapshot: selector("by-hand"),
        change: Retag { set, ..change("", remove) },
    };
    scene.machine.ask(tag(set(0, 49), "")).unwrap();
    let full = Denied::TagsFull { of: "by-hand".into(), total: 51 };
    assert_eq!(scene.machine.ask(tag(set(49, 50), "")).unwrap_err(), full);
    scene.machine.ask(tag(set(49, 50), "k07")).unwrap();
    scene.machine.settle();
    assert_eq!(tagged(&scene, "by-hand").len(), 50);
    let web = |set| Request::TagResource {
        resource: name("web"),
        change: Retag { set, ..change("", "") },
    };
    scene.machine.ask(web(set(0, 50))).unwrap();
    let full = Denied::TagsFull { of: "web".into(), total: 51 };
    assert_eq!(scene.machine.ask(web(set(50, 51))).unwrap_err(), full);
}

#[test]
fn a_snapshot_in_the_trash_or_going_or_never_there_is_not_tagged() {
    let mut scene = scene();
    let check = |scene: &mut Scene, label: &str, want: fn(&Denied) -> bool| {
        let denied = scene.machine.ask(of_snapshot(label, "a=1", "")).unwrap_err();
        assert!(want(&denied), "{label}: {denied:?}");
    };
    scene.machine.ask(super::delete("by-hand", false)).unwrap();
    scene.machine.settle();
    check(&mut scene, "by-hand", |denied| matches!(denied, Denied::InTrash { .. }));
    check(&mut scene, "other", |denied| matches!(denied, Denied::NoSuchSnapshot { .. }));
    check(&mut scene, "web@2026-02-02", |denied| matches!(denied, Denied::NoSuchSnapshot { .. }));
    scene.machine.ask(super::delete("web@2026-01-02", true)).unwrap();
    check(&mut scene, "web@2026-01-02", |denied| {
        matches!(denied, Denied::InUse { .. } | Denied::BeingDestroyed { .. })
    });
}

#[test]
fn a_resource_keeps_the_tags_of_commands_over_a_reload_until_they_are_reset() {
    let declared = |text: &str| Resource { tags: tags(text), ..resource("web", "06:00") };
    let mut scene = Scene::on(Box::new(Memory::default()), vec![declared("team=web cost=1")]);
    scene.run_to(&day(2, "12:00"));
    scene.machine.ask(of_web("cost=2 why=x", "team")).unwrap();
    assert_eq!(scene.account().tags(), tags("cost=2 why=x"));
    assert_eq!(scene.account().resource.tags, tags("team=web cost=1"));
    scene.machine.configure(vec![declared("team=db cost=3 owner=anna")]);
    assert_eq!(scene.account().tags(), tags("cost=2 owner=anna why=x"));
    scene.cut(SignedDuration::ZERO);
    scene.machine.settle();
    assert_eq!(scene.account().tags(), tags("cost=2 owner=anna why=x"));
    // What is taken now has them, an automatic one none, and what is made of it those of its own.
    scene.machine.ask(take("by-hand")).unwrap();
    scene.run_to(&day(3, "12:00"));
    assert_eq!(tagged(&scene, "by-hand"), tags("cost=2 owner=anna why=x"));
    assert_eq!(tagged(&scene, "web@2026-01-03"), tags(""));
    scene.machine.ask(of_snapshot("web@2026-01-03", "why=y", "")).unwrap();
    scene.machine.settle();
    scene.machine.ask(keep("web@2026-01-03", "kept")).unwrap();
    scene.machine.settle();
    assert_eq!(tagged(&scene, "kept"), tags("cost=2 owner=anna why=y"));
    scene.machine.ask(Request::Reset { resource: name("web") }).unwrap();
    assert_eq!(scene.account().tags(), tags("team=db cost=3 owner=anna"));
}
