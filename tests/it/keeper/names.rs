//! Names that are chosen for a person, and asking whether something would be refused.

use super::{delete, keep, take};
use crate::support::simulated::{Scene, day, name, resource, selector, snapshot_name};
use heptad::daemon::simulate::Memory;
use heptad::domain::denied::Denied;
use heptad::domain::new_resource::NewResource;
use heptad::domain::operation::{Act, Leftovers};
use heptad::domain::policy::{Rhythm, Zone};
use heptad::domain::request::{FinalSnapshot, Request};
use heptad::domain::resource::Resource;
use heptad::domain::snapshot::Part;
use jiff::tz::TimeZone;

fn unnamed() -> Request {
    Request::Take { resource: name("web"), name: None, tags: Default::default(), part: Part::Whole }
}

#[test]
fn a_snapshot_without_a_name_gets_one_of_its_resource_and_the_time_there() {
    let mut declared = resource("web", "06:00");
    let zone = Zone::new(TimeZone::get("Asia/Tokyo").unwrap());
    declared.policy.rhythm = Rhythm { zone, ..declared.policy.rhythm };
    let mut scene = Scene::on(Box::new(Memory::default()), vec![declared]);
    scene.run_to(&day(2, "20:14"));
    for want in ["web-2026-01-03-0514", "web-2026-01-03-0514-2", "web-2026-01-03-0514-3"] {
        let taking = scene.machine.ask(unnamed()).unwrap();
        let Act::Take { name, .. } = taking.act else { panic!("{taking:?}") };
        assert_eq!(name.unwrap().as_str(), want);
    }
    scene.machine.settle();
    assert!(scene.labels().contains(&"web-2026-01-03-0514-2".to_owned()));
}

#[test]
fn the_longest_name_of_a_resource_leaves_room_for_the_time() {
    let long = "w".repeat(255);
    let declared = Resource { name: name(&long), ..resource("web", "06:00") };
    let mut scene = Scene::on(Box::new(Memory::default()), vec![declared]);
    scene.run_to(&day(2, "12:00"));
    let Request::Take { name: none, tags, part, .. } = unnamed() else { unreachable!() };
    let ask = Request::Take { resource: name(&long), name: none, tags, part };
    let mut names = [ask.clone(), ask].map(|ask| match scene.machine.ask(ask).unwrap().act {
        Act::Take { name, .. } => name.unwrap().to_string(),
        other => panic!("{other:?}"),
    });
    assert!(names[0].ends_with("ww-2026-01-02-1200"), "{names:?}");
    assert!(names[1].ends_with("-1200-2"), "{names:?}");
    names.sort();
    assert_ne!(names[0], names[1]);
}

#[test]
fn a_refusal_because_a_name_is_taken_offers_one_that_is_free() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(2, "12:00"));
    for one in ["one", "one-2"] {
        scene.machine.ask(take(one)).unwrap();
    }
    let mut offered = |request| match scene.machine.ask(request) {
        Err(Denied::NameTaken { free, .. }) => free.map(|free| free.to_string()),
        Err(Denied::ResourceNameTaken { free, .. }) => free.map(|free| free.to_string()),
        other => panic!("{other:?}"),
    };
    assert_eq!(offered(take("one")).as_deref(), Some("one-3"));
    assert_eq!(offered(keep("web@latest", "one-2")).as_deref(), Some("one-3"));
    let draft = Box::new(NewResource::at(name("WEB"), "/srv/new"));
    let create = Request::Create { from: selector("web@latest"), draft };
    assert_eq!(offered(create).as_deref(), Some("WEB-2"));
}

#[test]
fn trying_refuses_what_the_real_thing_would_and_changes_nothing() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "12:00"));
    let tried = |request: &Request| Request::Rehearse(Box::new(request.clone()));
    let last = FinalSnapshot::Take(snapshot_name("last"));
    let forget = Request::Forget { resource: name("web"), automatic: Leftovers::Keep, last };
    let rollback =
        |to: &str| Request::Rollback { resource: name("web"), to: selector(to), safety: None };
    let gone = delete("web@2026-01-01", true);
    for (request, refused) in [
        (forget, true),
        (rollback("web@latest"), false),
        (rollback("web@2020-01-01"), true),
        (gone, false),
        (delete("nothing", false), true),
        (take("one"), false),
        (Request::Disable { resource: name("web") }, false),
    ] {
        let before = format!("{:?}", scene.machine.keeper().ledger());
        let answer = scene.machine.ask(tried(&request));
        let after = format!("{:?}", scene.machine.keeper().ledger());
        assert_eq!(before, after, "{request:?}");
        assert_eq!(answer.is_err(), refused, "{request:?}");
        let real = scene.machine.ask(request.clone());
        assert_eq!(real.is_err(), refused, "{request:?}");
        scene.machine.settle();
    }
    scene.no_violations();
}
