//! What a program stores through a shared map of a file, where times do not tell of it.

use super::bench::{Bench, KINDS};
use super::sharing::{age, inode};
use crate::conformance::fault;
use crate::support::loopfs::{LoopFs, Mounted};
use heptad::backend::RollbackOrder;
use heptad::domain::operation::Fault;
use serde_json::json;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use uuid::Uuid;

const MAPPER: &str = "import mmap, sys
file = open(sys.argv[1], 'r+b')
map = mmap.mmap(file.fileno(), 0)
for line in sys.stdin:
    map[:5] = line[:5].encode()
    print('stored', flush=True)
";

/// A process that has a file mapped and stores into it what it is told.
struct Mapper(Child);

impl Mapper {
    fn of(file: &Path) -> Self {
        fs::write(file, vec![b'-'; 10_000]).unwrap();
        let mut command = Command::new("python3");
        command.args(["-c", MAPPER]).arg(file).stdin(Stdio::piped()).stdout(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    fn store(&mut self, word: &str) {
        writeln!(self.0.stdin.as_mut().unwrap(), "{word}").unwrap();
        let mut line = String::new();
        BufReader::new(self.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "stored\n");
    }
}

impl Drop for Mapper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn first(path: &Path) -> String {
    String::from_utf8(fs::read(path).unwrap()[..5].to_vec()).unwrap()
}

/// Takes a snapshot of each word; every file counts as one that was not touched for an hour.
fn check(bench: &Bench, place: &str) {
    fs::write(bench.live.join("other"), "never changed").unwrap();
    let mut mapper = Mapper::of(&bench.live.join("mapped"));
    for (seq, word) in (1..).zip(["one..", "two..", "three", "four.", "five."]) {
        mapper.store(word);
        bench.take(seq);
        age(bench, seq);
        assert_eq!(first(&bench.data(seq).join("mapped")), word, "{place}");
        // Before anything is written out.
        mapper.store("later");
    }
    let other = |seq| inode(&bench.data(seq).join("other"));
    assert_eq!(other(4), other(5), "{place}: what did not change is stored once");
}

#[test]
fn every_snapshot_holds_what_was_stored_through_a_map_on_a_disk() {
    for kind in KINDS.into_iter().chain(["btrfs"]) {
        let fs = match kind {
            "btrfs" => LoopFs::new("btrfs", 200),
            kind => Bench::on(kind).fs.unwrap(),
        };
        let bench =
            Bench::new(fs.path().join("tree"), fs.path().join("snaps"), Some(fs), &json!({}));
        check(&bench, kind);
    }
}

#[test]
fn every_snapshot_holds_what_was_stored_through_a_map_in_memory() {
    let dir = super::bench::scratch();
    for name in ["tmpfs", "ramfs", "overlay"] {
        let (mount, live) = (dir.path().join(name), dir.path().join(name).join("live"));
        fs::create_dir(&mount).unwrap();
        let kind = if name == "ramfs" { "ramfs" } else { "tmpfs" };
        let _mounted = Mounted::new(&["-t", kind, "none"], &mount);
        fs::create_dir(&live).unwrap();
        let _overlay = (name == "overlay").then(|| {
            for layer in ["lower", "upper", "work"] {
                fs::create_dir(mount.join(layer)).unwrap();
            }
            let at = |layer| mount.join(layer).display().to_string();
            let (lower, upper, work) = (at("lower"), at("upper"), at("work"));
            let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
            Mounted::new(&["-t", "overlay", "-o", &options, "none"], &live)
        });
        let store = dir.path().join(format!("store-{name}"));
        check(&Bench::new(live, store, None, &json!({})), name);
    }
}

#[test]
fn a_file_system_that_is_crossed_is_judged_by_itself() {
    let dir = super::bench::scratch();
    let live = dir.path().join("live");
    fs::create_dir_all(live.join("memory")).unwrap();
    let _mounted = Mounted::tmpfs(&live.join("memory"));
    let bench = Bench::new(live, dir.path().join("store"), None, &json!({ "cross_mounts": true }));
    let mut mapper = Mapper::of(&bench.live.join("memory/mapped"));
    for (seq, word) in (1..).zip(["one..", "two..", "three"]) {
        mapper.store(word);
        bench.take(seq);
        age(&bench, seq);
        assert_eq!(first(&bench.data(seq).join("memory/mapped")), word);
    }
}

#[test]
fn what_was_stored_in_memory_after_the_safety_snapshot_is_not_rolled_away() {
    let dir = super::bench::scratch();
    let mount = dir.path().join("memory");
    fs::create_dir(&mount).unwrap();
    let _mounted = Mounted::tmpfs(&mount);
    let bench = Bench::new(mount.join("live"), dir.path().join("store"), None, &json!({}));
    let mut mapper = Mapper::of(&bench.live.join("mapped"));
    mapper.store("one..");
    bench.take(1);
    mapper.store("two..");
    let handle = bench.find(1).unwrap().card.handle;
    bench.take(2);
    age(&bench, 2);
    mapper.store("three");
    drop(mapper);
    let token = bench.find(2).unwrap().card.handle.id;
    let order = RollbackOrder { handle: &handle, token };
    assert_eq!(fault(bench.backend.rollback(&order, &())), Fault::Busy);
    assert_eq!(first(&bench.live.join("mapped")), "three");
    bench.take(3);
    let order = RollbackOrder { token: Uuid::from_u128(3), ..order };
    bench.backend.rollback(&order, &()).unwrap();
    assert_eq!(first(&bench.live.join("mapped")), "one..");
}
