//! How large, how slow, how many.

use super::caller::{connect, curl, get, json, output, raw, rest, send_json, status};
use super::stub::{OPERATORS, Scene};
use heptad::api::server::Limits;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::time::Duration;

/// Short enough for a test, long enough for a busy machine to do what is not slow.
const SHORT: Duration = Duration::from_millis(500);
const LONG: Duration = Duration::from_secs(60);

const TAKE: &str = "POST /v1/resources/web-1/snapshots HTTP/1.1\r\nHost: x\r\n\
                    Content-Type: application/json\r\n";

fn patient() -> Limits {
    Limits { header: LONG, body: LONG, idle: LONG, write: LONG, ..Limits::default() }
}

#[test]
fn a_body_that_is_too_large_is_refused_whether_it_is_announced_or_not() {
    let scene = Scene::new();
    let announced = raw(&scene, format!("{TAKE}Content-Length: 262145\r\n\r\n").as_bytes());
    assert_eq!(
        (status(&announced), json(&announced)["error"]["code"].as_str()),
        (413, Some("too-large"))
    );
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let endless = format!("{TAKE}Transfer-Encoding: chunked\r\n\r\n{}", chunk.repeat(5));
    let mut stream = connect(&scene);
    let _ = stream.write_all(endless.as_bytes());
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 413");
    // One of just the size is read; it is no name, though.
    let name = "n".repeat(262_144 - 11);
    let (status, _) = send_json(
        &scene,
        "POST /v1/resources/web-1/snapshots",
        &format!("{{\"name\":\"{name}\"}}"),
    );
    assert_eq!(status, 400);
    assert!(scene.stub.asked().is_empty());
}

#[test]
fn a_header_that_is_too_large_is_refused() {
    let scene = Scene::new();
    let check = |bytes: &str, want: u16| {
        let request =
            format!("GET /v1/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{bytes}\r\n");
        assert_eq!(status(&raw(&scene, request.as_bytes())), want);
    };
    check(&format!("A: {}\r\n", "x".repeat(15_000)), 200);
    check(&format!("A: {}\r\n", "x".repeat(17_000)), 431);
    check(&"A: x\r\n".repeat(60), 200);
    check(&"A: x\r\n".repeat(70), 431);
}

#[test]
fn a_slow_header_a_slow_body_and_a_silent_connection_are_closed() {
    let check = |what: &str, limits: Limits, bytes: &str, want: Option<u16>| {
        let scene = Scene::with(limits);
        let mut stream = connect(&scene);
        stream.write_all(bytes.as_bytes()).unwrap();
        let answer = rest(&mut stream);
        assert_eq!((!answer.is_empty()).then(|| status(&answer)), want, "{what}: {answer}");
        assert!(scene.stub.asked().is_empty());
    };
    let whole = "GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n";
    check("nothing", Limits { header: SHORT, ..patient() }, "", None);
    check("half a header", Limits { header: SHORT, ..patient() }, &whole[..20], None);
    check("idle", Limits { idle: SHORT, ..patient() }, whole, Some(200));
    let half = format!("{TAKE}Content-Length: 20\r\nConnection: close\r\n\r\n{{\"name\"");
    check("half a body", Limits { body: SHORT, ..patient() }, &half, Some(408));
}

#[test]
fn a_header_that_trickles_in_is_closed_all_the_same() {
    let scene = Scene::with(Limits { header: SHORT, ..patient() });
    let mut stream = connect(&scene);
    stream.write_all(b"GET /v1/health HTTP/1.1\r\n").unwrap();
    let tick = Duration::from_millis(20);
    stream.set_read_timeout(Some(tick)).unwrap();
    let mut byte = [0];
    // Each turn waits a tick for the server to close, then sends one byte more.
    let turns = (0..1_000).take_while(|_| match stream.read(&mut byte) {
        Ok(read) => read > 0,
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            stream.write_all(b"a").is_ok()
        }
        Err(_) => false,
    });
    assert!(turns.count() < 1_000);
}

#[test]
fn a_quiet_between_two_requests_has_its_own_bound() {
    // Far beyond the time for a header.
    let scene = Scene::with(Limits { header: SHORT, idle: LONG, ..patient() });
    let mut stream = connect(&scene);
    let ask = b"GET /v1/operations/0?wait=1 HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut answer = BufReader::new(stream.try_clone().unwrap());
    let mut poll = || {
        stream.write_all(ask).unwrap();
        let mut line = String::new();
        let mut length = 0;
        while line != "\r\n" {
            line.clear();
            answer.read_line(&mut line).unwrap();
            let lower = line.to_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        answer.read_exact(&mut body).unwrap();
        body
    };
    // A long poll of a second on an open operation is longer than the header may take, too.
    send_json(&scene, "POST /v1/resources/web-1/snapshots", r#"{"name":"x1"}"#);
    let first = poll();
    assert!(String::from_utf8(first).unwrap().contains("queued"));
    let other = Scene::with(Limits { header: SHORT, ..patient() });
    // Waits out the header's time on another connection.
    assert_eq!(raw(&other, b""), "");
    assert!(String::from_utf8(poll()).unwrap().contains("queued"));
}

#[test]
fn a_client_that_does_not_take_its_answer_is_dropped() {
    let scene = Scene::crowded(Limits { write: SHORT, ..patient() }, 3_000);
    let mut stream = connect(&scene);
    stream.write_all(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut first = [0];
    stream.read_exact(&mut first).unwrap();
    // The server stops only when all connections have ended, and this one reads no more.
    let mut scene = scene;
    scene.end();
    let answer = rest(&mut stream);
    let promised = answer.lines().find_map(|line| line.strip_prefix("content-length: "));
    let body = answer.split_once("\r\n\r\n").map_or(0, |(_, body)| body.len());
    assert!(body < promised.unwrap().parse::<usize>().unwrap(), "{body} of {promised:?}");
}

#[test]
fn a_client_that_goes_away_half_way_leaves_nothing_behind() {
    let scene = Scene::with(patient());
    for cut in [10, TAKE.len(), TAKE.len() + 24] {
        let whole = format!("{TAKE}Content-Length: 20\r\n\r\n{{\"name\":\"half-way\"}}");
        let mut stream = connect(&scene);
        stream.write_all(&whole.as_bytes()[..cut]).unwrap();
        drop(stream);
    }
    // And one that asks and does not wait for the answer.
    let mut stream = connect(&scene);
    stream.write_all(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    drop(stream);
    assert_eq!(get(&scene, "/v1/health").0, 200);
    assert!(scene.stub.asked().is_empty());
}

#[test]
fn a_user_has_so_many_connections_and_no_more() {
    let limits = Limits { per_uid: 2, ..patient() };
    let scene = Scene::with(limits);
    let stream = || {
        let mut command = curl(&scene, 61_000, &[OPERATORS]);
        command.args(["-N", "http://heptad/v1/events"]).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        assert!(line.starts_with("event: changes"), "{line}");
        (child, out)
    };
    let mut held = [stream(), stream()];
    let ask = |uid| {
        let form = ["-w", "\n%{http_code}", "http://heptad/v1/health"];
        output(curl(&scene, uid, &[OPERATORS]).args(form))
    };
    let refused = ask(61_000);
    assert!(refused.ends_with("\n429") && refused.contains("too-many-connections"), "{refused}");
    assert!(ask(61_004).ends_with("\n200"));
    assert!(ask(0).ends_with("\n200"));
    for (child, _) in &mut held {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // The server hears of the end a moment later: it answers again within the deadline.
    let again = (0..1_000).map(|_| ask(61_000)).find(|answer| answer.ends_with("\n200"));
    assert!(again.is_some());
}

#[test]
fn a_file_whose_disk_hangs_breaks_off_and_its_client_is_told() {
    let scene = Scene::with(Limits { answer: SHORT, ..patient() });
    let ask = |path: &str| {
        let line = format!("GET /v1/snapshots/web-1@latest/file?path={path} HTTP/1.1");
        raw(&scene, format!("{line}\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())
    };
    let whole = ask("etc/motd");
    assert!(
        whole.contains("content-length: 6\r\n") && whole.ends_with("\r\n\r\nhello\n"),
        "{whole}"
    );
    assert!(whole.contains("heptad-mtime: 1700000000.000000005\r\n"), "{whole}");
    assert!(whole.contains("heptad-mode: 0644\r\n"), "{whole}");
    let half = ask("stuck");
    assert!(half.contains("content-length: 6\r\n") && half.ends_with("\r\n\r\nhel"), "{half}");
    let client = heptad::api::client::Client::new(scene.socket()).unwrap();
    let mut file = client.file("web-1@latest", "stuck").unwrap();
    assert_eq!(file.piece().unwrap().unwrap(), "hel");
    assert!(matches!(file.piece(), Err(heptad::api::client::ClientError::Broken { .. })));
}

#[test]
fn a_daemon_that_does_not_answer_is_not_waited_for_for_ever() {
    let scene = Scene::mute(Limits { answer: SHORT, ..patient() });
    let (status, body) = send_json(&scene, "POST /v1/resources/web-1/disable", "{}");
    assert_eq!((status, body["error"]["code"].as_str()), (503, Some("late")));
}
