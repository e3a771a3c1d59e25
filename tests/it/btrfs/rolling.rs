//! A subvolume set back in place: what is nested in it, what is mounted, and power cuts.

use super::durable::cut_power;
use super::{build, live, snapshot};
use crate::conformance::{RESOURCE, card, fault, read, states, take, write};
use crate::support::loopfs::{LoopFs, Mounted, run, subvolume};
use heptad::backend::RollbackOrder;
use heptad::domain::operation::Fault;
use heptad::domain::snapshot::Handle;
use heptad::domain::survey::Wholeness;
use serde_json::json;
use std::path::Path;
use uuid::Uuid;

fn order(handle: &Handle, token: u128) -> RollbackOrder<'_> {
    RollbackOrder { handle, token: Uuid::from_u128(token + 1000) }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn nested_subvolumes_of_the_snapshot_are_rolled_back_and_others_are_carried_over() {
    let (fs, backend) = live(200);
    let live = fs.path().join("live");
    write(&live, &[("file", b"1"), ("var/x", b"")]);
    subvolume(&live.join("home"));
    subvolume(&live.join("home/ann"));
    write(&live, &[("home/ann/mail", b"old")]);
    let then = read(&live);
    let one = take(&*backend, &card(1));
    write(&live, &[("home/ann/mail", b"new"), ("home/bob", b"new")]);
    subvolume(&live.join("var/later"));
    subvolume(&live.join("var/later/deep"));
    subvolume(&live.join("home/ann/later"));
    write(&live, &[("var/later/deep/precious", b"3"), ("home/ann/later/precious", b"4")]);
    let two = take(&*backend, &card(2));
    let now = read(&live);
    backend.rollback(&order(&one, 1), &()).unwrap();
    let mut carried = read(&live);
    let is_carried = |path: &Path| path.starts_with("var/later") || path.ends_with("precious");
    let precious: Vec<_> = carried.keys().filter(|path| path.ends_with("precious")).collect();
    assert_eq!(precious.len(), 2, "{carried:?}");
    carried.retain(|path, _| !is_carried(path) && path != Path::new("home/ann/later"));
    assert_eq!(carried, then);
    assert_eq!(names(&fs.path()), [".heptad", "live"]);
    backend.rollback(&order(&two, 2), &()).unwrap();
    assert_eq!(read(&live), now);
    assert_eq!(states(&*backend), [(1, Wholeness::Whole), (2, Wholeness::Whole)]);
}

#[test]
fn what_snapshots_leave_out_is_never_replaced() {
    for mode in ["note", "separate"] {
        let (fs, including) = live(200);
        let live = fs.path().join("live");
        subvolume(&live.join("home"));
        write(&live, &[("file", b"1"), ("home/ann", b"1")]);
        // The first snapshot has it, the later ones do not.
        let one = take(&*including, &card(1));
        let backend = build(RESOURCE, json!({ "path": live, "nested": mode }));
        let two = take(&*backend, &card(2));
        for (token, handle) in [&one, &two].into_iter().enumerate() {
            write(&live, &[("file", b"2"), ("home/ann", b"kept")]);
            backend.rollback(&order(handle, token as u128), &()).unwrap();
            let tree = read(&live);
            assert_eq!(tree[Path::new("file")], Some(b"1".to_vec()), "{mode} {token}");
            assert_eq!(tree[Path::new("home/ann")], Some(b"kept".to_vec()), "{mode} {token}");
        }
    }
}

#[test]
fn a_nested_subvolume_that_would_have_no_place_stops_the_rollback() {
    let (fs, backend) = live(200);
    let live = fs.path().join("live");
    write(&live, &[("full/file", b"1"), ("a file", b"")]);
    let one = take(&*backend, &card(1));
    let check = |path: &str, want: &str| {
        subvolume(&live.join(path));
        write(&live, &[(&format!("{path}/precious"), b"1")]);
        let now = read(&live);
        let refused = backend.rollback(&order(&one, 1), &()).unwrap_err();
        assert_eq!(refused.fault, Fault::Permanent);
        let text = refused.to_string();
        assert!(text.contains(want) && text.contains("heptactl create"), "{text}");
        assert_eq!(read(&live), now);
        assert_eq!(names(&fs.path()), [".heptad", "live"]);
        super::delete(&live.join(path));
    };
    std::fs::create_dir(live.join("new")).unwrap();
    check("new/sub", "no directory that it could lie in");
    std::fs::remove_dir_all(live.join("full")).unwrap();
    check("full", "a directory with content in its place");
    std::fs::remove_file(live.join("a file")).unwrap();
    check("a file", "a file in its place");
    backend.rollback(&order(&one, 1), &()).unwrap();
}

#[test]
fn what_cannot_be_exchanged_is_refused_with_the_way_out() {
    let fs = LoopFs::new("btrfs", 200);
    subvolume(&fs.path().join("live"));
    let check = |path: &Path, want: &str| {
        let backend = build(RESOURCE, json!({ "path": path }));
        let one = take(&*backend, &card(1));
        let refused = backend.rollback(&order(&one, 1), &()).unwrap_err();
        for error in [backend.users().unwrap_err(), refused] {
            assert_eq!(error.fault, Fault::Permanent, "{error}");
            let text = error.to_string();
            assert!(text.contains(want) && text.contains("heptactl create"), "{text}");
        }
        backend.destroy(&one).unwrap();
    };
    check(&fs.path(), "the top of its file system");
    run("btrfs", &["subvolume", "set-default", fs.path().join("live").to_str().unwrap()]);
    check(&fs.path().join("live"), "the default subvolume");
    run("btrfs", &["subvolume", "set-default", "5", fs.path().to_str().unwrap()]);
}

#[test]
fn mounts_of_it_and_in_it_are_told_with_what_to_unmount() {
    let (fs, backend) = live(200);
    let live = fs.path().join("live");
    write(&live, &[("data/file", b"1")]);
    let one = take(&*backend, &card(1));
    let elsewhere = tempfile::tempdir().unwrap();
    let (data, other) = (live.join("data"), elsewhere.path().to_owned());
    let check = |mounted: Mounted, point: &Path| {
        let users = backend.users().unwrap();
        let way_out = format!("umount {}", point.display());
        assert!(users.len() == 1 && users[0].ends_with(&way_out), "{users:?}");
        assert_eq!(fault(backend.rollback(&order(&one, 1), &())), Fault::Busy);
        drop(mounted);
        assert_eq!(backend.users().unwrap(), [""; 0]);
    };
    check(Mounted::tmpfs(&data), &data);
    check(Mounted::new(&["--bind", live.to_str().unwrap()], &other), &other);
    check(Mounted::new(&["--bind", data.to_str().unwrap()], &other), &other);
    // Its top is mounted elsewhere, too: that shows the new one as well.
    let top = Mounted::new(&["--bind", fs.path().to_str().unwrap()], &other);
    assert_eq!(backend.users().unwrap(), [""; 0]);
    backend.rollback(&order(&one, 1), &()).unwrap();
    drop(top);
}

#[test]
fn a_disk_image_in_use_is_told() {
    let (fs, backend) = live(200);
    let image = fs.path().join("live/disk.img");
    std::fs::File::create(&image).unwrap().set_len(1 << 20).unwrap();
    take(&*backend, &card(1));
    let made = std::process::Command::new("losetup").args(["-f", "--show"]).arg(&image).output();
    let device = String::from_utf8(made.unwrap().stdout).unwrap();
    let users = backend.users().unwrap();
    run("losetup", &["-d", device.trim()]);
    let way_out = format!("losetup -d {}", device.trim());
    assert!(users.len() == 1 && users[0].ends_with(&way_out), "{users:?}");
}

#[test]
fn a_rollback_survives_a_power_cut_right_after() {
    let (mut fs, backend) = live(200);
    let live = fs.path().join("live");
    write(&live, &[("large", &vec![3; 3 << 20]), ("a/b", b"c")]);
    subvolume(&live.join("nested"));
    write(&live, &[("nested/file", b"inside")]);
    let then = read(&live);
    let one = take(&*backend, &card(1));
    write(&live, &[("large", b"small"), ("nested/file", b"later")]);
    subvolume(&live.join("a/new"));
    write(&live, &[("a/new/precious", b"1")]);
    take(&*backend, &card(2));
    let back = backend.rollback(&order(&one, 1), &()).unwrap();
    cut_power(&mut fs);
    assert_eq!(backend.probe().unwrap(), back);
    let mut now = read(&live);
    assert_eq!(now.remove(Path::new("a/new/precious")), Some(Some(b"1".to_vec())));
    now.remove(Path::new("a/new"));
    assert!(now == then);
    assert_eq!(names(&fs.path()), [".heptad", "live"]);
    write(&live, &[("since", b"1")]);
    assert_eq!(backend.rollback(&order(&one, 1), &()).unwrap(), back);
    assert!(live.join("since").exists());
}

#[test]
fn what_is_not_this_rollbacks_is_left_alone() {
    let (fs, backend) = live(200);
    let live = fs.path().join("live");
    write(&live, &[("file", b"1")]);
    let one = take(&*backend, &card(1));
    let hidden = fs.path().join(format!(".heptad-rollback-{}", Uuid::from_u128(1001)));
    subvolume(&fs.path().join("mine"));
    write(&fs.path(), &[("mine/precious", b"1")]);
    snapshot(&fs.path().join("mine"), &hidden, &[]);
    let now = read(&live);
    assert_eq!(fault(backend.rollback(&order(&one, 1), &())), Fault::Identity);
    assert!(hidden.join("precious").exists());
    assert_eq!(read(&live), now);
}

/// As it is where the old subvolume could not be destroyed at the end.
#[test]
fn what_a_rollback_could_not_remove_goes_with_one_of_the_next_snapshots() {
    let (fs, backend) = live(200);
    let one = take(&*backend, &card(1));
    take(&*backend, &card(2));
    backend.rollback(&order(&one, 7), &()).unwrap();
    let store = fs.path().join(".heptad").join(RESOURCE);
    let note = "user.heptad.rollback";
    let mut known = [0; 256];
    let length = rustix::fs::getxattr(&store, note, &mut known).unwrap();
    let known = String::from_utf8(known[..length].to_vec()).unwrap();
    let words: Vec<&str> = known.split(' ').collect();
    assert_eq!(words[3..], ["judged", "carried"]);
    let left = fs.path().join(format!(".heptad-rollback-{}", words[0]));
    subvolume(&left);
    subvolume(&left.join("nested"));
    let mut show = std::process::Command::new("btrfs");
    let shown = show.args(["subvolume", "show"]).arg(&left).output().unwrap().stdout;
    let shown = String::from_utf8(shown).unwrap();
    let id = shown.lines().find_map(|line| line.trim().strip_prefix("UUID:")).unwrap().trim();
    let check = |seq: u64, old: &str, end: &str, stays: bool| {
        let text = format!("{} {} {old}{end}", words[0], words[1]);
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(&store, note, text.as_bytes(), flags).unwrap();
        take(&*backend, &card(seq));
        assert_eq!(left.exists(), stays, "{text}");
    };
    // Somebody else's, or with something in it that may have to be carried over.
    check(3, words[2], " judged carried", true);
    check(4, id, " judged", true);
    check(5, id, "", true);
    check(6, id, " judged carried", false);
    assert!(states(&*backend).iter().all(|(_, state)| *state == Wholeness::Whole));
}
