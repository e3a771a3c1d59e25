//! Whatever is not understood is refused, with a code, and never with a 5xx.

use super::caller::{get, raw, send, send_json, status};
use super::roles::changes;
use super::stub::Scene;
use heptad::domain::request::Request;
use serde_json::Value;

fn refused(answer: (u16, Value), want: u16, code: &str, what: &str) {
    let (status, body) = answer;
    assert_eq!((status, body["error"]["code"].as_str()), (want, Some(code)), "{what}: {body}");
    assert!(body["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{what}");
    assert!(body["error"]["hint"].is_string(), "{what}");
}

#[test]
fn bodies_that_cannot_be_meant_are_refused() {
    let scene = Scene::new();
    let check = |line: &str, body: &str, want: u16, code: &str| {
        refused(send_json(&scene, line, body), want, code, &format!("{line} {body}"));
    };
    let take = "POST /v1/resources/web-1/snapshots";
    check("POST /v1/snapshots/web-1@latest/keep", "", 400, "bad-body");
    check(take, "{", 400, "malformed-json");
    check(take, "[]", 400, "bad-body");
    check(take, "null", 400, "bad-body");
    check(take, r#"{"name":"x1"} {}"#, 400, "malformed-json");
    check(take, r#"{"nmae":"x1"}"#, 400, "bad-body");
    check(take, r#"{"name":"x1","name":"x2"}"#, 400, "bad-body");
    check(take, r#"{"name":"../x"}"#, 400, "bad-name");
    check(take, r#"{"name":"-rf"}"#, 400, "bad-name");
    check(take, "{\"name\":\"a\\u0000b\"}", 400, "bad-name");
    check(take, "{\"name\":\"\\u001b]0;x\"}", 400, "bad-name");
    check(take, r#"{"name":"x1","tags":{"a":"b\nc"}}"#, 400, "bad-tag");
    check(take, r#"{"name":"x1","tags":{"AWS:a":""}}"#, 400, "bad-tag");
    check(take, r#"{"name":"x1","tags":{"a":1}}"#, 400, "bad-body");
    check(take, &format!("{{\"tags\":{}1", "{\"a\":".repeat(5_000)), 400, "bad-body");
    check("PUT /v1/resources/web-1/time", r#"{"time":"25:00"}"#, 400, "bad-time");
    check("POST /v1/resources/web-1/enable", r#"{"time":"6 am"}"#, 400, "bad-time");
    check("POST /v1/resources/web-1/disable", r#"{"now":true}"#, 400, "bad-body");
    check("POST /v1/resources/web-1/forget", r#"{"automatic":"trsh"}"#, 400, "bad-body");
    let create = "POST /v1/snapshots/web-1@latest/create";
    check(create, r#"{"name":"x1","path":"srv"}"#, 400, "bad-path");
    check(create, r#"{"name":"x1","path":"/srv/../etc"}"#, 400, "bad-path");
    // What the snapshot itself shows not to fit is told before anything is begun.
    check(create, r#"{"name":"x1","size":2}"#, 409, "does-not-fit");
    check(create, r#"{"name":"x1","plan":"none-such"}"#, 404, "no-such-plan");
    assert!(scene.stub.asked().is_empty());
}

#[test]
fn bytes_that_are_no_text_and_other_kinds_of_body_are_refused() {
    let scene = Scene::new();
    let take = "POST /v1/resources/web-1/snapshots";
    let json = ["Content-Type: application/json"];
    refused(send(&scene, take, &json, b"{\"name\":\"\xff\"}"), 400, "malformed-json", "utf-8");
    let form = ["Content-Type: application/x-www-form-urlencoded"];
    refused(send(&scene, take, &form, b"name=x1"), 415, "not-json", "a form");
    refused(send(&scene, take, &[], b"{\"name\":\"x1\"}"), 415, "not-json", "no kind");
    let page = ["Origin: http://evil.example"];
    refused(send(&scene, "GET /v1/status", &page, b""), 403, "browser", "a web page");
    for key in ["", "a b", &"k".repeat(129), "caf\u{e9}"] {
        let key = format!("Idempotency-Key: {key}");
        let answer = send(&scene, "POST /v1/resources/web-1/disable", &[&key], b"");
        refused(answer, 400, "bad-key", &key);
    }
    assert!(scene.stub.asked().is_empty());
}

#[test]
fn paths_and_queries_that_cannot_be_meant_are_refused() {
    let scene = Scene::new();
    let check = |path: &str, want: u16, code: &str| refused(get(&scene, path), want, code, path);
    check("/", 404, "no-such-route");
    check("/v1/statsu", 404, "no-such-route");
    check("/v1/resources/a%2Fb", 400, "bad-name");
    check("/v1/resources/%ff%fe", 400, "bad-name");
    check("/v1/resources/..%2f..%2fetc", 400, "bad-name");
    check("/v1/resources/wbe-1", 404, "no-such-resource");
    check("/v1/snapshots/web-1@yesterday", 400, "bad-reference");
    check("/v1/snapshots/web-1@2026-11-01", 404, "no-such-snapshot");
    check("/v1/snapshots/nothing-of-it", 404, "no-such-snapshot");
    check("/v1/snapshots?orgin=manual", 400, "bad-query");
    check("/v1/snapshots?origin=manul", 400, "bad-query");
    check("/v1/snapshots?all=perhaps", 400, "bad-query");
    check("/v1/snapshots?resource=web-1&resource=web-2", 400, "bad-query");
    check("/v1/snapshots?resource=wbe-1", 404, "no-such-resource");
    check("/v1/status?verbose=1", 400, "bad-query");
    check("/v1/forecast?days=0", 400, "bad-value");
    check("/v1/forecast?days=367", 400, "bad-value");
    check("/v1/forecast?days=99999999999999999999", 400, "bad-query");
    check("/v1/fee?month=2026-12", 400, "bad-value");
    check("/v1/fee?month=november", 400, "bad-value");
    check("/v1/fee?mont=2026-10", 400, "bad-query");
    check("/v1/resources/wbe-1/fee", 404, "no-such-resource");
    check("/v1/operations?limit=0", 400, "bad-value");
    check("/v1/operations/none", 400, "bad-number");
    check("/v1/operations/99", 404, "no-such-operation");
    check("/v1/operations/99?wait=301", 400, "bad-value");
    check("/v1/events?wait=301", 400, "bad-value");
    check("/v1/resources/web-1/slots?day=22.11.2026", 400, "bad-value");
    check("/v1/resources/web-1/slots?day=9999-12-31", 400, "bad-value");
    refused(send(&scene, "PATCH /v1/status", &[], b""), 405, "no-such-method", "PATCH");
    refused(send(&scene, "DELETE /v1/resources", &[], b""), 405, "no-such-method", "DELETE");
}

#[test]
fn a_slip_of_the_finger_is_answered_with_what_was_meant() {
    let scene = Scene::new();
    let check = |answer: (u16, Value), hint: &str| {
        assert_eq!(answer.1["error"]["hint"], hint, "{}", answer.1);
    };
    check(get(&scene, "/v1/resources/wbe-1"), "did you mean web-1?");
    check(get(&scene, "/v1/snapshots/web-1@2025-11-22"), "did you mean web-1@2026-11-22?");
    check(get(&scene, "/v1/snapshots?orgin=manual"), "did you mean origin?");
    check(get(&scene, "/v1/snapshots?origin=manul"), "did you mean manual?");
    let take = "POST /v1/resources/web-1/snapshots";
    check(send_json(&scene, take, r#"{"name":"x1","tgas":{}}"#), "did you mean tags?");
}

#[test]
fn what_is_no_http_is_closed_with_a_status_of_400() {
    let scene = Scene::new();
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..],
        b"GET  /v1/status HTTP/1.1\r\n\r\n",
        b"GET /v1/status HTTP/9.9\r\n\r\n",
        b"GET /v1/status HTTP/1.1\r\nHost: a\x00b\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /v1/check HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    ] {
        let answer = raw(&scene, bytes);
        let refused = answer.is_empty() || status(&answer) == 400;
        assert!(refused, "{:?}: {answer}", String::from_utf8_lossy(bytes));
    }
    assert_eq!(get(&scene, "/v1/health").0, 200);
}

#[test]
fn a_change_that_is_tried_is_handed_on_as_such_and_what_cannot_be_tried_is_refused() {
    let scene = Scene::new();
    for (line, body) in changes() {
        let (status, answer) = send_json(&scene, &joined(&line, "dry_run=true"), &body);
        assert_eq!(status, 200, "{line}: {answer}");
        send_json(&scene, &joined(&line, "dry_run=false"), &body);
    }
    let asked = scene.stub.asked();
    let count = asked.iter().filter(|(.., r)| matches!(r, Request::Rehearse(_))).count();
    assert!(count >= 18 && count * 2 == asked.len(), "{count} of {}", asked.len());
    refused(send_json(&scene, "POST /v1/reload?dry_run=true", ""), 400, "no-dry-run", "reload");
}

/// Whoever does not know it must not act: so nothing that is not known is passed over.
#[test]
fn what_asks_for_care_in_a_way_that_is_not_known_is_refused_and_nothing_is_done() {
    let scene = Scene::new();
    let other = ["POST /v1/check", "POST /v1/reload", "POST /v1/snapshots/web-1@latest/mount"];
    let other = other.map(|line| (line.to_owned(), String::new()));
    for (line, body) in changes().into_iter().chain(other) {
        for query in ["dry-run=true", "try=1", "dry_run=perhaps", "dry_run=true&dry_run=false"] {
            let line = joined(&line, query);
            refused(send_json(&scene, &line, &body), 400, "bad-query", &line);
        }
        for header in ["Heptad-Dry-Run: true", "Heptad-Try: 1", "If-Match: \"1\""] {
            let headers = ["Content-Type: application/json", header];
            let answer = send(&scene, &line, &headers, body.as_bytes());
            refused(answer, 400, "unknown-header", &format!("{line} with {header}"));
        }
    }
    assert!(scene.stub.asked().is_empty());
    let (_, document) = get(&scene, "/v1/openapi.json");
    let told = document.to_string().matches("\"name\":\"dry_run\"").count();
    assert_eq!(told, 19, "of every change that can be tried");
}

/// A request's line with more in its query.
fn joined(line: &str, more: &str) -> String {
    format!("{line}{}{more}", if line.contains('?') { '&' } else { '?' })
}
