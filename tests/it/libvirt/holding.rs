//! Guests that somebody else holds, or that are not held when they are asked to be.

use super::scene::{DOMAIN, Scene, take};
use serde_json::json;
use std::path::PathBuf;

/// What is written down of guests that are held.
fn notes(scene: &Scene) -> String {
    let entries = std::fs::read_dir(scene.at("state/held")).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let notes = paths.filter(|path: &PathBuf| !path.to_str().unwrap().ends_with(['~', '.']));
    notes.filter_map(|path| std::fs::read_to_string(path).ok()).collect()
}

#[test]
fn an_instance_and_a_disk_of_its_are_held_one_after_the_other() {
    let scene = Scene::running("xfs", "hook=slow");
    let long = json!({ "hold": 60 });
    let instance = scene.backend(&long);
    let options = json!({ "image": scene.at("vdb.raw"), "format": "raw", "hold": 60 });
    let disk = scene.of("archive", &options);
    let both = std::thread::scope(|scope| {
        let one = scope.spawn(|| take(&*instance, 1).unwrap().notes);
        // It takes seconds to freeze.
        scene.wait_for("AGENT freeze");
        let other = scope.spawn(|| take(&*disk, 1).unwrap().notes);
        [one.join().unwrap(), other.join().unwrap()]
    });
    for notes in both {
        assert!(notes[0].contains("froze the file systems"), "{notes:?}");
    }
    assert!(scene.is_free());
    let serial = scene.serial();
    let said: Vec<&str> =
        serial.lines().filter_map(|line| line.trim().strip_prefix("AGENT ")).collect();
    assert_eq!(said, ["freeze", "thaw", "freeze", "thaw"]);
}

#[test]
fn whoever_was_frozen_by_somebody_else_stays_frozen() {
    for fs in ["xfs", "ext4"] {
        let scene = Scene::running(fs, "");
        scene.agent("guest-fsfreeze-freeze").unwrap();
        let taken = take(&*scene.backend(&json!({})), 1).unwrap();
        assert!(taken.notes[0].contains("frozen by somebody else"), "{:?}", taken.notes);
        assert_eq!(scene.libvirtd.state(DOMAIN), "running");
        let status = scene.agent("guest-fsfreeze-status").unwrap();
        assert!(status.contains("frozen"), "{status}");
        assert_eq!(notes(&scene), "");
    }
}

#[test]
fn what_an_older_heptad_wrote_down_by_resource_is_let_go() {
    let scene = Scene::running("xfs", "");
    scene.agent("guest-fsfreeze-freeze").unwrap();
    let (uuid, run) =
        (scene.libvirtd.virsh(&["domuuid", DOMAIN]), scene.libvirtd.virsh(&["domid", DOMAIN]));
    let note = json!({ "uri": scene.libvirtd.uri(), "domain": uuid, "run": run, "frozen": true,
        "paused": false });
    std::fs::create_dir(scene.at("state/held")).unwrap();
    std::fs::write(scene.at("state/held/another"), note.to_string()).unwrap();
    scene.backend(&json!({})).list().unwrap();
    assert!(scene.is_free());
    assert_eq!(notes(&scene), "");
}
