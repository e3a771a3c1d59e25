//! No daemon, no rights, the wrong socket, a refusal: a sentence that says what to do, and a code.

use super::facts;
use super::{Daemon, Script, Start, golden};
use std::os::unix::net::UnixListener;

#[test]
fn without_a_daemon_there_is_a_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("heptad.sock");
    golden("no-socket", &Start::socket(socket.clone()), "status");
    drop(UnixListener::bind(&socket).unwrap());
    golden("nobody-listens", &Start::socket(socket.clone()), "status");
    std::fs::remove_file(&socket).unwrap();
    std::fs::write(&socket, "").unwrap();
    assert_eq!(Start::socket(socket).ctl("status").code, 3);
}

#[test]
fn a_daemon_that_does_not_start_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("heptad.sock");
    // Open, as systemd holds it, and nobody accepts.
    let _listens = UnixListener::bind(&socket).unwrap();
    let start = Start { failing: Some(|_| true), ..Start::socket(socket) };
    golden("does-not-start", &start, "status");
}

#[test]
fn another_program_at_the_socket_is_known_as_such() {
    let check = |greeting: &'static str, part: &str| {
        let daemon = Daemon::stranger(greeting);
        let ran = Start::at(&daemon).ctl("status");
        assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{greeting:?}");
        assert!(ran.err.contains(part), "{greeting:?}: {}", ran.err);
    };
    check("SSH-2.0-OpenSSH_10.0\r\n", "is not heptad");
    check("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "is not heptad");
    check("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "is not heptad");
    check("", "the connection broke");
    golden("not-heptad", &Start::at(&Daemon::stranger("220 mail ESMTP\r\n")), "list");
}

#[test]
fn refusals_come_with_their_hint_and_a_code_for_each_kind() {
    let script = Script::default()
        .refuse(
            "GET /v1/resources/hoem",
            404,
            "no-such-resource",
            "there is no resource hoem",
            "did you mean home?",
        )
        .refuse("GET /v1/snapshots/hoem", 404, "no-such-snapshot", "there is no snapshot hoem", "")
        .refuse(
            "POST /v1/reload",
            403,
            "admins-only",
            "only root and the group heptad-admin may reload",
            "ask an administrator",
        )
        .refuse(
            "PUT /v1/resources/home/time",
            422,
            "bad-time",
            "25:00 is not a valid time of day",
            "HH:MM, from 00:00 to 23:59",
        );
    let daemon = Daemon::start(script);
    let start = Start::at(&daemon);
    golden("refused", &start, "status hoem");
    golden("refused-json", &start, "status hoem --json");
    golden("refused-show", &start, "show hoem");
    golden("no-permission", &start, "reload");
    golden("refused-time", &start, "set-time home 25:00");
    assert_eq!(start.ctl("take home x --tag a=1 --tag a=2").code, 2);
}

#[test]
fn with_json_every_error_has_the_one_shape_on_standard_output() {
    let dir = tempfile::tempdir().unwrap();
    let nowhere = Start::socket(dir.path().join("heptad.sock"));
    let script = Script::default()
        .refuse("GET /v1/resources/hoem", 404, "no-such-resource", "there is none", "")
        .refuse("GET /v1/snapshots/hoem", 404, "no-such-snapshot", "there is none", "");
    let daemon = Daemon::start(script);
    let there = Start::at(&daemon);
    for (start, line, code, exit) in [
        (&nowhere, "status --json", "no-socket", 3),
        (&nowhere, "statsu --json", "usage", 2),
        (&nowhere, "--json take", "usage", 2),
        (&nowhere, "delete x --json", "unconfirmed", 2),
        (&nowhere, "take home x --json --tag a=1 --tag a=2", "tag-twice", 2),
        (&there, "show hoem --json", "unknown", 1),
        (&there, "status hoem --json", "no-such-resource", 1),
    ] {
        let ran = start.ctl(line);
        assert_eq!(ran.code, exit, "{line}: {}", ran.err);
        let said: serde_json::Value = serde_json::from_str(&ran.out).expect(line);
        let error = &said["error"];
        assert_eq!(error["code"], code, "{line}");
        for part in ["message", "hint"] {
            assert!(error[part].is_string(), "{line}: {said}");
        }
        assert!(!error["message"].as_str().unwrap().is_empty(), "{line}");
    }
}

#[test]
fn the_end_of_a_watch_is_told() {
    let script = Script::default()
        .on("GET /v1/status", &facts::status(vec![facts::home()]))
        .stream("GET /v1/events?after=77", &[] as &[()]);
    golden("watch-ended", &Start::at(&Daemon::start(script)), "watch");
}
