//! What a snapshot preserves.

use super::bench::{Bench, KINDS, handle, scratch};
use super::picture::assert_same;
use crate::support::copied;
use crate::support::loopfs::Mounted;
use crate::support::loopfs::{LoopFs, run};
use rustix::fs::{CWD, FileType, Mode, Timespec, Timestamps, XattrFlags};
use serde_json::json;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

fn set_time(path: &Path, secs: i64, nanos: i64) {
    let stamp = Timespec { tv_sec: secs, tv_nsec: nanos };
    let times = Timestamps { last_access: stamp, last_modification: stamp };
    rustix::fs::utimensat(CWD, path, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// A tree with one of everything.
pub fn plant(live: &Path) {
    fs::write(live.join("plain"), "plain").unwrap();
    fs::write(live.join("empty"), "").unwrap();
    fs::create_dir_all(live.join("deep/er/still")).unwrap();
    fs::write(live.join("deep/er/still/file"), vec![7; 100_000]).unwrap();
    fs::hard_link(live.join("plain"), live.join("deep/again")).unwrap();
    symlink("plain", live.join("link")).unwrap();
    symlink("/nowhere/at all", live.join("dangling")).unwrap();
    fs::hard_link(live.join("dangling"), live.join("dangling too")).unwrap();
    for name in [&b"new\nline"[..], b"\xff\xfe not utf-8", b" %41 spaces ", b"\x1b[31mred"] {
        fs::write(live.join(OsStr::from_bytes(name)), name).unwrap();
    }
    let pipe = live.join("pipe");
    rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o622), 0).unwrap();
    rustix::fs::mknodat(CWD, live.join("socket"), FileType::Socket, Mode::RWXU, 0).unwrap();
    fs::write(live.join("closed"), "secret").unwrap();
    fs::set_permissions(live.join("closed"), Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(live.join("deep/er"), Permissions::from_mode(0o2555)).unwrap();
    let value = vec![9; 300];
    let set = |path: &str, name: &str, value: &[u8]| {
        rustix::fs::setxattr(live.join(path), name, value, XattrFlags::empty()).unwrap();
    };
    set("empty", "user.note", b"value\0with nul");
    set("plain", "user.large", &value);
    set("deep", "user.of.a.dir", b"");
}

/// What only root can plant.
fn plant_as_root(live: &Path) {
    fs::write(live.join("setuid"), "program").unwrap();
    chown(live.join("setuid"), Some(1234), Some(2345)).unwrap();
    fs::set_permissions(live.join("setuid"), Permissions::from_mode(0o6755)).unwrap();
    std::os::unix::fs::lchown(live.join("link"), Some(77), Some(88)).unwrap();
    chown(live.join("deep"), Some(5), Some(6)).unwrap();
    let device = rustix::fs::makedev(1, 3);
    let mode = Mode::from_raw_mode(0o660);
    rustix::fs::mknodat(CWD, live.join("null"), FileType::CharacterDevice, mode, device).unwrap();
    let live = live.to_str().unwrap();
    run("setfacl", &["-m", "u:33:r,g:44:rwx,m::rw", &format!("{live}/plain")]);
    run("setfacl", &["-d", "-m", "u:33:rwx", &format!("{live}/deep")]);
    run("setcap", &["cap_net_raw+ep", &format!("{live}/closed")]);
}

fn plant_times(live: &Path) {
    set_time(&live.join("plain"), 1_000_000_000, 123_456_789);
    set_time(&live.join("link"), 2, 3);
    set_time(&live.join("pipe"), 1_999_999_999, 999_999_999);
    set_time(&live.join("deep/er"), 1_600_000_000, 1);
    set_time(live, 1_500_000_000, 42);
}

#[test]
fn a_snapshot_and_what_is_restored_from_it_equal_the_tree_in_everything() {
    for kind in KINDS {
        let bench = Bench::on(kind);
        plant(&bench.live);
        plant_as_root(&bench.live);
        plant_times(&bench.live);
        let object = bench.take(1);
        assert_same(&bench.live, &bench.data(1));
        assert_eq!(object.notes.len(), 1, "{kind}: {:?}", object.notes);
        let how = if kind == "xfs" { "reflinked" } else { "copied" };
        assert!(object.notes[0].starts_with(how), "{kind}: {:?}", object.notes);

        let content = bench.backend.verify(&handle(1), &()).unwrap();
        assert_eq!(bench.find(1).unwrap().content, Some(content));
        let target = bench.fs.as_ref().unwrap().path().join("restored");
        bench.backend.restore(&copied(&handle(1), &target), &()).unwrap();
        assert_same(&bench.live, &target);
    }
}

#[test]
fn a_snapshot_on_another_file_system_equals_the_tree_in_everything() {
    let (from, to) = (LoopFs::new("xfs", 320), LoopFs::new("ext4", 64));
    let bench = Bench::new(from.path().join("live"), to.path().join("store"), None, &json!({}));
    plant(&bench.live);
    plant_as_root(&bench.live);
    plant_times(&bench.live);
    let object = bench.take(1);
    assert!(object.notes[0].starts_with("copied "), "{:?}", object.notes);
    assert_same(&bench.live, &bench.data(1));
}

#[test]
fn a_sparse_file_stays_sparse_and_whole() {
    for kind in KINDS {
        let bench = Bench::on(kind);
        let path = bench.live.join("sparse");
        let file = File::create(&path).unwrap();
        file.set_len(1 << 30).unwrap();
        file.write_all_at(&[1; 5_000], 300 << 20).unwrap();
        file.write_all_at(&[2; 10], (1 << 30) - 10).unwrap();
        drop(file);
        let other = scratch();
        bench.take(1);
        let target = other.path().join("restored");
        bench.backend.restore(&copied(&handle(1), &target), &()).unwrap();
        for root in [&bench.data(1), &target] {
            let meta = fs::metadata(root.join("sparse")).unwrap();
            assert_eq!(meta.len(), 1 << 30);
            assert!(meta.blocks() * 512 < 1 << 20, "{kind}: {} blocks", meta.blocks());
            let file = File::open(root.join("sparse")).unwrap();
            let mut bytes = [0; 5_002];
            file.read_exact_at(&mut bytes, (300 << 20) - 1).unwrap();
            assert!(bytes[0] == 0 && bytes[5_001] == 0 && bytes[1..5_001] == [1; 5_000]);
        }
    }
}

#[test]
fn one_file_is_a_resource_too() {
    let dir = scratch();
    let live = dir.path().join("app.db");
    fs::write(&live, "first").unwrap();
    let store = dir.path().join("store");
    let bench = Bench::new(live.clone(), store, None, &json!({}));
    let identity = bench.backend.probe().unwrap();
    bench.take(1);
    assert_same(&live, &bench.data(1));
    let content = bench.backend.verify(&handle(1), &()).unwrap();
    assert_eq!((content.empty, content.entries, content.bytes), (false, Some(1), Some(5)));

    // As editors and databases do it.
    fs::write(dir.path().join("new"), "second!").unwrap();
    fs::rename(dir.path().join("new"), &live).unwrap();
    assert_eq!(bench.backend.probe().unwrap(), identity);
    bench.take(2);
    bench.take(3);
    assert_eq!(fs::read(bench.data(1)).unwrap(), b"first");
    assert_eq!(fs::read(bench.data(2)).unwrap(), b"second!");
    let inode = |seq| fs::metadata(bench.data(seq)).unwrap().ino();
    assert_eq!(inode(2), inode(3));

    let target = dir.path().join("restored");
    bench.backend.restore(&copied(&handle(2), &target), &()).unwrap();
    assert_same(&live, &target);
}

#[test]
fn what_is_excluded_and_other_file_systems_are_left_out() {
    let bench = Bench::scratch(&json!({ "exclude": ["cache", "./a/b"] }));
    for dir in ["cache/x", "a/b", "a/cache", "mnt"] {
        fs::create_dir_all(bench.live.join(dir)).unwrap();
    }
    let mount = bench.live.join("mnt");
    let mounted = Mounted::tmpfs(&mount);
    fs::write(mount.join("elsewhere"), "x").unwrap();
    let object = bench.take(1);
    let crossing = super::bench::backend(
        &bench.live,
        &bench.store.with_file_name("other"),
        bench.live.parent().unwrap(),
        &json!({ "cross_mounts": true }),
    );
    let order =
        heptad::backend::TakeOrder { card: &super::bench::card(1), source: None, previous: None };
    let crossed = crossing.take(&order, &());
    drop(mounted);

    let data = bench.data(1);
    assert!(data.join("a/cache").is_dir() && data.join("mnt").is_dir());
    for left_out in ["cache", "a/b", "mnt/elsewhere"] {
        assert!(!data.join(left_out).exists(), "{left_out}");
    }
    let want = ["no regular files", "1 other file system was left out (mnt)"];
    assert_eq!(object.notes, want);
    assert_eq!(crossed.unwrap().notes, ["copied 1 file"]);
}

#[test]
fn a_store_inside_the_tree_is_not_copied_into_itself() {
    let dir = scratch();
    let live = dir.path().join("live");
    fs::create_dir_all(live.join("backup")).unwrap();
    fs::write(live.join("file"), "x").unwrap();
    let bench = Bench::new(live.clone(), live.join("backup/store"), None, &json!({}));
    bench.take(1);
    let notes = bench.take(2).notes;
    assert_eq!(notes, ["linked 1 unchanged file", "heptad's own store was left out"]);
    assert!(bench.data(2).join("backup").is_dir());
    assert!(!bench.data(2).join("backup/store").exists());
}

#[test]
fn usage_tells_what_would_become_free() {
    let bench = Bench::on("ext4");
    fs::write(bench.live.join("stays"), vec![1; 1 << 20]).unwrap();
    fs::hard_link(bench.live.join("stays"), bench.live.join("stays-too")).unwrap();
    fs::write(bench.live.join("goes"), vec![2; 1 << 20]).unwrap();
    bench.take(1);
    let mega = 1_u64 << 20;
    let usage = |seq| {
        let usage = bench.backend.usage(&handle(seq)).unwrap();
        (usage.stored.unwrap() / mega, usage.exclusive.unwrap() / mega)
    };
    // One file under two names is stored once.
    assert_eq!(usage(1), (2, 2));
    fs::remove_file(bench.live.join("goes")).unwrap();
    bench.take(2);
    assert_eq!((usage(1), usage(2)), ((2, 1), (1, 0)));
}
