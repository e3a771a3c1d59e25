//! Commands that look: their text, their JSON, their exit codes.

use super::facts::{self, at, configured, db, home, overridden, snapshot};
use super::{Daemon, Script, Start, golden};
use heptad::api::wire::{
    Alarm, Changes, Check, Drop, Fate, Finding, Forecast, Forecasts, Hold, Mark, Operation,
    OperationState, Operations, Reloaded, Slot, Slots, Snapshot, SnapshotState, Snapshots, Tags,
    Take, Why,
};
use serde_json::Value;

fn snapshots() -> Snapshots {
    let state = |state| Snapshot { state, ..snapshot("home@2026-11-19", 19, "19T14:00:01") };
    let snapshots = vec![
        Snapshot {
            resource: "db".into(),
            reason: Some("empty, though the one before held 31415 entries".into()),
            stored_bytes: None,
            rotation: Some("suspect".into()),
            ..Snapshot { label: "db@2026-11-11".into(), ..state(SnapshotState::Suspect) }
        },
        snapshot("home@2026-11-21", 21, "21T14:00:02"),
        Snapshot {
            kept_as: vec!["before-upgrade".into(), "the-good-one".into()],
            rotation: Some("latest 2".into()),
            ..snapshot("home@2026-11-20", 20, "20T14:00:01")
        },
        Snapshot { rotation: None, ..state(SnapshotState::Missing) },
        Snapshot {
            kept_from: Some("home@2026-11-20".into()),
            rotation: Some("manual".into()),
            tags: Tags::from([("why".into(), "upgrade of the kernel".into())]),
            ..snapshot("before-upgrade", 18, "20T14:00:01")
        },
        Snapshot {
            fate: Fate::Trashed,
            trash_seconds_left: Some(82_800),
            rotation: None,
            ..snapshot("experiment", 17, "18T09:30:00")
        },
    ];
    Snapshots { generation: 77, snapshots }
}

fn operations() -> Operations {
    let failure = heptad::api::wire::Failure {
        fault: "no-space".into(),
        message: "the file system is full: 0 B of 931 GiB are free".into(),
    };
    let failed = Operation {
        state: OperationState::Failed,
        failure: Some(failure),
        cause: "schedule".into(),
        uid: None,
        tries: 2,
        output: "hook: flushing\nhook: \u{1b}[2Jdone\n".into(),
        ..facts::operation(405, "take", Some("home@2026-11-22"))
    };
    let set = Operation { detail: Some("15:00".into()), ..facts::operation(402, "set-time", None) };
    Operations { generation: 77, operations: vec![db().running.unwrap(), failed, set] }
}

fn forecasts() -> Forecasts {
    let take = |day: u8, drops| Take {
        at: at(&format!("{day}T14:00:00")),
        snapshot: format!("home@2026-11-{day}"),
        why: Why::Scheduled,
        drops,
    };
    let drop =
        |snapshot: &str, reason: &str| Drop { snapshot: snapshot.into(), reason: reason.into() };
    let hold = |day: u8, reason: &str, exists| Hold {
        snapshot: format!("home@2026-11-{day}"),
        reason: reason.into(),
        exists,
    };
    let home = Forecast {
        resource: "home".into(),
        until: at("24T10:00:00"),
        waits: None,
        idle: None,
        takes: vec![
            take(22, vec![drop("home@2026-11-15", "beyond the latest 7")]),
            take(23, vec![drop("home@2026-11-16", "beyond the latest 7")]),
        ],
        cut_short: false,
        stays: vec![hold(23, "latest 1", false), hold(22, "latest 2", false), {
            hold(21, "latest 3", true)
        }],
    };
    let db = Forecast {
        resource: "db".into(),
        waits: Some("db@2026-11-11 is suspect; `heptactl acknowledge db` if it is right".into()),
        idle: Some("automatic snapshots are off".into()),
        takes: Vec::new(),
        cut_short: true,
        stays: Vec::new(),
        ..home.clone()
    };
    Forecasts { now: facts::now(), days: 2, forecasts: vec![db, home] }
}

fn slots() -> Slots {
    let open = Slot {
        slot: "2026-11-22".into(),
        mark: Mark::None,
        outcome: None,
        reason: None,
        attempts: 0,
        started: None,
        finished: None,
        late_seconds: None,
        operation: None,
        snapshot: None,
        due: at("22T14:00:00"),
        end: at("22T23:00:00"),
    };
    let kept = Slot { mark: Mark::Kept, ..facts::slot() };
    Slots {
        resource: "home".into(),
        day: "2026-11-21".into(),
        zone: "Europe/Berlin".into(),
        slots: vec![facts::failed_slot(), kept, open],
        note: Some("the next one is due on 2026-11-22 at 15:00".into()),
    }
}

fn findings() -> Vec<Finding> {
    let finding = Finding {
        file: Some("/etc/heptad/heptad.toml".into()),
        line: Some(12),
        key: Some("resource.home.tme".into()),
        message: "there is no such key".into(),
        hint: Some("did you mean `time`?".into()),
    };
    let bare = Finding { message: "no resource is declared".into(), ..Finding::default() };
    vec![finding, bare]
}

fn changes() -> Vec<Changes> {
    let running = db().running.unwrap();
    let failure = Some(heptad::api::wire::Failure {
        fault: "hook".into(),
        message: "the hook /etc/heptad/flush said:\nno".into(),
    });
    let failed = Operation { state: OperationState::Failed, failure, ..running.clone() };
    let one = |operations, resources| Changes { operations, resources, ..Changes::default() };
    let alarm = Alarm {
        code: "trouble".into(),
        sentence: "/srv/home is not mounted".into(),
        hint: "mount it".into(),
    };
    let in_alarm = heptad::api::wire::Resource { alarms: vec![alarm], ..home() };
    let well = heptad::api::wire::Resource { alarms: Vec::new(), ..db() };
    let gone = Changes { gone: vec!["old".into()], ..Changes::default() };
    vec![
        one(vec![running.clone()], vec![home()]),
        one(vec![running], vec![]),
        one(vec![failed.clone()], vec![in_alarm.clone()]),
        one(vec![failed], vec![in_alarm, well]),
        gone,
    ]
}

fn host() -> Script {
    Script::default()
        .on("GET /v1/status", &facts::status(vec![db(), home()]))
        .on("GET /v1/resources", &facts::resources())
        .on("GET /v1/resources/home", &facts::detail(home()))
        .on("GET /v1/resources/db", &facts::detail(db()))
        .on("GET /v1/snapshots", &snapshots())
        .on("GET /v1/snapshots?all=true", &snapshots())
        .on("GET /v1/snapshots?resource=home&origin=manual", &snapshots())
        .on("GET /v1/snapshots/before-upgrade", &snapshots().snapshots[4])
        .on("GET /v1/snapshots/home@latest", &snapshots().snapshots[1])
        .refuse("GET /v1/snapshots/home", 404, "no-such-snapshot", "no", "")
        .refuse("GET /v1/resources/before-upgrade", 404, "no-such-resource", "no", "")
        .on("GET /v1/operations", &operations())
        .on("GET /v1/operations?resource=home&open=true&limit=5", &operations())
        .on("GET /v1/operations/405", &operations().operations[1])
        .on("GET /v1/forecast?days=2", &forecasts())
        .on("GET /v1/resources/home/forecast", &forecasts())
        .on("GET /v1/resources/home/slots?day=2026-11-21", &slots())
        .on("GET /v1/resources/home/slots", &slots())
        .on("POST /v1/check", &Check { loadable: false, findings: findings() })
        .on(
            "POST /v1/reload",
            &Reloaded {
                added: vec!["web-1".into(), "web-2".into()],
                changed: vec!["home".into()],
                removed: vec![],
                findings: vec![],
            },
        )
        .stream("GET /v1/events?after=77", &changes())
}

#[test]
fn each_look_has_its_text() {
    let daemon = Daemon::start(host());
    let start = Start::at(&daemon);
    let check = |name: &str, line: &str| golden(name, &start, line);
    check("status", "status");
    check("status-of-one", "status db");
    check("status-quiet", "-q status");
    check("list", "list --all");
    check("show-resource", "show home");
    check("show-snapshot", "show before-upgrade");
    check("operations", "operations");
    check("operation", "operation 405");
    check("forecast", "forecast --days 2");
    check("why", "why home 2026-11-21");
    check("check", "check");
    check("reload", "reload");
    check("watch", "watch");
}

#[test]
fn other_terminals_get_other_text() {
    let daemon = Daemon::start(host());
    let start = Start::at(&daemon);
    golden("status-ascii", &Start { unicode: false, ..start.clone() }, "status");
    golden("list-narrow", &Start { width: Some(48), ..start.clone() }, "list --all");
    golden("status-narrow", &Start { width: Some(48), ..start.clone() }, "status");
    golden("list-piped", &Start { width: None, ..start }, "list --all");
}

#[test]
fn colour_follows_the_terminal_and_the_wish() {
    let daemon = Daemon::start(host());
    let colour = |line: &str| Start::at(&daemon).ctl(line).out.contains('\u{1b}');
    assert!(!colour("status"));
    assert!(colour("status --color always"));
    assert!(!colour("status --color never"));
    // NO_COLOR is set in these tests.
    assert!(!Start::at(&daemon).on_a_terminal("").ctl("status").out.contains('\u{1b}'));
}

#[test]
fn an_empty_daemon_has_something_to_say() {
    let empty = Script::default()
        .on("GET /v1/status", &facts::status(vec![]))
        .on("GET /v1/resources", &facts::resources())
        .on("GET /v1/snapshots", &Snapshots { generation: 1, snapshots: vec![] })
        .on("GET /v1/operations", &Operations { generation: 1, operations: vec![] })
        .on("POST /v1/reload", &Reloaded::default())
        .on("POST /v1/check", &Check { loadable: true, findings: vec![] });
    let daemon = Daemon::start(empty);
    let check = |line: &str, want: &str| {
        let ran = Start::at(&daemon).ctl(line);
        assert_eq!((ran.code, ran.out.as_str()), (0, want), "{line}: {}", ran.err);
    };
    check("status", "no resource is configured; heptad 0.1.0, up 2 d 2 h\n");
    check("-q status", "");
    check("list", "no snapshots\n");
    check("operations", "no operations\n");
    check("reload", "reloaded; nothing changed\n");
    check("check", "the configuration is in order\n");
}

#[test]
fn json_is_what_the_wire_said() {
    let daemon = Daemon::start(host());
    let check = |line: &str, want: Value| {
        let ran = Start::at(&daemon).ctl(&format!("{line} --json"));
        let got: Value = serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{line}: {e}"));
        assert_eq!(got, want, "{line}");
        assert!(ran.out.ends_with("}\n") && ran.out.starts_with("{\n  \""), "{line} is indented");
    };
    let json = |value: &dyn erased::Json| value.json();
    check("status", json(&facts::status(vec![db(), home()])));
    check("status home", json(&facts::detail(home())));
    check("list", json(&snapshots()));
    check("list home --origin manual", json(&snapshots()));
    check("show home", json(&facts::detail(home())));
    check("show home@latest", json(&snapshots().snapshots[1]));
    check("operations home --open --limit 5", json(&operations()));
    check("operation 405", json(&operations().operations[1]));
    check("forecast home", json(&forecasts()));
    check("why home", json(&slots()));
    check("check", json(&Check { loadable: false, findings: findings() }));
    let ran = Start::at(&daemon).ctl("watch --json");
    let lines: Vec<Changes> = ran.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines, changes());
}

mod erased {
    /// A value as JSON, whatever its type.
    pub trait Json {
        fn json(&self) -> serde_json::Value;
    }

    impl<T: serde::Serialize> Json for T {
        fn json(&self) -> serde_json::Value {
            serde_json::to_value(self).unwrap()
        }
    }
}

#[test]
fn nothing_from_elsewhere_reaches_the_terminal_unescaped() {
    let evil = "\u{1b}]0;owned\u{7}\r\n\u{202e}txt.exe\u{9b}2J";
    let text = serde_json::to_string(&facts::status(vec![db(), home()])).unwrap();
    // Every free text of the answer is hostile.
    let mut status: Value = serde_json::from_str(&text).unwrap();
    poison(&mut status, evil);
    let mut list = serde_json::to_value(snapshots()).unwrap();
    poison(&mut list, evil);
    let mut operation = serde_json::to_value(&operations().operations[1]).unwrap();
    poison(&mut operation, evil);
    let script = Script::default()
        .on("GET /v1/status", &status)
        .on("GET /v1/resources", &facts::resources())
        .on("GET /v1/snapshots", &list)
        .on("GET /v1/operations/1", &operation)
        .refuse("GET /v1/resources/x/slots", 404, "no", evil, evil);
    let daemon = Daemon::start(script);
    for line in ["status", "list", "operation 1", "why x"] {
        let ran = Start::at(&daemon).ctl(line);
        let shown = format!("{}{}", ran.out, ran.err);
        assert!(shown.contains("\\u{1b}]0;owned\\u{7}"), "{line}: {shown}");
        let raw = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert_eq!(shown.chars().find(|c| raw(*c)), None, "{line}");
    }
}

/// Puts a text at the end of each one that is neither a time nor a word of the wire.
fn poison(value: &mut Value, evil: &str) {
    let free = ["name", "label", "resource", "sentence", "hint", "message", "output", "rotation"];
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if free.contains(&key.as_str()) => text.push_str(evil),
                    other => poison(other, evil),
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|value| poison(value, evil)),
        _ => {}
    }
}

#[test]
fn exit_codes_of_looks_tell_alarms_and_faults() {
    let daemon = Daemon::start(
        Script::default()
            .on("GET /v1/status", &facts::status(vec![home()]))
            .on("GET /v1/resources/home", &facts::detail(home()))
            .on("GET /v1/resources/db", &facts::detail(db()))
            .on("POST /v1/check", &Check { loadable: true, findings: findings() })
            .on("GET /v1/operations/405", &operations().operations[1])
            .on("GET /v1/resources", &facts::resources()),
    );
    let check = |line: &str, want: u8| {
        let ran = Start::at(&daemon).ctl(line);
        assert_eq!(ran.code, want, "{line}: {}", ran.err);
    };
    check("status", 0);
    check("status home", 0);
    check("status db", 5);
    check("status db --json", 5);
    check("check", 0);
    check("operation 405", 0);
    check("operation 405 --wait", 1);
    check("--version", 0);
    check("--help", 0);
    check("help", 2);
    check("", 2);
    check("status --frobnicate", 2);
}

#[test]
fn a_setting_of_a_command_shows_beside_the_files() {
    let off = heptad::api::wire::Resource {
        enabled: overridden(false, true),
        rhythm: configured("06:00 UTC".into()),
        next_run: None,
        newest_complete: None,
        newest_complete_age_seconds: None,
        ..home()
    };
    let script = Script::default().on("GET /v1/resources/home", &facts::detail(off));
    golden("status-off", &Start::at(&Daemon::start(script)), "status home");
}
