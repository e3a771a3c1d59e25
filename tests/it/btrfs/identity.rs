//! Is it still the same resource? Mounted or not, by whatever path.

use super::{build, live, try_build};
use crate::conformance::{RESOURCE, card, fault, states, take, write};
use crate::support::copied;
use crate::support::loopfs::{LoopFs, Mounted, subvolume};
use heptad::backend::TakeOrder;
use heptad::domain::operation::Fault;
use heptad::domain::snapshot::Seq;
use heptad::domain::survey::{Mark, Wholeness};
use rustix::thread::{CapabilitySet, CapabilitySets};
use serde_json::{Value, json};

#[test]
fn an_unmounted_resource_is_absent_and_nothing_is_taken_or_listed() {
    let (mut fs, backend) = live(200);
    fs.unmount();
    fs.mount("subvol=live");
    let backend_of_mount = build(RESOURCE, json!({ "path": fs.path() }));
    let identity = backend.probe().unwrap_err();
    assert_eq!(identity.fault, Fault::Absent, "the path of the first mount is gone");
    let handle = take(&*backend_of_mount, &card(1));
    fs.unmount();
    let order = TakeOrder { card: &card(2), source: None, previous: None };
    assert_eq!(fault(backend_of_mount.probe()), Fault::Absent);
    assert_eq!(fault(backend_of_mount.take(&order, &())), Fault::Absent);
    assert_eq!(fault(backend_of_mount.list()), Fault::Absent, "a shorter list would be a lie");
    assert_eq!(fault(backend_of_mount.destroy(&handle)), Fault::Absent, "it is not gone");
    fs.mount("subvol=live");
    assert_eq!(states(&*backend_of_mount), [(1, Wholeness::Whole)]);
}

#[test]
fn a_mount_point_that_is_itself_a_subvolume_has_another_identity() {
    let (outer, inner) = (LoopFs::new("btrfs", 200), LoopFs::new("btrfs", 200));
    let point = outer.path().join("data");
    subvolume(&point);
    let bind = || Mounted::new(&["--bind", inner.path().to_str().unwrap()], &point);
    let bound = bind();
    write(&point, &[("content", b"x")]);
    let backend = build(RESOURCE, json!({ "path": point }));
    let identity = backend.probe().unwrap().identity;
    let handle = take(&*backend, &card(1));
    drop(bound);

    let stranger = backend.probe().unwrap().identity;
    assert_ne!(stranger, identity);
    assert_eq!(backend.list().unwrap().identity, Some(stranger));
    assert_eq!(fault(backend.verify(&handle, &())), Fault::Absent);
    assert_eq!(fault(backend.destroy(&handle)), Fault::Absent, "it lies on the other disk");
    assert_eq!(fault(backend.mark(&handle, &Mark::default())), Fault::Absent);

    let _bound = bind();
    assert_eq!(backend.probe().unwrap().identity, identity);
    assert_eq!(states(&*backend), [(1, Wholeness::Whole)]);
}

#[test]
fn a_subvolume_made_anew_under_the_same_name_has_another_identity() {
    let (fs, backend) = live(200);
    let identity = backend.probe().unwrap().identity;
    take(&*backend, &card(1));
    super::delete(&fs.path().join("live"));
    assert_eq!(fault(backend.probe()), Fault::Absent);
    subvolume(&fs.path().join("live"));
    assert_ne!(backend.probe().unwrap().identity, identity);
    assert_eq!(states(&*backend), [(1, Wholeness::Whole)]);
}

#[test]
fn all_paths_to_a_subvolume_have_one_identity_and_one_pool() {
    let (fs, backend) = live(200);
    let other = tempfile::tempdir().unwrap();
    let source = source_of(&fs);
    let image = fs.path().with_file_name("image");
    assert!(image.exists());
    for options in ["subvol=live", "subvol=/", "subvolid=5"] {
        let _mounted = Mounted::new(&["-o", options, &source], other.path());
        let path = match options {
            "subvol=live" => other.path().to_owned(),
            _ => other.path().join("live"),
        };
        let twin = build(RESOURCE, json!({ "path": path }));
        assert_eq!(twin.probe().unwrap(), backend.probe().unwrap(), "{options}");
        assert_eq!(twin.pool(), backend.pool(), "{options}");
    }
    std::fs::rename(fs.path().join("live"), fs.path().join("moved")).unwrap();
    let moved = build(RESOURCE, json!({ "path": fs.path().join("moved") }));
    take(&*moved, &card(1));
    assert_eq!(states(&*backend), [(1, Wholeness::Whole)]);
}

/// The device that a file system is mounted from.
pub fn source_of(fs: &LoopFs) -> String {
    let mounts = heptad::host::mounts::Mounts::read().unwrap();
    mounts.of(&fs.path()).unwrap().source.to_str().unwrap().to_owned()
}

#[test]
fn what_is_no_subvolume_is_refused_with_a_way_out() {
    let (fs, _) = live(200);
    let ext4 = LoopFs::new("ext4", 50);
    std::fs::create_dir(fs.path().join("plain")).unwrap();
    std::fs::write(fs.path().join("file"), "x").unwrap();
    std::os::unix::fs::symlink("live", fs.path().join("link")).unwrap();
    let check = |path: std::path::PathBuf, want: Fault, says: &str| {
        let backend = build(RESOURCE, json!({ "path": path }));
        let error = backend.probe().unwrap_err();
        assert_eq!(error.fault, want, "{error}");
        assert!(error.to_string().contains(says), "{error}");
        let order = TakeOrder { card: &card(1), source: None, previous: None };
        assert_eq!(fault(backend.take(&order, &())), want);
    };
    check(fs.path().join("plain"), Fault::Absent, "btrfs subvolume create");
    check(fs.path().join("file"), Fault::Absent, "Not a directory");
    check(fs.path().join("nothing"), Fault::Absent, "No such file");
    check(fs.path().join("link"), Fault::Permanent, "symbolic link");
    check(ext4.path(), Fault::Absent, "ext4");
    assert!(!fs.path().join(".heptad").exists());
}

#[test]
fn without_privileges_the_probe_says_what_is_needed() {
    let (_fs, backend) = live(200);
    let answer = std::thread::scope(|scope| {
        let unprivileged = scope.spawn(|| {
            let none = CapabilitySet::empty();
            let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
            rustix::thread::set_capabilities(None, sets).unwrap();
            let order = TakeOrder { card: &card(1), source: None, previous: None };
            (backend.probe().unwrap_err(), backend.take(&order, &()).unwrap_err())
        });
        unprivileged.join().unwrap()
    });
    assert_eq!((answer.0.fault, answer.1.fault), (Fault::Permanent, Fault::Permanent));
    assert!(answer.0.to_string().contains("CAP_SYS_ADMIN"), "{}", answer.0);
    assert!(backend.probe().is_ok());
}

#[test]
fn the_disk_can_be_unmounted_right_after_a_job() {
    let (mut fs, backend) = live(200);
    let fsid = backend.probe().unwrap().identity[..36].to_owned();
    let kernel = std::path::Path::new("/sys/fs/btrfs").join(fsid);
    for seq in 1..=3 {
        let handle = take(&*backend, &card(seq));
        backend.verify(&handle, &()).unwrap();
        backend.restore(&copied(&handle, &fs.path().join(format!("copy-{seq}"))), &()).unwrap();
        backend.destroy(&handle).unwrap();
        assert!(kernel.exists());
        fs.unmount();
        assert!(!kernel.exists(), "something still holds the file system");
        fs.mount("");
    }
    assert_eq!(backend.list().unwrap().high_water, Seq(3));
}

#[test]
fn options_are_checked_without_touching_a_disk() {
    let check = |options: Value, want: &[&str]| {
        let keys = match try_build(RESOURCE, &options) {
            Ok(_) => Vec::new(),
            Err(findings) => findings.into_iter().map(|finding| finding.key).collect(),
        };
        assert_eq!(keys, want, "{options}");
    };
    check(json!({ "path": "/nowhere/at/all" }), &[]);
    check(json!({ "path": "/a", "store": "/b", "nested": "note" }), &[]);
    check(json!({}), &["path"]);
    check(json!({ "path": "relative" }), &["path"]);
    check(json!({ "path": "/a", "store": "/a/b" }), &["store"]);
    check(json!({ "path": "/a", "store": "/a" }), &["store"]);
    check(json!({ "path": "/a", "store": "/ab" }), &[]);
    check(json!({ "path": "/a", "nested": "maybe", "paht": 1 }), &["nested", "paht"]);
}
