//! Commands that change something: what they send, what they say, how they wait.

use super::facts::{self, next, operation, overridden, schedule};
use super::{Daemon, Script, Start, golden};
use heptad::api::wire::{
    Accepted, Failure, NextRun, Operation, OperationState, Progress, Resource, ResourceDetail,
    Schedule, Setting, Source, Why,
};
use serde_json::{Value, json};

fn accepted(operation: Operation) -> Accepted {
    Accepted { operation, schedule: None }
}

fn scheduled(act: &str, schedule: Schedule) -> Accepted {
    Accepted { operation: operation(402, act, None), schedule: Some(schedule) }
}

fn running(done: u64) -> Operation {
    Operation {
        state: OperationState::Running,
        progress: Some(Progress {
            done_bytes: done << 20,
            total_bytes: Some(100 << 20),
            bytes_per_second: Some(5 << 20),
            seconds_left: Some((100 - done) / 5),
        }),
        ..operation(402, "take", Some("before-upgrade"))
    }
}

fn failed() -> Operation {
    Operation {
        state: OperationState::Failed,
        failure: Some(Failure {
            fault: "hook".into(),
            message: "the program before the snapshot ended with 1".into(),
        }),
        output: "flush: no such\ntable\n".into(),
        ..running(3)
    }
}

#[test]
fn a_take_is_followed_to_its_end() {
    let queued = Operation { state: OperationState::Queued, progress: None, ..running(0) };
    let script = |last: Operation| {
        let wait = "GET /v1/operations/402?wait=1";
        Script::default()
            .on("POST /v1/resources/home/snapshots", &accepted(queued.clone()))
            .on(wait, &queued)
            .on(wait, &running(10))
            .on(wait, &running(12))
            .on(wait, &running(55))
            .on(wait, &last)
    };
    let done = operation(402, "take", Some("before-upgrade"));
    let line = "take home before-upgrade --tag why=upgrade";
    let go = |name: &str, last: &Operation, line: &str| {
        golden(name, &Start::at(&Daemon::start(script(last.clone()))), line);
    };
    go("take", &done, line);
    go("take-quiet", &done, &format!("-q {line}"));
    go("take-no-wait", &done, &format!("--no-wait {line}"));
    go("take-json", &done, &format!("--json {line}"));
    go("take-failed", &failed(), line);

    let daemon = Daemon::start(script(done));
    let ran = Start::at(&daemon).on_a_terminal("").ctl(line);
    assert_eq!(ran.out, "home: took before-upgrade\n");
    let steps: Vec<&str> = ran.err.split("\r\u{1b}[K").collect();
    assert_eq!(steps[1], "home: take before-upgrade: queued");
    assert_eq!(
        steps[2],
        "home: take before-upgrade: 10.0 MiB of 100 MiB (10 %), 5.0 MiB/s, 18 s left"
    );
    assert_eq!((steps.len(), steps[5]), (6, ""), "the line is cleared at the end");
}

#[test]
fn a_daemon_that_goes_away_meanwhile_is_no_end() {
    let script = Script::default()
        .on("POST /v1/resources/home/snapshots", &accepted(running(1)))
        .hang_up("GET /v1/operations/402?wait=1");
    golden("take-out-of-sight", &Start::at(&Daemon::start(script)), "take home before-upgrade");
}

/// Each row of the table of changes, as the daemon's answer reads.
#[test]
fn the_wished_time_and_the_next_run_are_both_told() {
    let at_old = next("2026-11-22", "22T18:00:00");
    let check = |name: &str, next_run: Option<NextRun>, spread: u32| {
        let home = Resource { spread_seconds: spread, ..facts::home() };
        let script = Script::default()
            .on("PUT /v1/resources/home/time", &scheduled("set-time", schedule(next_run)))
            .on("GET /v1/resources/home", &facts::detail(home));
        let daemon = Daemon::start(script);
        golden(name, &Start::at(&daemon), "set-time home 15:00");
        assert_eq!(daemon.asked()[0].1, json!({"time": "15:00"}));
    };
    check("set-time-today", Some(next("2026-11-22", "22T14:00:00")), 0);
    check("set-time-tomorrow", Some(next("2026-11-23", "23T14:00:00")), 0);
    check("set-time-old-today", Some(at_old.clone()), 0);
    check("set-time-spread", Some(next("2026-11-22", "22T14:03:00")), 300);
    let late = NextRun { at: facts::at("22T10:05:00"), ..next("2026-11-22", "22T05:00:00") };
    check("set-time-catch-up", Some(NextRun { why: Why::CatchUp, ..late.clone() }), 0);
    check("set-time-retry", Some(NextRun { why: Why::Retry, retry: 2, ..late }), 0);
    check("set-time-never", None, 0);
}

#[test]
fn switching_on_and_off_and_back() {
    let off = Schedule { enabled: overridden(false, true), ..schedule(None) };
    let plain = Setting {
        value: "06:00 Europe/Berlin".to_owned(),
        source: Source::Config,
        configured: None,
    };
    let back = Schedule {
        rhythm: plain,
        time: Some("06:00".into()),
        ..schedule(Some(next("2026-11-23", "23T05:00:00")))
    };
    let on = schedule(Some(next("2026-11-22", "22T14:00:00")));
    let script = Script::default()
        .on("POST /v1/resources/home/enable", &scheduled("enable", on))
        .on("POST /v1/resources/home/disable", &scheduled("disable", off))
        .on("POST /v1/resources/home/reset", &scheduled("reset", back))
        .on("GET /v1/resources/home", &facts::detail(facts::home()));
    let daemon = Daemon::start(script);
    let start = Start::at(&daemon);
    golden("enable", &start, "enable home --time 15:00");
    golden("disable", &start, "disable home");
    golden("reset", &start, "reset home");
    assert_eq!(daemon.asked()[0].1, json!({"time": "15:00"}));
}

#[test]
fn each_change_sends_what_was_said_and_says_what_was_done() {
    let check = |line: &str, request: &str, body: Value, answer: Operation, want: &str| {
        let daemon = Daemon::start(Script::default().on(request, &accepted(answer)));
        let ran = Start::at(&daemon).ctl(line);
        assert_eq!((ran.code, ran.out.as_str()), (0, want), "{line}: {}", ran.err);
        assert_eq!(daemon.asked(), [(request.to_owned(), body)], "{line}");
    };
    check(
        "keep home@latest milestone --tag a=b",
        "POST /v1/snapshots/home@latest/keep",
        json!({"name": "milestone", "tags": {"a": "b"}}),
        Operation {
            detail: Some("from home@2026-11-21".into()),
            ..operation(1, "keep", Some("milestone"))
        },
        "home: kept milestone from home@2026-11-21\n",
    );
    check(
        "create copy --from milestone --path /srv/copy",
        "POST /v1/snapshots/milestone/create",
        json!({"name": "copy", "path": "/srv/copy"}),
        Operation {
            detail: Some("copy at /srv/copy".into()),
            ..operation(1, "create", Some("milestone"))
        },
        "home: created copy at /srv/copy from milestone\n",
    );
    check(
        "create copy --from milestone --path copy",
        "POST /v1/snapshots/milestone/create",
        json!({"name": "copy", "path": "/home/anna/copy"}),
        operation(1, "create", Some("milestone")),
        "home: created a resource from milestone\n",
    );
    check(
        "take home",
        "POST /v1/resources/home/snapshots",
        json!({"tags": {}}),
        operation(1, "take", Some("home-2026-11-22-1100")),
        "home: took home-2026-11-22-1100\n",
    );
    check(
        "undelete milestone",
        "POST /v1/snapshots/milestone/undelete",
        json!({}),
        operation(1, "undelete", Some("milestone")),
        "home: milestone is back\n",
    );
    check(
        "acknowledge home",
        "POST /v1/resources/home/acknowledge",
        json!({}),
        Operation {
            output: "accepted: home@2026-11-21: it is empty\n".into(),
            ..operation(1, "acknowledge", None)
        },
        "home: acknowledged; rotation goes on\n  accepted: home@2026-11-21: it is empty\n",
    );
}

#[test]
fn rotation_without_a_question_says_what_it_did_or_that_there_was_nothing_to_do() {
    let check = |beyond: &[&str], want: &str, asked: usize| {
        let beyond = beyond.iter().map(|label| (*label).to_owned()).collect();
        let detail = ResourceDetail { beyond, ..facts::detail(facts::home()) };
        let rotated = accepted(operation(1, "rotate", None));
        let script = Script::default()
            .on("GET /v1/resources/home", &detail)
            .on("POST /v1/resources/home/rotate", &rotated);
        let daemon = Daemon::start(script);
        let ran = Start::at(&daemon).ctl("rotate home --yes");
        assert_eq!((ran.code, ran.out.as_str()), (0, want), "{}", ran.err);
        assert_eq!(daemon.asked().len(), asked);
    };
    let dropping = "home: dropping snapshots beyond the retention limit\n";
    check(&["home@2026-11-10"], dropping, 2);
    check(&[], "nothing of home is beyond the 7 that stay\n", 1);
}
