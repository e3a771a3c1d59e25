//! Mounting a snapshot, seen by the kernel and by other programs.

use super::scene::{Ran, Scene, code};
use crate::support::loopfs::{Mounted, run, subvolume};
use heptad::api::wire::OperationState;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A place to mount on, which is cleared whatever happens to the test.
struct Place {
    path: PathBuf,
}

impl Place {
    fn new(scene: &Scene, name: &str) -> Self {
        let path = scene.here.join(name);
        std::fs::create_dir(&path).unwrap();
        Self { path }
    }

    fn is_mounted(&self) -> bool {
        Command::new("mountpoint").arg("-q").arg(&self.path).status().unwrap().success()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).output();
    }
}

fn said(ran: Ran) -> String {
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran.text()
}

fn options(point: &Path) -> String {
    let found = Command::new("findmnt").args(["-n", "-o", "VFS-OPTIONS"]).arg(point).output();
    String::from_utf8(found.unwrap().stdout).unwrap()
}

#[test]
fn a_mounted_snapshot_is_there_whole_and_harmless_until_it_is_unmounted() {
    let scene = Scene::new();
    subvolume(&scene.home().join("nested"));
    for (resource, live) in [("home", scene.home()), ("docs", scene.docs())] {
        std::fs::write(live.join("tool"), "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(live.join("tool"), PermissionsExt::from_mode(0o4755)).unwrap();
        run("mknod", &[live.join("zero").to_str().unwrap(), "c", "1", "5"]);
        std::fs::create_dir_all(live.join("nested/deep")).unwrap();
        std::fs::write(live.join("nested/deep/file"), resource).unwrap();
        scene.take(resource, &format!("{resource}-1"));
        std::fs::remove_dir_all(live.join("nested/deep")).unwrap();
        let place = Place::new(&scene, resource);
        let text = said(scene.ctl(&["mount", &format!("{resource}-1"), resource]));
        assert!(text.contains(&format!("{resource}-1 is mounted at ")), "{text}");
        assert_eq!(std::fs::read_to_string(place.path.join("nested/deep/file")).unwrap(), resource);
        for part in ["", "nested"] {
            let options = options(&place.path.join(part));
            let has = |word: &str| options.trim().split(',').any(|option| option == word);
            let wanted = ["ro", "nosuid", "nodev", "noexec"];
            assert!(options.is_empty() || wanted.iter().all(|word| has(word)), "{part} {options}");
        }
        assert!(!options(&place.path).is_empty());
        let refused = std::fs::write(place.path.join("new"), "").unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
        assert!(std::fs::File::open(place.path.join("zero")).is_err(), "devices are dead");
        assert!(Command::new(place.path.join("tool")).status().is_err(), "programs do not run");
        let listed = said(scene.ctl(&["mounts"]));
        assert!(listed.contains(place.path.to_str().unwrap()), "{listed}");
        let text = said(scene.ctl(&["umount", resource]));
        assert!(text.contains(&format!("{resource}-1 is not mounted at ")), "{text}");
        assert!(!place.is_mounted());
    }
    assert_eq!(said(scene.ctl(&["mounts"])), "no snapshot is mounted\n");
}

#[test]
fn what_is_mounted_is_not_destroyed_also_after_a_restart_of_the_daemon() {
    let mut scene = Scene::new();
    for (resource, live) in [("home", scene.home()), ("docs", scene.docs())] {
        std::fs::write(live.join("file"), "one").unwrap();
        let name = format!("{resource}-1");
        scene.take(resource, &name);
        let place = Place::new(&scene, resource);
        said(scene.ctl(&["mount", &name, resource]));
        for _ in 0..2 {
            let ran = scene.ctl(&["delete", &name, "--now", "--yes"]);
            let why = format!("{name} is mounted at {}", place.path.display());
            assert!(ran.code == 1 && ran.err.contains(&why), "{}", ran.err);
            assert!(ran.err.contains("heptactl umount"), "{}", ran.err);
            assert_eq!(std::fs::read_to_string(place.path.join("file")).unwrap(), "one");
            scene.restart();
        }
        // By whatever means it is unmounted.
        run("umount", &[place.path.to_str().unwrap()]);
        let accepted = scene.client.delete(&name, true).unwrap();
        scene.finish(accepted.operation.id, OperationState::Succeeded);
    }
}

#[test]
fn nothing_is_mounted_where_it_would_hide_something_or_lead_astray() {
    let scene = Scene::new();
    std::fs::write(scene.home().join("file"), "one").unwrap();
    scene.take("home", "s1");
    let here = &scene.here;
    std::fs::create_dir_all(here.join("full/sub")).unwrap();
    std::fs::create_dir(here.join("empty")).unwrap();
    symlink("empty", here.join("link")).unwrap();
    std::fs::write(here.join("file"), "").unwrap();
    let taken = here.join("taken");
    std::fs::create_dir(&taken).unwrap();
    let _tmpfs = Mounted::tmpfs(&taken);
    let check = |dir: &str, why: &str, hint: &str| {
        let ran = scene.ctl(&["mount", "s1", dir]);
        assert_eq!(ran.code, 1, "{dir}: {}", ran.err);
        assert!(ran.err.contains(why) && ran.err.contains(hint), "{dir}: {}", ran.err);
    };
    check("full", "it is not empty", "empty directory");
    check("link", "symbolic link", "/here/empty");
    check("file", "not a directory", "empty directory");
    check("missing", "not there", "mkdir ");
    check("taken", "mounted there already", "another directory");
    let ran = scene.ctl(&["mount", "s2", "empty"]);
    assert!(ran.code == 1 && ran.err.contains("s2"), "{}", ran.err);
    let ran = scene.ctl(&["umount", "taken"]);
    assert!(ran.code == 1 && ran.err.contains("heptactl mounts"), "{}", ran.err);
    let ran = scene.ctl(&["mounts"]);
    assert_eq!(ran.text(), "no snapshot is mounted\n");
}

#[test]
fn a_snapshot_in_use_is_not_unmounted_and_says_by_whom_to_learn() {
    let scene = Scene::new();
    std::fs::write(scene.home().join("file"), "one").unwrap();
    scene.take("home", "s1");
    let place = Place::new(&scene, "dir");
    said(scene.ctl(&["mount", "s1", "dir"]));
    let open = std::fs::File::open(place.path.join("file")).unwrap();
    let ran = scene.ctl(&["umount", "dir"]);
    assert!(ran.code == 1 && ran.err.contains("fuser -vm"), "{}", ran.err);
    drop(open);
    said(scene.ctl(&["umount", "dir"]));
}

#[test]
fn a_single_file_has_no_mount_but_can_be_got() {
    let scene = Scene::single_file();
    scene.take("docs", "s1");
    assert_eq!(code(scene.client.mount("s1")), (409, "not-a-directory".into()));
}

#[test]
fn a_program_that_asks_without_an_upgrade_is_told_how() {
    let scene = Scene::new();
    std::fs::write(scene.home().join("file"), "one").unwrap();
    scene.take("home", "s1");
    let asked = Command::new("curl")
        .args(["-sS", "-i", "-X", "POST", "--unix-socket"])
        .arg(scene.socket())
        .arg("http://heptad/v1/snapshots/s1/mount")
        .output()
        .unwrap();
    let answer = String::from_utf8(asked.stdout).unwrap();
    assert!(answer.starts_with("HTTP/1.1 426") && answer.contains("heptactl mount"), "{answer}");
}
