//! A snapshot that was changed behind heptad's back is noticed.

use super::bench::{Bench, handle};
use crate::support::copied;
use heptad::domain::operation::Fault;
use heptad::domain::survey::Wholeness;
use serde_json::json;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

/// Tampers with a fresh snapshot; verifying names `path`, the listing remembers it.
fn check(path: &str, tamper: impl Fn(&Path)) {
    let bench = Bench::scratch(&json!({}));
    fs::create_dir_all(bench.live.join("a/b")).unwrap();
    fs::write(bench.live.join("a/b/file"), "content").unwrap();
    fs::write(bench.live.join("z"), "content").unwrap();
    bench.take(1);
    bench.backend.verify(&handle(1), &()).unwrap();
    assert_eq!(bench.states(), [(1, Wholeness::Whole)]);
    tamper(&bench.stored(1));
    let error = bench.backend.verify(&handle(1), &()).unwrap_err();
    assert_eq!(error.fault, Fault::Permanent);
    assert!(error.detail.contains(path), "{path}: {error}");
    assert_eq!(bench.states(), [(1, Wholeness::Tampered)], "{path}");
    bench.backend.destroy(&handle(1)).unwrap();
    assert_eq!(bench.states(), []);
}

#[test]
fn whatever_was_changed_in_a_snapshot_is_named() {
    check("a/b/file has changed: its size", |stored| {
        fs::write(stored.join("data/a/b/file"), "other content").unwrap();
    });
    check("a/b/file has changed: its time", |stored| {
        fs::write(stored.join("data/a/b/file"), "CONTENT").unwrap();
    });
    check("a/b/file has changed: its mode", |stored| {
        fs::set_permissions(stored.join("data/a/b/file"), Permissions::from_mode(0o666)).unwrap();
    });
    check("a/b/file", |stored| {
        fs::remove_file(stored.join("data/a/b/file")).unwrap();
        symlink("/etc/shadow", stored.join("data/a/b/file")).unwrap();
    });
    check("z is there in place", |stored| fs::remove_dir_all(stored.join("data/a")).unwrap());
    check("a/b/new", |stored| fs::write(stored.join("data/a/b/new"), "").unwrap());
    check("data is gone", |stored| fs::remove_dir_all(stored.join("data")).unwrap());
    check("cut short", |stored| {
        let index = File::options().write(true).open(stored.join("index")).unwrap();
        index.set_len(100).unwrap();
    });
    check("No such file", |stored| fs::remove_file(stored.join("index")).unwrap());
}

#[test]
fn the_listing_notices_what_shows_on_the_surface_without_verifying() {
    let check = |tamper: fn(&Path)| {
        let bench = Bench::scratch(&json!({}));
        fs::write(bench.live.join("file"), "content").unwrap();
        bench.take(1);
        tamper(&bench.stored(1));
        assert_eq!(bench.states(), [(1, Wholeness::Tampered)]);
    };
    check(|stored| fs::remove_file(stored.join("data/file")).unwrap());
    check(|stored| fs::remove_dir_all(stored.join("data")).unwrap());
    check(|stored| fs::remove_file(stored.join("index")).unwrap());
    check(|stored| fs::write(stored.join("index"), "").unwrap());
    check(|stored| {
        fs::set_permissions(stored.join("data"), Permissions::from_mode(0o777)).unwrap();
    });
}

#[test]
fn what_was_changed_deep_inside_is_neither_restored_nor_kept() {
    let bench = Bench::scratch(&json!({}));
    fs::create_dir_all(bench.live.join("a/b")).unwrap();
    fs::write(bench.live.join("a/b/file"), "content").unwrap();
    bench.take(1);
    fs::write(bench.data(1).join("a/b/file"), "CONTENT").unwrap();
    let target = bench.live.with_file_name("copy");
    let error = bench.backend.restore(&copied(&handle(1), &target), &()).unwrap_err();
    assert!(error.detail.contains("a/b/file has changed"), "{error}");
    assert!(!target.exists());
    let error = bench.try_take(2, Some(1)).unwrap_err();
    assert!(error.detail.contains("a/b/file has changed"), "{error}");
    assert_eq!(bench.states(), [(1, Wholeness::Tampered)]);
}

#[test]
fn a_snapshot_that_was_put_right_again_is_whole_again() {
    let bench = Bench::scratch(&json!({}));
    fs::write(bench.live.join("file"), "content").unwrap();
    bench.take(1);
    let file = bench.data(1).join("file");
    let mode = fs::metadata(&file).unwrap().permissions();
    fs::set_permissions(&file, Permissions::from_mode(0o777)).unwrap();
    bench.backend.verify(&handle(1), &()).unwrap_err();
    assert_eq!(bench.states(), [(1, Wholeness::Tampered)]);
    fs::set_permissions(&file, mode).unwrap();
    bench.backend.verify(&handle(1), &()).unwrap();
    assert_eq!(bench.states(), [(1, Wholeness::Whole)]);
}

#[test]
fn a_damaged_manifest_makes_the_listing_fail_and_not_shorter() {
    let bench = Bench::scratch(&json!({}));
    bench.take(1);
    bench.take(2);
    fs::write(bench.stored(1).join("manifest.json"), "{").unwrap();
    assert_eq!(bench.backend.list().unwrap_err().fault, Fault::Permanent);
    fs::rename(bench.stored(1), bench.stored(9)).unwrap();
    assert!(bench.backend.list().is_err());
}
