//! Large answers: page by page, a few of each user at a time, and in nobody's way.

use super::caller::{connect, curl, get, output, rest, send_json, status};
use super::stub::{OPERATORS, Scene};
use heptad::api::client::Client;
use heptad::api::server::Limits;
use heptad::api::wire::{OperationsQuery, SnapshotsQuery, TakeBody};
use serde_json::Value;
use std::io::{Read, Write};
use std::process::Stdio;
use std::time::Duration;

fn client(scene: &Scene) -> Client {
    Client::new(scene.socket()).unwrap()
}

/// All pages of a list: how many there were, and what is in them in order.
fn pages(scene: &Scene, path: &str, list: &str, cursor: &str, id: &str) -> (usize, Vec<String>) {
    let (mut pages, mut seen, mut next) = (0, Vec::new(), Value::Null);
    loop {
        let place = match &next {
            Value::Null => String::new(),
            Value::String(text) => format!("&{cursor}={}", text.replace('#', "%23")),
            number => format!("&{cursor}={number}"),
        };
        let (status, answer) = get(scene, &format!("{path}{place}"));
        assert_eq!(status, 200, "{path}{place}: {answer}");
        let text = |one: &Value| one[id].to_string().trim_matches('"').to_owned();
        seen.extend(answer[list].as_array().unwrap().iter().map(text));
        (pages, next) = (pages + 1, answer["next"].clone());
        if next.is_null() {
            return (pages, seen);
        }
    }
}

#[test]
fn every_list_comes_page_by_page_and_whole() {
    let scene = Scene::crowded(Limits::default(), 5);
    for n in 0..7 {
        let body = format!("{{\"name\":\"by-hand-{n}\"}}");
        send_json(&scene, "POST /v1/resources/web-2/snapshots", &body);
    }
    let check = |path: &str, list: &str, cursor: &str, id: &str, limits: &[(u32, usize)]| {
        let (one, whole) = pages(&scene, path, list, cursor, id);
        assert_eq!(one, 1, "{path}");
        for (limit, want) in limits {
            let path = format!("{path}&limit={limit}");
            let (count, seen) = pages(&scene, &path, list, cursor, id);
            assert_eq!((count, &seen), (*want, &whole), "{path}");
        }
        whole.len()
    };
    let snapshots = "/v1/snapshots?all=true";
    assert_eq!(check(snapshots, "snapshots", "after", "label", &[(1, 35), (7, 5), (34, 2)]), 35);
    let of_one = "/v1/snapshots?resource=web-3";
    assert_eq!(check(of_one, "snapshots", "after", "label", &[(3, 3), (7, 1)]), 7);
    assert_eq!(check("/v1/resources?", "resources", "after", "name", &[(2, 3), (5, 1)]), 5);
    assert_eq!(check("/v1/forecast?days=3", "forecasts", "after", "resource", &[(2, 3)]), 5);
    // Whether there are older ones shows at the next page.
    assert_eq!(check("/v1/operations?", "operations", "before", "id", &[(3, 3), (7, 2)]), 7);
    for path in ["/v1/snapshots?after=web-1", "/v1/resources?after=a/b", "/v1/snapshots?limit=0"] {
        assert_eq!(get(&scene, path).0, 400, "{path}");
    }
}

#[test]
fn the_client_goes_on_to_the_last_page() {
    let scene = Scene::crowded(Limits::default(), 1_100);
    let all = client(&scene).snapshots(&SnapshotsQuery::default()).unwrap();
    assert_eq!((all.snapshots.len(), all.next), (7_700, None));
    assert_eq!(client(&scene).resources().unwrap().resources.len(), 1_100);
    let forecast = client(&scene).forecast(None, Some(30)).unwrap();
    assert_eq!((forecast.forecasts.len(), forecast.next), (1_100, None));
    for n in 0..1_050 {
        client(&scene).take("web-1", &TakeBody::named(format!("by-hand-{n}"))).unwrap();
    }
    let query = OperationsQuery { limit: Some(1_040), ..OperationsQuery::default() };
    assert_eq!(client(&scene).operations(&query).unwrap().operations.len(), 1_040);
}

#[test]
fn no_answer_is_larger_than_a_page_however_much_there_is() {
    let scene = Scene::crowded(Limits::default(), 1_000);
    let check = |path: &str, most: usize| {
        let mut stream = connect(&scene);
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let answer = rest(&mut stream);
        assert_eq!(status(&answer), 200, "{path}");
        assert!(answer.len() < most, "{path}: {} bytes", answer.len());
    };
    check("/v1/forecast?days=366", 2_000_000);
    check("/v1/snapshots?all=true", 2_000_000);
    check("/v1/operations?limit=1000", 2_000_000);
}

#[test]
fn who_does_not_take_answers_gets_no_more_and_nobody_else_waits() {
    let limits = Limits { answer: Duration::from_millis(500), ..Limits::default() };
    let scene = Scene::crowded(limits, 1_000);
    let began = |path: &str| {
        let mut stream = connect(&scene);
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap();
        (stream, String::from_utf8(head.to_vec()).unwrap())
    };
    // Each has begun to come and is not read any further.
    let held: Vec<_> = (0..4).map(|_| began("/v1/status")).collect();
    assert!(held.iter().all(|(_, head)| head == "HTTP/1.1 200"), "{held:?}");
    assert_eq!(get(&scene, "/v1/snapshots").1["error"]["code"], "too-many-answers");
    // What is not dear is answered, changes are made, and others are served.
    assert_eq!(get(&scene, "/v1/health").0, 200);
    client(&scene).disable("web-1").unwrap();
    let mut other = curl(&scene, 61_500, &[OPERATORS]);
    let status = output(other.arg("http://heptad/v1/status"));
    assert!(status.len() > 500_000, "{status}");
    drop(held);
    // The places come back when the server has seen that nobody reads.
    while get(&scene, "/v1/snapshots").0 == 429 {}
}

#[test]
fn streams_of_events_are_bounded_for_each_user() {
    let scene = Scene::new();
    let stream = || {
        let mut stream = connect(&scene);
        stream.write_all(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap();
        (stream, String::from_utf8(head.to_vec()).unwrap())
    };
    let held: Vec<_> = (0..16).map(|_| stream()).collect();
    assert!(held.iter().all(|(_, head)| head == "HTTP/1.1 200"), "{held:?}");
    assert_eq!(stream().1, "HTTP/1.1 429");
    let mut other = curl(&scene, 61_500, &[OPERATORS]);
    other.args(["-o", "/dev/null", "-w", "%{http_code}", "--max-time", "1"]);
    let said = other.arg("http://heptad/v1/events").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "200");
    drop(held);
    while stream().1 == "HTTP/1.1 429" {}
}

#[test]
fn a_refusal_reaches_who_still_writes() {
    let big = "x".repeat(2 << 20);
    let check = |line: &str, header: &str, want: u16| {
        let scene = Scene::with(Limits { per_uid: 4, ..Limits::default() });
        let mut stream = connect(&scene);
        let length = big.len();
        let head = format!(
            "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\
             {header}\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        // Nothing is read before all is written, as simple clients do it.
        stream.write_all(big.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(status(&rest(&mut stream)), want, "{line}");
    };
    check("POST /v1/nowhere", "", 404);
    check("POST /v1/status", "", 405);
    check("POST /v1/resources/a%2Fb/snapshots", "", 400);
    check("POST /v1/resources/web-1/snapshots?x=1", "", 400);
    check("POST /v1/resources/web-1/snapshots", "Idempotency-Key: a b\r\n", 400);
    check("POST /v1/resources/web-1/snapshots", "", 413);
    check("POST /v1/resources/web-1/snapshots", "Origin: http://x\r\n", 403);
    check("PUT /v1/resources/web-1/time", "Content-Type: text/plain\r\n", 413);
    // As somebody who may do nothing, and as somebody who is one too many.
    let scene = Scene::new();
    let mut nobody = curl(&scene, 61_501, &[]);
    nobody.args(["-H", "Expect:", "-w", "%{http_code}", "-o", "/dev/null", "--data-binary", "@-"]);
    nobody.stdin(Stdio::piped()).stdout(Stdio::piped());
    nobody.arg("http://heptad/v1/resources/web-1/snapshots");
    let mut nobody = nobody.spawn().unwrap();
    nobody.stdin.take().unwrap().write_all(big.as_bytes()).unwrap();
    let said = nobody.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "403");
}
