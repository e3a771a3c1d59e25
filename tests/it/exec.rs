//! The exec backend against hostile programs, and against its own documentation.

use crate::support::copied;
use crate::support::trusted;
use heptad::backend::options::Context;
use heptad::backend::registry;
use heptad::backend::{Backend, RollbackOrder, TakeOrder};
use heptad::domain::operation::Fault;
use heptad::domain::resource::Kind;
use heptad::domain::snapshot::Part;
use heptad::domain::snapshot::{Card, Handle, Origin, Seq};
use heptad::domain::survey::Mark;
use heptad::domain::usage::TotalUsage;
use heptad::fs::StorageError;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const INFO: &str = r#"[ "$1" = info ] && { echo '{"protocol": 1}'; exit; }"#;

fn backend(options: &Value) -> Arc<dyn Backend> {
    let context = Context { resource: "notes".parse().unwrap(), state: "/nowhere".into() };
    registry::build("exec", options.as_object().unwrap(), &context).unwrap()
}

/// A plugin that gets along with `info`, and then runs `script` with the verb in `$1`.
fn plugin(dir: &TempDir, script: &str) -> Arc<dyn Backend> {
    let text = format!("#!/bin/sh\n{INFO}\n{script}\n");
    backend(&json!({"program": trusted::script(dir, "plugin", &text), "deadline": 20}))
}

fn handle() -> Handle {
    let id = "5e0c1f0a-7d5b-4b8e-9a55-0d8f4f1f6b11".parse().unwrap();
    Handle { seq: Seq(42), id, object: "tape-7/42".into() }
}

fn card() -> Card {
    Card {
        handle: Handle { object: String::new(), ..handle() },
        origin: Origin::Automatic,
        name: None,
        slot: Some("2026-11-22".parse().unwrap()),
        kept_from: None,
        taken_at: "2026-11-22T06:00:00Z".parse().unwrap(),
        tags: [("team".into(), "blue".into())].into(),
        kind: Kind::Disk,
        part: Part::Whole,
        plan: None,
        blueprint: None,
    }
}

fn listed(seq: u64, id: &str, object: &str) -> Value {
    let manifest = json!({
        "heptad": 1, "resource": "notes", "backend": "exec", "seq": seq, "id": id,
        "origin": "automatic", "slot": "2026-11-22", "taken_at": "2026-11-22T06:00:00Z"
    });
    json!({"manifest": manifest, "object": object, "state": "whole"})
}

/// The exchange under `### verb` in PROTOCOL.md.
fn example(verb: &str) -> (Value, Value) {
    let text = include_str!("../../config/examples/plugin/PROTOCOL.md");
    let section = text.split("\n### ").find(|section| section.starts_with(verb)).unwrap();
    let mut blocks = section.split("```json\n").skip(1);
    let mut next = || {
        let block = blocks.next().unwrap().split("```").next().unwrap();
        serde_json::from_str(block).unwrap_or_else(|error| panic!("{verb}: {error}\n{block}"))
    };
    (next(), next())
}

#[test]
fn the_protocol_as_written_is_the_protocol_as_spoken() {
    let dir = trusted::dir();
    let place = dir.path().display();
    let verbs = [
        "info", "probe", "take", "list", "verify", "destroy", "restore", "users", "rollback",
        "mark", "usage",
    ];
    for verb in verbs {
        let answer = example(verb).1.to_string();
        std::fs::write(dir.path().join(format!("{verb}.answer")), answer).unwrap();
    }
    let script = format!(
        "#!/bin/sh\ncat > {place}/$2.request\n[ $2 = restore ] && mkdir {place}/target\n\
         cat {place}/$2.answer"
    );
    let backend = backend(&json!({
        "program": trusted::script(&dir, "echo", &script),
        "args": ["first"],
        "options": {"path": "/srv/notes"},
    }));
    let (handle, target) = (handle(), dir.path().join("target"));
    let tags = Some([("team".into(), "red".into())].into());
    let doubt = Mark { doubt: Some("it is empty".into()), tags, ..Mark::default() };
    let previous = Handle {
        seq: Seq(41),
        id: "0b9a3d52-93a1-4a41-8b0a-5a8f3c0c7d10".parse().unwrap(),
        object: "tape-7/41".into(),
    };
    let (card, note) = (card(), "not in it: the socket run/app.sock");

    assert_eq!(backend.capabilities().in_flight, 1, "nothing is known before info");
    assert_eq!(backend.probe().unwrap().identity, "9a4bc7d2-6a52-4b5e-8e8e-0d7c6b1f4a01");
    assert_eq!(backend.capabilities().in_flight, 2);
    let order = TakeOrder { card: &card, source: None, previous: Some(&previous) };
    let object = backend.take(&order, &()).unwrap();
    assert_eq!((object.object.as_str(), &object.notes[..]), ("tape-7/42", &[note.into()][..]));
    let survey = backend.list().unwrap();
    assert_eq!(survey.found[0].card, Card { handle: handle.clone(), ..card.clone() });
    assert_eq!((survey.high_water, &survey.found[0].mark), (Seq(43), &doubt));
    let told = &survey.found[0].told;
    assert_eq!((survey.disks[0].size, told.disks[0].size), (10 << 30, 1 << 30));
    assert_eq!(told.engine.as_ref().map(|engine| engine.name.as_str()), Some("couchdb"));
    assert_eq!(backend.verify(&handle, &()).unwrap().entries, Some(1200));
    backend.destroy(&handle).unwrap();
    backend.restore(&copied(&handle, &target), &()).unwrap();
    let users = backend.users().unwrap();
    assert_eq!(users, ["editor (process 812) holds /srv/notes/a.txt; end it"]);
    let token = "7c1b7f7e-52a8-4c58-9a70-3f0f1d7b6a02".parse().unwrap();
    let back = backend.rollback(&RollbackOrder { handle: &handle, token }, &()).unwrap();
    assert_eq!(back.identity, "2f61a3de-0b7c-4c43-8f4e-5f3f7f0e9c11");
    backend.mark(&handle, &doubt).unwrap();
    assert_eq!(backend.usage(&handle).unwrap().exclusive, Some(1_048_576));
    let occupied = TotalUsage { bytes: 74_448_896, exact: true };
    assert_eq!(backend.occupied().unwrap(), Some(occupied));

    for verb in verbs {
        let sent = std::fs::read(dir.path().join(format!("{verb}.request"))).unwrap();
        let sent: Value = serde_json::from_slice(&sent).unwrap();
        let mut written = example(verb).0;
        if verb == "restore" {
            written["target"] = target.to_str().into();
        }
        assert_eq!(sent, written, "{verb}");
    }
}

#[test]
fn a_plugin_that_does_not_say_that_it_can_roll_back_is_never_asked_to() {
    let dir = trusted::dir();
    let backend = plugin(&dir, "touch \"$(dirname $0)/asked\"; echo '{}'");
    let (handle, token) = (handle(), uuid::Uuid::from_u128(1));
    let refused = backend.rollback(&RollbackOrder { handle: &handle, token }, &()).unwrap_err();
    for error in [backend.users().unwrap_err(), refused] {
        assert_eq!(error.fault, Fault::Permanent);
        assert!(error.to_string().ends_with("heptactl create"), "{error}");
    }
    assert!(!dir.path().join("asked").exists());
}

#[test]
fn a_plugin_that_does_not_keep_to_the_protocol_never_succeeds() {
    let dir = trusted::dir();
    let check = |script: &str, fault: Fault, want: &str| {
        let error = plugin(&dir, script).list().unwrap_err();
        assert_eq!(error.fault, fault, "{script}: {error}");
        let text = error.to_string();
        assert!(text.contains(want), "{script}: {text}");
        assert!(text.starts_with("list of notes by /") && text.contains("/plugin: "), "{text}");
        assert!(!text.contains('\u{1b}') && text.len() < 3000, "{text}");
    };
    use Fault::{NoSpace, Permanent, Transient};
    check("echo hello; printf 'tape\\033[2J\\nbroken\\n' >&2", Permanent, "tape [2J | broken");
    check("head -c 100000 /dev/urandom", Permanent, "not JSON");
    check("echo '{\"high_water\": 1, \"snapshots\": ['", Permanent, "not JSON");
    check("echo '{\"snapshots\": []}'", Permanent, "high_water");
    check("echo '{\"high_water\": 1}'", Permanent, "snapshots");
    check("echo '{\"high_water\": -1, \"snapshots\": []}'", Permanent, "not as the protocol says");
    check(
        "echo '{\"protocol\": 2, \"high_water\": 1, \"snapshots\": []}'",
        Permanent,
        "protocol 2",
    );
    check("echo '{\"high_water\": 1, \"snapshots\": []}'; exit 1", Permanent, "exit code 1");
    check("echo '{\"high_water\": 1, \"snapshots\": []}'; kill -9 $$", Transient, "signal 9");
    check("yes", Permanent, "longer than 16777216 bytes");
    check("echo no tape >&2; exit 7", Transient, "exit code 7; it said: no tape");
    check("exec 2>/dev/full; echo x >&2; exit 1", Transient, "exit code 1");
    let full =
        r#"echo '{"error": {"fault": "no-space", "message": "tape\u001b is full"}}'; exit 1"#;
    check(full, NoSpace, "tape  is full");
    let deep = "head -c 100000 /dev/zero | tr '\\0' '['";
    check(deep, Permanent, "not JSON");
}

#[test]
fn a_plugin_of_another_protocol_is_asked_nothing_more() {
    let dir = trusted::dir();
    let asked = dir.path().join("asked");
    let ask = |info: &str| -> StorageError {
        let script = format!("#!/bin/sh\necho $1 >> {}\n{info}\n", asked.display());
        let program = trusted::script(&dir, "plugin", &script);
        backend(&json!({"program": program})).list().unwrap_err()
    };
    let error = ask("echo '{\"protocol\": 2}'");
    assert!(error.to_string().contains("it speaks protocol 2, this heptad speaks 1"), "{error}");
    assert!(ask("echo '{}'").to_string().contains("missing field `protocol`"));
    assert!(ask("echo '{\"protocol\": \"1\"}'").to_string().contains("speaks protocol"));
    assert_eq!(std::fs::read_to_string(asked).unwrap(), "info\ninfo\ninfo\n");
}

#[test]
fn the_version_is_agreed_on_once_and_again_when_the_program_changes() {
    let dir = trusted::dir();
    let asked = dir.path().join("asked");
    let script = |version: u32| {
        let text = format!(
            "#!/bin/sh\necho $1 >> {}\necho '{{\"protocol\": {version}, \"identity\": \"x\"}}'\n",
            asked.display()
        );
        trusted::script(&dir, "plugin", &text)
    };
    let backend = backend(&json!({"program": script(1)}));
    backend.probe().unwrap();
    backend.probe().unwrap();
    assert_eq!(std::fs::read_to_string(&asked).unwrap(), "info\nprobe\nprobe\n");
    std::fs::remove_file(dir.path().join("plugin")).unwrap();
    script(22);
    assert!(backend.probe().unwrap_err().to_string().contains("protocol 22"));
}

#[test]
fn a_plugin_that_hangs_or_forks_hangs_nobody() {
    let dir = trusted::dir();
    let text = format!("#!/bin/sh\n{INFO}\ntrap 'echo late >&2; exit 0' TERM\nsleep 600 & wait\n");
    let program = trusted::script(&dir, "plugin", &text);
    let hanging = backend(&json!({"program": program, "deadline": 3}));
    let begun = Instant::now();
    let error = hanging.verify(&handle(), &()).unwrap_err();
    assert_eq!(error.fault, Fault::Transient);
    assert!(error.to_string().contains(" s, and ended; it said: late"), "{error}");

    let forking = plugin(&dir, "sleep 600 & echo '{\"identity\": \"x\"}'");
    assert_eq!(forking.probe().unwrap().identity, "x");
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_plugin_that_others_could_change_is_not_run() {
    use std::os::unix::fs::PermissionsExt;
    let dir = trusted::dir();
    let backend = plugin(&dir, &format!("touch {}/ran", dir.path().display()));
    let mode = |mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(dir.path().join("plugin"), mode).unwrap();
    };
    for (bits, want) in [(0o757, "chmod go-w"), (0o775, "chmod go-w"), (0o600, "chmod +x")] {
        mode(bits);
        let error = backend.probe().unwrap_err();
        assert_eq!(error.fault, Fault::Permanent);
        assert!(error.to_string().contains(want), "{error}");
    }
    std::fs::remove_file(dir.path().join("plugin")).unwrap();
    let error = backend.probe().unwrap_err();
    assert_eq!(error.fault, Fault::Permanent, "a missing program is no missing resource");
    assert!(!dir.path().join("ran").exists());
}

#[test]
fn destroy_compares_with_a_fresh_listing_first() {
    let dir = trusted::dir();
    let place = dir.path().display();
    let meant = handle();
    let (id, other) = (meant.id.to_string(), "0b9a3d52-93a1-4a41-8b0a-5a8f3c0c7d10");
    let check = |found: Value, want: Option<(Fault, &str)>| {
        let _ = std::fs::remove_file(dir.path().join("destroyed"));
        let list = json!({"high_water": 42, "snapshots": found});
        std::fs::write(dir.path().join("list"), list.to_string()).unwrap();
        let script =
            format!("[ $1 = list ] && exec cat {place}/list\ncat > {place}/destroyed; echo '{{}}'");
        let result = plugin(&dir, &script).destroy(&meant);
        let sent = std::fs::read_to_string(dir.path().join("destroyed"));
        match want {
            None => {
                result.unwrap();
                let sent: Value = serde_json::from_str(&sent.unwrap()).unwrap();
                assert_eq!(sent["snapshot"]["id"], json!(id), "{list}");
            }
            Some((fault, word)) => {
                let error = result.unwrap_err();
                assert!(error.fault == fault && error.to_string().contains(word), "{error}");
                assert!(sent.is_err(), "{list}");
            }
        }
    };
    check(json!([listed(42, &id, "tape-7/42"), listed(41, other, "tape-7/41")]), None);
    check(json!([]), None);
    let identity = |word| Some((Fault::Identity, word));
    check(json!([listed(42, &id, "tape-8/42")]), identity("object \"tape-8/42\""));
    check(json!([listed(42, other, "tape-7/42")]), identity(other));
    check(json!([listed(43, &id, "tape-7/42")]), identity("found is 43"));
    let hostile = listed(42, "x", "tape-7/42");
    check(json!([hostile]), Some((Fault::Permanent, "snapshots[0]")));
}

#[test]
fn a_restore_that_made_nothing_is_no_success() {
    let dir = trusted::dir();
    let target = dir.path().join("new");
    let lying = plugin(&dir, "echo '{}'");
    let error = lying.restore(&copied(&handle(), &target), &()).unwrap_err();
    assert!(error.to_string().contains("claims success"), "{error}");
    let asked = plugin(&dir, &format!("touch {}/asked; echo '{{}}'", dir.path().display()));
    let error = asked.restore(&copied(&handle(), Path::new("/etc")), &()).unwrap_err();
    assert!(error.to_string().contains("/etc exists already"), "{error}");
    assert!(!dir.path().join("asked").exists());
}
