//! Acts that meet: one waits in the queue while another changes what it was decided on.

use crate::support::simulated::{Scene, at, day, name, resource, selector, snapshot_name};
use heptad::daemon::simulate::{Machine, Memory};
use heptad::domain::clock::Reading;
use heptad::domain::denied::Denied;
use heptad::domain::event::{Action, Event};
use heptad::domain::id::OperationId;
use heptad::domain::keeper::Keeper;
use heptad::domain::ledger::Ledger;
use heptad::domain::new_resource::NewResource;
use heptad::domain::operation::{Fault, Leftovers, State};
use heptad::domain::report::{Done, Finished, Taken};
use heptad::domain::request::FinalSnapshot;
use heptad::domain::request::Request;
use heptad::domain::slot_record::Outcome;
use heptad::domain::snapshot::Part;
use heptad::domain::snapshot::{Content, Facts, Fate, Health, Seq};
use heptad::domain::survey::Survey;
use heptad::domain::usage::UsageReport;
use jiff::{SignedDuration, Timestamp};

fn take(text: &str) -> Request {
    Request::Take {
        resource: name("web"),
        name: Some(snapshot_name(text)),
        tags: Default::default(),
        part: Part::Whole,
    }
}

fn delete(snapshot: &str, now: bool) -> Request {
    Request::Delete { snapshot: selector(snapshot), now }
}

fn minute(scene: &mut Scene) {
    scene.machine.advance(SignedDuration::from_mins(1));
}

#[test]
fn what_comes_out_of_the_trash_at_the_last_moment_lives_on() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "12:00"));
    scene.machine.ask(take("one")).unwrap();
    scene.machine.settle();
    scene.machine.ask(delete("one", false)).unwrap();
    scene.run_to(&day(4, "11:59"));
    scene.machine.ask(take("long")).unwrap();
    scene.machine.ask(Request::Undelete { snapshot: selector("one") }).unwrap();
    scene.machine.advance(SignedDuration::from_mins(5));
    scene.run_to(&day(4, "13:00"));
    assert!(scene.labels().contains(&"one".to_owned()), "{:?}", scene.labels());
}

#[test]
fn what_is_about_to_be_destroyed_can_neither_be_kept_nor_used() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(9, "12:00"));
    let mut lowered = resource("web", "06:00");
    lowered.policy.retention.latest = 2;
    scene.machine.configure(vec![lowered]);
    scene.machine.settle();
    scene.machine.ask(Request::Rotate { resource: name("web") }).unwrap();
    scene.machine.step();
    scene.machine.step();
    let from = || selector("web@2026-01-06");
    let keep =
        Request::Keep { from: from(), name: snapshot_name("golden"), tags: Default::default() };
    let create =
        Request::Create { from: from(), draft: Box::new(NewResource::at(name("new"), "/new")) };
    for request in [keep, create] {
        let answer = scene.machine.ask(request);
        assert!(matches!(answer, Err(Denied::InUse { .. })), "{answer:?}");
    }
}

#[test]
fn a_rotation_that_failed_is_paid_for_again_when_it_is_tried_again() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(8, "05:59"));
    // Listing, take, listing; then the listing right before the destruction fails.
    scene.machine.disk.world().faults.extend([None, None, None, Some(Fault::Transient)]);
    scene.run_to(&day(8, "06:01"));
    assert_eq!(scene.labels().len(), 8);
    for newer in 5..=8 {
        scene.machine.ask(delete(&format!("web@2026-01-0{newer}"), true)).unwrap();
    }
    scene.machine.settle();
    scene.cut(SignedDuration::from_secs(1));
    scene.machine.settle();
    assert_eq!(scene.labels()[0], "web@2026-01-01", "only three newer ones are left");
    assert_eq!(scene.account().snapshots[&Seq(1)].fate, Fate::Live);
    scene.run_to(&day(20, "12:00"));
    assert_eq!(scene.labels().len(), 7);
    scene.no_violations();
}

#[test]
fn a_destruction_that_fails_half_way_is_finished_later() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(8, "05:59"));
    let faults = [None, None, None, None, Some(Fault::Permanent)];
    scene.machine.disk.world().faults.extend(faults);
    scene.run_to(&day(8, "06:01"));
    assert!(scene.account().snapshots[&Seq(1)].fate.is_doomed());
    scene.cut(SignedDuration::from_secs(1));
    scene.machine.settle();
    assert_eq!(scene.labels()[0], "web@2026-01-02");
    scene.no_violations();
}

#[test]
fn a_snapshot_stands_although_the_look_around_after_it_fails() {
    for fault in [Fault::Absent, Fault::Transient] {
        let mut scene = Scene::daily("06:00");
        scene.run_to(&day(3, "05:59"));
        scene.machine.disk.world().faults.extend([None, None, Some(fault)]);
        scene.run_to(&day(3, "12:00"));
        assert_eq!(scene.slot("2026-01-03").outcome, Some(Outcome::Complete), "{fault:?}");
        assert_eq!(scene.machine.disk.world().objects.len(), 3, "{fault:?}");
        scene.no_violations();
    }
}

#[test]
fn a_slot_whose_snapshot_turns_up_is_not_taken_again() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(9, "06:10"));
    // The catalogue is lost, the time is another one, and the backend is away until the evening.
    let (disk, now) = (scene.machine.disk.fork(), scene.machine.now());
    disk.world().faults.extend([Some(Fault::Transient); 5]);
    let resources = vec![resource("web", "20:00")];
    let machine = Machine::new(Box::new(Memory::default()), disk, resources, now);
    let mut scene = Scene { machine };
    scene.run_to(&day(9, "23:00"));
    let slot = Some("2026-01-09".parse().unwrap());
    let world = scene.machine.disk.world();
    let of_slot = world.objects.values().filter(|object| object.card.slot == slot);
    assert_eq!(of_slot.count(), 1);
}

#[test]
fn what_was_asked_before_the_first_look_gets_a_number_that_was_never_used() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(9, "12:00"));
    let mut lost = scene.with_lost_catalogue();
    lost.machine.ask(take("early")).unwrap();
    lost.machine.settle();
    assert_eq!(lost.labels().len(), 8);
    let early = lost.account().snapshots.values().find(|s| s.label() == "early");
    assert_eq!(early.map(|s| s.seq()), Some(Seq(10)));
}

#[test]
fn a_person_is_answered_while_thousands_are_due() {
    let resources = (0..1100).map(|n| resource(&format!("web-{n}"), "06:00")).collect();
    let mut scene = Scene::on(Box::new(Memory::default()), resources);
    scene.run_to(&day(1, "05:59"));
    minute(&mut scene);
    let done = scene.machine.ask(Request::Disable { resource: name("web-7") }).unwrap();
    assert_eq!(done.state, State::Succeeded);
}

#[test]
fn a_number_beyond_all_counting_is_the_trouble_of_one_resource() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "12:00"));
    scene.machine.disk.world().high_water.insert(name("web"), Seq(u64::MAX));
    scene.cut(SignedDuration::from_secs(1));
    scene.run_to(&day(4, "12:00"));
    assert!(scene.account().trouble.is_some());
    scene.machine.disk.world().high_water.insert(name("web"), Seq(3));
    scene.run_to(&day(5, "12:00"));
    assert_eq!(scene.slot("2026-01-05").outcome, Some(Outcome::Complete));
}

fn disable(scene: &mut Scene) {
    scene.machine.ask(Request::Disable { resource: name("web") }).unwrap();
}

fn is_skipped(scene: &Scene, slot: &str) -> bool {
    matches!(scene.slot(slot).outcome, Some(Outcome::Skipped(_)))
}

#[test]
fn what_is_still_queued_is_not_taken_after_disabling() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "05:59"));
    scene.machine.ask(take("by-hand")).unwrap();
    minute(&mut scene);
    disable(&mut scene);
    scene.machine.settle();
    assert_eq!(scene.labels(), ["by-hand", "web@2026-01-01", "web@2026-01-02"]);
    assert!(is_skipped(&scene, "2026-01-03"));
}

#[test]
fn a_slot_ends_also_when_its_resource_is_switched_off_or_leaves_meanwhile() {
    let leave = |scene: &mut Scene| scene.machine.configure(Vec::new());
    for switch_off in [disable as fn(&mut Scene), leave] {
        // While it is being taken, and while it waits to be tried again.
        for wait in [false, true] {
            let mut scene = Scene::daily("06:00");
            scene.run_to(&day(3, "05:59"));
            scene.machine.disk.world().faults.extend([None, Some(Fault::Transient)]);
            minute(&mut scene);
            if wait {
                scene.machine.settle();
            }
            switch_off(&mut scene);
            scene.run_to(&day(3, "12:00"));
            assert!(is_skipped(&scene, "2026-01-03"), "{:?}", scene.slot("2026-01-03"));
        }
    }
}

#[test]
fn nothing_waits_for_a_resource_that_was_forgotten() {
    let mut scene = Scene::on(Box::new(Memory::default()), vec![resource("web", "06:00")]);
    scene.cut(SignedDuration::from_secs(1));
    scene.machine.ask(take("one")).unwrap();
    scene.machine.configure(Vec::new());
    let forget = Request::Forget {
        resource: name("web"),
        automatic: Leftovers::Keep,
        last: FinalSnapshot::Unspecified,
    };
    scene.machine.ask(forget).unwrap();
    scene.machine.settle();
    assert_eq!(scene.machine.keeper().ledger().open_operations().count(), 0);
}

#[test]
fn a_lost_original_is_no_trouble_of_its_resource() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "12:00"));
    scene.machine.disk.world().objects.remove(&(name("web"), Seq(1)));
    let keep = Request::Keep {
        from: selector("web@2026-01-01"),
        name: snapshot_name("golden"),
        tags: Default::default(),
    };
    scene.machine.ask(keep).unwrap();
    scene.machine.settle();
    assert_eq!(scene.account().trouble, None);
}

/// The keeper alone, so that the world can change in the middle of an act.
struct Alone {
    keeper: Keeper,
    reading: Reading,
    running: Vec<OperationId>,
}

impl Alone {
    fn new() -> Self {
        let reading = Reading {
            wall: at(&day(1, "00:00")),
            boot: SignedDuration::from_hours(1),
            synchronised: true,
            elapsed: SignedDuration::ZERO,
            slept: SignedDuration::ZERO,
        };
        let keeper = Keeper::new(Ledger::default(), Timestamp::UNIX_EPOCH, reading, 1);
        Self { keeper, reading, running: Vec::new() }
    }

    fn handle(&mut self, event: Event) {
        for action in self.keeper.handle(event, self.reading) {
            if let Action::Start(order) = action {
                self.running.push(order.operation);
            }
        }
    }

    fn finish(&mut self, done: Done) {
        let operation = self.running.pop().unwrap();
        let output = String::new();
        self.handle(Event::Finished(Finished { operation, result: Ok(done), output }));
    }

    fn advance(&mut self, by: SignedDuration) {
        self.reading.wall = self.reading.wall.saturating_add(by).unwrap();
        self.reading.boot += by;
        self.handle(Event::Tick);
    }
}

#[test]
fn a_resource_that_changes_while_it_is_taken_is_doubted() {
    let mut alone = Alone::new();
    let seen = |identity: &str| Survey { identity: Some(identity.into()), ..Survey::default() };
    alone.handle(Event::Configured(vec![resource("web", "06:00")]));
    alone.finish(Done::Surveyed(seen("disk-1"), UsageReport::default()));
    alone.advance(SignedDuration::from_hours(6));
    let content = Some(Content { empty: false, entries: Some(9), bytes: None });
    let facts = Facts { content, ..Facts::default() };
    alone.finish(Done::Taken(Taken {
        object: "o".into(),
        facts,
        incomplete: None,
        survey: seen("disk-2"),
    }));
    let account = alone.keeper.ledger().account(&name("web")).unwrap();
    assert_eq!(account.identity.as_deref(), Some("disk-1"));
    assert_eq!(account.stranger.as_deref(), Some("disk-2"));
    assert!(matches!(account.snapshots[&Seq(1)].health, Health::Suspect(_)));
}

#[test]
fn while_stopping_nothing_that_falls_due_wakes_anybody() {
    let mut alone = Alone::new();
    alone.handle(Event::Configured(vec![resource("web", "06:00")]));
    alone.handle(Event::Stop);
    alone.advance(SignedDuration::from_hours(7));
    assert!(alone.keeper.wake().is_none_or(|wake| wake > alone.reading.wall));
}
