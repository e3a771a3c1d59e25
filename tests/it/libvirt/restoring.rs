//! New instances and disks: whole or not at all, nobody's twins, and larger if asked for.

use super::scene::{DOMAIN, HELLO, Scene, restore, take};
use crate::conformance::card;
use heptad::backend::{Backend, RestoreOrder, Restored};
use heptad::domain::operation::Fault;
use heptad::domain::plan::Plan;
use heptad::fs::StorageError;
use serde_json::json;
use std::path::Path;
use std::process::Command;

fn larger(
    backend: &dyn Backend,
    name: &str,
    target: &Path,
    plan: Option<&Plan>,
    size: Option<u64>,
) -> Result<Restored, StorageError> {
    let (handle, name) = (card(1).handle, name.parse().unwrap());
    let order = RestoreOrder { handle: &handle, name: &name, target, plan, size, port: None };
    let (told, made) = (backend.fits(&order), backend.restore(&order, &()));
    if let Err(told) = told {
        // At once as when it is made, in the same words.
        assert_eq!(made.as_ref().unwrap_err().to_string(), told.to_string());
    }
    made
}

#[test]
fn a_name_that_libvirt_has_is_refused_and_nothing_is_left() {
    let scene = Scene::off("xfs", "");
    let backend = scene.backend(&json!({}));
    take(&*backend, 1).unwrap();
    let before = scene.libvirtd.virsh(&["dumpxml", DOMAIN]);
    let error = restore(&*backend, 1, DOMAIN, &scene.at("copy")).unwrap_err();
    assert_eq!(error.fault, Fault::Permanent, "{error}");
    assert!(error.to_string().contains("a domain of this name"), "{error}");
    assert!(!scene.at("copy").exists());
    assert_eq!(scene.libvirtd.virsh(&["dumpxml", DOMAIN]), before);
}

/// As it is left between the definition and the last step: the mark says so, and the disks have not
/// appeared.
fn cut_short(scene: &Scene) {
    unsaid(scene);
    std::fs::remove_dir_all(scene.at("copy")).unwrap();
}

/// As it is left right before the last step: all is there, and the mark says that it is not.
fn unsaid(scene: &Scene) {
    let uuid = scene.libvirtd.virsh(&["domuuid", "copy"]);
    let made = scene.libvirtd.virsh(&["dumpxml", "copy"]);
    let begun = made.replace(" snapshot=", &format!(" unfinished='{uuid}' snapshot="));
    assert_ne!(made, begun);
    scene.libvirtd.define(&begun);
}

#[test]
fn one_that_was_cut_off_when_all_was_there_is_known_for_its_own_and_made_only_once() {
    let scene = Scene::off("xfs", "");
    let backend = scene.backend(&json!({}));
    take(&*backend, 1).unwrap();
    let first = restore(&*backend, 1, "copy", &scene.at("copy")).unwrap();
    let domain = || scene.libvirtd.virsh(&["dumpxml", "copy"]);
    let whole = domain();
    let (handle, name) = (card(1).handle, "copy".parse().unwrap());
    let target = scene.at("copy");
    let order = RestoreOrder::copy(&handle, &name, &target);
    // By the same order after a restart, and by another one of the same wish.
    let again: [&dyn Fn() -> Option<Restored>; 2] = [&|| backend.made(&order).unwrap(), &|| {
        Some(restore(&*backend, 1, "copy", &target).unwrap())
    }];
    for again in again {
        unsaid(&scene);
        assert_ne!(domain(), whole);
        let made = again().unwrap();
        assert_eq!((&made.options, &made.disks), (&first.options, &first.disks));
        assert_eq!(domain(), whole);
    }
    // Now it is somebody's.
    let error = restore(&*backend, 1, "copy", &target).unwrap_err();
    assert!(error.to_string().contains("exists already"), "{error}");
}

#[test]
fn an_attempt_that_was_cut_short_is_made_again_from_the_start() {
    let scene = Scene::off("xfs", "");
    let backend = scene.backend(&json!({}));
    take(&*backend, 1).unwrap();
    restore(&*backend, 1, "copy", &scene.at("copy")).unwrap();
    let first = scene.libvirtd.virsh(&["domuuid", "copy"]);
    cut_short(&scene);
    // Another order must not take it for its own remains.
    let error = restore(&*backend, 1, "copy", &scene.at("other")).unwrap_err();
    assert!(error.to_string().contains("a domain of this name"), "{error}");
    restore(&*backend, 1, "copy", &scene.at("copy")).unwrap();
    assert_ne!(scene.libvirtd.virsh(&["domuuid", "copy"]), first);
    assert_ne!(
        scene.libvirtd.virsh(&["domuuid", "copy"]),
        scene.libvirtd.virsh(&["domuuid", DOMAIN])
    );
}

#[test]
fn a_domain_that_was_finished_or_touched_since_is_nobodys_remains() {
    let scene = Scene::off("xfs", "");
    let backend = scene.backend(&json!({}));
    take(&*backend, 1).unwrap();
    let again = |what: &str| {
        let before = scene.libvirtd.virsh(&["dumpxml", "copy"]);
        let error = restore(&*backend, 1, "copy", &scene.at("copy")).unwrap_err();
        assert!(error.fault == Fault::Permanent && error.to_string().contains(what), "{error}");
        assert_eq!(scene.libvirtd.virsh(&["dumpxml", "copy"]), before);
        assert!(!scene.at("copy").exists());
    };
    restore(&*backend, 1, "copy", &scene.at("copy")).unwrap();
    // Moved by hand, and so not where this order puts them.
    std::fs::rename(scene.at("copy"), scene.at("moved")).unwrap();
    again("has a domain of this name already");
    std::fs::rename(scene.at("moved"), scene.at("copy")).unwrap();
    cut_short(&scene);
    let made = scene.libvirtd.virsh(&["dumpxml", "copy"]);
    let [disk, moved] =
        ["copy/vda.qcow2", "moved/vda.qcow2"].map(|at| scene.at(at).display().to_string());
    for (what, now) in [
        ("a disk", made.replace(&disk, &moved)),
        ("memory", made.replace("98304", "131072")),
        ("a network card", made.replace("</devices>", "<interface type='user'/></devices>")),
    ] {
        assert_ne!(now, made, "{what}");
        scene.libvirtd.define(&now);
        again("was changed since");
    }
    scene.libvirtd.define(&made);
    restore(&*backend, 1, "copy", &scene.at("copy")).unwrap();
}

#[test]
fn what_an_earlier_attempt_has_finished_is_known_for_its_own_and_nothing_else_is() {
    let scene = Scene::off("xfs", "");
    let backend = scene.backend(&json!({}));
    take(&*backend, 1).unwrap();
    take(&*backend, 2).unwrap();
    let made = |seq: u64, name: &str, at: &str| {
        let (handle, name, target) = (card(seq).handle, name.parse().unwrap(), scene.at(at));
        backend.made(&RestoreOrder::copy(&handle, &name, &target)).unwrap()
    };
    assert_eq!(made(1, "copy", "copy"), None);
    let first = restore(&*backend, 1, "copy", &scene.at("copy")).unwrap();
    let [(disk, options)] = &first.disks[..] else { panic!("{:?}", first.disks) };
    let image = scene.at("copy/vdb.raw").display().to_string();
    assert_eq!((disk.as_str(), &options["image"]), ("vdb", &json!(image)));
    assert_eq!(options["format"], "raw");
    let again = made(1, "copy", "copy").unwrap();
    assert_eq!((&again.options, &again.disks), (&first.options, &first.disks));
    // Of another snapshot, at another place, the original, and one that is not finished.
    assert_eq!(made(2, "copy", "copy"), None);
    assert_eq!(made(1, "copy", "other"), None);
    assert_eq!(made(1, DOMAIN, "copy"), None);
    let uuid = scene.libvirtd.virsh(&["domuuid", "copy"]);
    cut_short(&scene);
    assert_eq!(made(1, "copy", "copy"), None);
    assert_eq!(scene.libvirtd.virsh(&["domuuid", "copy"]), uuid);
}

#[test]
fn a_larger_plan_gives_processors_memory_and_a_larger_system_disk() {
    let scene = Scene::off("xfs", "");
    let backend = scene.backend(&json!({}));
    take(&*backend, 1).unwrap();
    let plan = |vcpus, memory: u64, disk: u64| Plan {
        name: "medium".parse().unwrap(),
        vcpus,
        memory: memory << 20,
        disk: disk << 20,
    };
    for small in [plan(1, 128, 16), plan(1, 64, 64)] {
        let refused = larger(&*backend, "copy", &scene.at("copy"), Some(&small), None);
        assert_eq!(refused.unwrap_err().fault, Fault::Permanent);
        assert!(scene.libvirtd.ask(&["domuuid", "copy"]).is_err());
    }
    let large = plan(2, 160, 64);
    let made = larger(&*backend, "copy", &scene.at("copy"), Some(&large), None).unwrap();
    assert!(made.notes[0].contains("64 MiB") && made.notes[0].contains("growpart"), "{made:?}");
    let port = scene.boot("copy");
    assert_eq!(port.file("a/hello").as_deref(), Some(HELLO), "{}", port.text());
    let info = scene.libvirtd.virsh(&["dominfo", "copy"]);
    assert!(info.contains("CPU(s):         2") && info.contains("163840 KiB"), "{info}");
    let size = scene.libvirtd.virsh(&["domblkinfo", "copy", "vda"]);
    assert!(size.contains(&(64_u64 << 20).to_string()), "{size}");
    assert!(
        scene.libvirtd.virsh(&["domblkinfo", "copy", "vdb"]).contains(&(24_u64 << 20).to_string())
    );
}

#[test]
fn the_file_system_of_a_raw_disk_without_partitions_grows_with_it() {
    let scene = Scene::off("xfs", "");
    let backend = scene.of("archive", &json!({ "image": scene.at("vdb.raw"), "format": "raw" }));
    take(&*backend, 1).unwrap();
    let target = scene.at("archive-2.raw");
    let smaller = larger(&*backend, "archive-2", &target, None, Some(8 << 20));
    assert_eq!(smaller.unwrap_err().fault, Fault::Permanent);
    assert!(!target.exists());
    let made = larger(&*backend, "archive-2", &target, None, Some(48 << 20)).unwrap();
    assert!(made.notes[0].contains("and so has its file system"), "{made:?}");
    assert_eq!(std::fs::metadata(&target).unwrap().len(), 48 << 20);
    let header = Command::new("dumpe2fs").arg("-h").arg(&target).output().unwrap();
    let header = String::from_utf8_lossy(&header.stdout).into_owned();
    let field = |name: &str| -> u64 {
        let line = header.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().parse().unwrap()
    };
    assert_eq!(field("Block count:") * field("Block size:"), 48 << 20, "{header}");
}
