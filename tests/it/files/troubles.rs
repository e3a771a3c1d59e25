//! What is wrong with one entry is named, and the rest is saved.

use super::bench::{Bench, handle, scratch};
use super::picture::assert_same;
use crate::support::copied;
use crate::support::loopfs::{LoopFs, Undo, run};
use heptad::domain::survey::Wholeness;
use rustix::fs::{Mode, OFlags};
use serde_json::json;
use std::fs::{self, File, Permissions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

/// Asserts that the bench's tree has one trouble: the rest is in the snapshot, which says so, also
/// in the listing, and can be restored as it is.
fn check_named(bench: &Bench, trouble: &str, left_out: &str) {
    fs::write(bench.live.join("good"), "good").unwrap();
    let object = bench.take(1);
    assert_eq!(object.incomplete.as_deref(), Some(trouble));
    assert!(object.notes.contains(&trouble.to_owned()), "{:?}", object.notes);
    let found = bench.find(1).unwrap();
    assert_eq!((found.state, found.mark.doubt.as_deref()), (Wholeness::Whole, Some(trouble)));
    assert_eq!(fs::read(bench.data(1).join("good")).unwrap(), b"good");
    assert!(fs::symlink_metadata(bench.data(1).join(left_out)).is_err(), "{left_out}");
    bench.backend.verify(&handle(1), &()).unwrap();
    let target = bench.store.with_file_name("restored");
    bench.backend.restore(&copied(&handle(1), &target), &()).unwrap();
    assert_same(&bench.data(1), &target);
    // What is kept of it says the same.
    assert_eq!(bench.try_take(2, Some(1)).unwrap().incomplete.as_deref(), Some(trouble));
    // Taking it again tells what it told.
    assert_eq!(bench.take(1), object);
}

fn between(from: &str, options: &[&str], to: &str) -> (Bench, LoopFs) {
    let (live, store) = (LoopFs::formatted(from, 320, options), LoopFs::new(to, 320));
    let path = live.path().join("live");
    let bench = Bench::new(path, store.path().join("store"), Some(live), &json!({}));
    (bench, store)
}

#[test]
fn a_file_that_is_larger_than_the_store_can_hold_costs_only_itself() {
    let (bench, _store) = between("xfs", &[], "ext4");
    File::create(bench.live.join("huge")).unwrap().set_len(1 << 60).unwrap();
    let trouble = "1 entry does not fit into the file system of the copy and was left out (huge: it is \
                   larger than a file can be there)";
    check_named(&bench, trouble, "huge");
}

#[test]
fn a_link_whose_target_is_longer_than_the_store_allows_costs_only_itself() {
    let (bench, _store) = between("ext4", &["-b", "4096"], "xfs");
    symlink("x".repeat(3_000), bench.live.join("far")).unwrap();
    let trouble = "1 link or special file could not be made (far: its name or target is longer than \
                   allowed there)";
    check_named(&bench, trouble, "far");
}

#[test]
fn a_file_that_the_disk_has_damaged_costs_only_itself() {
    let mut fs = LoopFs::formatted("ext4", 64, &["-O", "^metadata_csum"]);
    let live = fs.path().join("live");
    fs::create_dir(&live).unwrap();
    fs::write(live.join("bad"), vec![1; 100_000]).unwrap();
    fs.unmount();
    let image = fs.image();
    let damage = "set_inode_field /live/bad block[0] 0x1234";
    run("debugfs", &["-w", "-R", damage, image.to_str().unwrap()]);
    fs.mount("errors=continue");
    let dir = scratch();
    let bench = Bench::new(live, dir.path().join("store"), Some(fs), &json!({}));
    let trouble = "1 entry could not be read (bad: structure needs cleaning)";
    check_named(&bench, trouble, "bad");
}

#[test]
fn a_swap_file_in_use_is_read_like_any_other() {
    for kind in ["xfs", "ext4"] {
        let bench = Bench::on(kind);
        let path = bench.live.join("swap");
        fs::write(&path, vec![0; 1 << 20]).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        run("mkswap", &[path.to_str().unwrap()]);
        run("swapon", &[path.to_str().unwrap()]);
        let _undo = Undo::new("swapoff \"$1\"", &path);
        let object = bench.take(1);
        assert_eq!((object.incomplete, object.notes.len()), (None, 1), "{kind}");
        assert_same(&bench.live, &bench.data(1));
    }
}

/// Mounts a file system whose server is gone.
fn dead_mount(point: &Path) -> Undo {
    let undo = Undo::new("umount -l \"$1\"", point);
    let script = "exec 3<>/dev/fuse && mount -i -t fuse -o \
                  fd=3,rootmode=40000,user_id=0,group_id=0 none \"$1\"";
    run("sh", &["-c", script, "sh", point.to_str().unwrap()]);
    assert_eq!(fs::metadata(point).unwrap_err().raw_os_error(), Some(107), "it is not dead");
    undo
}

#[test]
fn a_mount_whose_server_is_gone_is_left_out_like_any_other() {
    let bench = Bench::on("ext4");
    let point = bench.live.join("remote");
    fs::create_dir(&point).unwrap();
    fs::set_permissions(&point, Permissions::from_mode(0o2751)).unwrap();
    chown(&point, Some(33), Some(44)).unwrap();
    fs::write(bench.live.join("file"), "x").unwrap();
    let _dead = dead_mount(&point);
    for seq in [1, 2] {
        let object = bench.take(seq);
        assert_eq!(object.incomplete, None);
        assert_eq!(object.notes[1], "1 other file system was left out (remote)");
        let meta = fs::metadata(bench.data(seq).join("remote")).unwrap();
        assert_eq!((meta.mode() & 0o7777, meta.uid(), meta.gid()), (0o2751, 33, 44));
    }
    // Measuring looks at the live tree too, and rolling back must not lose what is mounted.
    assert!(bench.backend.occupied().unwrap().is_some());
    let order = heptad::backend::RollbackOrder { handle: &handle(1), token: uuid::Uuid::nil() };
    let error = bench.backend.rollback(&order, &()).unwrap_err();
    assert!(error.to_string().contains("something is mounted there"), "{error}");
}

#[test]
fn of_a_dead_mount_that_is_part_of_the_resource_only_its_content_is_missing() {
    let dir = scratch();
    let (live, store) = (dir.path().join("live"), dir.path().join("store"));
    let bench = Bench::new(live.clone(), store, None, &json!({ "cross_mounts": true }));
    let point = live.join("remote");
    fs::create_dir(&point).unwrap();
    let _dead = dead_mount(&point);
    let trouble = "1 entry could not be read (remote: the server of its file system is gone)";
    check_named(&bench, trouble, "remote");
}

/// A directory in each, so that no path leads to the last.
fn dig(top: &Path, name: &str, depth: usize) -> OwnedFd {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let mut at = rustix::fs::open(top, flags, Mode::empty()).unwrap();
    for _ in 0..depth {
        rustix::fs::mkdirat(&at, name, Mode::RWXU).unwrap();
        at = rustix::fs::openat(&at, name, flags, Mode::empty()).unwrap();
    }
    at
}

#[test]
fn a_tree_of_any_depth_is_taken_restored_rolled_back_and_removed() {
    const DEPTH: usize = 3_000;
    let bench = Bench::on("ext4");
    let bottom = dig(&bench.live, "d", DEPTH);
    let flags = OFlags::WRONLY | OFlags::CREATE;
    let file = rustix::fs::openat(&bottom, "file", flags, Mode::RWXU).unwrap();
    rustix::io::write(&file, b"deep").unwrap();
    rustix::fs::linkat(&bottom, "file", &bottom, "twin", rustix::fs::AtFlags::empty()).unwrap();
    drop((bottom, file));
    let object = bench.take(1);
    assert_eq!((object.incomplete, object.notes.len()), (None, 1), "{:?}", object.notes);
    assert_eq!(bench.take(2).notes, ["linked 1 unchanged file"]);
    let content = bench.backend.verify(&handle(2), &()).unwrap();
    assert_eq!(content.entries, Some(DEPTH as u64 + 2));
    let target = bench.store.with_file_name("restored");
    bench.backend.restore(&copied(&handle(1), &target), &()).unwrap();
    bench.backend.usage(&handle(1)).unwrap();
    bench.backend.occupied().unwrap();
    let order = heptad::backend::RollbackOrder { handle: &handle(1), token: uuid::Uuid::nil() };
    bench.backend.rollback(&order, &()).unwrap();
    bench.backend.destroy(&handle(1)).unwrap();
    bench.backend.destroy(&handle(2)).unwrap();
    assert_eq!(bench.states(), []);
}

#[test]
fn what_lies_deeper_than_a_path_can_be_written_is_named() {
    let bench = Bench::on("ext4");
    let name = "n".repeat(200);
    drop(dig(&bench.live, &name, 100));
    fs::write(bench.live.join("good"), "good").unwrap();
    let why = bench.take(1).incomplete.unwrap();
    assert!(why.starts_with("1 entry has too long a path and was left out (nnnn"), "{why}");
    assert!(why.len() < 500, "{why}");
    assert_eq!(fs::read(bench.data(1).join("good")).unwrap(), b"good");
    bench.backend.verify(&handle(1), &()).unwrap();
}

#[test]
fn sizes_beyond_counting_are_counted_to_the_end_of_numbers() {
    let bench = Bench::on("xfs");
    for name in ["a", "b", "c"] {
        File::create(bench.live.join(name)).unwrap().set_len((1 << 63) - 1).unwrap();
    }
    assert_eq!(bench.take(1).incomplete, None);
    let content = bench.backend.verify(&handle(1), &()).unwrap();
    assert_eq!(content.bytes, Some((1 << 63) - 1));
    assert_eq!(bench.backend.usage(&handle(1)).unwrap().stored, Some((1 << 63) - 1));
    let target = bench.store.with_file_name("restored");
    bench.backend.restore(&copied(&handle(1), &target), &()).unwrap();
}
