//! Subvolumes that are read-only, and snapshots that other tools keep in a resource.

use super::{live, set_read_only, snapshot};
use crate::conformance::{card, find, kept, read, states, take, write};
use crate::support::copied;
use crate::support::loopfs::{LoopFs, run, subvolume};
use heptad::backend::{RollbackOrder, TakeOrder};
use heptad::domain::snapshot::Handle;
use heptad::domain::survey::Wholeness;
use std::path::Path;
use std::process::Command;
use uuid::Uuid;

fn order(handle: &Handle, token: u128) -> RollbackOrder<'_> {
    RollbackOrder { handle, token: Uuid::from_u128(token + 1000) }
}

/// What `btrfs subvolume show` says under a heading.
fn told(path: &Path, heading: &str) -> String {
    let said = Command::new("btrfs").args(["subvolume", "show"]).arg(path).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let line = said.lines().find_map(|line| line.trim().strip_prefix(heading));
    line.unwrap_or_else(|| panic!("{}: {heading}", path.display())).trim().to_owned()
}

fn is_read_only(path: &Path) -> bool {
    told(path, "Flags:") == "readonly"
}

/// How many subvolumes the file system has.
fn count(fs: &LoopFs) -> usize {
    let said = Command::new("btrfs").args(["subvolume", "list"]).arg(fs.path()).output().unwrap();
    String::from_utf8(said.stdout).unwrap().lines().count()
}

/// Nested: one that is closed, one in it, and one that was received and is closed by that.
fn fill(fs: &LoopFs) {
    let live = fs.path().join("live");
    write(&live, &[("file", b"1"), ("archive/x", b"")]);
    subvolume(&live.join("closed"));
    subvolume(&live.join("closed/open"));
    write(&live, &[("closed/f", b"2"), ("closed/open/f", b"3")]);
    let sent = fs.path().join("sent");
    subvolume(&sent);
    write(&sent, &[("f", b"4")]);
    set_read_only(&sent, true);
    let script = "btrfs -q send \"$1\" | btrfs -q receive \"$2\"";
    let archive = live.join("archive");
    run("sh", &["-c", script, "sh", sent.to_str().unwrap(), archive.to_str().unwrap()]);
    set_read_only(&live.join("closed"), true);
}

fn assert_closed(root: &Path, received: &str) {
    for (path, closed) in [("closed", true), ("closed/open", false), ("archive/sent", true)] {
        assert_eq!(is_read_only(&root.join(path)), closed, "{path}");
    }
    assert_eq!(told(&root.join("archive/sent"), "Received UUID:"), received);
    assert!(!is_read_only(root));
}

#[test]
fn nested_subvolumes_that_were_read_only_are_so_again() {
    let (fs, backend) = live(200);
    let live = fs.path().join("live");
    fill(&fs);
    let (then, received) = (read(&live), told(&live.join("archive/sent"), "Received UUID:"));
    assert_eq!(received.len(), 36);
    let one = take(&*backend, &card(1));
    let order_two = TakeOrder { card: &kept(2, 1), source: Some(&one), previous: None };
    backend.take(&order_two, &()).unwrap();
    let two = find(&*backend, 2).unwrap().card.handle;
    for (token, handle) in [&one, &two].into_iter().enumerate() {
        let copy = fs.path().join(format!("copy-{token}"));
        backend.restore(&copied(handle, &copy), &()).unwrap();
        assert_closed(&copy, &received);
        assert_eq!(read(&copy), then);
        set_read_only(&live.join("closed"), false);
        write(&live, &[("file", b"later"), ("closed/f", b"later"), ("closed/open/f", b"later")]);
        backend.rollback(&order(handle, token as u128), &()).unwrap();
        assert_closed(&live, &received);
        assert_eq!(read(&live), then);
        write(&live, &[("file", b"writable"), ("closed/open/f", b"writable")]);
    }
    let whole = [(1, Wholeness::Whole), (2, Wholeness::Whole)];
    assert_eq!(states(&*backend), whole);
}

#[test]
fn a_resource_that_was_read_only_is_so_again() {
    let (fs, backend) = live(200);
    let live = fs.path().join("live");
    write(&live, &[("file", b"1")]);
    for nested in [false, true] {
        if nested {
            subvolume(&live.join("nested"));
            write(&live, &[("nested/f", b"1")]);
        }
        let then = read(&live);
        set_read_only(&live, true);
        let seq = 1 + 2 * u64::from(nested);
        let one = take(&*backend, &card(seq));
        set_read_only(&live, false);
        write(&live, &[("file", b"2")]);
        set_read_only(&live, true);
        let two = take(&*backend, &card(seq + 1));
        let copy = fs.path().join(format!("copy-{nested}"));
        backend.restore(&copied(&one, &copy), &()).unwrap();
        backend.rollback(&RollbackOrder { handle: &one, token: two.id }, &()).unwrap();
        for path in [&live, &copy] {
            assert!(is_read_only(path), "{}", path.display());
            assert_eq!(read(path), then);
        }
        set_read_only(&live, false);
        backend.rollback(&order(&two, seq.into()), &()).unwrap();
        assert!(is_read_only(&live));
        set_read_only(&live, false);
    }
}

/// Read-only snapshots of the resource and of what is nested in it, some in directories of their
/// own.
fn keep_snapshots(live: &Path, from: usize, to: usize) {
    std::fs::create_dir_all(live.join("snaps")).unwrap();
    for at in from..to {
        let dir = live.join(format!("snaps/{at}"));
        std::fs::create_dir(&dir).unwrap();
        snapshot(live, &dir.join("snapshot"), &["-r"]);
    }
}

#[test]
fn snapshots_of_it_that_another_tool_keeps_in_it_are_no_content_and_stay_as_they_are() {
    let (fs, backend) = live(400);
    let live = fs.path().join("live");
    subvolume(&live.join("home"));
    write(&live, &[("file", b"1"), ("home/ann", b"1")]);
    keep_snapshots(&live, 0, 20);
    snapshot(&live.join("home"), &live.join("snaps/home"), &["-r"]);
    snapshot(&live.join("snaps/0/snapshot"), &live.join("snaps/again"), &["-r"]);
    // This one is worked with.
    snapshot(&live, &live.join("snaps/work"), &[]);
    let before = count(&fs);
    let one = take(&*backend, &card(1));
    take(&*backend, &card(2));
    // The store, and of each snapshot: data, home, work.
    assert_eq!(count(&fs), before + 1 + 2 * 3);
    let notes = find(&*backend, 1).unwrap().notes;
    assert!(notes[0].starts_with("2 nested subvolumes are included"), "{notes:?}");
    assert!(notes[1].starts_with("22 snapshots of it that other tools keep in it are left out"));
    let ids = |path: &str| told(&live.join(path), "UUID:");
    let snaps = ["snaps/0/snapshot", "snaps/19/snapshot", "snaps/home", "snaps/again"];
    let then = snaps.map(ids);
    // After a rollback they are snapshots of what was there before.
    for token in 1..=3 {
        write(&live, &[("file", b"2"), ("home/ann", b"2")]);
        if token == 2 {
            keep_snapshots(&live, 20, 23);
        }
        backend.rollback(&order(&one, token), &()).unwrap();
        assert_eq!(std::fs::read(live.join("home/ann")).unwrap(), b"1");
        assert_eq!(snaps.map(ids), then);
        assert!(snaps.iter().all(|path| is_read_only(&live.join(path))), "{token}");
        assert!(!is_read_only(&live.join("snaps/work")));
    }
    assert!(is_read_only(&live.join("snaps/22/snapshot")));
    backend.destroy(&one).unwrap();
    backend.destroy(&find(&*backend, 2).unwrap().card.handle).unwrap();
    take(&*backend, &card(3));
    let notes = find(&*backend, 3).unwrap().notes;
    assert!(notes[1].starts_with("25 snapshots of it"), "{notes:?}");
}

#[test]
fn one_that_was_open_to_be_moved_when_a_rollback_was_killed_is_closed_again() {
    let (fs, backend) = live(200);
    let live = fs.path().join("live");
    write(&live, &[("file", b"1")]);
    keep_snapshots(&live, 0, 3);
    let one = take(&*backend, &card(1));
    // As it is noted, and as it is left then.
    let moving = live.join("snaps/1/snapshot");
    let (id, store) = (told(&moving, "UUID:"), fs.path().join(".heptad/web-1"));
    run("setfattr", &["-n", "user.heptad.moving", "-v", &id, store.to_str().unwrap()]);
    set_read_only(&moving, false);
    backend.rollback(&order(&one, 1), &()).unwrap();
    assert_eq!(told(&moving, "UUID:"), id);
    for at in 0..3 {
        assert!(is_read_only(&live.join(format!("snaps/{at}/snapshot"))), "{at}");
    }
    // It is done: whoever opens it now wants that.
    set_read_only(&moving, false);
    backend.rollback(&order(&one, 2), &()).unwrap();
    assert!(!is_read_only(&moving));
}

#[test]
fn what_only_looks_like_a_snapshot_of_the_resource_is_content() {
    let (fs, backend) = live(200);
    let live = fs.path().join("live");
    fill(&fs);
    snapshot(&fs.path().join("sent"), &live.join("of-another"), &["-r"]);
    snapshot(&live, &live.join("changed"), &[]);
    write(&live, &[("changed/more", b"")]);
    set_read_only(&live.join("changed"), true);
    take(&*backend, &card(1));
    let notes = find(&*backend, 1).unwrap().notes;
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].starts_with("5 nested subvolumes are included"), "{notes:?}");
}

#[test]
fn a_nested_subvolume_that_goes_while_it_is_looked_at_fails_nothing() {
    let (fs, backend) = live(400);
    let live = fs.path().join("live");
    write(&live, &[("file", b"1")]);
    let script =
        "while :; do btrfs -q subvolume create \"$1/n\"; btrfs -q subvolume delete \"$1/n\"; done";
    let mut busy = Command::new("sh").args(["-c", script, "sh"]).arg(&live).spawn().unwrap();
    let taken: Vec<_> = (1..=40)
        .map(|seq| backend.take(&TakeOrder { card: &card(seq), source: None, previous: None }, &()))
        .collect();
    busy.kill().unwrap();
    busy.wait().unwrap();
    for object in taken {
        object.unwrap();
    }
    assert!(states(&*backend).iter().all(|(_, state)| *state == Wholeness::Whole));
}

#[test]
fn flags_and_properties_of_a_subvolume_survive_a_rollback() {
    let (fs, backend) = live(200);
    let live = fs.path().join("live");
    subvolume(&live.join("images"));
    subvolume(&live.join("small"));
    run("chattr", &["+C", live.join("images").to_str().unwrap()]);
    run("btrfs", &["property", "set", live.join("small").to_str().unwrap(), "compression", "zstd"]);
    write(&live, &[("images/disk", b"1"), ("small/file", b"1")]);
    let look = |root: &Path| {
        let places = ["", "images", "images/disk", "small", "small/file"];
        let paths = places.map(|place| root.join(place));
        let said = Command::new("lsattr").arg("-d").args(paths).output().unwrap().stdout;
        let said = String::from_utf8(said).unwrap().replace(root.to_str().unwrap(), "");
        (said, compression(&root.join("small")))
    };
    let then = look(&live);
    let one = take(&*backend, &card(1));
    backend.restore(&copied(&one, &fs.path().join("copy")), &()).unwrap();
    backend.rollback(&order(&one, 1), &()).unwrap();
    assert_eq!(look(&live), then);
    assert_eq!(look(&fs.path().join("copy")), then);
    assert!(then.0.contains('C') && then.1.contains("zstd"), "{then:?}");
}

fn compression(path: &Path) -> String {
    let said = Command::new("btrfs").args(["property", "get"]).arg(path).output().unwrap();
    String::from_utf8(said.stdout).unwrap()
}
