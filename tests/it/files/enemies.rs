//! Trees of others: links that lead out, exchanges in the middle, no rights.

use super::bench::{Bench, as_ordinary_user, handle};
use super::content::plant;
use super::picture::{assert_same, picture};
use crate::support::copied;
use heptad::domain::operation::Fault;
use heptad::domain::survey::Wholeness;
use rustix::fs::{CWD, RenameFlags};
use serde_json::json;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn a_link_out_of_the_tree_is_copied_as_a_link() {
    let bench = Bench::scratch(&json!({}));
    symlink("/etc/shadow", bench.live.join("shadow")).unwrap();
    symlink("/etc", bench.live.join("etc")).unwrap();
    bench.take(1);
    assert_eq!(fs::read_link(bench.data(1).join("shadow")).unwrap(), Path::new("/etc/shadow"));
    assert_eq!(fs::read_link(bench.data(1).join("etc")).unwrap(), Path::new("/etc"));
    assert_eq!(bench.find(1).unwrap().content.unwrap().entries, Some(2));
}

#[test]
fn a_resource_behind_a_link_is_refused_with_the_real_path() {
    let bench = Bench::scratch(&json!({}));
    let real = bench.live.with_file_name("real");
    fs::rename(&bench.live, &real).unwrap();
    symlink(&real, &bench.live).unwrap();
    for error in [bench.backend.probe().unwrap_err(), bench.try_take(1, None).unwrap_err()] {
        assert_eq!(error.fault, Fault::Permanent);
        assert!(error.detail.contains(real.to_str().unwrap()), "{error}");
    }
}

/// Exchanges the two names until told to stop.
fn exchange(one: &Path, two: &Path, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        rustix::fs::renameat_with(CWD, one, CWD, two, RenameFlags::EXCHANGE).unwrap();
    }
}

#[test]
fn an_exchange_race_never_leaks_what_is_outside_into_a_snapshot() {
    const SECRET: &str = "the secret of another user";
    let bench = Bench::scratch(&json!({}));
    let secret = bench.live.with_file_name("secret");
    fs::create_dir(&secret).unwrap();
    fs::write(secret.join("file"), SECRET).unwrap();
    let live = |name: &str| bench.live.join(name);
    fs::create_dir(live("dir")).unwrap();
    fs::write(live("dir/file"), "public").unwrap();
    symlink(&secret, live("dir-link")).unwrap();
    fs::write(live("file"), "public").unwrap();
    symlink(secret.join("file"), live("file-link")).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _stop = StopAtEnd(&stop);
        scope.spawn(|| exchange(&live("dir"), &live("dir-link"), &stop));
        scope.spawn(|| exchange(&live("file"), &live("file-link"), &stop));
        let mut leaked = None;
        for seq in 1..=300 {
            bench.take(seq);
            leaked = leaked.or_else(|| leak(&bench.data(seq), SECRET));
            bench.backend.verify(&handle(seq), &()).unwrap();
            if seq > 1 {
                bench.backend.destroy(&handle(seq - 1)).unwrap();
            }
        }
        assert_eq!(leaked, None);
    });
}

/// Also when the test fails: a scope waits for its threads.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A regular file in the tree that holds the secret, not following links.
fn leak(dir: &Path, secret: &str) -> Option<String> {
    fs::read_dir(dir).unwrap().find_map(|entry| {
        let (path, kind) = entry.map(|e| (e.path(), e.file_type().unwrap())).unwrap();
        if kind.is_dir() {
            return leak(&path, secret);
        }
        (kind.is_file() && fs::read(&path).unwrap() == secret.as_bytes())
            .then(|| path.display().to_string())
    })
}

#[test]
fn an_ordinary_user_protects_what_he_may_read_and_is_told_the_rest() {
    if !as_ordinary_user(
        "files::enemies::an_ordinary_user_protects_what_he_may_read_and_is_told_the_rest",
    ) {
        return;
    }
    let bench = Bench::scratch(&json!({}));
    plant(&bench.live);
    fs::create_dir(bench.live.join("no-entry")).unwrap();
    fs::write(bench.live.join("no-entry/file"), "x").unwrap();
    fs::set_permissions(bench.live.join("no-entry"), Permissions::from_mode(0o100)).unwrap();
    let object = bench.take(1);
    assert_eq!(object.notes[1], "2 entries could not be read (closed, no-entry)");
    assert_eq!(object.notes.len(), 2, "{:?}", object.notes);
    fs::remove_file(bench.live.join("closed")).unwrap();
    fs::set_permissions(bench.live.join("no-entry"), Permissions::from_mode(0o700)).unwrap();
    fs::remove_dir_all(bench.live.join("no-entry")).unwrap();
    // Removing from the root has moved its time.
    let same = |one: &Path, two: &Path| {
        let (mut one, mut two) = (picture(one), picture(two));
        one.remove(&b""[..]);
        two.remove(&b""[..]);
        assert_eq!(one, two);
    };
    same(&bench.live, &bench.data(1));

    let notes = bench.take(2).notes;
    assert_eq!(notes, ["linked 7 unchanged files"]);
    bench.try_take(3, Some(2)).unwrap();
    let target = bench.live.with_file_name("restored");
    bench.backend.restore(&copied(&handle(3), &target), &()).unwrap();
    assert_same(&bench.live, &target);
    for seq in [1, 2, 3] {
        bench.backend.verify(&handle(seq), &()).unwrap();
        bench.backend.destroy(&handle(seq)).unwrap();
    }
    assert_eq!(bench.states(), []);
    // The scratch directory is removed by an ordinary user too.
    for root in [&bench.live, &target] {
        fs::set_permissions(root.join("deep/er"), Permissions::from_mode(0o700)).unwrap();
    }
}

#[test]
fn an_ordinary_user_cannot_keep_owners_and_makes_no_program_of_his_own() {
    if !as_ordinary_user(
        "files::enemies::an_ordinary_user_cannot_keep_owners_and_makes_no_program_of_his_own",
    ) {
        return;
    }
    // Root's, readable by all; some of it is set-user-id on any host.
    let dir = super::bench::scratch();
    let program = ["/usr/bin/passwd", "/usr/bin/su", "/usr/bin/mount"];
    let program = program.iter().find(|path| {
        fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o4004 == 0o4004)
    });
    let program = Path::new(program.expect("a set-user-id program that all may read"));
    let program = fs::canonicalize(program).unwrap();
    let bench = Bench::new(program.clone(), dir.path().join("store"), None, &json!({}));
    let notes = bench.take(1).notes;
    assert_eq!(notes, ["copied 1 file", "1 entry has lost its owner, mode or times (.)"]);
    let mode = fs::metadata(bench.data(1)).unwrap().permissions().mode();
    assert_eq!(mode & 0o6000, 0, "{mode:o}");
    assert_eq!(fs::read(bench.data(1)).unwrap(), fs::read(program).unwrap());
    assert_eq!(bench.take(2).notes, ["linked 1 unchanged file"]);
    assert_eq!(bench.states(), [(1, Wholeness::Whole), (2, Wholeness::Whole)]);
}

#[test]
fn a_root_that_may_not_be_read_is_a_lasting_fault() {
    if !as_ordinary_user("files::enemies::a_root_that_may_not_be_read_is_a_lasting_fault") {
        return;
    }
    let bench = Bench::scratch(&json!({}));
    fs::set_permissions(&bench.live, Permissions::from_mode(0o000)).unwrap();
    assert_eq!(bench.backend.probe().unwrap_err().fault, Fault::Permanent);
    assert_eq!(bench.try_take(1, None).unwrap_err().fault, Fault::Permanent);
    assert_eq!(bench.states(), []);
    fs::set_permissions(&bench.live, Permissions::from_mode(0o700)).unwrap();
}
