//! Subvolumes in subvolumes, and the resource that is a whole file system.

use super::{build, delete, live, set_read_only, stored};
use crate::conformance::{RESOURCE, Tree, card, fault, find, kept, read, states, take, write};
use crate::support::copied;
use crate::support::loopfs::{LoopFs, Mounted, subvolume};
use heptad::backend::TakeOrder;
use heptad::domain::operation::Fault;
use heptad::domain::survey::Wholeness;
use serde_json::json;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Three nested subvolumes, one of them in another one, and one beside.
fn fill(live: &Path) {
    write(live, &[("top", b"1"), ("var/lib/file", b"2")]);
    subvolume(&live.join("var/lib/machines"));
    write(live, &[("var/lib/machines/m1/disk", b"3")]);
    subvolume(&live.join("var/lib/machines/m1/inner"));
    write(live, &[("var/lib/machines/m1/inner/deep", b"4")]);
    subvolume(&live.join("home"));
    write(live, &[("home/ann", b"5")]);
}

#[test]
fn nested_subvolumes_are_part_of_the_snapshot() {
    let (fs, backend) = live(200);
    let live = fs.path().join("live");
    fill(&live);
    let before = read(&live);
    let handle = take(&*backend, &card(1));
    let found = find(&*backend, 1).unwrap();
    assert_eq!(found.notes.len(), 1);
    assert!(found.notes[0].starts_with("3 nested subvolumes are included"), "{:?}", found.notes);
    write(&live, &[("home/ann", b"changed")]);
    let times = std::fs::metadata(live.join("var/lib")).unwrap().modified().unwrap();
    backend.restore(&copied(&handle, &fs.path().join("copy")), &()).unwrap();
    assert_eq!(read(&fs.path().join("copy")), before);
    let restored = std::fs::metadata(fs.path().join("copy/var/lib")).unwrap().modified().unwrap();
    assert_eq!(restored, times);
    write(&fs.path().join("copy"), &[("var/lib/machines/m1/inner/deep", b"writable")]);
    assert_eq!(states(&*backend), [(1, Wholeness::Whole)]);
    backend.destroy(&handle).unwrap();
    assert_eq!(states(&*backend), []);
    assert_eq!(read(&live)[Path::new("home/ann")], Some(b"changed".to_vec()));
}

#[test]
fn a_kept_copy_has_the_nested_subvolumes_too() {
    let (fs, backend) = live(200);
    fill(&fs.path().join("live"));
    let before = read(&fs.path().join("live"));
    let original = take(&*backend, &card(1));
    let order = TakeOrder { card: &kept(2, 1), source: Some(&original), previous: None };
    let object = backend.take(&order, &()).unwrap();
    assert_eq!(object.notes, find(&*backend, 1).unwrap().notes);
    backend.destroy(&original).unwrap();
    let copy = find(&*backend, 2).unwrap().card.handle;
    backend.restore(&copied(&copy, &fs.path().join("copy")), &()).unwrap();
    assert_eq!(read(&fs.path().join("copy")), before);
}

#[test]
fn a_nested_subvolume_that_appears_later_is_in_the_next_snapshot() {
    let (fs, backend) = live(200);
    let live = fs.path().join("live");
    write(&live, &[("file", b"1")]);
    take(&*backend, &card(1));
    fill(&live);
    let two = take(&*backend, &card(2));
    assert!(find(&*backend, 1).unwrap().notes.is_empty());
    assert!(!find(&*backend, 2).unwrap().notes.is_empty());
    backend.restore(&copied(&two, &fs.path().join("copy")), &()).unwrap();
    assert_eq!(read(&fs.path().join("copy")), read(&live));
}

#[test]
fn a_nested_subvolume_hidden_by_a_mount_is_in_the_snapshot() {
    let (fs, backend) = live(200);
    let live = fs.path().join("live");
    fill(&live);
    let before = read(&live);
    let home = live.join("home");
    let hiding = Mounted::tmpfs(&home);
    let handle = take(&*backend, &card(1));
    drop(hiding);
    backend.restore(&copied(&handle, &fs.path().join("copy")), &()).unwrap();
    assert_eq!(read(&fs.path().join("copy")), before);
}

#[test]
fn a_missing_or_changed_nested_part_shows() {
    let (fs, backend) = live(200);
    fill(&fs.path().join("live"));
    let (one, two) = (take(&*backend, &card(1)), take(&*backend, &card(2)));
    let store = fs.path().join(".heptad");
    delete(&stored(&store, RESOURCE, &one).join("nested/1"));
    set_read_only(&stored(&store, RESOURCE, &two).join("nested/2"), false);
    assert_eq!(states(&*backend), [(1, Wholeness::Partial), (2, Wholeness::Tampered)]);
    assert_eq!(fault(backend.verify(&one, &())), Fault::Absent);
    backend.destroy(&one).unwrap();
    backend.destroy(&two).unwrap();
    assert_eq!(states(&*backend), []);
}

#[test]
fn what_is_left_out_is_named_or_is_protected_on_its_own() {
    let (fs, _) = live(200);
    let live = fs.path().join("live");
    fill(&live);
    let check = |seq: u64, nested: &str, notes: usize| {
        let backend = build(RESOURCE, json!({ "path": live, "nested": nested }));
        let handle = take(&*backend, &card(seq));
        let found = find(&*backend, seq).unwrap();
        assert_eq!(found.notes.len(), notes, "{nested}: {:?}", found.notes);
        assert!(found.notes.iter().all(|note| note.contains("var/lib/machines/m1/inner")));
        let copy = fs.path().join(nested);
        backend.restore(&copied(&handle, &copy), &()).unwrap();
        let tree = read(&copy);
        assert_eq!(tree.get(Path::new("home")), Some(&None), "{nested}");
        assert_eq!(tree.get(Path::new("home/ann")), None, "{nested}");
    };
    check(1, "note", 1);
    check(2, "separate", 0);
}

#[test]
fn hundreds_of_nested_subvolumes_are_all_found() {
    let (fs, _) = live(400);
    let live = fs.path().join("live");
    // More than one answer of the kernel holds.
    for at in 0..300 {
        subvolume(&live.join(format!("n{at}")));
    }
    let backend = build(RESOURCE, json!({ "path": live, "nested": "note" }));
    take(&*backend, &card(1));
    let notes = find(&*backend, 1).unwrap().notes;
    assert!(notes[0].ends_with("and 295 more"), "{notes:?}");
}

/// What a person put on a disk, without heptad's own store.
fn visible(path: &Path) -> Tree {
    let mut tree = read(path);
    tree.retain(|name, _| !name.starts_with(".heptad"));
    tree
}

#[test]
fn a_whole_file_system_can_be_a_resource() {
    let fs = LoopFs::new("btrfs", 200);
    let backend = build(RESOURCE, json!({ "path": fs.path() }));
    let empty = take(&*backend, &card(1));
    assert!(backend.verify(&empty, &()).unwrap().empty);
    fill(&fs.path());
    let before = visible(&fs.path());
    let two = take(&*backend, &card(2));
    let content = backend.verify(&two, &()).unwrap();
    assert_eq!((content.empty, content.entries), (false, Some(3)));
    assert!(find(&*backend, 2).unwrap().notes[0].starts_with("3 nested"), "the store is not one");
    let three = take(&*backend, &card(3));
    backend.restore(&copied(&two, &fs.path().join("copy")), &()).unwrap();
    assert_eq!(read(&fs.path().join("copy")), before);
    assert!(!fs.path().join("copy/.heptad").exists());
    let whole = [(1, Wholeness::Whole), (2, Wholeness::Whole), (3, Wholeness::Whole)];
    assert_eq!(states(&*backend), whole);
    let order = TakeOrder { card: &kept(4, 3), source: Some(&three), previous: None };
    backend.take(&order, &()).unwrap();
    for seq in 1..=4 {
        backend.destroy(&find(&*backend, seq).unwrap().card.handle).unwrap();
    }
    assert_eq!(states(&*backend), []);
}

#[test]
fn one_that_is_moved_while_the_others_are_listed_is_in_the_snapshot() {
    let (fs, backend) = live(200);
    let live = fs.path().join("live");
    let dirs = ["a", "b"].map(|name| live.join(name));
    for dir in &dirs {
        subvolume(dir);
        // The longer a listing takes, the more is moved past it.
        (0..20).for_each(|at| subvolume(&dir.join(at.to_string())));
    }
    subvolume(&dirs[0].join("moved"));
    write(&dirs[0], &[("moved/file", b"one")]);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for at in (0..2).cycle().take_while(|_| !is_over.load(Ordering::Relaxed)) {
                std::fs::rename(dirs[at].join("moved"), dirs[1 - at].join("moved")).unwrap();
                // Long enough for some listings to come to their end.
                rustix::fs::syncfs(std::fs::File::open(&live).unwrap()).unwrap();
            }
        });
        for seq in 1..=12 {
            let order = TakeOrder { card: &card(seq), source: None, previous: None };
            match backend.take(&order, &()) {
                Ok(object) => assert!(object.notes[0].starts_with("43 nested"), "{object:?}"),
                Err(error) => assert_eq!(error.fault, Fault::Transient, "{error}"),
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
}
