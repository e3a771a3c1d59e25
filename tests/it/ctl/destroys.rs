//! Commands that take something away: they name what goes, and ask.

use super::facts::{self, operation, snapshot};
use super::{Daemon, Script, Start, golden};
use heptad::api::wire::{
    Accepted, Fate, Operation, OperationState, Resource, ResourceDetail, Snapshot, Snapshots,
};
use serde_json::json;

fn accepted(act: &str, snapshot: &str) -> Accepted {
    Accepted { operation: operation(402, act, Some(snapshot)), schedule: None }
}

fn two() -> Script {
    let automatic = snapshot("home@2026-11-21", 21, "21T14:00:02");
    let manual = Snapshot { rotation: None, ..snapshot("experiment", 17, "18T09:30:00") };
    let trashed = |one: &Snapshot| Snapshot {
        fate: Fate::Trashed,
        trash_seconds_left: Some(86_400),
        ..one.clone()
    };
    Script::default()
        .on("GET /v1/resources", &facts::resources())
        .on("GET /v1/snapshots/home@latest", &automatic)
        .on("GET /v1/snapshots/home@2026-11-21", &automatic)
        .on("GET /v1/snapshots/home@2026-11-21", &trashed(&automatic))
        .on("GET /v1/snapshots/experiment", &manual)
        .on("GET /v1/snapshots/experiment", &trashed(&manual))
        .on("DELETE /v1/snapshots/home@2026-11-21", &accepted("delete", "home@2026-11-21"))
        .on("DELETE /v1/snapshots/experiment", &accepted("delete", "experiment"))
        .on("DELETE /v1/snapshots/experiment?now=true", &accepted("destroy", "experiment"))
}

const BOTH: &str = "delete home@latest home@2026-11-21 experiment";

#[test]
fn what_goes_is_named_before_it_goes() {
    let go = |name: &str, answer: &'static str, line: &str| {
        let daemon = Daemon::start(two());
        golden(name, &Start::at(&daemon).on_a_terminal(answer), line);
        daemon.asked().iter().filter(|(request, _)| request.starts_with("DELETE")).count()
    };
    assert_eq!(go("delete-yes", "yes\n", BOTH), 2);
    assert_eq!(go("delete-no", "n\n", BOTH), 0);
    assert_eq!(go("delete-end-of-input", "", BOTH), 0);
    assert_eq!(go("delete-now", "Y\n", "delete experiment --now"), 1);
}

#[test]
fn without_a_terminal_nothing_goes_unless_told_to() {
    let daemon = Daemon::start(two());
    golden("delete-unasked", &Start::at(&daemon), BOTH);
    golden("forget-unasked", &Start::at(&daemon), "forget home");
    assert_eq!(daemon.asked(), [], "nothing was even looked at");
    golden("delete-yes-said", &Start::at(&daemon), "delete experiment --yes");
}

#[test]
fn what_a_full_disk_means_for_the_trash_is_told() {
    let output = "the disk is full; it is in the trash all the same: delete it with --now";
    let full = Operation { output: output.into(), ..operation(402, "delete", Some("experiment")) };
    let manual = Snapshot { rotation: None, ..snapshot("experiment", 17, "18T09:30:00") };
    let script = Script::default()
        .on("GET /v1/snapshots/experiment", &manual)
        .on("DELETE /v1/snapshots/experiment", &Accepted { operation: full, schedule: None });
    golden("delete-full-disk", &Start::at(&Daemon::start(script)), "delete experiment --yes");
}

#[test]
fn one_refusal_does_not_stop_the_others() {
    let script = Script::default()
        .on(
            "GET /v1/snapshots/a1",
            &Snapshot { label: "a1".into(), ..snapshot("a1", 1, "18T09:30:00") },
        )
        .on(
            "GET /v1/snapshots/b1",
            &Snapshot { label: "b1".into(), ..snapshot("b1", 2, "18T09:30:00") },
        )
        .refuse("DELETE /v1/snapshots/a1", 409, "in-use", "a1 is in use by operation 7", "wait")
        .on("DELETE /v1/snapshots/b1", &accepted("delete", "b1"));
    golden("delete-partly", &Start::at(&Daemon::start(script)), "delete a1 b1 --yes");
}

#[test]
fn what_is_refused_is_said_before_anything_is_asked() {
    let one =
        |name: &str, seq| Snapshot { label: name.into(), ..snapshot(name, seq, "18T09:30:00") };
    let script = Script::default()
        .on("GET /v1/resources", &facts::resources())
        .on("GET /v1/resources/home", &facts::detail(facts::home()))
        .on("GET /v1/snapshots/a1", &one("a1", 1))
        .on("GET /v1/snapshots/b1", &one("b1", 2))
        .refuse("TRY DELETE /v1/snapshots/a1", 409, "in-use", "a1 is in use by operation 7", "wait")
        .refuse("TRY POST /v1/resources/home/rollback", 409, "not-of", "a1 is of web", "look")
        .refuse("TRY POST /v1/resources/home/forget", 409, "still-configured", "it is", "reload")
        .on("DELETE /v1/snapshots/b1", &accepted("delete", "b1"));
    let daemon = Daemon::start(script);
    let start = Start::at(&daemon).on_a_terminal("y\n");
    let check = |line: &str, code: u8, said: &str, asked: Option<&str>| {
        let ran = start.ctl(line);
        assert_eq!(ran.code, code, "{line}: {}", ran.err);
        let told = ran.err.find(said).expect(&ran.err);
        match asked {
            Some(question) => assert!(told < ran.err.find(question).expect(&ran.err)),
            None => assert!(!ran.err.contains("[y/N]"), "{}", ran.err),
        }
    };
    check("delete a1", 1, "a1 is in use", None);
    check("delete a1 b1", 1, "a1 is in use", Some("Delete this snapshot? [y/N]"));
    check("rollback home --to a1", 1, "a1 is of web", None);
    check("forget home", 1, "it is", None);
    let real = |(request, _): &(String, serde_json::Value)| {
        !request.starts_with("GET") && !request.starts_with("TRY")
    };
    let done: Vec<_> =
        daemon.asked().into_iter().filter(real).map(|(request, _)| request).collect();
    assert_eq!(done, ["DELETE /v1/snapshots/b1"]);
}

#[test]
fn several_come_back_from_the_trash_and_one_refusal_does_not_stop_the_others() {
    let back = |name: &str| accepted("undelete", name);
    let script = Script::default()
        .on("POST /v1/snapshots/a1/undelete", &back("a1"))
        .refuse("POST /v1/snapshots/b1/undelete", 409, "not-in-trash", "b1 is not in the trash", "")
        .on("POST /v1/snapshots/c1/undelete", &back("c1"));
    let ran = Start::at(&Daemon::start(script)).ctl("undelete a1 b1 c1");
    assert_eq!((ran.code, ran.out.as_str()), (1, "home: a1 is back\nhome: c1 is back\n"));
    assert!(ran.err.contains("b1 is not in the trash"), "{}", ran.err);
}

#[test]
fn a_delete_that_fails_later_fails_the_command() {
    let failed =
        Operation { state: OperationState::Failed, ..operation(402, "delete", Some("a1")) };
    let script = Script::default()
        .on("GET /v1/snapshots/a1", &snapshot("a1", 1, "18T09:30:00"))
        .on("DELETE /v1/snapshots/a1", &Accepted { operation: failed, schedule: None });
    let ran = Start::at(&Daemon::start(script)).ctl("delete a1 --yes");
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("home: delete a1 failed"), "{}", ran.err);
}

#[test]
fn forgetting_tells_what_becomes_of_the_snapshots() {
    let gone = Resource { declared: false, next_run: None, ..facts::home() };
    let left = vec![
        snapshot("home@2026-11-21", 21, "21T14:00:02"),
        snapshot("home@2026-11-20", 20, "20T14:00:02"),
    ];
    let left = Snapshots { generation: 1, snapshots: left, next: None };
    let forgotten = Accepted { operation: operation(402, "forget", None), schedule: None };
    let script = Script::default()
        .on("GET /v1/resources", &facts::resources())
        .on("GET /v1/resources/home", &facts::detail(gone))
        .on("GET /v1/snapshots?resource=home&origin=automatic", &left)
        .on("POST /v1/resources/home/forget", &forgotten);
    let daemon = Daemon::start(script);
    let start = Start::at(&daemon).on_a_terminal("y\n");
    let last = || daemon.asked().last().cloned().unwrap().1;
    golden("forget-keep", &start, "forget home");
    assert_eq!(last(), json!({"automatic": "keep"}));
    golden("forget-trash", &start, "forget home --automatic trash");
    assert_eq!(last(), json!({"automatic": "trash"}));
}

#[test]
fn what_rotation_lets_go_is_named_before_it_goes() {
    let beyond = |labels: &[&str]| {
        let beyond = labels.iter().map(|label| (*label).to_owned()).collect();
        ResourceDetail { beyond, ..facts::detail(facts::home()) }
    };
    let rotate = Accepted { operation: operation(402, "rotate", None), schedule: None };
    let go = |name: &str, labels: &[&str], answer: &'static str| {
        let script = Script::default()
            .on("GET /v1/resources", &facts::resources())
            .on("GET /v1/resources/home", &beyond(labels))
            .on("POST /v1/resources/home/rotate", &rotate);
        let daemon = Daemon::start(script);
        golden(name, &Start::at(&daemon).on_a_terminal(answer), "rotate home");
        daemon.asked().iter().filter(|(request, _)| request.starts_with("POST")).count()
    };
    let two = ["home@2026-11-12", "home@2026-11-13"];
    assert_eq!(go("rotate-yes", &two, "yes\n"), 1);
    assert_eq!(go("rotate-no", &two, "\n"), 0);
    assert_eq!(go("rotate-nothing", &[], ""), 0);
}
