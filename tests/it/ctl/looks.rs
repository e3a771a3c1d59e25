//! Commands that look: their text, their JSON, their exit codes.

use super::answers::{
    blueprints, changes, differences, fees, findings, forecasts, listing, only, operations,
    past_fees, plans, slots, snapshots,
};
use super::facts::{self, configured, db, home, overridden, web};
use super::run::fits;
use super::{Daemon, Script, Start, golden};
use heptad::api::wire::{
    Blueprints, Changes, Check, Fees, Operations, Plans, Reloaded, Resource, ResourceDetail,
    Snapshot, Snapshots,
};
use serde_json::Value;

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
        .on("GET /v1/resources/web", &facts::detail(web()))
        .on(
            "GET /v1/snapshots/rescue",
            &Snapshot {
                resource: "web".into(),
                kind: "disk".into(),
                part: "system-disk".into(),
                plan: web().plan,
                blueprint: web().blueprint,
                ..snapshots().snapshots[4].clone()
            },
        )
        .on("GET /v1/plans", &plans())
        .on("GET /v1/blueprints", &blueprints())
        .refuse("GET /v1/snapshots/web", 404, "no-such-snapshot", "no", "")
        .refuse("GET /v1/resources/rescue", 404, "no-such-resource", "no", "")
        .refuse("GET /v1/snapshots/home", 404, "no-such-snapshot", "no", "")
        .refuse("GET /v1/resources/before-upgrade", 404, "no-such-resource", "no", "")
        .on("GET /v1/snapshots/home@latest/tree", &listing(Some("b")))
        .on("GET /v1/snapshots/home@2026-11-21/tree?after=b", &listing(None))
        .on("GET /v1/snapshots/a-file/tree?path=etc%2Fcaf%5Cxe9", &only())
        .on("GET /v1/snapshots/before-upgrade/diff?against=home%40latest", &differences())
        .on("GET /v1/operations", &operations())
        .on("GET /v1/operations?resource=home&open=true&limit=5", &operations())
        .on("GET /v1/operations/405", &operations().operations[1])
        .on("GET /v1/forecast?days=2", &forecasts())
        .on("GET /v1/resources/home/forecast", &forecasts())
        .on("GET /v1/fee", &fees())
        .on("GET /v1/fee?month=2026-10", &past_fees())
        .on(
            "GET /v1/resources/home/fee",
            &Fees { resources: vec![fees().resources.swap_remove(1)], ..fees() },
        )
        .on("GET /v1/resources/home/slots?day=2026-11-21", &slots())
        .on("GET /v1/resources/home/slots", &slots())
        .on("POST /v1/check", &Check { loadable: false, findings: findings(), ..Check::default() })
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
    check("show-enrolled", "show web");
    check("show-system-disk", "show rescue");
    check("plans", "plans");
    check("blueprints", "blueprints");
    check("browse", "browse home@latest");
    check("browse-file", "browse a-file etc/caf\\xe9");
    check("diff", "diff before-upgrade home@latest");
    check("diff-exit-code", "-q diff before-upgrade home@latest --exit-code");
    check("operations", "operations");
    check("operation", "operation 405");
    check("forecast", "forecast --days 2");
    check("fee", "fee");
    check("fee-of-one", "fee home");
    check("fee-past", "fee --month 2026-10");
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
        .on("GET /v1/snapshots", &Snapshots { generation: 1, snapshots: vec![], next: None })
        .on("GET /v1/operations", &Operations { generation: 1, operations: vec![], next: None })
        .on("GET /v1/plans", &Plans { currency: "USD".into(), plans: vec![] })
        .on("GET /v1/blueprints", &Blueprints { blueprints: vec![] })
        .on("POST /v1/reload", &Reloaded::default())
        .on("POST /v1/check", &Check { loadable: true, ..Check::default() });
    let daemon = Daemon::start(empty);
    let check = |line: &str, want: &str| {
        let ran = Start::at(&daemon).ctl(line);
        assert_eq!((ran.code, ran.out.as_str()), (0, want), "{line}: {}", ran.err);
    };
    check("status", "no resource is configured; heptad 0.1.0, up 2 d 2 h\n");
    check("-q status", "");
    check("list", "no snapshots\n");
    check("operations", "no operations\n");
    check("plans", "no plans; declare one in a table [plan.NAME] of the configuration\n");
    check("blueprints", {
        "no blueprints; declare one in a table [blueprint.NAME] of the configuration\n"
    });
    check("reload", "reloaded; nothing changed\n");
    check("check", "the configuration is in order\n");
}

#[test]
fn how_long_ago_and_how_soon_are_by_the_daemons_clock() {
    let detail = ResourceDetail { now: facts::at("22T12:30:00"), ..facts::detail(home()) };
    let daemon = Daemon::start(Script::default().on("GET /v1/resources/home", &detail));
    let shown = Start::at(&daemon).ctl("status home").out;
    assert!(shown.contains("15:00 +01:00, in 1 h 30 min"), "{shown}");
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
    check("browse a-file etc/caf\\xe9", json(&only()));
    check("diff before-upgrade home@latest", json(&differences()));
    check("operations home --open --limit 5", json(&operations()));
    check("operation 405", json(&operations().operations[1]));
    check("forecast home", json(&forecasts()));
    check("fee", json(&fees()));
    check("plans", json(&plans()));
    check("blueprints", json(&blueprints()));
    check("why home", json(&slots()));
    check("check", json(&Check { loadable: false, findings: findings(), ..Check::default() }));
    let ran = Start::at(&daemon).ctl("watch --json");
    // That the daemon went away is the last line.
    let (lines, end) = ran.out.trim_end().rsplit_once('\n').unwrap();
    let lines: Vec<Changes> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines, changes());
    assert!(end.starts_with("{\"error\":{\"code\":\"ended\""), "{end}");
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
            .on(
                "POST /v1/check",
                &Check { loadable: true, findings: findings(), ..Check::default() },
            )
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
    check("check", 1);
    check("operation 405", 0);
    check("operation 405 --wait", 1);
    check("--version", 0);
    check("--help", 0);
    check("help", 0);
    check("", 2);
    check("status --frobnicate", 2);
}

#[test]
fn a_setting_of_a_command_shows_beside_the_files() {
    let off = Resource {
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

/// Ten of a kind, one of which has the longest name there is and one a note like a letter.
fn crowded() -> Script {
    let long = "n".repeat(200);
    let mut list = snapshots();
    list.snapshots.extend((1..=10).map(|day| Snapshot {
        notes: vec!["its guest agent froze the file systems: both disks at once".repeat(3)],
        ..facts::snapshot(&format!("home@2026-11-{day:02}"), day, "18T09:30:00")
    }));
    list.snapshots[7].label.clone_from(&long);
    let mut all: Vec<Resource> =
        (0..10).map(|number| Resource { name: format!("web-{number}"), ..home() }).collect();
    all[4].name.clone_from(&long);
    all.push(db());
    let mut busy = operations();
    busy.operations[0].resource.clone_from(&long);
    host()
        .on("GET /v1/status", &facts::status(all))
        .on("GET /v1/snapshots", &list)
        .on("GET /v1/operations", &busy)
}

#[test]
fn every_table_fits_its_terminal_and_a_pipe_gets_a_line_for_each_row() {
    let lines = [
        "status",
        "status db",
        "list",
        "operations",
        "operation 405",
        "forecast --days 2",
        "fee",
        "fee home",
        "plans",
        "blueprints",
        "browse home@latest",
        "show home",
        "show before-upgrade",
        "why home 2026-11-21",
        "check",
    ];
    for width in [Some(40), Some(80), Some(200), None] {
        for line in lines {
            // Those of `crowded` come after those of `host`: the last answer is for good.
            let daemon = Daemon::start(crowded());
            let start = Start { width, ..Start::at(&daemon) };
            if matches!(line, "status" | "list" | "operations") {
                start.ctl(line);
            }
            let ran = start.ctl(line);
            let wide = ran.out.lines().find(|line| !fits(line, width));
            assert_eq!(wide, None, "{line} in {width:?}:\n{}", ran.out);
            let rows = ran.out.lines().filter(|row| row.starts_with("home@2026-11-")).count();
            if line == "list" {
                assert_eq!(rows, 2 + 1 + 9, "{width:?}:\n{}", ran.out);
                let most = [(Some(40), 60), (Some(80), 28), (Some(200), 21), (None, 20)];
                let most = most.iter().find(|(of, _)| *of == width).unwrap().1;
                assert!(ran.out.lines().count() <= most, "{width:?}:\n{}", ran.out);
            }
        }
    }
}

#[test]
fn all_times_are_in_the_zone_of_whoever_looks_and_it_is_named_once() {
    let daemon = Daemon::start(host());
    let zone = |name: &str| jiff::tz::TimeZone::get(name).ok();
    let check = |zone: Option<jiff::tz::TimeZone>, line: &str, head: &str, time: &str| {
        let ran = Start { zone, ..Start::at(&daemon) }.ctl(line);
        assert_eq!(ran.out.matches(head).count(), 1, "{line}: {}", ran.out);
        assert!(ran.out.contains(time), "{line}: {}", ran.out);
    };
    check(zone("Europe/Berlin"), "list --all", "TAKEN (Europe/Berlin)", "2026-11-21 15:00  ");
    check(zone("Asia/Kolkata"), "list --all", "TAKEN (Asia/Kolkata)", "2026-11-21 19:30  ");
    check(None, "list --all", "TAKEN (UTC)", "2026-11-21 14:00  ");
    check(zone("Asia/Kolkata"), "list --all --utc", "TAKEN (UTC)", "2026-11-21 14:00  ");
    check(zone("Asia/Kolkata"), "status", "NEXT (Asia/Kolkata)", "2026-11-22 19:30");
    check(zone("Asia/Kolkata"), "operations --utc", "WHEN (UTC)", "2026-11-22 10:00  ");
    check(zone("Asia/Kolkata"), "browse home@latest", "MODIFIED (Asia/Kolkata)", "15:45  ");
    check(zone("Asia/Kolkata"), "status db", "+05:30, in 15 min", "2026-11-22 15:45");
}
