//! Files out of the snapshots of instances and disks.

use super::scene::{DOMAIN, HELLO, Scene, take};
use crate::conformance::card;
use crate::image::disks::{names, read};
use heptad::backend::Backend;
use heptad::domain::operation::Fault;
use heptad::domain::snapshot::Handle;
use serde_json::json;

fn handle(backend: &dyn Backend, seq: u64) -> Handle {
    let object = take(backend, seq).unwrap().object;
    Handle { object, ..card(seq).handle }
}

#[test]
fn each_disk_of_an_instance_is_a_directory_with_its_files() {
    let scene = Scene::off("xfs", "");
    let backend = scene.backend(&json!({}));
    let first = handle(&*backend, 1);
    let tree = backend.tree(&first).unwrap();
    assert_eq!(names(&tree, ""), ["vda", "vdb"]);
    for disk in ["vda", "vdb"] {
        assert_eq!(read(&tree, &format!("{disk}/hello")).unwrap(), HELLO.as_bytes(), "{disk}");
    }
    let archive = scene.of("archive", &json!({ "image": scene.at("vdb.raw"), "format": "raw" }));
    let tree = archive.tree(&handle(&*archive, 1)).unwrap();
    assert_eq!(read(&tree, "disk/hello").unwrap(), HELLO.as_bytes());
    // What was changed since shows nothing.
    let image = scene.at("store/web-1/1/disks/vdb.raw");
    std::fs::OpenOptions::new().append(true).open(&image).unwrap().set_len(1 << 20).unwrap();
    assert_eq!(backend.tree(&first).unwrap_err().fault, Fault::Identity);
}

#[test]
fn a_running_guests_files_are_those_of_the_moment() {
    let scene = Scene::running("xfs", "");
    let backend = scene.backend(&json!({}));
    let running = handle(&*backend, 1);
    scene.libvirtd.virsh(&["destroy", DOMAIN]);
    let tree = backend.tree(&running).unwrap();
    for disk in ["vda", "vdb"] {
        assert_eq!(read(&tree, &format!("{disk}/hello")).unwrap(), HELLO.as_bytes(), "{disk}");
    }
}
