//! Guests that somebody else holds, or that are not held when they are asked to be.

use super::scene::{DOMAIN, Scene, take, wait};
use heptad::domain::operation::Fault;
use rustix::process::{Signal, kill_process};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

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

/// Freezes the guest, and writes it down as an older heptad did: by resource.
fn freeze(scene: &Scene) {
    scene.agent("guest-fsfreeze-freeze").unwrap();
    let (uuid, run) =
        (scene.libvirtd.virsh(&["domuuid", DOMAIN]), scene.libvirtd.virsh(&["domid", DOMAIN]));
    let note = json!({ "uri": scene.libvirtd.uri(), "domain": uuid, "run": run, "frozen": true,
        "paused": false });
    std::fs::create_dir(scene.at("state/held")).unwrap();
    std::fs::write(scene.at("state/held/another"), note.to_string()).unwrap();
}

#[test]
fn a_libvirt_that_starts_anew_leaves_no_guest_frozen() {
    let scene = Scene::running("xfs", "");
    freeze(&scene);
    let hung_up = scene.libvirtd.hang_up_once();
    let stuck = heptad::backend::registry::LET_GO[0](&scene.at("state")).unwrap();
    assert!(stuck.is_empty(), "{stuck:?}");
    hung_up.join().unwrap();
    assert!(scene.is_free());
    assert_eq!(notes(&scene), "");
}

#[test]
fn what_an_older_heptad_wrote_down_by_resource_is_let_go() {
    let scene = Scene::running("xfs", "");
    freeze(&scene);
    scene.backend(&json!({})).list().unwrap();
    assert!(scene.is_free());
    assert_eq!(notes(&scene), "");
}

#[test]
fn a_helper_that_outlives_its_heptad_leaves_the_note_of_the_next_hold() {
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("note");
    // A libvirt without guests, within each virsh.
    let order = json!({ "uri": "test:///default", "domain": "test", "freeze": false, "agent_ms": 0,
        "pause": true, "hold_ms": 60_000, "note": note });
    let replaced = |next: Option<&str>| {
        let mut helper = Command::new(super::scene::helper());
        helper.args(["helper", "libvirt"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut helper = helper.spawn().unwrap();
        let mut lines = BufReader::new(helper.stdout.take().unwrap()).lines();
        writeln!(helper.stdin.as_ref().unwrap(), "{order}").unwrap();
        assert!(lines.any(|line| line.unwrap() == "held"));
        let mine: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&note).unwrap()).unwrap();
        assert_eq!((&mine["holder"], &mine["paused"]), (&helper.id().into(), &true.into()));
        if let Some(next) = next {
            std::fs::write(&note, next).unwrap();
        }
        drop(helper.stdin.take());
        assert!(lines.any(|line| line.unwrap() == "released"));
        assert!(helper.wait().unwrap().success());
        std::fs::read_to_string(&note).ok()
    };
    assert_eq!(replaced(None), None);
    let next = json!({ "uri": "test:///default", "domain": "test", "run": "1", "frozen": false,
        "paused": true, "holder": 1 });
    assert_eq!(replaced(Some(&next.to_string())), Some(next.to_string()));
}

#[test]
fn a_pause_that_comes_after_it_was_given_up_does_not_last() {
    for words in ["", "agent=off"] {
        let scene = Scene::running("xfs", words);
        let backend = scene.backend(&json!({ "hold": 2, "agent": 1 }));
        let (events, qemu) = (Events::hear(&scene), scene.libvirtd.qemu(DOMAIN));
        let error = std::thread::scope(|scope| {
            let taking = scope.spawn(|| take(&*backend, 1).unwrap_err());
            wait(|| notes(&scene).contains("\"paused\":true"), "about to pause");
            // Before virsh has reached it: then libvirt waits for it, and virsh does not for long.
            kill_process(qemu, Signal::STOP).unwrap();
            wait(|| scene.libvirtd.is_asked_for("suspend"), "asked for");
            wait(|| !scene.libvirtd.is_asked_for("suspend"), "given up");
            // Not before it was seen to run, and so not to need anything.
            for _ in 0..if words.is_empty() { 0 } else { 2 } {
                wait(|| scene.libvirtd.is_asked_for("domstate"), "its state");
                wait(|| !scene.libvirtd.is_asked_for("domstate"), "its state was told");
            }
            kill_process(qemu, Signal::CONT).unwrap();
            taking.join().unwrap()
        });
        assert!(matches!(error.fault, Fault::Busy | Fault::Transient), "{error}");
        let heard = events.heard();
        assert!(heard.contains("Suspended"), "it never came: then this shows nothing");
        assert_eq!(scene.libvirtd.state(DOMAIN), "running", "{heard}");
        assert!(!words.is_empty() || scene.is_free());
        assert_eq!(notes(&scene), "");
        take(&*backend, 2).unwrap();
    }
}

/// What libvirt says that its guest does.
struct Events(Child, PathBuf);

impl Events {
    fn hear(scene: &Scene) -> Self {
        let path = scene.at("events");
        let mut virsh = Command::new("virsh");
        virsh.args(["--connect", &scene.libvirtd.uri(), "event", "--domain", DOMAIN]);
        virsh.args(["--event", "lifecycle", "--loop"]).stdin(Stdio::null());
        // Cut off below, it goes on from there.
        let out = std::fs::File::options().create(true).append(true).open(&path).unwrap();
        let child = virsh.stdout(out).spawn().unwrap();
        let this = Self(child, path);
        // It hears what comes from now on, and says so by hearing it.
        wait(
            || {
                scene.libvirtd.virsh(&["suspend", DOMAIN]);
                scene.libvirtd.virsh(&["resume", DOMAIN]);
                this.heard().contains("Resumed")
            },
            "events",
        );
        std::fs::File::options().write(true).open(&this.1).unwrap().set_len(0).unwrap();
        this
    }

    fn heard(&self) -> String {
        std::fs::read_to_string(&self.1).unwrap()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
