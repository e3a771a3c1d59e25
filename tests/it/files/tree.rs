//! The tree copier by itself, where a snapshot would not show it.

use super::bench::scratch;
use crate::support::loopfs::{LoopFs, Mounted};
use heptad::domain::operation::Fault;
use heptad::fs::tree::{
    Copy, Flow, PATH, Report, copy_into, copy_tree, open_nosymlink, remove_tree,
};
use heptad::fs::{Progress, StorageError};
use rustix::fs::{Mode, OFlags};
use std::collections::HashSet;
use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Mutex;

fn copy(from: &Path, to: &Path, progress: &dyn Progress) -> Result<Report, StorageError> {
    let exclude = HashSet::new();
    let options = Copy {
        flow: Flow::IntoStore,
        exclude: &exclude,
        cross_mounts: true,
        own_store: None,
        progress,
        total: None,
    };
    let (from, to) = (open_nosymlink(from)?, File::open(to).unwrap());
    copy_tree(from.as_fd(), to.as_fd(), c"copy", &options, &mut ())
}

/// Appends to a file whenever bytes of it were copied.
struct Meddler(Mutex<(File, u32)>);

impl Progress for Meddler {
    fn report(&self, _done: u64, _total: Option<u64>) {
        use std::io::Write;
        let mut inner = self.0.lock().unwrap();
        if inner.1 > 0 {
            inner.1 -= 1;
            inner.0.write_all(b"more").unwrap();
        }
    }

    fn is_wanted(&self) -> bool {
        true
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_is_read_again_and_named_if_it_does_not_stop() {
    // How often it changes, bytes in the copy at the end, whether it is named.
    for (changes, bytes, named) in [(0, 10, false), (1, 14, false), (2, 18, false), (9, 18, true)] {
        let dir = scratch();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        for dir in [&from, &to] {
            fs::create_dir(dir).unwrap();
        }
        fs::write(from.join("log"), "ten bytes!").unwrap();
        let log = File::options().append(true).open(from.join("log")).unwrap();
        let report = copy(&from, &to, &Meddler(Mutex::new((log, changes)))).unwrap();
        assert_eq!(report.changing.count, u64::from(named), "{changes} changes");
        let length = fs::metadata(to.join("copy/log")).unwrap().len();
        assert_eq!(length, bytes, "{changes} changes");
    }
}

#[test]
fn a_tree_nested_without_end_is_cut_off_and_named() {
    // Whoever holds such a directory may hold anything of its file system.
    let fs = LoopFs::new("ext4", 128);
    let (from, to) = (fs.path().join("from"), fs.path().join("to"));
    for dir in [&from, &to] {
        fs::create_dir(dir).unwrap();
    }
    // Of names of one byte.
    let depth = PATH / 2;
    let mut at: OwnedFd = File::open(&from).unwrap().into();
    for _ in 0..depth + 50 {
        rustix::fs::mkdirat(&at, "d", Mode::RWXU).unwrap();
        at = rustix::fs::openat(&at, "d", OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
    let report = copy(&from, &to, &()).unwrap();
    assert_eq!((report.entries, report.too_deep.count), (depth as u64, 1));
    let to_fd = File::open(&to).unwrap();
    remove_tree(to_fd.as_fd(), c"copy").unwrap();
    remove_tree(to_fd.as_fd(), c"copy").unwrap();
    assert_eq!(fs::read_dir(&to).unwrap().count(), 0);
}

#[test]
fn a_directory_that_exists_can_be_filled() {
    let dir = scratch();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    for dir in [&from, &to] {
        fs::create_dir(dir).unwrap();
    }
    fs::create_dir(from.join("a")).unwrap();
    fs::write(from.join("a/file"), "x").unwrap();
    let options = Copy {
        flow: Flow::IntoStore,
        exclude: &HashSet::new(),
        cross_mounts: false,
        own_store: None,
        progress: &(),
        total: None,
    };
    let (a, b) = (File::open(&from).unwrap(), File::open(&to).unwrap());
    let report = copy_into(a.as_fd(), b.as_fd(), &options, &mut ()).unwrap();
    assert_eq!((report.entries, report.bytes, report.copied), (2, 1, 1));
    super::picture::assert_same(&from, &to);
}

#[test]
fn removing_stops_at_something_mounted_inside() {
    let dir = scratch();
    let (inner, mount) = (dir.path().join("tree/a"), dir.path().join("tree/a/mnt"));
    fs::create_dir_all(&mount).unwrap();
    let mounted = Mounted::tmpfs(&mount);
    fs::write(mount.join("precious"), "x").unwrap();
    let parent = File::open(dir.path()).unwrap();
    let result = remove_tree(parent.as_fd(), c"tree");
    let alive = mount.join("precious").exists();
    drop(mounted);
    assert_eq!(result.unwrap_err().fault, Fault::Busy);
    assert!(alive && inner.exists());
    remove_tree(parent.as_fd(), c"tree").unwrap();
    assert!(!dir.path().join("tree").exists());
}
