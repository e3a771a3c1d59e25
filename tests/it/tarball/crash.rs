//! The sample plugin, killed in the middle of its work.

use super::{Scene, card};
use crate::support::trusted;
use heptad::backend::{RollbackOrder, TakeOrder};
use heptad::domain::snapshot::{Card, Handle};
use std::fs;
use std::path::Path;

/// Runs the sample until its n-th change of the file system, where n stands in the file `crash`,
/// and is killed right before it.
const CRASHING: &str = r#"#!/usr/bin/python3
import os, runpy, signal, sys
place = os.path.dirname(os.path.abspath(sys.argv[0]))
left = int(open(place + "/crash").read())
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link"}

def hook(event, args):
    global left
    # renameat2 is looked up right before it is called.
    called = event == "ctypes.dlsym" and args[1] == "renameat2"
    if called or event in CHANGES or (event == "open" and args[2] & os.O_ACCMODE):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
runpy.run_path(place + "/tarball", run_name="__main__")
"#;

fn crash_at(scene: &Scene, change: u64) {
    fs::write(scene.root.join("crash"), change.to_string()).unwrap();
}

/// Kills the act on a new snapshot at its first, second... change, until it comes through. Returns
/// how many changes it has.
fn sweep(
    scene: &Scene,
    seqs: &mut std::ops::RangeFrom<u64>,
    act: &dyn Fn(&Card, u64) -> bool,
) -> u64 {
    for change in 1..100 {
        let card = card(seqs.next().unwrap());
        let came_through = act(&card, change);
        crash_at(scene, 0);
        assert_converges(scene, card, change);
        if came_through {
            return change - 1;
        }
    }
    panic!("it changes things without end");
}

/// After a crash the same orders lead where they would have led without.
fn assert_converges(scene: &Scene, card: Card, change: u64) {
    let survey = scene.backend.list().unwrap();
    assert!(survey.high_water <= card.handle.seq && survey.found.len() <= 1, "{change}");
    let handle = Handle { object: scene.take(&card).object, ..card.handle };
    assert_eq!(scene.backend.verify(&handle, &()).unwrap().entries, Some(1), "{change}");
    scene.backend.destroy(&handle).unwrap();
    let survey = scene.backend.list().unwrap();
    assert_eq!((survey.high_water, survey.found.len()), (handle.seq, 0), "{change}");
    let left = fs::read_dir(scene.root.join("store/notes")).unwrap().count();
    assert_eq!(left, 2, "{change}: only high-water and lock stay");
}

fn crashing() -> Scene {
    let dir = trusted::dir();
    trusted::script(&dir, "crashing", CRASHING);
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples/plugin/tarball");
    trusted::install(&sample, &dir.path().join("tarball"));
    let root = dir.path().to_owned();
    Scene::with_program(dir, root, "crashing")
}

#[test]
fn a_plugin_killed_at_any_change_converges_when_asked_again() {
    let scene = crashing();
    let mut seqs = 1..;
    let taking = sweep(&scene, &mut seqs, &|card, change| {
        crash_at(&scene, change);
        scene.backend.take(&TakeOrder { card, source: None, previous: None }, &()).is_ok()
    });
    let destroying = sweep(&scene, &mut seqs, &|card, change| {
        crash_at(&scene, 0);
        scene.take(card);
        crash_at(&scene, change);
        scene.backend.destroy(&card.handle).is_ok()
    });
    assert!(taking >= 8 && destroying >= 5, "{taking} {destroying}");
}

#[test]
fn a_plugin_killed_at_any_change_of_a_rollback_finishes_it_when_asked_again() {
    let scene = crashing();
    let live = scene.root.join("live");
    let names = |dir: &Path| -> Vec<_> {
        let mut all: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name()).collect();
        all.sort();
        all
    };
    crash_at(&scene, 0);
    let then = scene.taken(1);
    fs::remove_file(live.join("a")).unwrap();
    fs::write(live.join("b"), "two").unwrap();
    let now = scene.taken(2);
    let beside = names(&scene.root);
    for change in 1..200 {
        let (handle, from, to) = if change % 2 == 0 { (&now, "a", "b") } else { (&then, "b", "a") };
        let order =
            RollbackOrder { handle, token: uuid::Uuid::from_u128(u128::from(change) + 1000) };
        crash_at(&scene, change);
        let came_through = scene.backend.rollback(&order, &()).is_ok();
        let content = names(&live);
        assert!(content == [from] || content == [to], "{change}: {content:?}");
        crash_at(&scene, 0);
        scene.backend.rollback(&order, &()).unwrap();
        assert_eq!((names(&live), names(&scene.root)), (vec![to.into()], beside.clone()));
        assert_eq!(scene.backend.list().unwrap().found.len(), 2, "{change}");
        if came_through {
            assert!(change > 8, "{change}");
            return;
        }
    }
    panic!("it changes things without end");
}
