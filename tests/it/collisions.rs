//! Acts that meet: one waits in the queue while another changes what it was decided on.

use crate::support::simulated::{Scene, at, day, name, resource, selector, snapshot_name};
use heptad::daemon::simulate::{Machine, Memory};
use heptad::domain::agenda::Outcome;
use heptad::domain::clock::Reading;
use heptad::domain::event::{Action, Denied, Done, Event, Finished, Request, Survey, Taken};
use heptad::domain::keeper::Keeper;
use heptad::domain::ledger::Ledger;
use heptad::domain::operation::{Fault, Leftovers, OperationId, State};
use heptad::domain::snapshot::{Content, Facts, Fate, Health, Seq};
use jiff::{SignedDuration, Timestamp};

fn take(text: &str) -> Request {
    Request::Take { resource: name("web"), name: snapshot_name(text), tags: Default::default() }
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
    let create = Request::Create { from: from(), name: name("new"), path: "/new".into() };
    for request in [keep, create] {
        let answer = scene.machine.ask(request);
        assert!(matches!(answer, Err(Denied::InUse { .. })), "{answer:?}");
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

fn disable(scene: &mut Scene) {
    scene.machine.ask(Request::Disable { resource: name("web") }).unwrap();
}

fn is_skipped(scene: &Scene, slot: &str) -> bool {
    matches!(scene.slot(slot).outcome, Some(Outcome::Skipped(_)))
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
