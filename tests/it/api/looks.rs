//! What the answers say.

use super::caller::get;
use super::stub::{Scene, at};
use heptad::api::client::Client;
use heptad::api::wire::CreateBody;
use heptad::api::wire::TakeBody;
use heptad::api::wire::{Mark, Measured, SnapshotsQuery, Source, Tags, Why};
use heptad::domain::id::OperationId;
use heptad::domain::operation::{Failure, Fault, State};
use heptad::domain::snapshot::{Health, Seq};
use heptad::domain::usage::{KnownTotal as TotalReport, SnapshotSet, TotalUsage};
use std::sync::Arc;

fn client(scene: &Scene) -> Client {
    Client::new(scene.socket()).unwrap()
}

#[test]
fn the_status_shows_a_resource_at_a_glance() {
    let scene = Scene::new();
    let status = client(&scene).status().unwrap();
    let web = &status.resources[0];
    assert_eq!((web.kind.as_str(), web.backend.as_str()), ("disk", "files"));
    assert_eq!((web.rhythm.value.as_str(), web.time.as_deref()), ("06:00 UTC", Some("06:00")));
    assert_eq!((web.enabled.value, web.enabled.source), (true, Source::Config));
    assert_eq!((web.counts.automatic, web.counts.manual), (7, 0));
    assert_eq!(web.newest_complete_age_seconds, Some(6 * 3_600));
    let next = web.next_run.as_ref().unwrap();
    let want = ("2026-11-23", at("2026-11-23T06:00:00Z"), Why::Scheduled);
    assert_eq!((next.slot.as_str(), next.at, next.why), want);
    assert!(web.strip.len() == 7 && web.strip.iter().all(|mark| mark.mark == Mark::Complete));
    assert_eq!((status.alarms.len(), web.alarms.len()), (0, 0));
    assert!(client(&scene).health().unwrap().healthy);
}

#[test]
fn changing_the_time_answers_with_the_wish_and_the_next_run() {
    let scene = Scene::new();
    let accepted = client(&scene).set_time("web-1", "20:00").unwrap();
    let schedule = accepted.schedule.unwrap();
    assert_eq!(schedule.rhythm.value, "20:00 UTC");
    assert_eq!(schedule.rhythm.source, Source::Override);
    assert_eq!(schedule.rhythm.configured.as_deref(), Some("06:00 UTC"));
    assert_eq!(schedule.next_run.unwrap().at, at("2026-11-23T20:00:00Z"));
    assert_eq!(accepted.operation.detail.as_deref(), Some("20:00"));
    let asked = scene.stub.asked();
    assert!(asked[0].1.as_ref().is_some_and(|key| key.len() == 36), "{asked:?}");
}

#[test]
fn why_tells_each_slot_of_a_day_and_of_a_day_without_one() {
    let scene = Scene::new();
    let slots = |day| client(&scene).slots("web-1", day).unwrap();
    let today = slots(None);
    assert_eq!((today.day.as_str(), today.slots.len(), today.note), ("2026-11-22", 1, None));
    let slot = &today.slots[0];
    assert_eq!(slot.outcome.as_deref(), Some("complete"));
    assert_eq!((slot.attempts, slot.late_seconds), (1, Some(0)));
    assert_eq!(slot.snapshot.as_deref(), Some("web-1@2026-11-22"));
    let check = |day, part: &str| {
        let note = slots(Some(day)).note.unwrap();
        assert!(note.contains(part), "{day}: {note}");
    };
    check("2026-11-23", "is due at 06:00:00 +00:00");
    check("2026-12-24", "has not come yet");
    check("2026-11-10", "since 2026-11-15");
}

#[test]
fn a_snapshot_says_what_it_is_and_what_rotation_says_of_it() {
    let scene = Scene::new();
    let latest = client(&scene).snapshot("web-1@latest").unwrap();
    assert_eq!(latest.label, "web-1@2026-11-22");
    assert_eq!(latest.rotation.as_deref(), Some("latest 1"));
    scene.stub.turn(|ledger| {
        let account = ledger.account_mut(&"web-1".parse().unwrap()).unwrap();
        let newest = account.snapshots.get_mut(&Seq(7)).unwrap();
        Arc::make_mut(newest).health = Health::Suspect("it is empty".into());
    });
    assert_eq!(client(&scene).snapshot("web-1@latest").unwrap().label, "web-1@2026-11-21");
    let suspect = client(&scene).snapshot("web-1@2026-11-22").unwrap();
    assert_eq!((suspect.reason.as_deref(), suspect.rotation), (Some("it is empty"), None));
    let all = client(&scene).snapshots(&SnapshotsQuery::default()).unwrap().snapshots;
    assert_eq!((all.len(), all[0].seq), (7, 7));
    let health = client(&scene).health().unwrap();
    assert_eq!((health.healthy, health.alarms), (false, 1));
}

#[test]
fn rotation_has_no_say_in_what_left_the_configuration() {
    let scene = Scene::new();
    let change = |declared: bool, forgotten: bool| {
        scene.stub.turn(|ledger| {
            let account = ledger.account_mut(&"web-1".parse().unwrap()).unwrap();
            (account.declared, account.forgotten) = (declared, forgotten);
        });
    };
    let check = |want: usize| {
        let all = client(&scene).snapshots(&SnapshotsQuery::default()).unwrap().snapshots;
        assert_eq!(all.len(), 7);
        assert_eq!(all.iter().filter(|snapshot| snapshot.rotation.is_some()).count(), want);
    };
    check(7);
    change(false, false);
    check(0);
    change(false, true);
    check(0);
}

#[test]
fn the_forecast_is_for_one_or_for_all() {
    let scene = Scene::crowded(Default::default(), 2);
    let of_all = client(&scene).forecast(None, Some(2)).unwrap();
    assert_eq!((of_all.days, of_all.forecasts.len()), (2, 2));
    let of_one = client(&scene).forecast(Some("web-2"), None).unwrap();
    assert_eq!((of_one.days, of_one.forecasts[0].takes.len()), (7, 7));
    let first = &of_one.forecasts[0].takes[0];
    assert_eq!(first.snapshot, "web-2@2026-11-23");
    assert_eq!(first.drops[0].snapshot, "web-2@2026-11-16");
}

#[test]
fn plans_come_with_the_smallest_first_and_blueprints_with_their_rule() {
    let scene = Scene::new();
    let plans = client(&scene).plans().unwrap();
    let told: Vec<_> =
        plans.plans.iter().map(|offer| (offer.plan.to_string(), offer.price)).collect();
    let tiny = "tiny (1 vCPU, 512 MiB memory, 60 GB disk)".to_owned();
    let large = "large (2 vCPUs, 8 GiB memory, 60 GB disk)".to_owned();
    assert_eq!(told, [(tiny, None), (large, Some(12.5))]);
    assert_eq!(plans.currency, "EUR");
    let [ghost] = &client(&scene).blueprints().unwrap().blueprints[..] else { panic!() };
    assert_eq!((ghost.name.as_str(), ghost.export), ("ghost", false));
}

#[test]
fn the_fee_is_what_was_held_in_the_month_and_what_will_be() {
    let scene = Scene::new();
    scene.stub.turn(|ledger| {
        let account = ledger.account_mut(&"web-1".parse().unwrap()).unwrap();
        for (snapshot, facts) in account
            .snapshots
            .values_mut()
            .zip([(Some(9_000_000_000), Some(2_000_000_000)), (Some(5_000_000_000), None)])
        {
            let snapshot = Arc::make_mut(snapshot);
            (snapshot.facts.stored, snapshot.facts.exclusive) = facts;
        }
    });
    let fees = client(&scene).fee(None, None).unwrap();
    assert_eq!((fees.month.as_str(), fees.ends), ("2026-11", at("2026-12-01T00:00:00Z")));
    assert_eq!((fees.price, fees.currency.as_str()), (0.05, "USD"));
    let [gone, web] = &fees.resources[..] else { panic!("{fees:?}") };
    assert_eq!((gone.known, gone.so_far.gb_months, gone.so_far.cost), (false, 0.01, 0.0005));
    assert_eq!((web.so_far.gb_months, web.so_far.cost), (2.0, 0.1));
    assert_eq!(
        (web.stored_bytes, web.exclusive_bytes),
        (Some(14_000_000_000), Some(2_000_000_000))
    );
    assert_eq!((web.billed_bytes, web.measured), (Some(7_000_000_000), Some(Measured::Mixed)));
    assert_eq!((web.snapshots.len(), web.unmeasured), (7, 5));
    assert_eq!(web.snapshots[6].measured, Measured::Exclusive);
    // Eight and a half days of 7 GB are to come: 204 h.
    let forecast = web.forecast.unwrap();
    assert_eq!(forecast.gb_months, 3.956164);
    assert_eq!((fees.so_far.gb_months, fees.forecast.unwrap().gb_months), (2.01, 3.966164));
    let one = client(&scene).fee(Some("web-1"), None).unwrap();
    assert_eq!(one.resources[0].occupied_bytes, None);
    assert_eq!((one.resources.len(), one.so_far.cost), (1, 0.1));
    let past = client(&scene).fee(None, Some("2026-10")).unwrap();
    assert_eq!((past.resources.len(), past.so_far.gb_months, past.forecast), (1, 0.1, None));
    let then = &past.resources[0];
    assert_eq!((then.snapshots.len(), then.stored_bytes, then.measured), (0, Some(4), None));
    assert_eq!(then.occupied_bytes, Some(3));
    let none = client(&scene).fee(None, Some("2026-09")).unwrap();
    assert_eq!((none.resources.len(), none.so_far.cost), (0, 0.0));
}

#[test]
fn what_all_snapshots_occupy_together_is_billed_where_it_is_known() {
    let scene = Scene::new();
    let check = |exact, newest: u64, want: Measured, word: &str| {
        scene.stub.turn(|ledger| {
            let account = ledger.account_mut(&"web-1".parse().unwrap()).unwrap();
            let of =
                SnapshotSet { newest: Seq(newest), ..SnapshotSet::of(account.snapshots.values()) };
            let occupied = TotalUsage { bytes: 3_000_000_000, exact };
            account.occupied = Some(TotalReport { occupied, of });
        });
        let fees = client(&scene).fee(Some("web-1"), None).unwrap();
        let web = &fees.resources[0];
        assert_eq!((web.billed_bytes, web.occupied_bytes), (Some(3_000_000_000), web.billed_bytes));
        assert_eq!((web.measured, web.unmeasured), (Some(want), 0));
        let metrics = client(&scene).metrics().unwrap();
        let of = "{resource=\"web-1\"";
        for line in [
            format!("heptad_snapshots_occupied_bytes{of}}} 3000000000\n"),
            format!("heptad_snapshots_measured_info{of},measured=\"{word}\"}} 1\n"),
        ] {
            assert!(metrics.contains(&line), "{line}{metrics}");
        }
        assert_eq!(metrics.matches(&format!("heptad_snapshots_measured_info{of}")).count(), 1);
    };
    let newest = scene.stub.turn(|ledger| {
        let account = ledger.account(&"web-1".parse().unwrap()).unwrap();
        SnapshotSet::of(account.snapshots.values()).newest.0
    });
    check(true, newest, Measured::Exact, "exact");
    check(false, newest, Measured::AtLeast, "at-least");
    check(true, newest + 1, Measured::Outdated, "outdated");
}

#[test]
fn operations_are_listed_newest_first_and_tell_who_asked() {
    let scene = Scene::new();
    client(&scene)
        .take(
            "web-1",
            &TakeBody {
                tags: Tags::from([("a".into(), "b".into())]),
                ..TakeBody::named("by-hand")
            },
        )
        .unwrap();
    client(&scene).keep("web-1@latest", "kept-1", Tags::new()).unwrap();
    client(&scene)
        .create(
            "web-1@latest",
            &CreateBody {
                name: "web-9".into(),
                path: Some("/srv/web-9".into()),
                ..CreateBody::default()
            },
        )
        .unwrap();
    client(&scene).disable("web-1").unwrap();
    let list = client(&scene).operations(&Default::default()).unwrap().operations;
    let acts: Vec<_> = list.iter().map(|operation| operation.act.as_str()).collect();
    assert_eq!(acts, ["disable", "create", "keep", "take"]);
    assert!(
        list.iter().all(|operation| (operation.cause.as_str(), operation.uid) == ("peer", Some(0)))
    );
    assert_eq!(list[1].detail.as_deref(), Some("web-9 at /srv/web-9"));
    assert_eq!(list[2].detail.as_deref(), Some("from web-1@2026-11-22"));
}

#[test]
fn a_snapshot_that_is_being_taken_is_not_unknown_and_nothing_is_its_own_guess() {
    let scene = Scene::new();
    let taken = client(&scene).take("web-1", &TakeBody::named("by-hand")).unwrap().operation.id;
    let check = |status: u16, code: &str, sentence: &str| {
        let (got, answer) = get(&scene, "/v1/snapshots/by-hand");
        let error = &answer["error"];
        assert_eq!((got, error["code"].as_str()), (status, Some(code)), "{answer}");
        assert!(error["message"].as_str().unwrap().contains(sentence), "{answer}");
        assert!(!error["hint"].as_str().unwrap().contains("did you mean by-hand"), "{answer}");
    };
    let turn = |state: State| {
        scene.stub.turn(|ledger| {
            let mut operation = ledger.operations[&OperationId(taken)].as_ref().clone();
            operation.state = state;
            ledger.put_operation(&operation);
        });
    };
    check(409, "being-taken", "by-hand is not taken yet: operation 0 waits for its turn");
    turn(State::Running);
    check(409, "being-taken", "by-hand is being taken by operation 0: 1 of 2 bytes are there");
    turn(State::Failed(Failure::new(Fault::NoSpace, "the store is full")));
    check(404, "take-failed", "taking it failed (operation 0): the store is full");
    turn(State::Succeeded);
    check(404, "no-such-snapshot", "there is no snapshot by-hand");
}

#[test]
fn metrics_are_openmetrics_text() {
    let scene = Scene::new();
    let text = client(&scene).metrics().unwrap();
    assert!(text.ends_with("# EOF\n"));
    let has = |line: &str| assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    has("# TYPE heptad_newest_complete_age_seconds gauge");
    has("heptad_newest_complete_age_seconds{resource=\"web-1\"} 21600");
    has("heptad_snapshots{resource=\"web-1\",state=\"complete\"} 7");
    has("heptad_alarms{resource=\"web-1\",code=\"stale\"} 0");
    has("heptad_open_operations 0");
    let families: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let mut distinct = families.clone();
    distinct.dedup();
    assert_eq!(families, distinct);
}

#[test]
fn the_generation_is_in_every_list() {
    let scene = Scene::new();
    for path in ["/v1/status", "/v1/resources", "/v1/snapshots", "/v1/operations"] {
        assert_eq!(get(&scene, path).1["generation"], 7, "{path}");
    }
}
