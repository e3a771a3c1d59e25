//! Guests that run while they are snapshotted.

use super::host::Libvirtd;
use super::scene::{DOMAIN, HELLO, Scene, restore, take};
use crate::conformance::{card, states};
use crate::support::loopfs::LoopFs;
use heptad::backend::{Backend, RollbackOrder};
use heptad::domain::operation::Fault;
use heptad::domain::survey::Wholeness;
use serde_json::json;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

/// Boots what was taken, and returns how far its writer had come on each disk.
fn counts(scene: &Scene, backend: &dyn Backend, seq: u64) -> (u64, u64) {
    scene.libvirtd.virsh(&["destroy", DOMAIN]);
    restore(backend, seq, "copy", &scene.at("copy")).unwrap();
    let port = scene.boot("copy");
    for disk in ["a", "b"] {
        assert_eq!(port.file(&format!("{disk}/hello")).as_deref(), Some(HELLO), "{}", port.text());
    }
    let count = |disk: &str| port.file(&format!("{disk}/count")).unwrap().parse().unwrap();
    (count("a"), count("b"))
}

/// The writer writes the same number to one disk and then to the other.
fn assert_one_moment((a, b): (u64, u64)) {
    assert!(a == b || a == b + 1, "{a} on one disk, {b} on the other");
}

#[test]
fn its_agent_freezes_it_for_a_moment_and_the_copy_boots_with_both_disks_of_that_moment() {
    let scene = Scene::running("xfs", "writer");
    let backend = scene.backend(&json!({}));
    scene.wait_for("COUNT 3");
    let taken = take(&*backend, 1).unwrap();
    assert!(taken.notes[0].contains("froze the file systems"), "{:?}", taken.notes);
    assert!(taken.notes[1].contains("paused for"), "{:?}", taken.notes);
    assert!(taken.notes[2].contains("shared"), "{:?}", taken.notes);
    assert!(scene.is_free());
    let serial = scene.serial();
    assert_eq!(serial.matches("AGENT freeze").count(), 1, "{serial}");
    assert_eq!(serial.matches("AGENT thaw").count(), 1, "{serial}");
    assert_eq!(states(&*backend), [(1, Wholeness::Whole)]);
    assert_one_moment(counts(&scene, &*backend, 1));
}

#[test]
fn where_blocks_cannot_be_shared_qemu_copies_it_while_it_writes() {
    let scene = Scene::running("ext4", "writer");
    let backend = scene.backend(&json!({}));
    scene.wait_for("COUNT 3");
    let taken = take(&*backend, 1).unwrap();
    assert!(taken.notes[0].contains("froze the file systems"), "{:?}", taken.notes);
    assert!(taken.notes.last().unwrap().contains("copied by qemu"), "{:?}", taken.notes);
    assert!(scene.is_free());
    // No overlay is left behind, and it goes on writing to its own images.
    let blocks = scene.libvirtd.virsh(&["domblklist", DOMAIN]);
    assert!(blocks.contains("vda.qcow2") && blocks.contains("vdb.raw"), "{blocks}");
    assert!(scene.libvirtd.virsh(&["domjobinfo", DOMAIN]).contains("None"));
    backend.verify(&card(1).handle, &()).unwrap();
    assert_one_moment(counts(&scene, &*backend, 1));
}

#[test]
fn without_an_agent_it_is_paused_and_the_snapshot_says_crash_consistent() {
    let scene = Scene::running("xfs", "agent=off writer");
    let backend = scene.backend(&json!({}));
    scene.wait_for("COUNT 3");
    let taken = take(&*backend, 1).unwrap();
    assert!(taken.notes[0].starts_with("crash-consistent"), "{:?}", taken.notes);
    assert_eq!(scene.libvirtd.state(DOMAIN), "running");
    assert_one_moment(counts(&scene, &*backend, 1));
}

#[test]
fn an_agent_that_does_not_answer_holds_nobody_up() {
    let scene = Scene::running("xfs", "agent=stopped");
    let begun = std::time::Instant::now();
    let taken = take(&*scene.backend(&json!({ "agent": 1 })), 1).unwrap();
    assert!(begun.elapsed() < std::time::Duration::from_secs(60));
    assert!(taken.notes[0].starts_with("crash-consistent"), "{:?}", taken.notes);
    assert_eq!(scene.libvirtd.state(DOMAIN), "running");
}

#[test]
fn an_agent_that_takes_too_long_to_freeze_is_thawed_when_it_is_done() {
    let scene = Scene::running("xfs", "hook=slow");
    let taken = take(&*scene.backend(&json!({ "hold": 2 })), 1).unwrap();
    assert!(taken.notes[0].starts_with("crash-consistent"), "{:?}", taken.notes);
    assert!(scene.is_free());
    assert!(scene.serial().contains("AGENT thaw"), "{}", scene.serial());
}

#[test]
fn whoever_was_paused_by_somebody_else_stays_paused() {
    let scene = Scene::running("xfs", "");
    let backend = scene.backend(&json!({}));
    scene.libvirtd.virsh(&["suspend", DOMAIN]);
    let taken = take(&*backend, 1).unwrap();
    assert!(taken.notes[0].contains("paused, by somebody else"), "{:?}", taken.notes);
    assert_eq!(scene.libvirtd.state(DOMAIN), "paused");
}

#[test]
fn a_qemu_that_is_a_user_of_its_own_is_let_into_the_store_or_the_way_is_named() {
    let fs = LoopFs::new("ext4", 700);
    let open = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open(fs.path().parent().unwrap(), 0o711);
    let own = "user = \"libvirt-qemu\"\ngroup = \"libvirt-qemu\"\ndynamic_ownership = 1\n";
    let scene = Scene::on(fs, "", || Libvirtd::configured(own));
    scene.start();
    let backend = scene.backend(&json!({}));
    take(&*backend, 1).unwrap();
    let stored = scene.at("store/web-1/1");
    for path in [&stored, &stored.join("disks"), &stored.join("disks/vda.qcow2")] {
        let meta = path.metadata().unwrap();
        assert_eq!((meta.uid(), meta.mode() & 0o077), (0, 0), "{}", path.display());
    }
    std::fs::create_dir(scene.at("private")).unwrap();
    open(&scene.at("private"), 0o700);
    let closed = scene.backend(&json!({ "store": scene.at("private/store") }));
    let error = take(&*closed, 2).unwrap_err();
    assert_eq!(error.fault, Fault::Permanent);
    assert!(error.to_string().contains("chmod o+x"), "{error}");
    assert!(scene.is_free() && !scene.serial().contains("AGENT freeze\nAGENT thaw\nAGENT"));
    scene.libvirtd.virsh(&["destroy", DOMAIN]);
    restore(&*backend, 1, "copy", &scene.at("copy")).unwrap();
    let port = scene.boot("copy");
    assert_eq!(port.file("a/hello").as_deref(), Some(HELLO), "{}", port.text());
    // Its disks were given to its user and back.
    scene.libvirtd.virsh(&["destroy", "copy"]);
    let safety = take(&*backend, 2).map(|_| card(2).handle.id).unwrap();
    let order = RollbackOrder { handle: &card(1).handle, token: safety };
    backend.rollback(&order, &()).unwrap();
    scene.start();
}
