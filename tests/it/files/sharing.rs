//! Nothing is stored twice that has not changed.

use super::bench::{Bench, KINDS, handle};
use super::content::plant;
use super::picture::{assert_same, picture};
use heptad::domain::survey::Wholeness;
use serde_json::json;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;

pub fn inode(path: &Path) -> u64 {
    path.symlink_metadata().unwrap().ino()
}

/// Makes every file of this snapshot count as old: the start is moved ahead by an hour in the
/// index. Change times themselves cannot be set.
pub fn age(bench: &Bench, seq: u64) {
    let path = bench.stored(seq).join("index");
    let text = fs::read_to_string(&path).unwrap();
    let (head, rest) = text.split_once('\n').unwrap();
    let (words, begun) = head.rsplit_once(' ').unwrap();
    let (secs, nanos) = begun.split_once('.').unwrap();
    let secs: u64 = secs.parse().unwrap();
    fs::write(&path, format!("{words} {}.{nanos}\n{rest}", secs + 3600)).unwrap();
}

#[test]
fn unchanged_files_are_shared_with_the_previous_snapshot_and_changed_ones_are_not() {
    for (kind, aged) in KINDS.into_iter().flat_map(|kind| [(kind, false), (kind, true)]) {
        let bench = Bench::on(kind);
        fs::create_dir(bench.live.join("dir")).unwrap();
        let names = ["same", "written", "replaced", "chmodded", "attributed", "dir/moved"];
        for name in names {
            fs::write(bench.live.join(name), vec![b'a'; 10_000]).unwrap();
        }
        bench.take(1);
        if aged {
            age(&bench, 1);
        }
        let live = |name: &str| bench.live.join(name);
        // The same size, and the time of modification put back: only the change time tells.
        let time = fs::metadata(live("written")).unwrap().modified().unwrap();
        let file = File::options().write(true).open(live("written")).unwrap();
        file.write_all_at(b"b", 5_000).unwrap();
        file.set_modified(time).unwrap();
        fs::write(live("new"), vec![b'c'; 10_000]).unwrap();
        fs::rename(live("new"), live("replaced")).unwrap();
        fs::set_permissions(live("chmodded"), Permissions::from_mode(0o600)).unwrap();
        let none = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(live("attributed"), "user.x", b"1", none).unwrap();
        fs::rename(live("dir"), live("folder")).unwrap();

        let object = bench.take(2);
        let how = if kind == "xfs" {
            "reflinked 4 files, linked 2 unchanged"
        } else {
            "linked 2 unchanged files, copied 4"
        };
        assert_eq!(object.notes, [how], "{kind} {aged}");
        assert_same(&bench.live, &bench.data(2));
        let shared = |one: &str, two: &str| {
            inode(&bench.data(1).join(one)) == inode(&bench.data(2).join(two))
        };
        assert!(shared("same", "same") && shared("dir/moved", "folder/moved"));
        for name in ["written", "replaced", "chmodded", "attributed"] {
            assert!(!shared(name, name), "{kind} {aged}: {name}");
        }
        assert_eq!(fs::read(bench.data(1).join("written")).unwrap(), vec![b'a'; 10_000]);
        for seq in [1, 2] {
            // The first one's own index was aged, which changes nothing that is compared.
            bench.backend.verify(&handle(seq), &()).unwrap();
        }
    }
}

#[test]
fn a_damaged_copy_is_not_handed_on() {
    let bench = Bench::scratch(&json!({}));
    for name in ["shortened", "deleted", "fine"] {
        fs::write(bench.live.join(name), "content").unwrap();
    }
    bench.take(1);
    age(&bench, 1);
    fs::write(bench.data(1).join("shortened"), "cont").unwrap();
    fs::remove_file(bench.data(1).join("deleted")).unwrap();
    let object = bench.take_after(2, 1);
    assert_eq!(object.notes[0], "linked 1 unchanged file, copied 2");
    assert_same(&bench.live, &bench.data(2));
}

#[test]
fn a_previous_snapshot_without_its_index_means_a_full_copy_and_a_note() {
    let bench = Bench::scratch(&json!({}));
    fs::write(bench.live.join("file"), "content").unwrap();
    bench.take(1);
    fs::remove_file(bench.stored(1).join("index")).unwrap();
    let object = bench.take_after(2, 1);
    assert_eq!(object.notes[0], "copied 1 file");
    assert!(object.notes[1].starts_with("snapshot 1 was of no use: "), "{:?}", object.notes);
}

#[test]
fn a_kept_snapshot_shares_everything_and_outlives_its_original() {
    for kind in KINDS {
        let bench = Bench::on(kind);
        plant(&bench.live);
        bench.take(1);
        let before = picture(&bench.data(1));
        let object = bench.try_take(2, Some(1)).unwrap();
        assert!(object.notes[0].ends_with("unchanged files of snapshot 1"), "{:?}", object.notes);
        assert_eq!(inode(&bench.data(1).join("plain")), inode(&bench.data(2).join("plain")));
        bench.backend.destroy(&handle(1)).unwrap();
        assert!(!bench.stored(1).exists());
        assert_eq!(picture(&bench.data(2)), before);
        assert_eq!(bench.states(), [(2, Wholeness::Whole)]);
        bench.backend.verify(&handle(2), &()).unwrap();

        // It lends its files to the next snapshot as its original would have.
        fs::write(bench.live.join("plain"), "changed").unwrap();
        let notes = bench.take(3).notes;
        assert!(notes[0].contains("linked 7 unchanged"), "{kind}: {notes:?}");
        assert_same(&bench.live, &bench.data(3));
    }
}

#[test]
fn keeping_needs_no_live_resource() {
    let bench = Bench::scratch(&json!({}));
    fs::write(bench.live.join("file"), "x").unwrap();
    bench.take(1);
    fs::remove_dir_all(&bench.live).unwrap();
    bench.try_take(2, Some(1)).unwrap();
    assert_eq!(fs::read(bench.data(2).join("file")).unwrap(), b"x");
}
