//! Full, read-only, and changed behind heptad's back.

use super::identity::source_of;
use super::{delete, live, set_read_only, snapshot, stored};
use crate::conformance::{RESOURCE, card, fault, find, read, states, take, write};
use crate::support::copied;
use crate::support::loopfs::{LoopFs, Mounted, run};
use heptad::backend::TakeOrder;
use heptad::domain::operation::Fault;
use heptad::domain::survey::{Mark, Wholeness};
use std::io::Write;

#[test]
fn a_full_file_system_takes_nothing_and_keeps_what_it_has() {
    let (fs, backend) = live(120);
    write(&fs.path().join("live"), &[("index.html", b"hello")]);
    let first = take(&*backend, &card(1));
    fill(&fs);
    // Snapshots need little room: some may still fit before the last block is gone.
    let mut whole = vec![(1, Wholeness::Whole)];
    let refused = (2..200).find_map(|seq| {
        let order = TakeOrder { card: &card(seq), source: None, previous: None };
        let result = backend.take(&order, &()).map(|_| whole.push((seq, Wholeness::Whole)));
        fill(&fs);
        result.err()
    });
    let refused = refused.expect("the file system is not full");
    assert_eq!(refused.fault, Fault::NoSpace, "{refused}");
    let found = states(&*backend);
    let kept: Vec<_> = found.iter().filter(|f| f.1 == Wholeness::Whole).copied().collect();
    assert_eq!(kept, whole);
    backend.verify(&first, &()).unwrap();
    // A full disk never stops deletion.
    for (seq, _) in found {
        backend.destroy(&find(&*backend, seq).unwrap().card.handle).unwrap();
    }
    assert_eq!(states(&*backend), []);
}

/// Writes until neither data nor metadata fits.
fn fill(fs: &LoopFs) {
    let dir = fs.path().join("fill");
    let _ = std::fs::create_dir(&dir);
    let big = std::fs::OpenOptions::new().append(true).create(true).open(dir.join("big"));
    if let Ok(mut big) = big {
        while big.write_all(&[7; 1 << 20]).is_ok() {}
        let _ = big.sync_all();
    }
    let from = std::fs::read_dir(&dir).unwrap().count();
    for at in from..from + 100_000 {
        // Small enough to lie in the metadata.
        let path = dir.join(format!("{at:0200}"));
        let Ok(mut small) = std::fs::File::create(path) else { break };
        if small.write_all(&[7; 1800]).is_err() {
            break;
        }
    }
    let _ = std::process::Command::new("sync").arg("-f").arg(fs.path()).output();
}

#[test]
fn a_read_only_file_system_is_named_stays_read_only_and_can_be_read() {
    let (fs, backend) = live(200);
    write(&fs.path().join("live"), &[("index.html", b"hello")]);
    let handle = take(&*backend, &card(1));
    fs.remount("ro");
    let order = TakeOrder { card: &card(2), source: None, previous: None };
    let refusals = [
        backend.take(&order, &()).unwrap_err(),
        backend.destroy(&handle).unwrap_err(),
        backend.mark(&handle, &Mark::default()).unwrap_err(),
        backend.restore(&copied(&handle, &fs.path().join("copy")), &()).unwrap_err(),
    ];
    for refused in refusals {
        assert_eq!(refused.fault, Fault::Permanent, "{refused}");
        let text = refused.to_string();
        assert!(text.contains("read-only") && text.contains(fs.path().to_str().unwrap()), "{text}");
    }
    assert_eq!(states(&*backend), [(1, Wholeness::Whole)]);
    backend.verify(&handle, &()).unwrap();
    assert!(std::fs::write(fs.path().join("probe"), "x").is_err(), "it was made writable");
    let again = take(&*backend, &card(1));
    assert_eq!(again, handle, "what exists is returned as it is");
    fs.remount("rw");
    take(&*backend, &card(2));
    assert_eq!(states(&*backend), [(1, Wholeness::Whole), (2, Wholeness::Whole)]);
}

#[test]
fn a_read_only_mount_of_a_writable_file_system_is_no_hindrance() {
    let (mut fs, _) = live(200);
    let spare = tempfile::tempdir().unwrap();
    let _writable = Mounted::new(&[&source_of(&fs)], spare.path());
    fs.unmount();
    let options = ["-o", "ro,subvol=live", &device(spare.path())];
    let _read_only = Mounted::new(&options, &fs.path());
    let backend = super::build(RESOURCE, serde_json::json!({ "path": fs.path() }));
    assert!(std::fs::write(fs.path().join("probe"), "x").is_err());
    take(&*backend, &card(1));
    assert_eq!(states(&*backend), [(1, Wholeness::Whole)]);
}

fn device(point: &std::path::Path) -> String {
    let mounts = heptad::host::mounts::Mounts::read().unwrap();
    mounts.of(point).unwrap().source.to_str().unwrap().to_owned()
}

#[test]
fn a_snapshot_that_was_made_writable_is_tampered_until_it_is_closed_untouched() {
    let (fs, backend) = live(200);
    write(&fs.path().join("live"), &[("index.html", b"hello")]);
    let handle = take(&*backend, &card(1));
    let data = stored(&fs.path().join(".heptad"), RESOURCE, &handle).join("data");
    set_read_only(&data, false);
    assert_eq!(states(&*backend), [(1, Wholeness::Tampered)]);
    assert_eq!(fault(backend.verify(&handle, &())), Fault::Identity);
    set_read_only(&data, true);
    assert_eq!(states(&*backend), [(1, Wholeness::Whole)]);
    set_read_only(&data, false);
    std::fs::remove_file(data.join("index.html")).unwrap();
    set_read_only(&data, true);
    assert_eq!(states(&*backend), [(1, Wholeness::Tampered)]);
}

#[test]
fn another_snapshot_put_in_place_of_one_is_seen_and_never_destroyed() {
    let (fs, backend) = live(200);
    write(&fs.path().join("live"), &[("index.html", b"hello")]);
    let (one, two) = (take(&*backend, &card(1)), take(&*backend, &card(2)));
    let store = fs.path().join(".heptad");
    let data = stored(&store, RESOURCE, &one).join("data");
    delete(&data);
    snapshot(&fs.path().join("live"), &data, &["-r"]);
    assert_ne!(find(&*backend, 1).unwrap().card.handle, one);
    assert_eq!(fault(backend.verify(&one, &())), Fault::Identity);
    assert_eq!(fault(backend.destroy(&one)), Fault::Identity);
    delete(&data);
    snapshot(&stored(&store, RESOURCE, &two).join("data"), &data, &["-r"]);
    assert_eq!(find(&*backend, 1).unwrap().state, Wholeness::Tampered);
    assert_eq!(fault(backend.destroy(&find(&*backend, 1).unwrap().card.handle)), Fault::Identity);
    assert!(data.join("index.html").exists());
    assert_eq!(find(&*backend, 2).unwrap().state, Wholeness::Whole);
}

#[test]
fn a_file_that_was_deleted_while_open_does_not_make_the_snapshot_look_tampered() {
    let (fs, backend) = live(200);
    let path = fs.path().join("live/open");
    let mut open = std::fs::File::create(&path).unwrap();
    open.write_all(&[7; 300_000]).unwrap();
    open.sync_all().unwrap();
    std::fs::remove_file(&path).unwrap();
    let handle = take(&*backend, &card(1));
    assert_eq!(states(&*backend), [(1, Wholeness::Whole)]);
    assert!(backend.verify(&handle, &()).unwrap().empty);
    open.write_all(b"more").unwrap();
    open.sync_all().unwrap();
    drop(open);
    assert_eq!(states(&*backend), [(1, Wholeness::Whole)]);
}

#[test]
fn exclusive_bytes_are_told_where_quotas_are_on() {
    let (fs, backend) = live(400);
    let live = fs.path().join("live");
    write(&live, &[("shared", &vec![1; 8 << 20]), ("doomed", &vec![2; 5 << 20])]);
    let one = take(&*backend, &card(1));
    assert_eq!(backend.usage(&one).unwrap().exclusive, None);
    run("btrfs", &["quota", "enable", fs.path().to_str().unwrap()]);
    std::fs::remove_file(live.join("doomed")).unwrap();
    take(&*backend, &card(2));
    run("btrfs", &["quota", "rescan", "-w", fs.path().to_str().unwrap()]);
    let usage = backend.usage(&one).unwrap();
    let (stored, exclusive) = (usage.stored.unwrap(), usage.exclusive.unwrap());
    assert!((13 << 20..14 << 20).contains(&stored), "{stored}");
    assert!((5 << 20..6 << 20).contains(&exclusive), "{exclusive}");
    run("btrfs", &["quota", "disable", fs.path().to_str().unwrap()]);
    assert_eq!(backend.usage(&one).unwrap().exclusive, None);
}

#[test]
fn an_interrupted_restore_is_cleared_and_a_stranger_under_its_name_is_not() {
    let (fs, backend) = live(200);
    write(&fs.path().join("live"), &[("index.html", b"hello")]);
    let handle = take(&*backend, &card(1));
    let data = stored(&fs.path().join(".heptad"), RESOURCE, &handle).join("data");
    // The name for a target called "web" by snapshot 1; its unit test holds it.
    let hidden = fs.path().join(format!(".heptad-{}-5ea0e11948721ef1", handle.id));
    snapshot(&data, &hidden, &[]);
    backend.restore(&copied(&handle, &fs.path().join("web")), &()).unwrap();
    assert_eq!(read(&fs.path().join("web")), read(&fs.path().join("live")));
    assert!(!hidden.exists());
    delete(&fs.path().join("web"));
    std::fs::create_dir(&hidden).unwrap();
    assert_eq!(
        fault(backend.restore(&copied(&handle, &fs.path().join("web")), &())),
        Fault::Identity
    );
    assert!(hidden.exists() && !fs.path().join("web").exists());
}

#[test]
fn a_restore_to_another_file_system_says_where_it_can_go() {
    let (fs, backend) = live(200);
    let (ext4, other) = (LoopFs::new("ext4", 50), LoopFs::new("btrfs", 120));
    let handle = take(&*backend, &card(1));
    for place in [ext4.path(), other.path()] {
        let refused = backend.restore(&copied(&handle, &place.join("copy")), &()).unwrap_err();
        assert_eq!(refused.fault, Fault::Permanent);
        let text = refused.to_string();
        assert!(text.contains("another file system"), "{text}");
        assert!(text.contains(fs.path().to_str().unwrap()), "{text}");
        assert!(!place.join("copy").exists());
    }
}

#[test]
fn a_restore_does_not_follow_symbolic_links() {
    let (fs, backend) = live(200);
    let handle = take(&*backend, &card(1));
    std::fs::create_dir(fs.path().join("real")).unwrap();
    std::os::unix::fs::symlink("real", fs.path().join("link")).unwrap();
    let refused = backend.restore(&copied(&handle, &fs.path().join("link/copy")), &()).unwrap_err();
    assert_eq!(refused.fault, Fault::Permanent);
    assert!(refused.to_string().contains("symbolic link"), "{refused}");
    assert!(!fs.path().join("real/copy").exists());
}
