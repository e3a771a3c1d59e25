//! Idempotency keys: what makes a request another one.

use super::caller::{curl, output, send};
use super::roles::changes;
use super::stub::{ADMINS, Scene};
use heptad::api::server::Limits;
use heptad::domain::key::Digest;

/// The digest that a request is handed on with.
fn digest(scene: &Scene, line: &str, body: &str) -> Digest {
    let headers = ["Content-Type: application/json", "Idempotency-Key: k1"];
    let (status, answer) = send(scene, line, &headers, body.as_bytes());
    assert!(matches!(status, 200 | 202), "{line} {body}: {status} {answer}");
    *scene.stub.digests().last().unwrap()
}

#[test]
fn every_change_has_a_digest_of_its_own_and_the_same_one_each_time() {
    let scene = Scene::crowded(Limits::default(), 2);
    let mut seen: Vec<(Digest, String)> = Vec::new();
    let mut rows: Vec<(String, String)> = changes();
    assert!(rows.len() >= 15, "{rows:?}");
    let more: &[(&str, &str)] = &[
        ("POST /v1/resources/web-2/disable", ""),
        ("POST /v1/resources/web-1/enable", r#"{"time":"20:00"}"#),
        ("PUT /v1/resources/web-1/time", r#"{"time":"20:01"}"#),
        ("POST /v1/resources/web-1/snapshots", r#"{"name":"x1","tags":{"a":"b"}}"#),
        ("POST /v1/resources/web-1/snapshots", r#"{"name":"x1","tags":{"a":"c"}}"#),
        ("POST /v1/resources/web-1/snapshots", r#"{"name":"x1","system_disk":true}"#),
        ("POST /v1/snapshots/web-1@2026-11-20/keep", r#"{"name":"x2"}"#),
        ("POST /v1/snapshots/web-1@latest/keep", r#"{"name":"x2","tags":{"a":""}}"#),
        ("POST /v1/resources/web-1/tags", r#"{"set":{"a":"c"}}"#),
        ("POST /v1/resources/web-1/tags", r#"{"set":{"a":"b"},"remove":["c"]}"#),
        ("POST /v1/resources/web-1/tags", r#"{"remove":["a"]}"#),
        ("POST /v1/resources/web-2/tags", r#"{"remove":["a"]}"#),
        ("POST /v1/snapshots/web-1@latest/tags", r#"{"remove":["a"]}"#),
        ("POST /v1/snapshots/web-1@latest/create", r#"{"name":"x3","path":"/srv/x4"}"#),
        ("POST /v1/snapshots/web-1@latest/create", r#"{"name":"x3","path":"/srv/x3","size":1}"#),
        ("POST /v1/resources/web-1/rollback", r#"{"to":"web-1@latest","backup_name":"s1"}"#),
        ("POST /v1/resources/web-1/attach", r#"{"disk":"more"}"#),
        ("POST /v1/resources/web-1/forget", r#"{"final":"last"}"#),
        ("POST /v1/resources/web-1/forget", r#"{"final":"last-2"}"#),
        ("DELETE /v1/snapshots/aa", ""),
        ("DELETE /v1/snapshots/bb", ""),
        ("DELETE /v1/snapshots/web-1@latest", ""),
    ];
    rows.extend(more.iter().map(|(line, body)| ((*line).into(), (*body).into())));
    for (line, body) in rows {
        let first = digest(&scene, &line, &body);
        let spaced = body.replace(':', " :\n ").replace("\"20 :\n ", "\"20:");
        let again = digest(&scene, &line, &if body.is_empty() { "{ }".into() } else { spaced });
        assert_eq!(first, again, "{line} {body}");
        let other = seen.iter().find(|(known, _)| *known == first);
        assert_eq!(other, None, "{line} {body}");
        seen.push((first, format!("{line} {body}")));
    }
}

#[test]
fn what_is_left_out_and_what_is_said_as_it_would_be_are_one_and_another_user_is_another() {
    let scene = Scene::new();
    let take = "POST /v1/resources/web-1/snapshots";
    let plain = digest(&scene, take, r#"{"name":"x1"}"#);
    assert_eq!(plain, digest(&scene, take, r#"{"system_disk":false,"tags":{},"name":"x1"}"#));
    let mut command = curl(&scene, 61_500, &[ADMINS]);
    command.args(["-H", "Idempotency-Key: k1", "--json", r#"{"name":"x1"}"#]);
    output(command.arg("http://heptad/v1/resources/web-1/snapshots"));
    assert_ne!(plain, *scene.stub.digests().last().unwrap());
}
