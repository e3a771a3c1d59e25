//! The oracle is the file system itself: what it has free after all snapshots are gone, less what
//! it had before, is what they occupied.

use super::snapshot;
use crate::conformance::card;
use crate::sqlite::bench::backend as sqlite;
use crate::support::loopfs::{LoopFs, run, subvolume};
use crate::support::simulated::{at, resource};
use heptad::backend::options::Context;
use heptad::backend::registry;
use heptad::backend::{Backend, TakeOrder};
use heptad::domain::account::Account;
use heptad::domain::fee::{Basis, ResourceUsage};
use heptad::domain::operation::Fault;
use heptad::domain::snapshot::{Facts, Handle, Seq};
use heptad::domain::usage::Usage;
use heptad::domain::usage::{KnownTotal, SnapshotSet};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

const MIB: u64 = 1 << 20;
/// What directories, inodes and the trees of btrfs may come to here.
const SLACK: u64 = MIB / 2;

/// A directory or subvolume `live` with its snapshots on a file system of its own.
struct Scene {
    fs: LoopFs,
    mounted: &'static str,
    backend: Arc<dyn Backend>,
    state: PathBuf,
}

impl Scene {
    fn new(kind: &str, mounted: &'static str, backend: &str, options: Value) -> Self {
        let mut fs = LoopFs::new(kind, 400);
        fs.unmount();
        fs.mount(mounted);
        let live = fs.path().join("live");
        if backend == "btrfs" {
            subvolume(&live)
        } else {
            fs::create_dir(&live).unwrap()
        }
        let state = fs.path().join("state");
        fs::create_dir(&state).unwrap();
        let mut options = options.as_object().unwrap().clone();
        options.entry("path").or_insert_with(|| live.to_str().unwrap().into());
        let context = Context { resource: "web-1".parse().unwrap(), state: state.clone() };
        let backend = registry::build(backend, &options, &context).unwrap();
        Self { fs, mounted, backend, state }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.fs.path().join(path)
    }

    fn take(&self, seq: u64) {
        let found = self.backend.list().unwrap().found;
        let previous = found.last().map(|found| &found.card.handle);
        let order = TakeOrder { card: &card(seq), source: None, previous };
        self.backend.take(&order, &()).unwrap();
    }

    fn keep(&self, seq: u64, from: u64) {
        let source = self.stored(from);
        let order = TakeOrder { card: &card(seq), source: Some(&source), previous: None };
        self.backend.take(&order, &()).unwrap();
    }

    fn stored(&self, seq: u64) -> Handle {
        let found = self.backend.list().unwrap().found.into_iter();
        let mut handles = found.map(|found| found.card.handle);
        handles.find(|found| found.seq == Seq(seq)).unwrap()
    }

    /// Writes bytes that cannot be compressed, in place.
    fn write(&self, path: &str, from: u64, length: u64, seed: u64) {
        let mut how = File::options();
        how.write(true).create(true).truncate(false);
        let file = how.open(self.at("live").join(path)).unwrap();
        let words = (0..length / 8).map(|n| mixed(n + (seed << 32)));
        let bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        file.write_all_at(&bytes, from).unwrap();
        file.sync_all().unwrap();
    }

    /// What becomes free when these go.
    fn freed(&mut self, seqs: &[u64]) -> u64 {
        let before = self.fs.free(self.mounted);
        for seq in seqs {
            self.backend.destroy(&self.stored(*seq)).unwrap();
        }
        self.fs.free(self.mounted) - before
    }

    fn occupied(&self) -> u64 {
        self.backend.occupied().unwrap().unwrap().bytes
    }

    fn exclusive(&self, seq: u64) -> Option<u64> {
        self.backend.usage(&self.stored(seq)).unwrap().exclusive
    }

    /// Three snapshots and a live one that share some and not all.
    fn live_through_days(&self) {
        self.write("large", 0, 20 * MIB, 1);
        for n in 0..100 {
            self.write(&format!("small-{n}"), 0, 20_000, 100 + n);
        }
        fs::hard_link(self.at("live/small-0"), self.at("live/another-name")).unwrap();
        self.take(1);
        self.write("large", 7 * MIB + 4096, 2 * MIB, 2);
        self.write("small-1", 0, 20_000, 3);
        self.take(2);
        self.write("large", 12 * MIB, 3 * MIB, 4);
        self.write("new", 0, 5 * MIB, 5);
        self.take(3);
        self.write("large", 0, MIB, 6);
        fs::remove_file(self.at("live/new")).unwrap();
    }
}

/// What is billed for these snapshots, as the daemon notes what it measures.
fn billed(scene: &Scene, seqs: &[u64]) -> (u64, Basis) {
    let resource = resource("web-1", "06:00");
    let mut account = Account::new(resource, at("2026-11-01T00:00:00Z"));
    for seq in seqs {
        let Usage { stored, exclusive } = scene.backend.usage(&scene.stored(*seq)).unwrap();
        let facts = Facts { stored, exclusive, ..Facts::default() };
        account.snapshots.insert(Seq(*seq), Arc::new(snapshot(*seq, facts)));
    }
    let of = SnapshotSet::of(account.snapshots.values());
    let told = scene.backend.occupied().unwrap();
    account.occupied = told.map(|occupied| KnownTotal { occupied, of });
    let held = ResourceUsage::of(&account);
    (held.billed, held.basis())
}

fn mixed(n: u64) -> u64 {
    let n = (n ^ (n >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (n ^ (n >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

fn assert_near(told: u64, freed: u64, what: &str) {
    assert!(told.abs_diff(freed) < SLACK, "{what}: told {told}, became free {freed}");
}

#[test]
fn what_all_snapshots_occupy_is_what_becomes_free_without_them() {
    let check = |kind, mounted, backend: &str, exact, least: u64| {
        let mut scene = Scene::new(kind, mounted, backend, json!({}));
        scene.live_through_days();
        let told = scene.backend.occupied().unwrap().unwrap();
        let what = format!("{backend} on {kind} {mounted}");
        assert_eq!(told.exact, exact, "{what}");
        assert!(told.bytes > least * MIB, "{what}: {told:?}");
        let freed = scene.freed(&[1, 2, 3]);
        assert_near(told.bytes, freed, &what);
        assert_eq!(scene.occupied(), 0, "{what}");
    };
    check("ext4", "", "files", true, 60);
    check("xfs", "", "files", true, 10);
    // Of what was written at once, everything stays as long as the live file has a part of it.
    check("btrfs", "", "files", false, 5);
    check("btrfs", "compress-force=zstd", "files", false, 10);
    check("btrfs", "", "btrfs", false, 5);
    check("btrfs", "compress-force=zstd", "btrfs", false, 10);
}

#[test]
fn what_one_snapshot_has_alone_is_what_becomes_free_without_it() {
    let check = |kind, backend: &str| {
        let mut scene = Scene::new(kind, "", backend, json!({}));
        scene.live_through_days();
        for seq in [2, 1, 3] {
            let Some(told) = scene.exclusive(seq) else { panic!("{backend} on {kind}") };
            let freed = scene.freed(&[seq]);
            assert_near(told, freed, &format!("{seq} of {backend} on {kind}"));
        }
    };
    check("ext4", "files");
    check("xfs", "files");
}

#[test]
fn with_quotas_btrfs_tells_both() {
    let mut scene = Scene::new("btrfs", "", "btrfs", json!({}));
    run("btrfs", &["quota", "enable", scene.fs.path().to_str().unwrap()]);
    scene.live_through_days();
    // What was there is now in the second and the third only, and exclusive to neither.
    scene.write("large", 7 * MIB + 4096, 2 * MIB, 7);
    run("btrfs", &["filesystem", "sync", scene.fs.path().to_str().unwrap()]);
    let (told, alone) = (scene.occupied(), scene.exclusive(3).unwrap());
    assert!(told - alone > MIB, "{told} {alone}");
    let freed = scene.freed(&[3]);
    assert_near(alone, freed, "the third");
    assert_near(told - alone, scene.occupied(), "the others");
    let freed = scene.freed(&[1, 2]);
    assert_near(told - alone, freed, "the others");
}

#[test]
fn names_of_one_file_count_once_and_a_kept_snapshot_adds_nothing() {
    let check = |kind, backend: &str| {
        let mut scene = Scene::new(kind, "", backend, json!({}));
        scene.write("large", 0, 20 * MIB, 1);
        scene.take(1);
        scene.keep(2, 1);
        scene.write("large", 0, 20 * MIB, 2);
        let what = format!("{backend} on {kind}");
        if let Some(alone) = scene.exclusive(1) {
            assert_near(alone, 0, &what);
        }
        let told = scene.occupied();
        assert_near(told, 20 * MIB, &what);
        assert_near(told, scene.freed(&[1, 2]), &what);
    };
    check("ext4", "files");
    check("xfs", "files");
    check("btrfs", "files");
    check("btrfs", "btrfs");
}

#[test]
fn what_compression_saves_is_not_occupied() {
    for backend in ["files", "btrfs"] {
        let mut scene = Scene::new("btrfs", "compress-force=zstd", backend, json!({}));
        let zeros = vec![0; 32 * MIB as usize];
        fs::write(scene.at("live/zeros"), &zeros).unwrap();
        run("sync", &["-f", scene.at("live").to_str().unwrap()]);
        scene.take(1);
        fs::remove_file(scene.at("live/zeros")).unwrap();
        let told = scene.occupied();
        assert!(told > 0 && told < 4 * MIB, "{backend}: {told}");
        assert_eq!(billed(&scene, &[1]), (told, Basis::AtLeast), "{backend}");
        assert_near(told, scene.freed(&[1]), backend);
    }
}

#[test]
fn what_is_not_compressed_is_told_also_where_other_files_are() {
    let scene = Scene::new("btrfs", "compress=zstd", "files", json!({}));
    scene.write("mixed", 0, 4 * MIB, 1);
    scene.take(1);
    fs::remove_file(scene.at("live/mixed")).unwrap();
    assert_eq!(scene.exclusive(1), Some(4 * MIB), "nothing of it could be compressed");
    fs::write(scene.at("live/zeros"), vec![0; 4 * MIB as usize]).unwrap();
    scene.take(2);
    assert_eq!(scene.exclusive(2), Some(0), "what is shared need not be measured");
    fs::remove_file(scene.at("live/zeros")).unwrap();
    assert_eq!(scene.exclusive(2), None);
}

#[test]
fn what_lies_in_the_trees_of_btrfs_is_not_billed_as_whole_blocks() {
    let mut scene = Scene::new("btrfs", "", "files", json!({}));
    for n in 0..1000 {
        fs::write(scene.at(&format!("live/small-{n}")), "small").unwrap();
        std::os::unix::fs::symlink("small-0", scene.at(&format!("live/link-{n}"))).unwrap();
    }
    scene.write("large", 0, 4 * MIB, 1);
    scene.take(1);
    for entry in fs::read_dir(scene.at("live")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let (told, basis) = billed(&scene, &[1]);
    assert_eq!(basis, Basis::AtLeast);
    assert!(told >= 4 * MIB, "{told}");
    assert!(told <= scene.freed(&[1]) + MIB / 4, "{told} is not the least");
}

#[test]
fn nested_subvolumes_count_on_both_sides() {
    let mut scene = Scene::new("btrfs", "", "btrfs", json!({}));
    subvolume(&scene.at("live/nested"));
    scene.write("nested/file", 0, 8 * MIB, 1);
    scene.take(1);
    assert_eq!(scene.occupied(), 0, "all of it is in the live one too");
    scene.write("nested/file", 0, 8 * MIB, 2);
    let told = scene.occupied();
    assert_near(told, 8 * MIB, "nested");
    assert_near(told, scene.freed(&[1]), "nested");
}

#[test]
fn a_store_inside_of_the_resource_does_not_pass_for_the_live_one() {
    let mut scene = Scene::new("xfs", "", "files", json!({}));
    let options = json!({ "path": scene.at("live"), "store": scene.at("live/store") });
    let context = Context { resource: "web-1".parse().unwrap(), state: scene.state.clone() };
    scene.backend = registry::build("files", options.as_object().unwrap(), &context).unwrap();
    scene.write("large", 0, 10 * MIB, 1);
    scene.take(1);
    scene.write("large", 0, 10 * MIB, 2);
    scene.take(2);
    let told = scene.occupied();
    assert_near(told, 10 * MIB, "store inside");
    assert_near(told, scene.freed(&[1, 2]), "store inside");
}

#[test]
fn files_that_the_resource_leaves_out_are_not_opened() {
    let mut scene = Scene::new("xfs", "", "files", json!({ "exclude": ["own"] }));
    fs::create_dir(scene.at("live/own")).unwrap();
    scene.write("own/catalogue", 0, MIB, 1);
    scene.write("large", 0, 4 * MIB, 2);
    scene.take(1);
    // To close a file drops the locks that a process has on it, by whatever descriptor it has them.
    let path = scene.at("live/own/catalogue");
    let held = File::options().write(true).open(&path).unwrap();
    let exclusive = rustix::fs::FlockOperation::NonBlockingLockExclusive;
    rustix::fs::fcntl_lock(&held, exclusive).unwrap();
    assert_eq!(scene.occupied(), 8192, "manifest and index");
    let lock =
        "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)";
    let other = std::process::Command::new("python3").args(["-c", lock]).arg(&path).output();
    let other = other.unwrap();
    assert!(!other.status.success(), "somebody else could have it");
    assert!(String::from_utf8_lossy(&other.stderr).contains("BlockingIOError"), "{other:?}");
    drop(held);
    scene.freed(&[1]);
}

#[test]
fn while_the_live_resource_is_away_nothing_is_told_that_it_may_share() {
    let check = |kind, backend: &str, want: Option<Fault>| {
        let scene = Scene::new(kind, "", backend, json!({}));
        scene.write("large", 0, 4 * MIB, 1);
        scene.take(1);
        fs::rename(scene.at("live"), scene.at("elsewhere")).unwrap();
        let told = scene.backend.occupied().map_err(|error| error.fault);
        assert_eq!(told.err(), want, "{backend} on {kind}");
    };
    check("ext4", "files", None);
    check("xfs", "files", Some(Fault::Absent));
    check("btrfs", "btrfs", Some(Fault::Absent));
}

#[test]
fn copies_of_a_database_are_measured_as_files_are() {
    for kind in ["ext4", "xfs"] {
        let fs = LoopFs::new(kind, 400);
        let path = fs.path().join("forum.db");
        let rows = "CREATE TABLE t (a BLOB);
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
            INSERT INTO t SELECT randomblob(100000) FROM n";
        rusqlite::Connection::open(&path).unwrap().execute_batch(rows).unwrap();
        let state = fs.path().join("state");
        fs::create_dir(&state).unwrap();
        let backend = sqlite("web-1", &path, &fs.path().join("store"), &json!({}));
        let mut scene = Scene { fs, mounted: "", backend, state };
        scene.take(1);
        scene.keep(2, 1);
        scene.take(3);
        let told = scene.occupied();
        assert!(told > 9 * MIB && told < 11 * MIB, "two copies and not three: {told}");
        assert_near(told, scene.freed(&[1, 2, 3]), kind);
    }
}
