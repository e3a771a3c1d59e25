//! The keeper on a simulated machine, without a catalogue: scenarios of ordinary and odd days.

mod ahead;
mod alarmed;
mod cancelling;
mod marks;
mod names;
mod pace;
mod paying;
mod promises;
mod source;
mod tags;
mod trash;

use crate::support::card::card;
use crate::support::simulated::{Scene, at, day, name, resource, selector, snapshot_name};
use heptad::backend::fake::FakeObject;
use heptad::daemon::simulate::Memory;
use heptad::domain::denied::Denied;
use heptad::domain::key::{Digest, Key};
use heptad::domain::new_resource::NewResource;
use heptad::domain::operation::{Fault, Leftovers, State};
use heptad::domain::request::FinalSnapshot;
use heptad::domain::request::Request;
use heptad::domain::resource::Resource;
use heptad::domain::slot_record::Outcome;
use heptad::domain::snapshot::Part;
use heptad::domain::snapshot::{Fate, Health, Seq};
use heptad::domain::survey::Wholeness;
use heptad::domain::tag::TooMany;
use jiff::SignedDuration;

#[test]
fn after_nine_days_the_newest_seven_and_every_kept_one_are_there() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(4, "12:00"));
    scene.machine.ask(keep("web@2026-01-02", "golden")).unwrap();
    scene.run_to(&day(10, "12:00"));
    assert_eq!(
        scene.labels(),
        [
            "golden",
            "web@2026-01-04",
            "web@2026-01-05",
            "web@2026-01-06",
            "web@2026-01-07",
            "web@2026-01-08",
            "web@2026-01-09",
            "web@2026-01-10"
        ]
    );
    scene.no_violations();
}

fn keep(from: &str, name: &str) -> Request {
    Request::Keep { from: selector(from), name: snapshot_name(name), tags: Default::default() }
}

fn take(name_: &str) -> Request {
    Request::Take {
        resource: name("web"),
        name: Some(snapshot_name(name_)),
        tags: Default::default(),
        part: Part::Whole,
    }
}

#[test]
fn a_failed_run_is_tried_again_until_it_succeeds_and_pushes_nothing_out() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(9, "12:00"));
    let before = scene.labels();
    // A take is a listing, then the act; the listing passes, the act fails, three times.
    for _ in 0..3 {
        scene.machine.disk.world().faults.extend([None, Some(Fault::Transient), None]);
    }
    scene.run_to(&day(10, "06:10"));
    assert_eq!(scene.labels(), before, "nothing was pushed out");
    scene.run_to(&day(10, "12:00"));
    let record = scene.slot("2026-01-10");
    assert_eq!((record.outcome, record.attempts), (Some(Outcome::Complete), 4));
    assert_eq!(scene.labels().len(), 7);
    scene.no_violations();
}

#[test]
fn a_taking_that_failed_leaves_nothing_behind_whatever_the_fault_was() {
    for fault in Fault::ALL {
        let mut scene = Scene::daily("06:00");
        scene.run_to(&day(3, "12:00"));
        scene.machine.disk.world().faults.extend([None, Some(fault)]);
        scene.run_to(&day(4, "06:00"));
        assert!(scene.slot("2026-01-04").last_failure.is_some(), "{fault:?}");
        scene.machine.disk.world().faults.clear();
        scene.run_to(&day(4, "12:00"));
        let partial = |scene: &Scene| {
            let world = scene.machine.disk.world();
            world.objects.values().filter(|object| object.state == Wholeness::Partial).count()
        };
        assert_eq!(partial(&scene), 0, "{fault:?}");
        assert_eq!(scene.slot("2026-01-04").outcome, Some(Outcome::Complete), "{fault:?}");
        scene.no_violations();
    }
}

#[test]
fn what_was_begun_and_no_intent_knows_of_is_cleared_away_with_the_next_look() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "12:00"));
    let plant = |scene: &Scene, seq: u64, state| {
        let mut world = scene.machine.disk.world();
        let (content, mark) = (Default::default(), Default::default());
        let object = FakeObject { card: card(seq), state, mark, content };
        world.objects.insert((name("web"), Seq(seq)), object);
    };
    plant(&scene, 20, Wholeness::Partial);
    plant(&scene, 21, Wholeness::Partial);
    plant(&scene, 22, Wholeness::Whole);
    scene.machine.sweep();
    scene.machine.settle();
    let found: Vec<u64> = scene.machine.disk.world().objects.keys().map(|(_, seq)| seq.0).collect();
    assert_eq!(found, [1, 2, 3, 22]);
    let known: Vec<u64> = scene.account().snapshots.keys().map(|seq| seq.0).collect();
    assert_eq!(known, [1, 2, 3, 22]);
    // What cannot be cleared now is cleared later.
    plant(&scene, 30, Wholeness::Partial);
    scene.machine.disk.world().faults.extend([None, Some(Fault::Transient)]);
    scene.machine.sweep();
    scene.machine.settle();
    assert_eq!(scene.machine.disk.world().objects.len(), 5);
    scene.machine.sweep();
    scene.machine.settle();
    assert_eq!(scene.machine.disk.world().objects.len(), 4);
    // A second heptad on the same store completes what it was making, between the look and the act.
    plant(&scene, 35, Wholeness::Partial);
    scene.machine.sweep();
    scene.machine.step();
    scene.machine.step();
    plant(&scene, 35, Wholeness::Whole);
    scene.machine.settle();
    assert_eq!(scene.machine.disk.world().objects.len(), 5, "it is no remains");
    assert_eq!(scene.health(35), Health::Complete);
    scene.machine.disk.world().objects.remove(&(name("web"), Seq(35)));
    // Whoever left the configuration keeps all that there is.
    plant(&scene, 40, Wholeness::Partial);
    scene.machine.configure(Vec::new());
    scene.machine.sweep();
    scene.machine.settle();
    assert_eq!(scene.machine.disk.world().objects.len(), 5);
    scene.no_violations();
}

#[test]
fn a_day_that_fails_to_its_end_is_failed_and_the_next_goes_on() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "12:00"));
    scene.machine.disk.world().faults.extend(vec![Some(Fault::NoSpace); 500]);
    scene.run_to(&day(5, "01:00"));
    assert!(matches!(scene.slot("2026-01-04").outcome, Some(Outcome::Failed(_))));
    scene.machine.disk.world().faults.clear();
    scene.run_to(&day(5, "12:00"));
    assert_eq!(scene.slot("2026-01-05").outcome, Some(Outcome::Complete));
    scene.no_violations();
}

#[test]
fn a_missed_slot_is_caught_up_five_minutes_after_boot_and_older_ones_are_missed() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(2, "12:00"));
    scene.cut(SignedDuration::from_hours(70));
    scene.machine.settle();
    assert_eq!(scene.machine.now(), at(&day(5, "10:00")));
    scene.run_to(&day(5, "10:04"));
    assert!(scene.record("2026-01-05").is_none_or(|record| record.outcome.is_none()));
    scene.run_to(&day(5, "10:06"));
    assert_eq!(scene.slot("2026-01-05").outcome, Some(Outcome::Complete));
    for missed in ["2026-01-03", "2026-01-04"] {
        assert!(matches!(scene.slot(missed).outcome, Some(Outcome::Missed(_))), "{missed}");
    }
    scene.no_violations();
}

#[test]
fn an_unmounted_resource_is_skipped_and_nothing_rotates() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(9, "12:00"));
    let before = scene.labels();
    scene.live().identity = None;
    scene.run_to(&day(40, "12:00"));
    assert_eq!(scene.labels(), before);
    let outcome = scene.slot("2026-02-05").outcome;
    assert!(
        matches!(&outcome, Some(Outcome::Skipped(why)) if why.contains("identity")),
        "{outcome:?}"
    );
    scene.live().identity = Some("disk-1".into());
    scene.run_to(&day(41, "12:00"));
    assert_eq!(scene.labels().len(), 7);
    scene.no_violations();
}

#[test]
fn another_disk_in_its_place_waits_for_acknowledgement() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(9, "12:00"));
    let before = scene.labels();
    scene.live().identity = Some("disk-2".into());
    scene.run_to(&day(11, "12:00"));
    assert_eq!(scene.labels(), before);
    assert_eq!(scene.account().stranger.as_deref(), Some("disk-2"));
    scene.machine.ask(Request::Acknowledge { resource: name("web") }).unwrap();
    scene.run_to(&day(12, "12:00"));
    assert_eq!(scene.account().identity.as_deref(), Some("disk-2"));
    assert_eq!(scene.slot("2026-01-12").outcome, Some(Outcome::Complete));
}

#[test]
fn an_empty_snapshot_is_suspect_and_stops_rotation_until_acknowledged() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(9, "12:00"));
    scene.live().entries = 0;
    scene.run_to(&day(10, "12:00"));
    assert!(matches!(scene.slot("2026-01-10").outcome, Some(Outcome::Suspect(_))));
    scene.live().entries = 100;
    scene.run_to(&day(12, "12:00"));
    assert_eq!(scene.labels().len(), 10, "seven good ones, the suspect one, two new ones");
    scene.machine.ask(Request::Acknowledge { resource: name("web") }).unwrap();
    scene.run_to(&day(20, "12:00"));
    assert_eq!(scene.labels().len(), 7, "the backlog drains");
    scene.no_violations();
}

#[test]
fn a_snapshot_that_lacks_something_is_suspect_by_hand_or_not_and_kept_as_it_is() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(9, "12:00"));
    let why = "2 entries could not be read (a, b)".to_owned();
    scene.machine.disk.world().incomplete = Some(why.clone());
    scene.run_to(&day(11, "12:00"));
    assert_eq!(scene.slot("2026-01-11").outcome, Some(Outcome::Suspect(why.clone())));
    assert_eq!(scene.labels().len(), 9, "rotation waits");
    scene.machine.ask(take("one")).unwrap();
    scene.machine.ask(keep("web@2026-01-11", "two")).unwrap();
    scene.machine.settle();
    for seq in [11, 12, 13] {
        assert_eq!(scene.health(seq), Health::Suspect(why.clone()), "{seq}");
    }
    let back = Request::Rollback { resource: name("web"), to: selector("one"), safety: None };
    let refused = scene.machine.ask(back).unwrap();
    scene.machine.settle();
    let refused = scene.machine.keeper().ledger().operations[&refused.id].clone();
    let State::Failed(failure) = &refused.state else { panic!("{refused:?}") };
    assert!(failure.message.contains(&format!("is suspect: {why}")), "{failure:?}");

    scene.machine.disk.world().incomplete = None;
    scene.machine.ask(Request::Acknowledge { resource: name("web") }).unwrap();
    scene.machine.settle();
    scene.machine.ask(keep("web@2026-01-11", "three")).unwrap();
    scene.run_to(&day(20, "12:00"));
    let kept = scene.account().snapshots.values().find(|s| s.label() == "three").unwrap().clone();
    assert_eq!(kept.health, Health::Complete);
    assert_eq!(scene.slot("2026-01-12").outcome, Some(Outcome::Complete));
    scene.no_violations();
}

#[test]
fn what_somebody_accepted_as_lacking_is_no_doubt_the_next_day_and_other_entries_are() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(9, "12:00"));
    let lacks = |why: &str| Some(why.to_owned());
    scene.machine.disk.world().incomplete = lacks("1 entry could not be read (a)");
    scene.run_to(&day(10, "12:00"));
    scene.machine.ask(Request::Acknowledge { resource: name("web") }).unwrap();
    scene.run_to(&day(13, "12:00"));
    let outcome = |scene: &Scene, day: &str| scene.slot(day).outcome;
    for day in ["2026-01-10", "2026-01-11", "2026-01-12", "2026-01-13"] {
        assert_eq!(outcome(&scene, day), Some(Outcome::Complete), "{day}");
    }
    // By hand, as before a rollback, it is told all the same.
    scene.machine.ask(take("by-hand")).unwrap();
    scene.machine.settle();
    assert!(matches!(scene.health(14), Health::Suspect(_)), "{:?}", scene.health(14));
    // That something has become small and was accepted says nothing of what is lacking since.
    let other = "1 entry could not be read (b)";
    scene.live().entries = 0;
    scene.machine.disk.world().incomplete = None;
    scene.run_to(&day(14, "12:00"));
    scene.machine.ask(Request::Acknowledge { resource: name("web") }).unwrap();
    scene.machine.disk.world().incomplete = lacks(other);
    scene.run_to(&day(15, "12:00"));
    assert_eq!(outcome(&scene, "2026-01-15"), Some(Outcome::Suspect(other.into())));
    scene.no_violations();
}

#[test]
fn disabling_keeps_what_is_there_and_enabling_again_rotates_it_out_one_by_one() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(9, "12:00"));
    scene.machine.ask(Request::Disable { resource: name("web") }).unwrap();
    let before = scene.labels();
    scene.run_to(&day(30, "12:00"));
    assert_eq!(scene.labels(), before);
    assert!(scene.record("2026-01-20").is_none(), "a disabled day has no slot");
    scene.machine.ask(Request::Enable { resource: name("web"), time: None }).unwrap();
    scene.run_to(&day(31, "12:00"));
    assert_eq!(scene.labels()[6], "web@2026-01-31");
    assert_eq!(scene.labels().len(), 7);
}

#[test]
fn a_manual_snapshot_queues_behind_a_running_one_and_is_never_rotated() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(2, "05:59"));
    scene.machine.advance(SignedDuration::from_mins(1));
    let queued = scene.machine.ask(take("by-hand")).unwrap();
    assert_eq!(queued.state, State::Queued);
    scene.run_to(&day(20, "12:00"));
    assert!(scene.labels().contains(&"by-hand".to_owned()));
    assert_eq!(scene.labels().len(), 8);
    scene.no_violations();
}

#[test]
fn names_are_one_namespace_and_come_free_after_destruction() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "12:00"));
    scene.machine.ask(take("one")).unwrap();
    let taken = scene.machine.ask(take("one"));
    assert!(matches!(taken, Err(Denied::NameTaken { .. })), "while it is being taken");
    scene.machine.settle();
    assert!(matches!(scene.machine.ask(take("one")), Err(Denied::NameTaken { .. })));
    assert!(matches!(scene.machine.ask(keep("web@latest", "one")), Err(Denied::NameTaken { .. })));
    scene.machine.ask(delete("one", true)).unwrap();
    scene.machine.settle();
    scene.machine.ask(take("one")).unwrap();
}

#[test]
fn a_resources_tags_count_among_the_fifty_of_what_is_made_from_it() {
    let tags = |count: usize| (0..count).map(|n| (format!("k{n:02}"), String::new())).collect();
    let declared = Resource { tags: tags(49), ..resource("web", "06:00") };
    let mut scene = Scene::on(Box::new(Memory::default()), vec![declared]);
    scene.run_to(&day(2, "12:00"));
    let refused = |answer: Result<_, Denied>| match answer {
        Err(Denied::TooManyTags { excess, .. }) => excess,
        other => panic!("{other:?}"),
    };
    let (web, one) = (name("web"), snapshot_name("one"));
    let take = |tags| Request::Take {
        resource: web.clone(),
        name: Some(one.clone()),
        tags,
        part: Part::Whole,
    };
    let from = selector("web@latest");
    let added = ["k49", "k50"].map(String::from).to_vec();
    let want = TooMany { inherited: 49, added, excess: 1 };
    assert_eq!(refused(scene.machine.ask(take(tags(51)))), want);
    let keep = Request::Keep { from: from.clone(), name: one.clone(), tags: tags(51) };
    assert_eq!(refused(scene.machine.ask(keep)), want);
    let draft = NewResource { tags: tags(51), ..NewResource::at(name("new"), "/srv/new") };
    let create = Request::Create { from, draft: Box::new(draft) };
    assert_eq!(refused(scene.machine.ask(create)), want);
    scene.machine.ask(take(tags(50))).unwrap();
}

#[test]
fn the_name_of_a_resource_is_taken_whatever_its_case() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(2, "12:00"));
    let create = |as_: &str| {
        let draft = Box::new(NewResource::at(name(as_), "/srv/new"));
        Request::Create { from: selector("web@latest"), draft }
    };
    for taken in ["web", "WEB"] {
        let refused = scene.machine.ask(create(taken));
        assert!(matches!(refused, Err(Denied::ResourceNameTaken { .. })), "{taken}");
    }
}

fn delete(snapshot: &str, now: bool) -> Request {
    Request::Delete { snapshot: selector(snapshot), now }
}

#[test]
fn a_deleted_snapshot_lies_in_the_trash_for_a_day_and_can_come_back() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "12:00"));
    for name in ["one", "two"] {
        scene.machine.ask(take(name)).unwrap();
        scene.machine.settle();
        scene.machine.ask(delete(name, false)).unwrap();
        scene.machine.settle();
    }
    assert!(matches!(scene.machine.ask(delete("one", false)), Err(Denied::InTrash { .. })));
    scene.run_to(&day(4, "11:00"));
    scene.machine.ask(Request::Undelete { snapshot: selector("one") }).unwrap();
    scene.run_to(&day(4, "12:30"));
    assert!(scene.labels().contains(&"one".to_owned()));
    assert!(!scene.labels().contains(&"two".to_owned()));
}

#[test]
fn no_clock_empties_the_trash_early() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "12:00"));
    scene.machine.ask(take("one")).unwrap();
    scene.machine.settle();
    scene.machine.ask(delete("one", false)).unwrap();
    scene.machine.settle();
    scene.machine.set_clock(at("2098-01-01T12:00:00Z"), true);
    scene.machine.settle();
    let one = scene.machine.keeper().ledger().named(&snapshot_name("one")).unwrap();
    assert!(matches!(one.fate, Fate::Trashed { .. }));
}

#[test]
fn a_clock_a_year_ahead_costs_no_snapshot_and_blocks_nothing_afterwards() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(9, "12:00"));
    scene.machine.set_clock(at("2027-01-09T12:00:00Z"), false);
    scene.machine.settle();
    scene.machine.set_clock(at(&day(9, "12:05")), true);
    scene.machine.settle();
    assert!(scene.labels().len() >= 7);
    scene.run_to(&day(12, "12:00"));
    for date in ["2026-01-10", "2026-01-11", "2026-01-12"] {
        assert_eq!(scene.slot(date).outcome, Some(Outcome::Complete), "{date}");
    }
    scene.no_violations();
}

#[test]
fn a_snapshot_removed_or_changed_behind_our_back_does_not_count() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(9, "12:00"));
    {
        let mut world = scene.machine.disk.world();
        world.objects.remove(&(name("web"), Seq(5)));
        world.objects.get_mut(&(name("web"), Seq(6))).unwrap().state = Wholeness::Tampered;
    }
    scene.cut(SignedDuration::from_secs(1));
    scene.machine.settle();
    assert_eq!(scene.health(5), Health::Missing);
    assert_eq!(scene.health(6), Health::Tampered);
    scene.run_to(&day(13, "12:00"));
    let counting = scene.account().snapshots.values().filter(|s| s.counts()).count();
    assert_eq!(counting, 7);
    scene.no_violations();
}

#[test]
fn the_same_key_begins_one_operation_only() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "12:00"));
    let key = |request: u8| Some(Key { text: "k1".into(), digest: Some(Digest([request; 32])) });
    let first = scene.machine.ask_with_key(take("one"), key(1)).unwrap();
    let again = scene.machine.ask_with_key(take("one"), key(1)).unwrap();
    assert_eq!(first.id, again.id);
    let reused = |answer| matches!(answer, Err(Denied::KeyReused { operation, .. }) if operation == first.id);
    assert!(reused(scene.machine.ask_with_key(take("two"), key(2))));
    assert!(reused(scene.machine.ask_with_key(delete("one", false), key(3))));
    let unproven =
        scene.machine.ask_with_key(take("one"), key(1).map(|k| Key { digest: None, ..k }));
    assert!(matches!(unproven, Err(Denied::KeyUnproven { .. })));
}

#[test]
fn a_snapshot_that_is_not_there_yet_or_never_came_is_told_as_what_it_is() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(3, "12:00"));
    let taken = scene.machine.ask(take("one")).unwrap();
    let undelete = Request::Undelete { snapshot: selector("one") };
    let early = [delete("one", false), delete("one", true), undelete];
    for request in early {
        let told = scene.machine.ask(request);
        let is_it = |operation| operation == taken.id;
        assert!(
            matches!(told, Err(Denied::BeingTaken { operation, .. }) if is_it(operation)),
            "{told:?}"
        );
    }
    scene.machine.settle();
    let live = scene.machine.disk.world().lives.remove(&name("web")).unwrap();
    let failed = scene.machine.ask(take("two")).unwrap();
    scene.machine.settle();
    let told = scene.machine.ask(delete("two", false));
    let Err(Denied::TakeFailed { operation, snapshot, again: false, .. }) = &told else {
        panic!("{told:?}");
    };
    assert_eq!((*operation, snapshot.as_str()), (failed.id, "two"));
    // The same name again is what it is then.
    scene.machine.disk.world().lives.insert(name("web"), live);
    scene.machine.ask(take("two")).unwrap();
    scene.machine.settle();
    let destroyed = scene.machine.ask(delete("two", true)).unwrap();
    let told = scene.machine.ask(delete("two", true));
    assert!(
        matches!(told, Err(Denied::BeingDestroyed { operation, .. } | Denied::InUse { operation, .. }) if operation == destroyed.id),
        "{told:?}"
    );
    scene.machine.settle();
    let told = scene.machine.ask(delete("two", true));
    assert!(matches!(told, Err(Denied::NoSuchSnapshot { .. })), "{told:?}");
    scene.no_violations();
}

#[test]
fn a_resource_that_left_the_configuration_keeps_everything_until_forgotten() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(9, "12:00"));
    scene.machine.ask(keep("web@latest", "golden")).unwrap();
    scene.machine.settle();
    let forget = |automatic| Request::Forget {
        resource: name("web"),
        automatic,
        last: FinalSnapshot::Unspecified,
    };
    let early = scene.machine.ask(forget(Leftovers::Keep));
    assert!(matches!(early, Err(Denied::StillConfigured { .. })));
    scene.machine.configure(Vec::new());
    scene.run_to(&day(20, "12:00"));
    assert_eq!(scene.labels().len(), 8);
    scene.machine.ask(forget(Leftovers::Trash)).unwrap();
    scene.run_to(&day(22, "12:00"));
    assert_eq!(scene.labels(), ["golden"]);
}

#[test]
fn a_lost_catalogue_is_rebuilt_from_the_manifests() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(9, "12:00"));
    scene.machine.ask(keep("web@2026-01-05", "golden")).unwrap();
    scene.machine.ask(take("trashed")).unwrap();
    scene.machine.settle();
    scene.machine.ask(delete("trashed", false)).unwrap();
    scene.machine.settle();
    let before = scene.cards();
    let mut rebuilt = scene.with_lost_catalogue();
    rebuilt.machine.settle();
    assert_eq!(rebuilt.cards(), before);
    rebuilt.run_to(&day(10, "12:00"));
    assert_eq!(rebuilt.slot("2026-01-10").outcome, Some(Outcome::Complete), "no day is left out");
    assert!(rebuilt.account().next_seq > Seq(12));
    rebuilt.no_violations();
}

#[test]
fn a_lowered_keep_drains_slowly_or_at_once_by_rotate() {
    let mut scene = Scene::daily("06:00");
    scene.run_to(&day(9, "12:00"));
    let mut lowered = resource("web", "06:00");
    lowered.policy.retention.latest = 2;
    scene.machine.configure(vec![lowered]);
    scene.machine.settle();
    scene.machine.sweep();
    scene.run_to(&day(10, "05:59"));
    assert_eq!(scene.live_labels().len(), 7, "nothing goes before a new one has come");
    scene.run_to(&day(10, "12:00"));
    assert_eq!(scene.live_labels().len(), 6);
    scene.machine.ask(Request::Rotate { resource: name("web") }).unwrap();
    scene.machine.settle();
    assert_eq!(scene.live_labels(), ["web@2026-01-09", "web@2026-01-10"]);
    // By way of the trash, so each can be had back.
    assert_eq!(scene.labels().len(), 8);
    scene.machine.ask(Request::Undelete { snapshot: selector("web@2026-01-05") }).unwrap();
    scene.machine.settle();
    assert_eq!(scene.live_labels().len(), 3);
    scene.run_to(&day(11, "12:00"));
    assert_eq!(scene.live_labels(), ["web@2026-01-10", "web@2026-01-11"]);
    scene.run_to(&day(12, "12:00"));
    assert_eq!(scene.labels(), ["web@2026-01-11", "web@2026-01-12"], "the ordinary way is at once");
    scene.no_violations();
}
