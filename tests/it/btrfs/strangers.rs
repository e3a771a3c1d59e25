//! Things in the store's way that heptad did not make, and stores that cannot be.

use super::{build, live, stored};
use crate::conformance::{RESOURCE, card, fault, states, take, write};
use crate::support::loopfs::{LoopFs, Mounted, run, subvolume};
use heptad::backend::TakeOrder;
use heptad::domain::operation::Fault;
use heptad::domain::survey::Wholeness;
use serde_json::json;
use std::os::unix::fs::{PermissionsExt, chown};

#[test]
fn nobody_but_root_can_look_into_the_store() {
    let (fs, backend) = live(200);
    let handle = take(&*backend, &card(1));
    let store = fs.path().join(".heptad");
    for dir in [store.clone(), store.join(RESOURCE), stored(&store, RESOURCE, &handle)] {
        let mode = std::fs::metadata(&dir).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{}", dir.display());
    }
}

#[test]
fn a_store_that_somebody_else_prepared_is_refused() {
    let check = |prepare: &dyn Fn(&std::path::Path)| {
        let (fs, backend) = live(120);
        let store = fs.path().join(".heptad");
        prepare(&store);
        let order = TakeOrder { card: &card(1), source: None, previous: None };
        let refused = backend.take(&order, &()).unwrap_err();
        assert_eq!(refused.fault, Fault::Permanent, "{refused}");
        assert!(refused.to_string().contains(".heptad"), "{refused}");
        assert!(store.symlink_metadata().is_ok());
    };
    check(&|store| std::fs::create_dir(store).unwrap());
    check(&|store| std::fs::write(store, "x").unwrap());
    check(&|store| std::os::unix::fs::symlink("live", store).unwrap());
    check(&|store| {
        subvolume(store);
        chown(store, Some(65534), None).unwrap();
    });
    check(&|store| {
        subvolume(store);
        std::fs::set_permissions(store, PermissionsExt::from_mode(0o777)).unwrap();
    });
}

#[test]
fn a_chosen_store_must_be_there_on_the_same_disk_and_closed() {
    let (fs, _) = live(200);
    let (path, other) = (fs.path().join("live"), LoopFs::new("btrfs", 120));
    std::fs::create_dir(fs.path().join("open")).unwrap();
    std::fs::set_permissions(fs.path().join("open"), PermissionsExt::from_mode(0o777)).unwrap();
    let check = |store: std::path::PathBuf, want: Fault, says: &str| {
        let backend = build(RESOURCE, json!({ "path": path, "store": store }));
        let order = TakeOrder { card: &card(1), source: None, previous: None };
        let refused = backend.take(&order, &()).unwrap_err();
        assert_eq!(refused.fault, want, "{refused}");
        assert!(refused.to_string().contains(says), "{refused}");
    };
    check(fs.path().join("missing"), Fault::Absent, "mkdir");
    check(other.path(), Fault::Permanent, "not on the btrfs of the resource");
    check(fs.path().join("open"), Fault::Permanent, "others may write");
}

#[test]
fn a_store_inside_the_resource_by_another_path_is_refused() {
    let (fs, _) = live(200);
    let other = tempfile::tempdir().unwrap();
    let source = super::identity::source_of(&fs);
    let _mounted = Mounted::new(&["-o", "subvol=live", &source], other.path());
    std::fs::create_dir(other.path().join("plain")).unwrap();
    subvolume(&other.path().join("nested"));
    for inside in ["plain", "nested"] {
        let options = json!({ "path": fs.path().join("live"), "store": other.path().join(inside) });
        let backend = build(RESOURCE, options);
        let order = TakeOrder { card: &card(1), source: None, previous: None };
        let refused = backend.take(&order, &()).unwrap_err();
        assert_eq!(refused.fault, Fault::Permanent, "{refused}");
        assert!(refused.to_string().contains("would contain snapshots"), "{refused}");
    }
}

#[test]
fn copies_and_renamed_directories_are_not_taken_for_snapshots() {
    let (fs, backend) = live(200);
    write(&fs.path().join("live"), &[("index.html", b"hello")]);
    let handle = take(&*backend, &card(1));
    let dir = fs.path().join(".heptad").join(RESOURCE);
    let copy = |name: &str| {
        run("cp", &["-a", dir.join("1").to_str().unwrap(), dir.join(name).to_str().unwrap()]);
    };
    for name in ["5", "1.old", "01", "notes"] {
        copy(name);
    }
    std::fs::write(dir.join("7"), "a file").unwrap();
    std::os::unix::fs::symlink("1", dir.join("8")).unwrap();
    assert_eq!(states(&*backend), [(1, Wholeness::Whole)]);
    for seq in [5, 7, 8] {
        let order = TakeOrder { card: &card(seq), source: None, previous: None };
        assert_eq!(fault(backend.take(&order, &())), Fault::Identity, "{seq}");
        assert_eq!(fault(backend.destroy(&card(seq).handle)), Fault::Identity, "{seq}");
    }
    backend.destroy(&handle).unwrap();
    assert_eq!(states(&*backend), []);
    assert!(dir.join("5/data/index.html").exists() && dir.join("8").symlink_metadata().is_ok());
}

#[test]
fn a_damaged_manifest_beside_a_snapshot_is_an_error_and_not_a_shorter_list() {
    let (fs, backend) = live(200);
    let (one, _) = (take(&*backend, &card(1)), take(&*backend, &card(2)));
    let dir = stored(&fs.path().join(".heptad"), RESOURCE, &one);
    for damage in ["", "{", "{\"heptad\": 1}"] {
        std::fs::write(dir.join("manifest.json"), damage).unwrap();
        let error = backend.list().unwrap_err();
        assert_eq!(error.fault, Fault::Permanent, "{error}");
        assert!(error.to_string().contains("web-1/1"), "{error}");
        assert!(backend.destroy(&one).is_err());
        assert!(dir.join("data").exists());
    }
}

#[test]
fn what_a_power_cut_leaves_before_the_manifest_is_made_good_by_the_next_taking() {
    let (fs, backend) = live(200);
    take(&*backend, &card(1));
    let dir = fs.path().join(".heptad").join(RESOURCE);
    for (seq, manifest) in [(2, None), (3, Some(""))] {
        std::fs::create_dir(dir.join(seq.to_string())).unwrap();
        if let Some(text) = manifest {
            std::fs::write(dir.join(seq.to_string()).join("manifest.json"), text).unwrap();
        }
        assert_eq!(backend.list().unwrap().high_water.0, seq);
        take(&*backend, &card(seq));
    }
    let whole = [(1, Wholeness::Whole), (2, Wholeness::Whole), (3, Wholeness::Whole)];
    assert_eq!(states(&*backend), whole);
}
