//! Full disks, crashes, disks that are away.

use super::bench::{Bench, backend, card, handle, scratch};
use super::picture::picture;
use crate::support::loopfs::LoopFs;
use heptad::backend::TakeOrder;
use heptad::domain::operation::Fault;
use heptad::domain::snapshot::{Handle, Seq};
use heptad::domain::survey::{Mark, Wholeness};
use heptad::store::manifest::Manifest;
use serde_json::json;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use uuid::Uuid;

fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    (0..length).map(next).collect()
}

#[test]
fn a_full_store_leaves_a_partial_snapshot_and_the_older_ones_unharmed() {
    let (live, store) = (scratch(), LoopFs::new("ext4", 24));
    let path = live.path().join("live");
    let bench = Bench::new(path, store.path().join("store"), None, &json!({}));
    fs::write(bench.live.join("a"), noise(4 << 20)).unwrap();
    bench.take(1);
    let before = picture(&bench.data(1));
    fs::write(bench.live.join("b"), noise(40 << 20)).unwrap();
    let error = bench.try_take(2, None).unwrap_err();
    assert_eq!(error.fault, Fault::NoSpace, "{error}");
    assert_eq!(bench.states(), [(1, Wholeness::Whole), (2, Wholeness::Partial)]);
    assert_eq!(picture(&bench.data(1)), before);
    bench.backend.verify(&handle(1), &()).unwrap();
    bench.backend.destroy(&handle(2)).unwrap();
    assert_eq!(bench.states(), [(1, Wholeness::Whole)]);
    fs::remove_file(bench.live.join("b")).unwrap();
    bench.take(3);
    assert_eq!(bench.backend.list().unwrap().high_water, Seq(3));
}

#[test]
fn a_read_only_store_refuses_for_good_but_can_still_be_read() {
    let bench = Bench::on("ext4");
    fs::write(bench.live.join("file"), "x").unwrap();
    bench.take(1);
    bench.fs.as_ref().unwrap().remount("ro");
    assert_eq!(bench.try_take(2, None).unwrap_err().fault, Fault::Permanent);
    assert_eq!(bench.backend.destroy(&handle(1)).unwrap_err().fault, Fault::Permanent);
    assert_eq!(bench.states(), [(1, Wholeness::Whole)]);
    bench.backend.verify(&handle(1), &()).unwrap();
    bench.fs.as_ref().unwrap().remount("rw");
}

#[test]
fn an_interrupted_snapshot_is_listed_as_partial_and_made_anew() {
    let bench = Bench::scratch(&json!({}));
    fs::create_dir(bench.live.join("dir")).unwrap();
    fs::write(bench.live.join("dir/file"), "x").unwrap();
    bench.take(1);
    let stored = bench.store.join("web-1");
    // In the middle of copying; and right before the manifest got its name.
    let partial = stored.join("2.partial");
    fs::create_dir_all(partial.join("data/dir")).unwrap();
    fs::write(partial.join("data/dir/file"), "half").unwrap();
    Manifest::new(&"web-1".parse().unwrap(), "files", &card(2)).write(&partial).unwrap();
    fs::create_dir(stored.join(".new-2")).unwrap();
    fs::write(stored.join(".new-2/manifest.json"), "{").unwrap();
    assert_eq!(bench.states(), [(1, Wholeness::Whole), (2, Wholeness::Partial)]);
    assert_eq!(bench.backend.list().unwrap().high_water, Seq(2));
    bench.take(2);
    assert_eq!(bench.states(), [(1, Wholeness::Whole), (2, Wholeness::Whole)]);
    assert_eq!(fs::read(bench.data(2).join("dir/file")).unwrap(), b"x");
    let left: Vec<_> = fs::read_dir(&stored).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

#[test]
fn taking_again_what_is_whole_returns_it_even_without_the_live_resource() {
    let bench = Bench::scratch(&json!({}));
    fs::write(bench.live.join("file"), "x").unwrap();
    let first = bench.take(1);
    fs::remove_dir_all(&bench.live).unwrap();
    assert_eq!(bench.take(1), first);
    assert_eq!(bench.try_take(2, None).unwrap_err().fault, Fault::Absent);
    assert_eq!(bench.states(), [(1, Wholeness::Whole)]);
    assert_eq!(bench.backend.list().unwrap().identity, None);
}

#[test]
fn an_interrupted_destruction_is_partial_and_finished_by_the_next_one() {
    let bench = Bench::scratch(&json!({}));
    fs::create_dir(bench.live.join("dir")).unwrap();
    fs::write(bench.live.join("dir/file"), "x").unwrap();
    let stored = bench.store.join("web-1");
    // Renamed only; half removed; down to the manifest; the empty directory.
    for (seq, left) in (1..).zip([&["index", "data"][..], &["data"], &[], &[]]) {
        bench.take(seq);
        let doomed = stored.join(format!("{seq}.destroying"));
        fs::rename(bench.stored(seq), &doomed).unwrap();
        for name in ["index", "data"] {
            if !left.contains(&name) {
                let _ = fs::remove_file(doomed.join(name));
                let _ = fs::remove_dir_all(doomed.join(name));
            }
        }
        if seq == 4 {
            fs::remove_file(doomed.join("manifest.json")).unwrap();
        } else {
            assert_eq!(bench.states(), [(seq, Wholeness::Partial)]);
        }
        for _ in 0..2 {
            bench.backend.destroy(&handle(seq)).unwrap();
            assert!(!doomed.exists());
            assert_eq!(bench.states(), []);
        }
    }
    assert_eq!(bench.backend.list().unwrap().high_water, Seq(4));
}

#[test]
fn what_was_not_made_here_is_neither_listed_nor_destroyed() {
    let bench = Bench::scratch(&json!({}));
    bench.take(1);
    let stored = bench.store.join("web-1");
    for foreign in ["7", "8.partial", "9.destroying", "notes"] {
        fs::create_dir(stored.join(foreign)).unwrap();
        fs::write(stored.join(foreign).join("mine"), "x").unwrap();
        assert_eq!(bench.states(), [(1, Wholeness::Whole)], "{foreign}");
    }
    for seq in [7, 8, 9] {
        bench.backend.destroy(&handle(seq)).unwrap();
    }
    for foreign in ["7", "8.partial", "9.destroying", "notes"] {
        assert!(stored.join(foreign).join("mine").exists(), "{foreign}");
    }
    // Never a sequence number that somebody uses, whoever it is.
    assert_eq!(bench.backend.list().unwrap().high_water, Seq(9));
    let stranger = Handle { id: Uuid::from_u128(99), ..handle(1) };
    assert_eq!(bench.backend.destroy(&stranger).unwrap_err().fault, Fault::Identity);
    assert_eq!(bench.states(), [(1, Wholeness::Whole)]);
}

#[test]
fn nothing_is_taken_over_what_was_not_made_here() {
    let bench = Bench::scratch(&json!({}));
    bench.take(1);
    let stored = bench.store.join("web-1");
    for (seq, name) in [(2, "2"), (3, "3.partial"), (4, "4.destroying")] {
        // An empty one would be swept away with what an interrupted destruction leaves.
        fs::create_dir(stored.join(name)).unwrap();
        fs::write(stored.join(name).join("mine"), "x").unwrap();
        let error = bench.try_take(seq, None).unwrap_err();
        assert_eq!(error.fault, Fault::Identity, "{error}");
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(fs::read(stored.join(name).join("mine")).unwrap(), b"x");
        assert_eq!(bench.states(), [(1, Wholeness::Whole)]);
    }
}

#[test]
fn sequence_numbers_survive_the_deletion_of_the_newest() {
    let bench = Bench::scratch(&json!({}));
    bench.take(5);
    bench.backend.destroy(&handle(5)).unwrap();
    assert_eq!(bench.backend.list().unwrap().high_water, Seq(5));
}

#[test]
fn a_mark_is_read_back_by_the_listing() {
    let bench = Bench::scratch(&json!({}));
    bench.take(1);
    let mark = Mark { doubt: Some("it is empty".into()), trashed: true, ..Mark::default() };
    for mark in [mark, Mark::default()] {
        bench.backend.mark(&handle(1), &mark).unwrap();
        assert_eq!(bench.find(1).unwrap().mark, mark);
        assert_eq!(bench.states(), [(1, Wholeness::Whole)]);
    }
    assert_eq!(bench.backend.mark(&handle(2), &Mark::default()).unwrap_err().fault, Fault::Absent);
}

#[test]
fn a_mount_point_whose_disk_is_away_is_somebody_else() {
    for kind in ["xfs", "ext4", "btrfs"] {
        let (mut fs, dir) = (LoopFs::new(kind, 320), scratch());
        let bench = Bench::new(fs.path(), dir.path().join("store"), None, &json!({}));
        let identity = bench.backend.probe().unwrap();
        fs.unmount();
        assert_ne!(bench.backend.probe().unwrap(), identity, "{kind}");
        fs.mount("");
        assert_eq!(bench.backend.probe().unwrap(), identity, "{kind}");
    }
}

#[test]
fn a_store_whose_disk_is_away_is_an_error_and_no_empty_list() {
    let (mut fs, dir) = (LoopFs::new("ext4", 64), scratch());
    let (live, state) = (dir.path().join("live"), dir.path().join("state"));
    for dir in [&live, &state] {
        fs::create_dir(dir).unwrap();
    }
    let backend = backend(&live, &fs.path().join("store"), &state, &json!({}));
    assert_eq!(backend.list().unwrap().found, []);
    let order = TakeOrder { card: &card(1), source: None, previous: None };
    backend.take(&order, &()).unwrap();
    fs.unmount();
    assert_eq!(backend.list().unwrap_err().fault, Fault::Absent);
    let order = TakeOrder { card: &card(2), source: None, previous: None };
    assert_eq!(backend.take(&order, &()).unwrap_err().fault, Fault::Absent);
    assert_eq!(fs::read_dir(fs.path()).unwrap().count(), 0);
    fs.mount("");
    assert_eq!(backend.list().unwrap().found.len(), 1);
}

#[test]
fn the_store_is_closed_to_others_and_nobody_elses() {
    let bench = Bench::scratch(&json!({}));
    bench.take(1);
    for dir in [bench.store.clone(), bench.store.join("web-1"), bench.stored(1)] {
        assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, 0o700, "{}", dir.display());
    }
    let dir = bench.store.join("web-1");
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).unwrap();
    bench.take(2);
    assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
    std::os::unix::fs::chown(&dir, Some(1234), None).unwrap();
    assert_eq!(bench.backend.list().unwrap_err().fault, Fault::Permanent);
}
