//! Every role on every route.

use super::caller::{curl, get, output};
use super::stub::{ADMINS, OPERATORS, Scene};
use serde_json::Value;
use std::collections::BTreeSet;

/// Method, path, a request on it, its body, whether an operator may.
type Row = (&'static str, &'static str, &'static str, &'static str, bool);

#[rustfmt::skip]
const ROUTES: &[Row] = &[
    ("GET", "/v1/status", "/v1/status", "", true),
    ("GET", "/v1/health", "/v1/health", "", true),
    ("GET", "/v1/openapi.json", "/v1/openapi.json", "", true),
    ("GET", "/metrics", "/metrics", "", true),
    ("GET", "/v1/resources", "/v1/resources", "", true),
    ("GET", "/v1/resources/{name}", "/v1/resources/web-1", "", true),
    ("GET", "/v1/resources/{name}/slots", "/v1/resources/web-1/slots", "", true),
    ("GET", "/v1/resources/{name}/forecast", "/v1/resources/web-1/forecast", "", true),
    ("GET", "/v1/forecast", "/v1/forecast?days=3", "", true),
    ("GET", "/v1/fee", "/v1/fee?month=2026-10", "", true),
    ("GET", "/v1/resources/{name}/fee", "/v1/resources/web-1/fee", "", true),
    ("GET", "/v1/plans", "/v1/plans", "", true),
    ("GET", "/v1/blueprints", "/v1/blueprints", "", true),
    ("GET", "/v1/snapshots", "/v1/snapshots?all=true", "", true),
    ("GET", "/v1/snapshots/{ref}", "/v1/snapshots/web-1@latest", "", true),
    ("GET", "/v1/snapshots/{ref}/tree", "/v1/snapshots/web-1@latest/tree?path=etc&limit=5", "", false),
    ("GET", "/v1/snapshots/{ref}/file", "/v1/snapshots/web-1@latest/file?path=etc/motd", "", false),
    ("GET", "/v1/snapshots/{ref}/diff", "/v1/snapshots/web-1@latest/diff?against=web-1@latest", "", false),
    ("POST", "/v1/snapshots/{ref}/mount", "/v1/snapshots/web-1@latest/mount", "", false),
    ("GET", "/v1/mounts", "/v1/mounts", "", true),
    ("GET", "/v1/operations", "/v1/operations?open=false", "", true),
    ("GET", "/v1/operations/{id}", "/v1/operations/0", "", true),
    ("GET", "/v1/events", "/v1/events?wait=0", "", true),
    ("POST", "/v1/resources", "/v1/resources", r#"{"path":"/srv/www","dry_run":true}"#, false),
    ("POST", "/v1/resources/{name}/snapshots", "/v1/resources/web-1/snapshots", r#"{"name":"x1"}"#, true),
    ("POST", "/v1/resources/{name}/enable", "/v1/resources/web-1/enable", "", true),
    ("POST", "/v1/resources/{name}/disable", "/v1/resources/web-1/disable", "", true),
    ("PUT", "/v1/resources/{name}/time", "/v1/resources/web-1/time", r#"{"time":"20:00"}"#, true),
    ("POST", "/v1/resources/{name}/reset", "/v1/resources/web-1/reset", "", true),
    ("POST", "/v1/resources/{name}/acknowledge", "/v1/resources/web-1/acknowledge", "", false),
    ("POST", "/v1/resources/{name}/rotate", "/v1/resources/web-1/rotate", "", false),
    ("POST", "/v1/resources/{name}/forget", "/v1/resources/web-1/forget", "", false),
    ("POST", "/v1/snapshots/{ref}/keep", "/v1/snapshots/web-1@latest/keep", r#"{"name":"x2"}"#, true),
    ("POST", "/v1/resources/{name}/tags", "/v1/resources/web-1/tags", r#"{"set":{"a":"b"}}"#, true),
    ("POST", "/v1/snapshots/{ref}/tags", "/v1/snapshots/web-1@latest/tags", r#"{"set":{"a":"b"}}"#, true),
    ("POST", "/v1/resources/{name}/rollback", "/v1/resources/web-1/rollback", r#"{"to":"web-1@latest"}"#, false),
    ("POST", "/v1/resources/{name}/attach", "/v1/resources/web-1/attach", r#"{"disk":"data"}"#, false),
    ("POST", "/v1/resources/{name}/detach", "/v1/resources/web-1/detach", r#"{"disk":"data"}"#, false),
    ("POST", "/v1/snapshots/{ref}/create", "/v1/snapshots/web-1@latest/create", r#"{"name":"x3","path":"/srv/x3"}"#, false),
    ("DELETE", "/v1/snapshots/{ref}", "/v1/snapshots/web-1@latest?now=true", "", false),
    ("POST", "/v1/snapshots/{ref}/undelete", "/v1/snapshots/web-1@latest/undelete", "", false),
    ("POST", "/v1/check", "/v1/check", "", true),
    ("POST", "/v1/operations/{id}/cancel", "/v1/operations/99999/cancel", "", true),
    ("POST", "/v1/reload", "/v1/reload", "", false),
];

/// What becomes an operation: the line and the body of a request.
pub fn changes() -> Vec<(String, String)> {
    let other = ["/v1/check", "/v1/reload", "/v1/snapshots/{ref}/mount"];
    let rows = ROUTES.iter().filter(|(method, path, ..)| *method != "GET" && !other.contains(path));
    rows.map(|(method, _, target, body, _)| (format!("{method} {target}"), (*body).into()))
        .collect()
}

/// Sends every request of the table in one curl; the statuses.
fn statuses(scene: &Scene, uid: u32, groups: &[u32]) -> Vec<u16> {
    let mut command = curl(scene, uid, groups);
    for (place, (method, _, target, body, _)) in ROUTES.iter().enumerate() {
        if place > 0 {
            command.args(["--next", "-sS", "--unix-socket"]).arg(scene.socket());
        }
        command.args(["-o", "/dev/null", "-w", "%{http_code}\n", "-X", method]);
        if !body.is_empty() {
            command.args(["-H", "Content-Type: application/json", "-d", body]);
        }
        command.arg(format!("http://heptad{target}"));
    }
    output(&mut command).lines().map(|line| line.parse().unwrap()).collect()
}

#[test]
fn each_role_may_do_what_its_row_says_and_nothing_else() {
    let scene = Scene::new();
    // One operation, so that number 0 exists.
    scene.stub.turn(|_| ());
    let (taken, _) = super::caller::send_json(&scene, "POST /v1/resources/web-1/reset", "{}");
    assert_eq!(taken, 200);
    let check = |who: &str, uid: u32, groups: &[u32], may: &dyn Fn(&Row) -> bool| {
        let got = statuses(&scene, uid, groups);
        assert_eq!(got.len(), ROUTES.len());
        for (row, status) in ROUTES.iter().zip(got) {
            // 426: it may be asked for, but not in this way.
            let want: &[u16] = if may(row) { &[200, 202, 426] } else { &[403] };
            assert!(want.contains(&status), "{who}: {} {}: {status}", row.0, row.2);
        }
    };
    check("nobody in particular", 61_000, &[], &|_| false);
    check("another group", 61_000, &[61_003], &|_| false);
    check("operator", 61_000, &[61_003, OPERATORS], &|row| row.4);
    check("admin", 61_000, &[ADMINS], &|_| true);
    check("the daemon's own user", 61_999, &[], &|_| true);
    check("root", 0, &[], &|_| true);
}

#[test]
fn the_document_lists_every_route_with_its_role() {
    let scene = Scene::new();
    let (status, document) = get(&scene, "/v1/openapi.json");
    assert_eq!(status, 200);
    let mut listed = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let role = operation["description"].as_str().unwrap();
            let operator = role.ends_with("Role: operator.");
            assert!(operator || role.ends_with("Role: admin."), "{method} {path}: {role}");
            let refusal = &operation["responses"]["default"]["content"]["application/json"];
            assert_eq!(refusal["schema"]["$ref"], "#/components/schemas/Refused");
            listed.insert((method.to_uppercase(), path.clone(), operator));
        }
    }
    let rows = ROUTES.iter().map(|row| (row.0.to_owned(), row.1.to_owned(), row.4));
    assert_eq!(listed, rows.collect());
}

/// A reference in the document that leads nowhere would break every generated client.
#[test]
fn every_reference_in_the_document_leads_somewhere() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(map) => {
                if let Some(Value::String(target)) = map.get("$ref") {
                    found.insert(target.clone());
                }
                map.values().for_each(|value| references(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let scene = Scene::new();
    let (_, document) = get(&scene, "/v1/openapi.json");
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 20, "{found:?}");
    for target in found {
        let pointer = target.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{target}");
    }
}

#[test]
fn an_operator_cancels_what_it_asked_for_and_nothing_else() {
    let scene = Scene::new();
    let ask = |uid: u32, path: &str, more: &[&str]| {
        let url = format!("http://heptad{path}");
        let words = ["-X", "POST", "-w", "\n%{http_code}", &url];
        let answer = output(curl(&scene, uid, &[OPERATORS]).args(more).args(words));
        let (body, status) = answer.rsplit_once('\n').unwrap();
        (status.to_owned(), serde_json::from_str::<Value>(body).unwrap())
    };
    let json = ["--json", r#"{"name":"mine"}"#];
    let (_, taken) = ask(61_000, "/v1/resources/web-1/snapshots", &json);
    let path = format!("/v1/operations/{}/cancel", taken["operation"]["id"]);
    let (status, refused) = ask(61_001, &path, &[]);
    assert_eq!((status.as_str(), &refused["error"]["code"]), ("403", &"forbidden".into()));
    assert_eq!(ask(61_000, &path, &[]).0, "200");
}

#[test]
fn an_ordinary_user_hears_how_to_be_let_in() {
    let scene = Scene::new();
    let url = "http://heptad/v1/status";
    let answer = output(curl(&scene, 65_534, &[OPERATORS]).args(["-w", "\n%{http_code}", url]));
    let (body, status) = answer.split_once('\n').unwrap();
    assert_eq!(status, "403");
    let refused: Value = serde_json::from_str(body).unwrap();
    assert_eq!(refused["error"]["code"], "forbidden");
    let hint = refused["error"]["hint"].as_str().unwrap();
    assert!(hint.contains("usermod -aG heptad USER"), "{hint}");
    // An operator hears of the other group.
    let url = "http://heptad/v1/reload";
    let answer = output(curl(&scene, 61_000, &[OPERATORS]).args(["-X", "POST", url]));
    assert!(answer.contains("usermod -aG heptad-admin USER"), "{answer}");
    // Even where there is no route.
    let answer = output(curl(&scene, 61_000, &[]).arg("http://heptad/nothing"));
    assert!(answer.contains("forbidden"), "{answer}");
    assert!(scene.stub.asked().is_empty());
}

#[test]
fn root_gets_an_answer_by_curl_and_the_request_bears_the_kernels_uid() {
    let scene = Scene::new();
    let url = "http://heptad/v1/status";
    let status: Value = serde_json::from_str(&output(curl(&scene, 0, &[]).arg(url))).unwrap();
    assert_eq!(status["resources"][0]["name"], "web-1");
    let url = "http://heptad/v1/resources/web-1/disable";
    let pretending = ["-X", "POST", "-H", "X-Remote-User: root", "-H", "Idempotency-Key: k1", url];
    output(curl(&scene, 61_000, &[OPERATORS]).args(pretending));
    let asked = scene.stub.asked();
    assert_eq!((asked[0].0, asked[0].1.as_deref()), (61_000, Some("k1")));
}
