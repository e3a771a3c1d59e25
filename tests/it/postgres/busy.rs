//! Snapshots of a server that is never idle: each of them starts, is sound, and has all that was
//! committed before it began.

use super::load::Busy;
use super::server::Server;
use crate::conformance::{find, kept};
use crate::support::copied;
use heptad::backend::TakeOrder;
use heptad::domain::snapshot::Handle;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// All taken while the load runs, then each is verified, restored and started.
fn check(kind: &str, count: u64, how: &str) {
    let mut busy = Busy::new(kind);
    let mut longest = Duration::ZERO;
    let mut take = |seq| {
        let begun = Instant::now();
        let taken = busy.take(seq);
        longest = longest.max(begun.elapsed());
        taken
    };
    let taken: Vec<(Handle, u64)> = (1..=count).map(&mut take).collect();
    let committed = busy.acknowledged();
    busy.must_be_out_of_backup_mode();
    busy.calm();
    for (handle, _) in &taken {
        let notes = find(&*busy.backend, handle.seq.0).unwrap().notes;
        assert!(notes[0].contains(how), "{notes:?}");
    }
    let next = Mutex::new(taken.iter());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((handle, before)) = { next.lock().unwrap().next() } {
                    must_be_good(&busy, handle, *before);
                }
            });
        }
    });
    assert!(busy.backend.list().unwrap().found.is_empty());
    eprintln!("{kind}: {committed} acknowledged meanwhile, the longest taking {longest:?}");
}

fn must_be_good(busy: &Busy, handle: &Handle, before: u64) {
    let content = busy.backend.verify(handle, &()).unwrap();
    assert!(!content.empty, "{content:?}");
    busy.must_start(handle, before);
    busy.backend.destroy(handle).unwrap();
}

#[test]
fn forty_reflinked_snapshots_of_a_busy_server_all_start() {
    check("xfs", 40, "reflinked");
}

#[test]
fn forty_snapshots_of_a_busy_subvolume_all_start() {
    check("btrfs", 40, "btrfs snapshot");
}

#[test]
fn copies_of_a_busy_server_on_a_plain_file_system_all_start() {
    check("ext4", 4, "pg_basebackup");
}

#[test]
fn a_kept_snapshot_of_a_subvolume_outlives_its_original() {
    let mut busy = Busy::new("btrfs");
    let (one, before) = busy.take(1);
    busy.calm();
    let copy = kept(2, 1);
    let order = TakeOrder { card: &copy, source: Some(&one), previous: None };
    let object = busy.backend.take(&order, &()).unwrap().object;
    busy.backend.destroy(&one).unwrap();
    let two = Handle { object, ..copy.handle };
    busy.backend.verify(&two, &()).unwrap();
    let target = busy.target(2);
    busy.backend.restore(&copied(&two, &target), &()).unwrap();
    let highest = Server::start(&target, "").sql("select coalesce(max(n), 0) from ledger");
    assert!(highest.parse::<u64>().unwrap() >= before, "{highest}");
}
