//! Guests that are off, single disks, and images that are not what they seem.

use super::scene::{DOMAIN, Scene, restore, take, take_as};
use crate::conformance::card;
use crate::support::loopfs::run;
use heptad::backend::{Backend, TakeOrder};
use heptad::domain::operation::Fault;
use heptad::domain::resource::Kind;
use heptad::domain::snapshot::{Card, Handle, Part};
use serde_json::json;
use std::os::unix::fs::FileExt;

#[test]
fn the_system_disk_alone_becomes_a_disk_whether_taken_by_itself_or_from_a_snapshot() {
    let scene = Scene::off("xfs", "");
    let backend = scene.backend(&json!({}));
    let whole = take(&*backend, 1).unwrap();
    let system = |seq| Card { part: Part::SystemDisk, kind: Kind::Disk, ..card(seq) };
    take_as(&*backend, &system(2)).unwrap();
    let handle = Handle { object: whole.object, ..card(1).handle };
    let (three, previous) = (system(3), None);
    backend.take(&TakeOrder { card: &three, source: Some(&handle), previous }, &()).unwrap();
    for seq in [2, 3] {
        assert!(!scene.at(&format!("store/web-1/{seq}/domain.xml")).exists());
        let target = scene.at(&format!("disk-{seq}.qcow2"));
        let made = restore(&*backend, seq, &format!("disk-{seq}"), &target).unwrap();
        assert_eq!(made.options["image"], target.to_str().unwrap());
        assert_eq!(
            (&made.options["format"], &made.options["domain"]),
            (&json!("qcow2"), &json!(null))
        );
        run("qemu-img", &["check", "-q", "-f", "qcow2", target.to_str().unwrap()]);
    }
}

#[test]
fn a_disk_by_itself_is_frozen_with_the_guest_that_has_it() {
    let scene = Scene::running("xfs", "");
    let options = json!({ "image": scene.at("vdb.raw"), "format": "raw" });
    let disk = scene.of("archive", &options);
    let taken = take(&*disk, 1).unwrap();
    assert!(taken.notes[0].contains("froze the file systems"), "{:?}", taken.notes);
    assert!(scene.serial().contains("AGENT freeze") && scene.is_free());
    assert!(!disk.users().unwrap().is_empty());
    let image = disk.image().unwrap();
    assert_eq!((image.name.as_str(), image.format.as_str()), ("archive", "raw"));
    let elsewhere = disk.beside(&"archive-2".parse().unwrap());
    assert_eq!(elsewhere, Some(scene.at("archive-2.raw")));
    scene.libvirtd.virsh(&["destroy", DOMAIN]);
    assert_eq!(disk.users().unwrap(), Vec::<String>::new());
    let taken = take(&*disk, 2).unwrap();
    assert!(taken.notes[0].contains("no running guest"), "{:?}", taken.notes);
}

#[test]
fn a_difference_to_another_image_is_stored_whole() {
    let scene = Scene::off("xfs", "");
    let path = |name| scene.at(name).to_str().unwrap().to_owned();
    std::fs::rename(scene.at("vda.qcow2"), scene.at("base.qcow2")).unwrap();
    let new = ["create", "-q", "-f", "qcow2", "-b", &path("base.qcow2")];
    // Without the format of what it is based on, one would have to guess.
    run("qemu-img", &[&new[..], &["-F", "qcow2", &path("vda.qcow2")]].concat());
    let backend = scene.backend(&json!({}));
    take(&*backend, 1).unwrap();
    scene.start();
    take(&*backend, 2).unwrap();
    assert!(scene.is_free());
    scene.libvirtd.virsh(&["destroy", DOMAIN]);
    // Nothing of the copies depends on the base.
    std::fs::rename(scene.at("base.qcow2"), scene.at("away")).unwrap();
    for seq in [1, 2] {
        let name = format!("copy-{seq}");
        restore(&*backend, seq, &name, &scene.at(&name)).unwrap();
        let port = scene.boot(&name);
        assert_eq!(port.file("a/hello").as_deref(), Some(super::scene::HELLO), "{}", port.text());
        scene.libvirtd.virsh(&["destroy", &name]);
    }
}

#[test]
fn what_a_guest_writes_to_the_start_of_a_raw_disk_is_only_bytes() {
    let scene = Scene::off("xfs", "");
    let secret = scene.at("secret");
    std::fs::write(&secret, "root:password").unwrap();
    let trap = scene.at("trap.qcow2");
    let (from, to) = (secret.to_str().unwrap(), trap.to_str().unwrap());
    run("qemu-img", &["create", "-q", "-f", "qcow2", "-b", from, "-F", "raw", to, "24M"]);
    let mut bytes = std::fs::read(&trap).unwrap();
    bytes.resize(24 << 20, 0);
    std::fs::write(scene.at("vdb.raw"), &bytes).unwrap();
    let backend = scene.backend(&json!({}));
    take(&*backend, 1).unwrap();
    backend.verify(&card(1).handle, &()).unwrap();
    restore(&*backend, 1, "copy", &scene.at("copy")).unwrap();
    assert!(std::fs::read(scene.at("copy/vdb.raw")).unwrap() == bytes);
}

#[test]
fn a_disk_that_is_no_image_file_is_refused_by_name_or_left_out() {
    let scene = Scene::off("xfs", "");
    let disk = "<disk type='block' device='disk'><source dev='/dev/null'/>\
                <target dev='vdc' bus='virtio'/></disk>";
    std::fs::write(scene.at("device"), disk).unwrap();
    let device = scene.at("device");
    scene.libvirtd.virsh(&["attach-device", "--config", DOMAIN, device.to_str().unwrap()]);
    let error = take(&*scene.backend(&json!({})), 1).unwrap_err();
    assert_eq!(error.fault, Fault::Permanent);
    assert!(error.to_string().contains("leave_out = [\"vdc\"]"), "{error}");
    let backend = scene.backend(&json!({ "leave_out": ["vdc"] }));
    take(&*backend, 2).unwrap();
    restore(&*backend, 2, "copy", &scene.at("copy")).unwrap();
    assert!(!scene.libvirtd.virsh(&["dumpxml", "copy"]).contains("/dev/null"));
}

#[test]
fn what_snapshots_of_an_instance_occupy_is_what_becomes_free_without_them() {
    let mut scene = Scene::off("xfs", "");
    let backend = scene.backend(&json!({}));
    let write = |scene: &Scene, mebibyte: u64, letter: u8| {
        let image = std::fs::File::options().write(true).open(scene.at("vdb.raw")).unwrap();
        image.write_all_at(&vec![letter; 4 << 20], mebibyte << 20).unwrap();
        image.sync_all().unwrap();
    };
    for (seq, at) in [(1, 0), (2, 8)] {
        write(&scene, at, b'a');
        take(&*backend, seq).unwrap();
    }
    assert!(backend.occupied().unwrap().unwrap().bytes < 1 << 20, "the images have it all");
    // What was there before only the snapshots have, and both of them.
    write(&scene, 0, b'b');
    let told = backend.occupied().unwrap().unwrap();
    assert!(told.exact);
    let alone = |seq| backend.usage(&found(&*backend, seq)).unwrap().exclusive.unwrap();
    assert!(alone(1) + alone(2) < 1 << 20 && told.bytes > 4 << 20, "{told:?}");
    let free = |scene: &mut Scene| {
        scene.fs.unmount();
        scene.fs.mount("");
        let stat = rustix::fs::statvfs(scene.fs.path()).unwrap();
        stat.f_bfree * stat.f_frsize
    };
    let before = free(&mut scene);
    for seq in [1, 2] {
        backend.destroy(&found(&*backend, seq)).unwrap();
    }
    let freed = free(&mut scene) - before;
    assert!(told.bytes.abs_diff(freed) < 1 << 19, "{told:?} {freed}");
}

fn found(backend: &dyn Backend, seq: u64) -> Handle {
    let found = backend.list().unwrap().found.into_iter();
    let mut handles = found.map(|found| found.card.handle);
    handles.find(|handle| handle.seq.0 == seq).unwrap()
}
