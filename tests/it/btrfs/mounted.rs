//! A file system of which only the resource's own subvolume is mounted, as installers lay it out.

use super::build;
use crate::conformance::{RESOURCE, card, fault, states, take, write};
use crate::support::copied;
use crate::support::loopfs::{LoopFs, Mounted, Undo, run, subvolume};
use heptad::backend::{Backend, RollbackOrder};
use heptad::domain::operation::Fault;
use heptad::domain::snapshot::Handle;
use heptad::domain::survey::Wholeness;
use serde_json::json;
use std::fs::{self, OpenOptions};
use std::process::Command;
use std::sync::Arc;

/// `@www`, mounted alone.
fn own_mount() -> (LoopFs, Arc<dyn Backend>) {
    let mut fs = LoopFs::new("btrfs", 200);
    subvolume(&fs.path().join("@www"));
    write(&fs.path().join("@www"), &[("index.html", b"one")]);
    fs.unmount();
    fs.mount("subvol=@www");
    let backend = build(RESOURCE, json!({ "path": fs.path() }));
    (fs, backend)
}

/// What a shell makes of the command in a note.
fn obey(note: &str) {
    let command = note.split_once("now: ").unwrap().1;
    assert!(Command::new("sh").args(["-c", command]).status().unwrap().success(), "{command}");
}

#[test]
fn a_new_one_is_made_beside_it_and_seen_by_the_command_that_is_printed() {
    let (fs, backend) = own_mount();
    let one = take(&*backend, &card(1));
    let name = "www-2".parse().unwrap();
    let point = backend.beside(&name).unwrap();
    assert_eq!(point, fs.path().with_file_name("www-2"));
    let restored = backend.restore(&copied(&one, &point), &()).unwrap();
    let notes = restored.notes.join("\n");
    assert!(
        notes.contains("subvolume /@www-2,") && notes.contains("subvol=/@www-2 0 0"),
        "{notes}"
    );
    assert!(!point.exists());
    // No second one of that name, seen or not.
    let again = backend.restore(&copied(&one, &point), &()).unwrap_err();
    assert!(again.detail.contains("there is one of that name"), "{again}");
    let undo = Undo::new("umount \"$1\"", &point);
    obey(&restored.notes[0]);
    assert_eq!(fs::read(point.join("index.html")).unwrap(), b"one");
    write(&point, &[("index.html", b"mine")]);
    assert_eq!(fs::read(fs.path().join("index.html")).unwrap(), b"one");
    let again = backend.restore(&copied(&one, &point), &()).unwrap_err();
    assert!(again.detail.contains("something is there already"), "{again}");
    drop(undo);
}

#[test]
fn none_is_made_inside_of_it() {
    let (fs, backend) = own_mount();
    let one = take(&*backend, &card(1));
    let inside = fs.path().join("old copy");
    let restored = backend.restore(&copied(&one, &inside), &()).unwrap();
    assert!(!inside.exists());
    let notes = restored.notes.join("\n");
    assert!(
        notes.contains("subvol='/@old copy'") && notes.contains("/@old\\040copy 0 0"),
        "{notes}"
    );
    // Where another mount shows its place it is made as told.
    let top = tempfile::tempdir().unwrap();
    let mounted = Mounted::new(&["-o", "subvolid=5", &device(&fs)], top.path());
    let seen = top.path().join("seen");
    assert_eq!(backend.restore(&copied(&one, &seen), &()).unwrap().notes, [""; 0]);
    assert_eq!(fs::read(seen.join("index.html")).unwrap(), b"one");
    drop(mounted);
}

#[test]
fn a_place_that_is_in_use_for_something_else_is_refused() {
    let (fs, backend) = own_mount();
    let one = take(&*backend, &card(1));
    let point = fs.path().with_file_name("full");
    write(&point, &[("file", b"mine")]);
    let refused = backend.restore(&copied(&one, &point), &()).unwrap_err();
    assert_eq!(refused.fault, Fault::Permanent);
    // An empty directory may wait for the mount.
    fs::remove_file(point.join("file")).unwrap();
    let restored = backend.restore(&copied(&one, &point), &()).unwrap();
    assert!(!restored.notes[0].contains("mkdir"), "{:?}", restored.notes);
}

/// By order of the token that the safety snapshot has as its id.
fn order<'a>(to: &'a Handle, safety: &Handle) -> RollbackOrder<'a> {
    RollbackOrder { handle: to, token: safety.id }
}

/// The device that a file system is mounted from.
fn device(fs: &LoopFs) -> String {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let point = format!(" {} ", fs.path().display());
    let line = table.lines().find(|line| line.contains(&point)).unwrap();
    line.split(" - btrfs ").nth(1).unwrap().split(' ').next().unwrap().to_owned()
}

/// The names at the top, but for heptad's own store.
fn tops(fs: &LoopFs) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let _top = Mounted::new(&["-o", "subvolid=5", &device(fs)], dir.path());
    let names = fs::read_dir(dir.path()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != ".heptad").collect()
}

#[test]
fn it_is_rolled_back_while_it_is_mounted_and_one_umount_shows_it() {
    let (mut fs, backend) = own_mount();
    let live = fs.path();
    subvolume(&live.join("nested"));
    write(&live, &[("nested/file", b"one")]);
    let one = take(&*backend, &card(1));
    write(&live, &[("index.html", b"broken"), ("nested/file", b"broken")]);
    let safety = take(&*backend, &card(2));
    assert_eq!(backend.left_to_do(), None);
    let probe = backend.rollback(&order(&one, &safety), &()).unwrap();
    let left = backend.left_to_do().unwrap();
    // It is in no table of this host, so the whole command is told.
    let (_, again) = left.split_once(" to: ").unwrap();
    assert!(again.starts_with(&format!("umount {} && mount -o rw,", live.display())), "{left}");
    assert!(again.contains(",subvol=/@www /dev/"), "{left}");
    // Until then nobody can write to what goes, nor takes it for the resource.
    assert_eq!(fs::read(live.join("index.html")).unwrap(), b"broken");
    assert!(fs::write(live.join("index.html"), "lost").is_err());
    let absent = backend.probe().unwrap_err();
    assert!(absent.fault == Fault::Absent && absent.detail == left, "{absent}");
    assert_eq!(backend.list().unwrap().identity, None);
    assert_eq!(states(&*backend), [(1, Wholeness::Whole), (2, Wholeness::Whole)]);
    assert_eq!(fault(backend.rollback(&order(&safety, &one), &())), Fault::Absent);
    // The same order again has nothing left to do.
    assert_eq!(backend.rollback(&order(&one, &safety), &()).unwrap().identity, probe.identity);
    // A loop device ends with its last mount unless somebody has it open.
    let held = fs::File::open(device(&fs)).unwrap();
    run("sh", &["-c", again]);
    drop(held);
    assert_eq!(fs::read(live.join("index.html")).unwrap(), b"one");
    assert_eq!(fs::read(live.join("nested/file")).unwrap(), b"one");
    assert_eq!(backend.left_to_do(), None);
    assert_eq!(backend.probe().unwrap().identity, probe.identity);
    write(&live, &[("index.html", b"two"), ("nested/file", b"two")]);
    assert_eq!(tops(&fs).len(), 2, "what was there before is left: {:?}", tops(&fs));
    let three = take(&*backend, &card(3));
    assert_eq!(tops(&fs), ["@www"]);
    // And back.
    backend.rollback(&order(&safety, &three), &()).unwrap();
    fs.unmount();
    fs.mount("subvol=@www");
    assert_eq!(fs::read(live.join("nested/file")).unwrap(), b"broken");
}

#[test]
fn a_mount_in_use_or_written_to_stays_as_it_is() {
    let (fs, backend) = own_mount();
    let live = fs.path();
    let one = take(&*backend, &card(1));
    write(&live, &[("index.html", b"two")]);
    let safety = take(&*backend, &card(2));
    let check = |users: bool, why: &str| {
        assert_eq!(!backend.users().unwrap().is_empty(), users, "{why}");
        assert_eq!(fault(backend.rollback(&order(&one, &safety), &())), Fault::Busy, "{why}");
        assert_eq!(backend.left_to_do(), None, "{why}");
        OpenOptions::new().append(true).open(live.join("index.html")).unwrap();
        assert_eq!(tops(&fs), ["@www"], "{why}");
    };
    let mut holder = Command::new("sleep").arg("60").current_dir(&live).spawn().unwrap();
    check(true, "somebody is in it");
    holder.kill().unwrap();
    holder.wait().unwrap();
    write(&live, &[("index.html", b"three")]);
    check(false, "it was written to");
    assert_eq!(fs::read(live.join("index.html")).unwrap(), b"three");
}
