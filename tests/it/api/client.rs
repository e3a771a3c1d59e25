//! What a client hears when there is no answer.

use super::stub::Scene;
use heptad::api::client::{Client, ClientError};
use heptad::api::wire::ForgetBody;
use heptad::api::wire::Leftovers;
use heptad::api::wire::TakeBody;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::thread;
use std::time::Duration;

#[test]
fn each_reason_for_no_answer_has_its_own_error_and_a_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let check = |name: &str, code: &str| {
        let client = Client::new(path(name)).unwrap().with_timeout(Duration::from_millis(300));
        let error = client.status().unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(!error.to_string().is_empty());
        error
    };
    assert!(check("nothing", "no-socket").hint().contains("systemctl start heptad"));
    drop(UnixListener::bind(path("dead")).unwrap());
    assert!(check("dead", "nobody-listens").hint().contains("journalctl"));
    let _silent = UnixListener::bind(path("silent")).unwrap();
    check("silent", "timeout");
}

#[test]
fn another_program_on_the_socket_is_recognised() {
    let check = |answer: &'static [u8], code: &str| {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("s")).unwrap();
        let speaker = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).unwrap();
            assert!(read > 0);
            stream.write_all(answer).unwrap();
        });
        let error = Client::new(dir.path().join("s")).unwrap().status().unwrap_err();
        speaker.join().unwrap();
        assert_eq!(error.code(), code, "{error}");
    };
    check(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "garbled");
    check(b"HTTP/1.1 502 Bad\r\ncontent-length: 2\r\n\r\nno", "garbled");
    check(b"SSH-2.0-OpenSSH\r\n", "broken");
    check(b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{", "broken");
}

#[test]
fn a_refusal_arrives_with_its_code_and_hint() {
    let scene = Scene::new();
    let client = Client::new(scene.socket()).unwrap();
    let check = |error: ClientError, status: u16, code: &str, hint: &str| {
        assert_eq!((error.code(), error.hint().as_str()), (code, hint));
        assert!(matches!(error, ClientError::Refused { status: got, .. } if got == status));
    };
    let error = client.resource("wbe-1").unwrap_err();
    check(error, 404, "no-such-resource", "did you mean web-1?");
    let error = client.take("web-1", &TakeBody::named("a/b")).unwrap_err();
    check(error, 400, "bad-name", "choose another");
    // Nothing that a user types can become another route.
    let error = client.snapshot("../resources?x#y z").unwrap_err();
    assert_eq!(error.code(), "bad-reference");
}

#[test]
fn every_verb_reaches_the_daemon() {
    let scene = Scene::new();
    let client = Client::new(scene.socket()).unwrap();
    client.enable("web-1", Some("07:30")).unwrap();
    client.disable("web-1").unwrap();
    client.reset("web-1").unwrap();
    client.acknowledge("web-1").unwrap();
    client.rotate("web-1").unwrap();
    client
        .forget("web-1", &ForgetBody { automatic: Leftovers::Trash, ..ForgetBody::default() })
        .unwrap();
    client.delete("web-1@2026-11-22", true).unwrap();
    client.undelete("web-1@2026-11-22").unwrap();
    assert_eq!(client.reload().unwrap().added, ["db"]);
    assert!(client.check().unwrap().loadable);
    let taken = client.take("web-1", &TakeBody::named("by-hand")).unwrap().operation.id;
    let mut glances = 0;
    let finished = client.finish(taken, |_| {
        glances += 1;
        scene.stub.finish(taken);
    });
    assert!(!finished.unwrap().state.is_open());
    assert_eq!(glances, 1);
    let asked: Vec<String> = scene
        .stub
        .asked()
        .iter()
        .map(|(_, _, request)| format!("{request:?}").split([' ', '{']).next().unwrap().to_owned())
        .collect();
    let want = "Enable Disable Reset Acknowledge Rotate Forget Delete Undelete Take";
    assert_eq!(asked.join(" "), want);
}
