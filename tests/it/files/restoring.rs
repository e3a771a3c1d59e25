//! Restoring makes something new and harms nothing.

use super::bench::{Bench, card, handle, scratch};
use super::picture::assert_same;
use crate::support::copied;
use crate::support::loopfs::{Undo, run};
use heptad::backend::TakeOrder;
use heptad::domain::operation::Fault;
use heptad::fs::Progress;
use serde_json::json;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::sync::Mutex;

fn bench() -> Bench {
    let bench = Bench::scratch(&json!({}));
    fs::create_dir(bench.live.join("dir")).unwrap();
    fs::write(bench.live.join("dir/file"), vec![b'x'; 300_000]).unwrap();
    bench.take(1);
    bench
}

#[test]
fn what_is_restored_is_independent_of_the_snapshot() {
    let (bench, dir) = (bench(), scratch());
    let target = dir.path().join("new");
    bench.backend.restore(&copied(&handle(1), &target), &()).unwrap();
    assert_eq!(fs::metadata(target.join("dir/file")).unwrap().nlink(), 1);
    fs::write(target.join("dir/file"), "changed").unwrap();
    bench.backend.verify(&handle(1), &()).unwrap();
    assert_same(&bench.live, &bench.data(1));
}

#[test]
fn nothing_is_restored_over_something_or_to_nowhere() {
    let (bench, dir) = (bench(), scratch());
    let path = |name: &str| dir.path().join(name);
    fs::write(path("file"), "mine").unwrap();
    fs::create_dir(path("empty")).unwrap();
    symlink("/nowhere", path("dangling")).unwrap();
    symlink(dir.path(), path("link")).unwrap();
    let before = super::picture::picture(dir.path());
    for name in ["file", "empty", "dangling", "link", "no/parent", "file/below", "link/x"] {
        let error = bench.backend.restore(&copied(&handle(1), &path(name)), &()).unwrap_err();
        assert_eq!(error.fault, Fault::Permanent, "{name}: {error}");
    }
    let error = bench.backend.restore(&copied(&handle(2), &path("new")), &()).unwrap_err();
    assert_eq!(error.fault, Fault::Absent);
    assert_eq!(super::picture::picture(dir.path()), before);
}

#[test]
fn the_remains_of_an_interrupted_restore_are_cleared() {
    struct Spy<'a>(&'a std::path::Path, Mutex<Vec<String>>);
    impl Progress for Spy<'_> {
        fn report(&self, _done: u64, _total: Option<u64>) {
            let names = fs::read_dir(self.0).unwrap();
            let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            *self.1.lock().unwrap() = names.collect();
        }

        fn is_wanted(&self) -> bool {
            true
        }
    }
    let (bench, dir) = (bench(), scratch());
    let spy = Spy(dir.path(), Mutex::default());
    let target = dir.path().join("new");
    bench.backend.restore(&copied(&handle(1), &target), &spy).unwrap();
    let seen = spy.1.into_inner().unwrap();
    assert!(seen.len() == 1 && seen[0].starts_with(".heptad-"), "{seen:?}");
    fs::remove_dir_all(&target).unwrap();
    // As a crash in the middle would have left it.
    fs::create_dir_all(dir.path().join(&seen[0]).join("dir")).unwrap();
    fs::write(dir.path().join(&seen[0]).join("dir/half"), "x").unwrap();
    bench.backend.restore(&copied(&handle(1), &target), &()).unwrap();
    assert_same(&bench.live, &target);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[derive(Default)]
struct Heard(Mutex<Vec<(u64, Option<u64>)>>);

impl Progress for Heard {
    fn report(&self, done: u64, total: Option<u64>) {
        self.0.lock().unwrap().push((done, total));
    }

    fn is_wanted(&self) -> bool {
        true
    }
}

#[test]
fn taking_and_keeping_tell_how_far_they_are() {
    let (bench, heard) = (bench(), Heard::default());
    let (one, total) = (handle(1), Some(300_000));
    // How much there will be is known of a snapshot, and of the live tree from the one before.
    let all = [(2, None, None, None), (3, Some(&one), None, total), (4, None, Some(&one), total)];
    for (seq, source, previous, total) in all {
        let order = TakeOrder { card: &card(seq), source, previous };
        bench.backend.take(&order, &heard).unwrap();
        let heard = std::mem::take(&mut *heard.0.lock().unwrap());
        assert!(heard.is_sorted() && heard.last() == Some(&(300_000, total)), "{heard:?}");
    }
}

#[test]
fn progress_grows_to_the_total() {
    let (bench, dir) = (bench(), scratch());
    let heard = Heard::default();
    bench.backend.restore(&copied(&handle(1), &dir.path().join("new")), &heard).unwrap();
    let heard = heard.0.into_inner().unwrap();
    assert!(heard.is_sorted() && heard.last() == Some(&(300_000, Some(300_000))), "{heard:?}");
}

#[test]
fn a_snapshot_that_lacks_something_is_not_restored_in_part() {
    let (bench, dir) = (bench(), scratch());
    fs::remove_file(bench.data(1).join("dir/file")).unwrap();
    let error =
        bench.backend.restore(&copied(&handle(1), &dir.path().join("new")), &()).unwrap_err();
    assert_eq!(error.fault, Fault::Permanent);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_full_target_leaves_nothing_behind() {
    let small = crate::support::loopfs::LoopFs::new("ext4", 8);
    let bench = Bench::scratch(&json!({}));
    fs::write(bench.live.join("large"), vec![3; 20 << 20]).unwrap();
    bench.take(1);
    let error =
        bench.backend.restore(&copied(&handle(1), &small.path().join("new")), &()).unwrap_err();
    assert_eq!(error.fault, Fault::NoSpace, "{error}");
    let left: Vec<_> =
        fs::read_dir(small.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["lost+found"]);
}

#[test]
fn what_was_exchanged_while_it_was_made_is_no_success() {
    /// Whoever owns the directory, at work as soon as there is something to move away.
    struct Owner<'a>(&'a std::path::Path);
    impl Progress for Owner<'_> {
        fn report(&self, _done: u64, _total: Option<u64>) {
            let grows = fs::read_dir(self.0).unwrap().map(|entry| entry.unwrap().path());
            let grows = grows.into_iter().find(|path| !path.ends_with("away")).unwrap();
            if !self.0.join("away").exists() {
                fs::rename(&grows, self.0.join("away")).unwrap();
                fs::create_dir(&grows).unwrap();
                fs::write(grows.join("planted"), "x").unwrap();
            }
        }

        fn is_wanted(&self) -> bool {
            true
        }
    }
    let (bench, dir) = (bench(), scratch());
    let target = dir.path().join("new");
    let owner = Owner(dir.path());
    let error = bench.backend.restore(&copied(&handle(1), &target), &owner).unwrap_err();
    assert_eq!(error.fault, Fault::Permanent);
    assert!(error.detail.contains("moved away what was being made"), "{error}");
    assert!(!target.exists());
}

/// Each kind of these gives inodes numbers of its own: by the path that leads to it, or anew.
#[test]
fn a_union_of_directories_takes_a_new_resource_whatever_numbers_it_gives() {
    let (bench, dir) = (bench(), scratch());
    let live = dir.path().join("single");
    fs::write(&live, "content").unwrap();
    let single = Bench::new(live, dir.path().join("store"), None, &json!({}));
    single.take(1);
    let check = |program: &str, options: &dyn Fn(&str, &str) -> Vec<String>| {
        let dir = scratch();
        let (branch, point) = (dir.path().join("branch"), dir.path().join("point"));
        fs::create_dir(&branch).unwrap();
        fs::create_dir(&point).unwrap();
        let args = options(branch.to_str().unwrap(), point.to_str().unwrap());
        let _undo = Undo::new("umount -l \"$1\"", &point);
        run(program, &args.iter().map(String::as_str).collect::<Vec<_>>());
        let target = point.join("new");
        let restored = bench.backend.restore(&copied(&handle(1), &target), &());
        restored.unwrap_or_else(|error| panic!("{program}: {error}"));
        assert_eq!(fs::read(target.join("dir/file")).unwrap().len(), 300_000, "{program}");
        let names: Vec<_> =
            fs::read_dir(&branch).unwrap().map(|it| it.unwrap().file_name()).collect();
        assert_eq!(names, ["new"], "{program}");
        let file = point.join("file");
        single.backend.restore(&copied(&handle(1), &file), &()).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"content", "{program}");
        let refused = single.backend.restore(&copied(&handle(1), &file), &()).unwrap_err();
        assert!(refused.detail.contains("it exists already"), "{program}: {refused}");
        assert_eq!(fs::read_dir(&branch).unwrap().count(), 2, "{program}");
    };
    let owned = |args: &[&str]| args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>();
    check("mergerfs", &|branch, point| owned(&["-o", "inodecalc=path-hash", branch, point]));
    check("mergerfs", &|branch, point| owned(&["-o", "inodecalc=devino-hash", branch, point]));
    check("bindfs", &|branch, point| owned(&[branch, point]));
}

#[test]
fn where_names_cannot_be_exchanged_that_is_known_before_anything_is_copied() {
    let dir = scratch();
    let [branch, point] = ["branch", "point"].map(|name| dir.path().join(name));
    fs::create_dir_all(branch.join("live")).unwrap();
    fs::create_dir(&point).unwrap();
    let _undo = Undo::new("umount -l \"$1\"", &point);
    run("mergerfs", &[branch.to_str().unwrap(), point.to_str().unwrap()]);
    let bench = Bench::new(point.join("live"), dir.path().join("store"), None, &json!({}));
    bench.take(1);
    let error = bench.backend.users().unwrap_err();
    assert_eq!(error.fault, Fault::Permanent);
    assert!(error.detail.contains("cannot exchange two names at once"), "{error}");
    assert!(error.detail.contains("heptactl create"), "{error}");
    let names = fs::read_dir(&branch).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["live"]);
}
