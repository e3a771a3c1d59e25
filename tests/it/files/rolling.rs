//! A tree or file set back in place: what snapshots leave out, what cannot be exchanged.

use crate::conformance::{card, fault, read, take, write};
use crate::support::loopfs::{LoopFs, Mounted, run, subvolume};
use heptad::backend::options::Context;
use heptad::backend::registry;
use heptad::backend::{Backend, RollbackOrder};
use heptad::domain::operation::Fault;
use heptad::domain::snapshot::Handle;
use serde_json::{Value, json};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use uuid::Uuid;

fn order(handle: &Handle, token: u128) -> RollbackOrder<'_> {
    RollbackOrder { handle, token: Uuid::from_u128(token + 1000) }
}

fn build(root: &Path, path: &Path, more: &Value) -> Arc<dyn Backend> {
    let mut options = json!({ "path": path, "store": root.join("store") });
    for (key, value) in more.as_object().unwrap() {
        options[key] = value.clone();
    }
    let context = Context { resource: "web-1".parse().unwrap(), state: root.into() };
    registry::build("files", options.as_object().unwrap(), &context).unwrap()
}

fn hidden(dir: &Path) -> bool {
    let mut names = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    names.any(|name| name.to_string_lossy().starts_with(".heptad"))
}

#[test]
fn what_is_excluded_is_carried_over() {
    let dir = tempfile::tempdir().unwrap();
    let live = dir.path().join("live");
    let excluded = json!({ "exclude": ["cache", "a/b", "cache/deep", "gone"] });
    write(
        &live,
        &[("file", b"1"), ("cache/x", b"of the snapshot"), ("gone/x", b"1"), ("a/c", b"")],
    );
    // The first snapshot was taken when nothing was excluded.
    let one = take(&*build(dir.path(), &live, &json!({})), &card(1));
    let backend = build(dir.path(), &live, &excluded);
    let two = take(&*backend, &card(2));
    std::fs::remove_dir_all(live.join("gone")).unwrap();
    for (token, handle) in [&one, &two].into_iter().enumerate() {
        write(
            &live,
            &[("file", b"2"), ("cache/x", b"kept"), ("cache/deep/y", b""), ("a/b/z", b"")],
        );
        let times = std::fs::metadata(live.join("a")).unwrap().modified().unwrap();
        let want = std::fs::metadata(live.join("cache")).unwrap().ino();
        backend.rollback(&order(handle, token as u128), &()).unwrap();
        let tree = read(&live);
        assert_eq!(tree[Path::new("file")], Some(b"1".to_vec()));
        assert_eq!(tree[Path::new("cache/x")], Some(b"kept".to_vec()));
        assert!(tree.contains_key(Path::new("cache/deep/y")));
        assert!(tree.contains_key(Path::new("a/b/z")));
        assert_eq!(tree.contains_key(Path::new("gone/x")), token == 0, "only the first has it");
        assert_eq!(std::fs::metadata(live.join("cache")).unwrap().ino(), want);
        assert!(std::fs::metadata(live.join("a")).unwrap().modified().unwrap() <= times);
        let _ = std::fs::remove_dir_all(live.join("gone"));
    }
    assert!(!hidden(dir.path()));
}

#[test]
fn an_excluded_path_that_would_have_no_place_stops_the_rollback() {
    let dir = tempfile::tempdir().unwrap();
    let live = dir.path().join("live");
    write(&live, &[("file", b"1")]);
    let backend = build(dir.path(), &live, &json!({ "exclude": ["new/cache"] }));
    let one = take(&*backend, &card(1));
    write(&live, &[("file", b"2"), ("new/cache/precious", b"1")]);
    let now = read(&live);
    let refused = backend.rollback(&order(&one, 1), &()).unwrap_err();
    assert_eq!(refused.fault, Fault::Permanent);
    assert!(refused.to_string().contains("no directory that it could lie in"), "{refused}");
    assert!(read(&live) == now && !hidden(dir.path()));
}

#[test]
fn a_single_file_is_rolled_back_with_its_mode_and_owner() {
    let dir = tempfile::tempdir().unwrap();
    let live = dir.path().join("a.conf");
    std::fs::write(&live, "then").unwrap();
    std::fs::set_permissions(&live, PermissionsExt::from_mode(0o640)).unwrap();
    std::os::unix::fs::chown(&live, Some(123), Some(45)).unwrap();
    run("setfattr", &["-n", "user.a", "-v", "then", live.to_str().unwrap()]);
    let backend = build(dir.path(), &live, &json!({}));
    let (one, before) = (take(&*backend, &card(1)), backend.probe().unwrap());
    std::fs::remove_file(&live).unwrap();
    std::fs::write(&live, "now").unwrap();
    let back = backend.rollback(&order(&one, 1), &()).unwrap();
    assert_eq!(back, before, "a file is known by its name");
    let meta = std::fs::metadata(&live).unwrap();
    assert_eq!((meta.mode() & 0o7777, meta.uid(), meta.gid()), (0o640, 123, 45));
    assert_eq!(std::fs::read(&live).unwrap(), b"then");
    // A program replaces it, and the same order comes again.
    std::fs::write(dir.path().join("new"), "since").unwrap();
    std::fs::rename(dir.path().join("new"), &live).unwrap();
    backend.rollback(&order(&one, 1), &()).unwrap();
    assert_eq!(std::fs::read(&live).unwrap(), b"since");
    assert!(!hidden(dir.path()));
}

#[test]
fn what_cannot_be_exchanged_is_refused_with_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let live = dir.path().join("live");
    write(&live, &[("file", b"1")]);
    let check = |backend: &dyn Backend, want: &str| {
        let handle = take(backend, &card(1));
        let refused = backend.rollback(&order(&handle, 1), &()).unwrap_err();
        for error in [backend.users().unwrap_err(), refused] {
            assert_eq!(error.fault, Fault::Permanent, "{error}");
            let text = error.to_string();
            assert!(text.contains(want) && text.contains("heptactl create"), "{text}");
        }
        backend.destroy(&handle).unwrap();
    };
    let in_it = "the store of its snapshots lies in it";
    check(&*build(&live, &live, &json!({})), in_it);
    // By whatever way it is reached: it would go with the content of before.
    let (way, other) = (dir.path().join("way"), dir.path().join("other"));
    std::os::unix::fs::symlink(&live, &way).unwrap();
    check(&*build(&way, &live, &json!({})), in_it);
    std::fs::create_dir(&other).unwrap();
    let mounted = Mounted::new(&["--bind", live.to_str().unwrap()], &other);
    check(&*build(&other, &live, &json!({})), in_it);
    drop(mounted);
    std::fs::remove_dir_all(live.join("store")).unwrap();
    let mounted = Mounted::tmpfs(&live);
    check(&*build(dir.path(), &live, &json!({})), "it is mounted there");
    drop(mounted);
    let fs = LoopFs::new("btrfs", 120);
    subvolume(&fs.path().join("live"));
    check(&*build(&fs.path(), &fs.path().join("live"), &json!({})), "a btrfs subvolume");
}

#[test]
fn what_no_snapshot_holds_or_nobody_can_remove_stops_the_rollback() {
    let fs = LoopFs::new("btrfs", 120);
    let live = fs.path().join("live");
    write(&live, &[("file", b"1")]);
    let backend = build(&fs.path(), &live, &json!({ "exclude": ["left/out"] }));
    std::fs::create_dir_all(live.join("left")).unwrap();
    let one = take(&*backend, &card(1));
    let check = |want: &str| {
        let now = read(&live);
        let refused = backend.rollback(&order(&one, 1), &()).unwrap_err();
        assert_eq!(refused.fault, Fault::Permanent, "{refused}");
        assert!(refused.to_string().contains(want), "{refused}");
        assert!(read(&live) == now && !hidden(&fs.path()));
    };
    subvolume(&live.join("left/out"));
    write(&live, &[("left/out/precious", b"1")]);
    subvolume(&live.join("sub"));
    check("sub: it is another file system");
    run("btrfs", &["-q", "subvolume", "delete", live.join("sub").to_str().unwrap()]);
    let file = live.join("file");
    run("chattr", &["+i", file.to_str().unwrap()]);
    check("file: it cannot be removed");
    run("chattr", &["-i", file.to_str().unwrap()]);
    let cache = live.join("left");
    let mounted = Mounted::tmpfs(&cache);
    let users = backend.users().unwrap();
    assert!(users[0].ends_with(&format!("umount {}", cache.display())), "{users:?}");
    assert_eq!(fault(backend.rollback(&order(&one, 1), &())), Fault::Busy);
    drop(mounted);
    backend.rollback(&order(&one, 1), &()).unwrap();
    assert!(live.join("left/out/precious").exists(), "a subvolume is carried over, too");
}
