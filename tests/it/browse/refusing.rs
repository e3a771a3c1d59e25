//! What is not shown, and to whom nothing is.

use super::scene::{Scene, code, traps};
use heptad::api::client::ClientError;
use heptad::api::wire::{OperationState, TreeQuery};
use heptad::backend::Backend;
use heptad::backend::fake::FakeDisk;
use heptad::domain::operation::Fault;
use heptad::domain::snapshot::{Handle, Seq};
use std::process::Command;
use uuid::Uuid;

fn tree(scene: &Scene, snapshot: &str, path: &str) -> (u16, String) {
    let query = TreeQuery { path: Some(path.into()), ..TreeQuery::default() };
    code(scene.client.tree(snapshot, &query))
}

fn file(scene: &Scene, snapshot: &str, path: &str) -> (u16, String) {
    code(scene.read(snapshot, path))
}

#[test]
fn no_link_path_or_special_file_leads_out_of_a_snapshot() {
    let scene = Scene::new();
    let secret = scene.here.join("secret");
    std::fs::write(&secret, "secret").unwrap();
    for (resource, live) in [("home", scene.home()), ("docs", scene.docs())] {
        traps(&live, &secret);
        std::fs::create_dir(live.join("dir")).unwrap();
        let name = format!("{resource}-1");
        scene.take(resource, &name);
        let check = |path: &str, status: u16, code: &str| {
            assert_eq!(file(&scene, &name, path), (status, code.to_owned()), "{resource} {path}");
        };
        for link in ["shadow", "etc", "secret", "climbing", "magic"] {
            check(link, 409, "is-a-link");
        }
        check("etc/shadow", 409, "through-link");
        check("magic/etc/shadow", 409, "through-link");
        check("pipe", 409, "not-a-file");
        check("zero", 409, "not-a-file");
        check("dir", 409, "is-a-directory");
        check("", 409, "is-a-directory");
        check("nothing", 404, "no-such-path");
        check("dir/nothing", 404, "no-such-path");
        for path in ["..", "../manifest.json", "dir/../../x", "/etc/shadow", "//", "a\\x00b", "\\q"]
        {
            check(path, 400, "bad-path");
            assert_eq!(tree(&scene, &name, path), (400, "bad-path".into()), "{path}");
        }
        assert_eq!(tree(&scene, &name, "etc/passwd").1, "through-link");
    }
    let ran = scene.ctl(&["get", "home-1", "dir"]);
    assert_eq!(ran.code, 0, "a directory is got by what it lists: {}", ran.err);
}

#[test]
fn operators_may_not_read_old_content() {
    let scene = Scene::new();
    std::fs::write(scene.home().join("a"), "x").unwrap();
    scene.take("home", "s1");
    let ask = |group: &str, target: &str| {
        let mut curl = Command::new("setpriv");
        curl.args(["--reuid", "61000", "--regid", "61000", "--groups", group]);
        curl.args(["curl", "-sS", "--max-time", "20", "-o", "/dev/null", "-w", "%{http_code}"]);
        curl.arg("--unix-socket").arg(scene.socket()).arg(format!("http://heptad/v1/{target}"));
        String::from_utf8(curl.output().unwrap().stdout).unwrap()
    };
    let looks = ["snapshots/s1/tree", "snapshots/s1/file?path=a", "snapshots/s1/diff?against=s1"];
    for target in looks {
        assert_eq!(ask("daemon", target), "403", "operator {target}");
        assert_eq!(ask("bin", target), "200", "admin {target}");
    }
    assert_eq!(ask("daemon", "snapshots/s1"), "200");
}

#[test]
fn what_is_in_the_trash_can_be_read_and_what_is_lost_or_changed_cannot() {
    let scene = Scene::new();
    std::fs::write(scene.docs().join("a"), "x").unwrap();
    for name in ["trashed", "lost", "changed"] {
        scene.take("docs", name);
    }
    let seq = |name: &str| scene.client.snapshot(name).unwrap().seq.to_string();
    let (lost, changed) = (seq("lost"), seq("changed"));
    let deleted = scene.client.delete("trashed", false).unwrap();
    scene.finish(deleted.operation.id, OperationState::Succeeded);
    assert_eq!(scene.read("trashed", "a").unwrap(), b"x");
    std::fs::rename(scene.store().join(&lost), scene.here.join("lost")).unwrap();
    std::fs::remove_dir_all(scene.store().join(&changed).join("data")).unwrap();
    std::fs::create_dir(scene.store().join(&changed).join("data")).unwrap();
    // Before heptad has looked, the backend itself sees it.
    assert_eq!(file(&scene, "changed", "a"), (409, "not-usable".into()));
    assert_eq!(file(&scene, "lost", "a"), (503, "unreadable".into()));
    let looked = scene.client.rotate("docs").unwrap();
    scene.finish(looked.operation.id, OperationState::Succeeded);
    for name in ["lost", "changed"] {
        assert_eq!(file(&scene, name, "a"), (409, "not-usable".into()), "{name}");
    }
}

#[test]
fn a_snapshot_is_not_destroyed_while_it_is_read() {
    let scene = Scene::new();
    let content: Vec<u8> = (0..32 << 20).map(|n: u32| (n / 7 % 251) as u8).collect();
    for (resource, live) in [("home", scene.home()), ("docs", scene.docs())] {
        std::fs::write(live.join("big"), &content).unwrap();
        let name = format!("{resource}-1");
        scene.take(resource, &name);
        let mut reading = scene.client.file(&name, "big").unwrap();
        let mut bytes = reading.piece().unwrap().unwrap().to_vec();
        let other = heptad::api::client::Client::new(scene.socket()).unwrap();
        let deleted = other.delete(&name, true).unwrap();
        let why = scene.finish(deleted.operation.id, OperationState::Failed);
        assert!(why.contains("being read"), "{why}");
        while let Some(piece) = reading.piece().unwrap() {
            bytes.extend_from_slice(&piece);
        }
        assert!(bytes == content, "{resource}: read to the end");
        drop(reading);
        // Nobody can begin to read what shall go, and the next look destroys it.
        let refused = code(other.file(&name, "big").map(|_| ()));
        assert_eq!(refused.0, 404, "{refused:?}");
        let looked = other.rotate(resource).unwrap();
        scene.finish(looked.operation.id, OperationState::Succeeded);
        let gone = || other.snapshots(&all()).unwrap().snapshots.iter().all(|s| s.label != name);
        let mut generation = 0;
        while !gone() {
            let changes = other.changes(generation, 20).unwrap();
            assert!(changes.generation > generation, "{resource}: it never goes");
            generation = changes.generation;
        }
    }
}

fn all() -> heptad::api::wire::SnapshotsQuery {
    heptad::api::wire::SnapshotsQuery { all: Some(true), ..Default::default() }
}

#[test]
fn readers_of_one_pool_have_a_bound_and_leave_other_pools_alone() {
    let scene = Scene::new();
    std::fs::write(scene.home().join("big"), vec![1; 16 << 20]).unwrap();
    std::fs::write(scene.docs().join("small"), "s").unwrap();
    scene.take("home", "h1");
    scene.take("docs", "d1");
    let clients: Vec<_> =
        (0..8).map(|_| heptad::api::client::Client::new(scene.socket()).unwrap()).collect();
    let held: Vec<_> = clients.iter().map(|client| client.file("h1", "big").unwrap()).collect();
    let refused = code(scene.client.file("h1", "big").map(|_| ()));
    assert_eq!(refused, (429, "too-many-readers".into()));
    assert_eq!(scene.read("d1", "small").unwrap(), b"s");
    drop(held);
    drop(clients);
    // The server notices that they are gone a moment later; each look asks it anew.
    let again = (0..10_000).find_map(|_| scene.client.file("h1", "big").ok());
    assert!(again.is_some());
}

#[test]
fn a_backend_without_files_says_so_for_good() {
    let backend = FakeDisk::default().backend(&"web-1".parse().unwrap());
    let handle = Handle { seq: Seq(1), id: Uuid::nil(), object: String::new() };
    let backend: &dyn Backend = &backend;
    let error = backend.tree(&handle).unwrap_err();
    assert_eq!(error.fault, Fault::Permanent);
    assert!(error.to_string().contains("cannot show files"), "{error}");
}

#[test]
fn a_snapshot_that_does_not_exist_is_named() {
    let scene = Scene::new();
    match scene.client.file("nonesuch", "a") {
        Err(ClientError::Refused { refusal, .. }) => assert_eq!(refusal.code, "no-such-snapshot"),
        other => panic!("{other:?}"),
    }
}
