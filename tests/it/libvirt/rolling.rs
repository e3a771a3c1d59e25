//! Rollbacks that were cut short, or that somebody or something comes in the way of.

use super::scene::{DOMAIN, Scene, take};
use crate::conformance::card;
use crate::support::loopfs::run;
use crate::support::other::Other;
use heptad::backend::{Backend, RollbackOrder};
use heptad::domain::operation::Fault;
use heptad::fs::StorageError;
use heptad::store::identity::Probe;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::json;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use uuid::Uuid;

const TOKEN: Uuid = Uuid::from_u128(7);

/// What a rollback left beside the images.
pub fn strays(scene: &Scene) -> usize {
    let entries = std::fs::read_dir(scene.fs.path()).unwrap();
    let strays = entries.filter(|entry| {
        entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".heptad")
    });
    strays.count()
}

/// Where the journal is.
fn journal(scene: &Scene) -> PathBuf {
    scene.at("state/rolling/web-1")
}

/// The order that was cut short, or that is.
fn roll(backend: &dyn Backend) -> Result<Probe, StorageError> {
    backend.rollback(&RollbackOrder { handle: &card(1).handle, token: TOKEN }, &())
}

fn content(scene: &Scene) -> [Vec<u8>; 2] {
    ["vda.qcow2", "vdb.raw"].map(|disk| std::fs::read(scene.at(disk)).unwrap())
}

/// As a rollback to snapshot 1 is left when it is cut short: right after its commit point, or once
/// image and copy have exchanged their names.
fn cut_short(scene: &Scene, is_exchanged: bool) {
    let mut renames = Vec::new();
    for (at, disk) in ["vda.qcow2", "vdb.raw"].into_iter().enumerate() {
        let (new, live) = (scene.at(&format!(".heptad-{}-{at}", TOKEN.simple())), scene.at(disk));
        std::fs::copy(scene.at("store/web-1/1/disks").join(disk), &new).unwrap();
        let (made, replaced) = (print(&new), print(&live));
        if is_exchanged {
            renameat_with(CWD, &new, CWD, &live, RenameFlags::EXCHANGE).unwrap();
        }
        renames.push(json!({ "new": new, "live": live, "made": made, "replaced": replaced }));
    }
    let (uri, domain) = (scene.libvirtd.uri(), scene.libvirtd.virsh(&["domuuid", DOMAIN]));
    let text = json!({ "token": TOKEN, "uri": uri, "domain": domain, "renames": renames });
    std::fs::create_dir_all(scene.at("state/rolling")).unwrap();
    std::fs::write(journal(scene), text.to_string()).unwrap();
}

#[test]
fn a_rollback_that_was_done_when_it_was_cut_short_stays_so_whatever_its_guest_does() {
    let scene = Scene::off("xfs", "");
    let backend = scene.backend(&json!({}));
    take(&*backend, 1).unwrap();
    for is_cleared in [false, true] {
        cut_short(&scene, true);
        if is_cleared {
            run("sh", &["-c", "rm \"$1\"/.heptad-*", "sh", scene.fs.path().to_str().unwrap()]);
        }
        let there = print(&scene.at("vdb.raw"));
        let object = there.split(' ').next().unwrap();
        scene.start();
        roll(&*backend).unwrap();
        assert!(print(&scene.at("vdb.raw")).starts_with(object), "the copy stays in place");
        assert_eq!(strays(&scene), 0);
        assert!(scene.is_free(), "its guest goes on");
        scene.libvirtd.virsh(&["destroy", DOMAIN]);
    }
    take(&*backend, 2).unwrap();
}

#[test]
fn a_rollback_of_which_nothing_was_done_is_given_up_once_its_guest_was_on() {
    let scene = Scene::off("xfs", "");
    let backend = scene.backend(&json!({}));
    take(&*backend, 1).unwrap();
    let given_up = |why: &str| {
        let before = content(&scene);
        let error = roll(&*backend).unwrap_err();
        assert_eq!(error.fault, Fault::Busy, "{error}");
        for part in [why, "nothing was changed: ask again"] {
            assert!(error.to_string().contains(part), "{error}");
        }
        assert!(strays(&scene) == 0 && !journal(&scene).exists());
        assert!(content(&scene) == before);
    };
    cut_short(&scene, false);
    scene.start();
    given_up("runs: stop it");
    take(&*backend, 2).unwrap();
    scene.libvirtd.virsh(&["destroy", DOMAIN]);
    cut_short(&scene, false);
    std::fs::write(scene.at("vdb.raw"), "newer").unwrap();
    given_up("vdb.raw was written or replaced since");
    // As when giving it up is cut short.
    cut_short(&scene, false);
    std::fs::remove_file(scene.at(&format!(".heptad-{}-0", TOKEN.simple()))).unwrap();
    backend.list().unwrap();
    assert!(strays(&scene) == 0 && !journal(&scene).exists());
    assert_eq!(std::fs::read(scene.at("vdb.raw")).unwrap(), b"newer");
    roll(&*backend).unwrap();
    assert_ne!(std::fs::read(scene.at("vdb.raw")).unwrap(), b"newer");
}

/// As a kill leaves it after the images were exchanged back.
#[test]
fn what_a_guest_wrote_to_a_copy_that_had_to_go_back_is_kept() {
    let scene = Scene::off("xfs", "");
    let backend = scene.backend(&json!({}));
    take(&*backend, 1).unwrap();
    let before = content(&scene);
    cut_short(&scene, false);
    let copy = scene.at(&format!(".heptad-{}-1", TOKEN.simple()));
    std::fs::write(&copy, "the guest's").unwrap();
    let error = roll(&*backend).unwrap_err();
    let kept = scene.at(&format!(".heptad-{}-1-written", TOKEN.simple()));
    assert!(error.fault == Fault::Busy, "{error}");
    assert!(error.to_string().contains(&kept.display().to_string()), "{error}");
    assert!(content(&scene) == before && strays(&scene) == 1 && !journal(&scene).exists());
    assert_eq!(std::fs::read(&kept).unwrap(), b"the guest's");
    // Nor is it in the way of what is kept next.
    cut_short(&scene, false);
    std::fs::write(&copy, "more").unwrap();
    let error = roll(&*backend).unwrap_err();
    let second = scene.at(&format!(".heptad-{}-1-written-2", TOKEN.simple()));
    assert!(error.to_string().contains(&second.display().to_string()), "{error}");
    assert_eq!(std::fs::read(&second).unwrap(), b"more");
    roll(&*backend).unwrap();
    assert_eq!(std::fs::read(&kept).unwrap(), b"the guest's");
}

#[test]
fn whoever_opened_an_image_just_before_it_gave_way_gets_it_back() {
    let scene = Scene::off("xfs", "");
    let backend = scene.backend(&json!({}));
    take(&*backend, 1).unwrap();
    std::fs::write(scene.at("vdb.raw"), "precious").unwrap();
    let before = content(&scene);
    let user = Other::doing("exec 5<>$1", &scene.at("vdb.raw"));
    cut_short(&scene, true);
    let error = roll(&*backend).unwrap_err();
    let user_is = format!("(process {}) holds {}", user.pid(), scene.at("vdb.raw").display());
    assert!(error.fault == Fault::Busy && error.to_string().contains(&user_is), "{error}");
    assert!(error.to_string().contains("nothing was changed"), "{error}");
    assert!(content(&scene) == before, "all go back");
    assert!(strays(&scene) == 0 && !journal(&scene).exists());
    drop(user);
    // Where somebody is at a copy, too, nobody's file is taken away.
    let user = Other::doing("exec 5<>$1", &scene.at("vdb.raw"));
    cut_short(&scene, true);
    let there = content(&scene);
    let other = Other::doing("exec 5<>$1", &scene.at("vda.qcow2"));
    assert_eq!(roll(&*backend).unwrap_err().fault, Fault::Busy);
    assert!(content(&scene) == there && strays(&scene) == 2);
    drop((user, other));
    roll(&*backend).unwrap();
    assert!(content(&scene) == there && strays(&scene) == 0);
}

#[test]
fn a_rollback_that_fails_leaves_no_copies_also_of_an_earlier_try() {
    let scene = Scene::off("xfs", "");
    let backend = scene.backend(&json!({}));
    take(&*backend, 1).unwrap();
    std::fs::write(scene.at("vdb.raw"), "now").unwrap();
    let before = content(&scene);
    // In the way of the next journal.
    let next = scene.at("state/rolling/.web-1.new");
    std::fs::create_dir_all(&next).unwrap();
    let error = roll(&*backend).unwrap_err();
    assert!(error.to_string().contains("state/rolling/web-1"), "{error}");
    assert_eq!(strays(&scene), 0);
    backend.list().unwrap();
    assert!(content(&scene) == before);
    std::fs::remove_dir(next).unwrap();
    // Killed while it copied; and now somebody is in the way.
    std::fs::write(scene.at(&format!(".heptad-{}-1", TOKEN.simple())), "half").unwrap();
    let user = Other::doing("exec 5<$1", &scene.at("vdb.raw"));
    assert_eq!(roll(&*backend).unwrap_err().fault, Fault::Busy);
    assert_eq!(strays(&scene), 0);
    drop(user);
    roll(&*backend).unwrap();
    assert!(content(&scene) != before);
}

#[test]
fn a_copy_gets_the_rights_of_its_image_and_no_more_and_replaces_nothing_but_a_file() {
    let scene = Scene::off("xfs", "");
    let backend = scene.backend(&json!({}));
    take(&*backend, 1).unwrap();
    let vdb = scene.at("vdb.raw");
    std::fs::set_permissions(&vdb, PermissionsExt::from_mode(0o6640)).unwrap();
    run("setfacl", &["-m", "u:33:r", vdb.to_str().unwrap()]);
    run("chattr", &["+dA", vdb.to_str().unwrap()]);
    roll(&*backend).unwrap();
    assert_eq!(vdb.metadata().unwrap().mode() & 0o7777, 0o640);
    let said = |program: &str, args: &[&str]| {
        let output = std::process::Command::new(program).args(args).arg(&vdb).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(said("getfacl", &["-pnE"]).contains("user:33:r--"));
    let letters = said("lsattr", &["-d"]);
    let letters = letters.split(' ').next().unwrap();
    assert!(letters.contains('d') && letters.contains('A'), "{letters}");
    std::fs::remove_file(&vdb).unwrap();
    run("mkfifo", &[vdb.to_str().unwrap()]);
    let order = RollbackOrder { handle: &card(1).handle, token: Uuid::from_u128(8) };
    let error = backend.rollback(&order, &()).unwrap_err();
    assert!(error.fault == Fault::Permanent, "{error}");
    assert!(error.to_string().contains("vdb.raw is a named pipe, not an image file"), "{error}");
    assert!(vdb.metadata().unwrap().file_type().is_fifo());
    assert_eq!(strays(&scene), 0);
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
fn back(backend: &dyn Backend, to: u64, safety: u64) -> Result<Probe, StorageError> {
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
