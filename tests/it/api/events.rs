//! Hearing of changes, and the end of it.

use super::stub::Scene;
use heptad::api::client::{Client, ClientError};
use heptad::api::server::Limits;
use heptad::api::wire::TakeBody;
use heptad::api::wire::{Changes, OperationState};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

fn client(scene: &Scene) -> Client {
    Client::new(scene.socket()).unwrap()
}

fn trouble(scene: &Scene, text: &str) {
    scene.stub.turn(|ledger| {
        ledger.account_mut(&"web-1".parse().unwrap()).unwrap().trouble = Some(text.into());
    });
}

#[test]
fn a_long_poll_on_an_operation_wakes_when_it_is_finished() {
    let scene = Scene::new();
    let accepted = client(&scene).take("web-1", &TakeBody::named("by-hand")).unwrap();
    assert_eq!(accepted.operation.state, OperationState::Queued);
    assert_eq!(accepted.operation.snapshot.as_deref(), Some("by-hand"));
    let id = accepted.operation.id;
    let still = client(&scene).operation(id, Some(0)).unwrap();
    assert_eq!(still.state, OperationState::Queued);
    let waiting = client(&scene);
    let before = scene.stub.listeners();
    let waiter = thread::spawn(move || waiting.operation(id, Some(60)).unwrap());
    // Not before it listens, so that it really has to wake.
    while scene.stub.listeners() == before {
        thread::yield_now();
    }
    scene.stub.finish(id);
    assert_eq!(waiter.join().unwrap().state, OperationState::Succeeded);
}

#[test]
fn a_long_poll_on_changes_tells_what_was_missed_and_wakes_on_the_next() {
    let scene = Scene::new();
    let from = scene.stub.generation();
    let nothing = client(&scene).changes(from, 0).unwrap();
    assert_eq!(nothing, Changes { generation: from, ..Changes::default() });
    trouble(&scene, "one");
    trouble(&scene, "two");
    let missed = client(&scene).changes(from, 60).unwrap();
    assert_eq!((missed.generation, missed.whole, missed.resources.len()), (from + 2, false, 1));
    assert_eq!(missed.resources[0].alarms[0].sentence, "two");
    let waiting = client(&scene);
    let before = scene.stub.listeners();
    let waiter = thread::spawn(move || waiting.changes(from + 2, 60).unwrap());
    while scene.stub.listeners() == before {
        thread::yield_now();
    }
    trouble(&scene, "three");
    assert_eq!(waiter.join().unwrap().generation, from + 3);
    // A generation of another life.
    let whole = client(&scene).changes(from + 99, 60).unwrap();
    assert!(whole.whole && whole.resources.len() == 1);
}

#[test]
fn the_stream_delivers_every_change_in_order() {
    let scene = Scene::new();
    let (heard, listen) = mpsc::channel();
    let watching = client(&scene);
    let watcher = thread::spawn(move || {
        let mut left = 4;
        watching.watch(None, |changes| {
            left -= 1;
            heard.send(changes).unwrap();
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    });
    let next = || listen.recv_timeout(Duration::from_secs(20)).unwrap();
    let from = scene.stub.generation();
    assert_eq!(next(), Changes { generation: from, ..Changes::default() });
    let id = client(&scene).take("web-1", &TakeBody::named("by-hand")).unwrap().operation.id;
    assert_eq!(next().operations[0].state, OperationState::Queued);
    scene.stub.finish(id);
    assert_eq!(next().operations[0].state, OperationState::Succeeded);
    scene.stub.turn(|ledger| ledger.accounts.clear());
    assert_eq!(next().gone, ["web-1"]);
    watcher.join().unwrap().unwrap();
}

#[test]
fn a_stream_begins_where_it_broke_off() {
    let scene = Scene::new();
    let from = scene.stub.generation();
    trouble(&scene, "one");
    let mut heard = Vec::new();
    let watched = client(&scene).watch(Some(from), |changes| {
        heard.push(changes);
        ControlFlow::Break(())
    });
    watched.unwrap();
    assert_eq!((heard[0].generation, heard[0].resources.len()), (from + 1, 1));
}

#[test]
fn stopping_ends_streams_and_long_polls_at_once() {
    // A stop that waited for them would take the whole time of grace, and the test's deadline.
    let mut scene = Scene::with(Limits { grace: Duration::from_secs(600), ..Limits::default() });
    let (heard, listen) = mpsc::channel();
    let (watching, waiting) = (client(&scene), client(&scene));
    let watcher = thread::spawn(move || {
        watching.watch(None, |_| {
            heard.send(()).unwrap();
            ControlFlow::Continue(())
        })
    });
    listen.recv_timeout(Duration::from_secs(20)).unwrap();
    let id = client(&scene).take("web-1", &TakeBody::named("by-hand")).unwrap().operation.id;
    let before = scene.stub.listeners();
    let waiter = thread::spawn(move || waiting.operation(id, Some(300)));
    while scene.stub.listeners() == before {
        thread::yield_now();
    }
    scene.end();
    assert!(matches!(watcher.join().unwrap(), Err(ClientError::Ended)));
    assert_eq!(waiter.join().unwrap().unwrap().state, OperationState::Queued);
    assert!(!scene.socket().exists());
    assert!(matches!(client(&scene).status(), Err(ClientError::NoSocket { .. })));
}

/// The data of the next event of this name.
fn next(stream: &mut impl BufRead, name: &str) -> Value {
    let line = |stream: &mut dyn BufRead| {
        let mut line = String::new();
        assert!(stream.read_line(&mut line).unwrap() > 0, "the stream has ended");
        line.trim_end().to_owned()
    };
    while line(stream) != format!("event: {name}") {}
    loop {
        if let Some(data) = line(stream).strip_prefix("data: ") {
            return serde_json::from_str(data).unwrap();
        }
    }
}

#[test]
fn a_stream_tells_how_far_operations_are_when_there_is_something_new() {
    let scene = Scene::new();
    let mut stream = UnixStream::connect(scene.socket()).unwrap();
    stream.write_all(b"GET /v1/events HTTP/1.1\r\nHost: heptad\r\n\r\n").unwrap();
    let mut stream = BufReader::new(stream);
    next(&mut stream, "changes");
    for done in [5, 9] {
        scene.stub.done.store(done, Ordering::SeqCst);
        let told = next(&mut stream, "progress");
        let one = &told["operations"][0];
        assert_eq!((&one["id"], &one["progress"]["done_bytes"]), (&json!(7), &json!(done)));
        assert_eq!(one["progress"]["total_bytes"], 20);
    }
    // Changes go on between them.
    trouble(&scene, "one");
    assert_eq!(next(&mut stream, "changes")["resources"][0]["alarms"][0]["sentence"], "one");
}
