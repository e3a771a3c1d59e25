//! Instances that are changed where they are: rolled back, given a disk, rid of one.

use super::scene::{DOMAIN, HELLO, Scene, convert, ext4, take, wait};
use crate::conformance::card;
use crate::support::other::Other;
use heptad::backend::{Backend, BackendError, Image, Probe, RollbackOrder};
use heptad::domain::operation::Fault;
use serde_json::json;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use uuid::Uuid;

#[test]
fn an_instance_that_is_off_gets_all_its_disks_back_and_stays_the_same_domain() {
    let scene = Scene::running("xfs", "writer");
    let backend = scene.backend(&json!({}));
    let identity = backend.probe().unwrap();
    take(&*backend, 1).unwrap();
    let before = scene.libvirtd.virsh(&["dumpxml", "--inactive", DOMAIN]);
    let order = RollbackOrder { handle: &card(1).handle, token: Uuid::from_u128(7) };
    let users = backend.users().unwrap();
    assert!(users[0].contains("web is running") && users[0].contains("shutdown web"), "{users:?}");
    assert_eq!(backend.rollback(&order, &()).unwrap_err().fault, Fault::Busy);
    scene.libvirtd.virsh(&["destroy", DOMAIN]);
    assert_eq!(backend.users().unwrap(), Vec::<String>::new());
    // Ruined meanwhile.
    for disk in ["vda.qcow2", "vdb.raw"] {
        std::fs::write(scene.at(disk), "nothing").unwrap();
    }
    assert_eq!(backend.rollback(&order, &()).unwrap(), identity);
    assert_eq!(backend.rollback(&order, &()).unwrap(), identity);
    assert_eq!(scene.libvirtd.virsh(&["dumpxml", "--inactive", DOMAIN]), before);
    std::fs::write(scene.at("serial"), "").unwrap();
    scene.start();
    let serial = scene.serial();
    for disk in ["a", "b"] {
        assert!(serial.contains(&format!("FILE /data/{disk}/hello: {HELLO}")), "{serial}");
    }
    assert_eq!(strays(&scene), 0);
}

/// What a rollback left beside the images.
fn strays(scene: &Scene) -> usize {
    let entries = std::fs::read_dir(scene.fs.path()).unwrap();
    let strays = entries.filter(|entry| {
        entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".heptad")
    });
    strays.count()
}

#[test]
fn a_disk_comes_and_goes_while_the_guest_runs_and_belongs_to_one_instance_only() {
    let scene = Scene::running("xfs", "");
    let (raw, path) = (scene.at("new.raw"), scene.at("new.qcow2"));
    ext4(&raw, &scene.at("content"));
    convert(&raw, "raw", &path, "qcow2");
    let disk = Image { name: "archive".parse().unwrap(), path, format: "qcow2".into() };
    let backend = scene.backend(&json!({}));
    for _ in 0..2 {
        assert_eq!(backend.attach(&disk).unwrap(), "vdc");
    }
    scene.wait_for("DISK vdc");
    let next = scene.libvirtd.virsh(&["dumpxml", "--inactive", DOMAIN]);
    assert!(next.contains("new.qcow2") && next.contains("<serial>archive</serial>"), "{next}");
    let taken = take(&*backend, 1).unwrap();
    assert!(taken.notes[0].contains("all 3 disks"), "{:?}", taken.notes);

    let other = scene.libvirtd.virsh(&["dumpxml", "--inactive", DOMAIN]);
    let uuid = scene.libvirtd.virsh(&["domuuid", DOMAIN]);
    let other = other.replace("<name>web</name>", "<name>mail</name>");
    let other = other.replace(&uuid, &Uuid::from_u128(9).to_string());
    scene.libvirtd.define(&other.replace("new.qcow2", "none.qcow2"));
    let mail = scene.of("mail", &json!({ "domain": "mail" }));
    let error = mail.attach(&disk).unwrap_err();
    assert!(error.to_string().contains("domain web has it"), "{error}");

    for _ in 0..2 {
        backend.detach(&disk).unwrap();
    }
    scene.wait_for("GONE vdc");
    assert!(!scene.libvirtd.virsh(&["dumpxml", DOMAIN]).contains("new.qcow2"));
    assert!(!scene.libvirtd.virsh(&["dumpxml", "--inactive", DOMAIN]).contains("new.qcow2"));
    // One that is off.
    assert_eq!(mail.attach(&disk).unwrap(), "vdd");
    wait(|| mail.detach(&disk).is_ok(), "detaching");
}

/// A file as the journal knows it.
fn print(path: &Path) -> String {
    let meta = std::fs::metadata(path).unwrap();
    let written = format!("{}.{:09}", meta.mtime(), meta.mtime_nsec());
    format!("{}:{} {} {written}", meta.dev(), meta.ino(), meta.len())
}

#[test]
fn a_rollback_that_was_cut_short_is_completed_by_whoever_looks_next() {
    let scene = Scene::off("xfs", "");
    let backend = scene.backend(&json!({}));
    take(&*backend, 1).unwrap();
    let token = Uuid::from_u128(7);
    // As it is left after the first of two disks: the second one's copy waits beside it.
    let [first, second] = [0, 1].map(|at| scene.at(&format!(".heptad-{}-{at}", token.simple())));
    let (vda, vdb) = (scene.at("vda.qcow2"), scene.at("vdb.raw"));
    std::fs::copy(scene.at("store/web-1/1/disks/vdb.raw"), &second).unwrap();
    std::fs::write(&vdb, "of another time").unwrap();
    let uuid = scene.libvirtd.virsh(&["domuuid", DOMAIN]);
    let rename = |new: &Path, live: &Path, made: &Path| json!({ "new": new, "live": live, "made": print(made), "replaced": print(live) });
    let journal = json!({
        "token": token, "uri": scene.libvirtd.uri(), "domain": uuid,
        "renames": [rename(&first, &vda, &vda), rename(&second, &vdb, &second)],
    });
    std::fs::create_dir(scene.at("state/rolling")).unwrap();
    std::fs::write(scene.at("state/rolling/web-1"), journal.to_string()).unwrap();
    // While somebody has it open, and once it was written to, it stays as it is.
    let user = Other::doing("exec 5<$1", &vdb);
    backend.list().unwrap();
    assert_eq!(take(&*backend, 2).unwrap_err().fault, Fault::Busy);
    assert_eq!(std::fs::read(&vdb).unwrap(), b"of another time");
    drop(user);
    std::fs::write(&vdb, "newer").unwrap();
    backend.list().unwrap();
    let error = take(&*backend, 2).unwrap_err();
    assert!(error.fault == Fault::Identity && error.to_string().contains("so it stays"), "{error}");
    assert_eq!(std::fs::read(&vdb).unwrap(), b"newer");
    let journal = json!({
        "token": token, "uri": scene.libvirtd.uri(), "domain": uuid,
        "renames": [rename(&first, &vda, &vda), rename(&second, &vdb, &second)],
    });
    std::fs::write(scene.at("state/rolling/web-1"), journal.to_string()).unwrap();
    backend.list().unwrap();
    let stored = std::fs::read(scene.at("store/web-1/1/disks/vdb.raw")).unwrap();
    assert!(std::fs::read(&vdb).unwrap() == stored && !second.exists());
    // The same order is done, and is not done again over what came later.
    std::fs::write(&vdb, "later").unwrap();
    backend.rollback(&RollbackOrder { handle: &card(1).handle, token }, &()).unwrap();
    assert_eq!(std::fs::read(&vdb).unwrap(), b"later");
    let next = RollbackOrder { handle: &card(1).handle, token: Uuid::from_u128(8) };
    backend.rollback(&next, &()).unwrap();
    assert!(std::fs::read(&vdb).unwrap() == stored);
}

/// By the snapshot that was taken to be safe, to another one.
fn back(backend: &dyn Backend, to: u64, safety: u64) -> Result<Probe, BackendError> {
    let order = RollbackOrder { handle: &card(to).handle, token: card(safety).handle.id };
    backend.rollback(&order, &())
}

#[test]
fn what_a_guest_wrote_between_the_safety_snapshot_and_the_exchange_is_not_lost() {
    let scene = Scene::off("xfs", "writer");
    let backend = scene.backend(&json!({}));
    let content = || ["vda.qcow2", "vdb.raw"].map(|disk| std::fs::read(scene.at(disk)).unwrap());
    let refused = |safety, what: &str| {
        let before = content();
        let error = back(&*backend, 1, safety).unwrap_err();
        assert!(error.fault == Fault::Busy && error.to_string().contains(what), "{error}");
        assert!(content() == before && !scene.at("state/rolling/web-1").exists());
        assert_eq!(strays(&scene), 0);
    };
    let then = content();
    take(&*backend, 1).unwrap();
    take(&*backend, 2).unwrap();
    scene.start();
    scene.wait_for("COUNT 3");
    scene.libvirtd.virsh(&["destroy", DOMAIN]);
    refused(2, "written to or exchanged since snapshot 2");
    // One that was given its old times again.
    take(&*backend, 3).unwrap();
    let path = scene.at("vdb.raw");
    let modified = path.metadata().unwrap().modified().unwrap();
    let vdb = std::fs::File::options().write(true).open(&path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&vdb, b"late", 0).unwrap();
    vdb.set_modified(modified).unwrap();
    drop(vdb);
    refused(3, "vdb.raw");
    // It says nothing of how the disks were when its guest was done.
    scene.start();
    take(&*backend, 4).unwrap();
    scene.libvirtd.virsh(&["destroy", DOMAIN]);
    refused(4, "since snapshot 4");
    take(&*backend, 5).unwrap();
    back(&*backend, 1, 5).unwrap();
    assert!(content() == then);
}

#[test]
fn a_directory_that_was_exchanged_for_a_link_leads_a_rollback_nowhere() {
    let scene = Scene::off("xfs", "");
    let (mine, theirs) = (scene.at("mine"), scene.at("theirs"));
    std::fs::create_dir(&mine).unwrap();
    let (live, new) = (mine.join("disk.raw"), mine.join(".heptad-new"));
    std::fs::write(&live, "live").unwrap();
    std::fs::write(&new, "new").unwrap();
    let options = json!({ "image": live, "format": "raw" });
    let backend = scene.of("archive", &options);
    let journal = json!({ "token": Uuid::from_u128(7), "uri": scene.libvirtd.uri(), "renames":
        [{ "new": new, "live": live, "made": print(&new), "replaced": print(&live) }] });
    std::fs::create_dir(scene.at("state/rolling")).unwrap();
    std::fs::write(scene.at("state/rolling/archive"), journal.to_string()).unwrap();
    // The same files by another way.
    std::fs::rename(&mine, &theirs).unwrap();
    std::os::unix::fs::symlink(&theirs, &mine).unwrap();
    let error = take(&*backend, 1).unwrap_err();
    assert!(error.to_string().contains("a symbolic link is part of this path"), "{error}");
    assert_eq!(std::fs::read(theirs.join("disk.raw")).unwrap(), b"live");
    // Another file in the place of the copy.
    std::fs::remove_file(&mine).unwrap();
    std::fs::rename(&theirs, &mine).unwrap();
    let original = mine.join("original");
    std::fs::rename(&new, &original).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &new).unwrap();
    let error = take(&*backend, 1).unwrap_err();
    assert!(error.to_string().contains(".heptad-new was exchanged since"), "{error}");
    assert_eq!(std::fs::read(&live).unwrap(), b"live");
    std::fs::rename(&original, &new).unwrap();
    take(&*backend, 1).unwrap();
    assert_eq!(std::fs::read(&live).unwrap(), b"new");
}
