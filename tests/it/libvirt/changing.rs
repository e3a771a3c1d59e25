//! Instances that are changed where they are: rolled back, given a disk, rid of one.

use super::rolling::strays;
use super::scene::{DOMAIN, HELLO, Scene, convert, ext4, take, wait};
use crate::conformance::card;
use heptad::backend::{Image, RollbackOrder};
use heptad::domain::operation::Fault;
use serde_json::json;
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
    assert!(error.to_string().contains("domain web has disk archive"), "{error}");

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
