//! A store whose quota is reached, and state on a disk that is full.

use super::bench::{Bench, handle};
use crate::support::loopfs::{LoopFs, run, subvolume};
use heptad::domain::operation::Fault;
use heptad::domain::survey::Wholeness;
use heptad::host::lock::InstanceLock;
use serde_json::json;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

/// Writes to one file until nothing more fits, then makes names until none does.
fn fill(dir: &Path) {
    let open = OpenOptions::new().append(true).create(true).open(dir.join("filler"));
    if let Ok(mut file) = open {
        for piece in [1 << 20, 4 << 10, 512] {
            while file.write_all(&vec![7; piece]).is_ok() {}
            let _ = file.sync_all();
        }
    }
    for at in 0..100_000 {
        if fs::write(dir.join(format!("{at:0200}")), [7; 1800]).is_err() {
            break;
        }
    }
    rustix::fs::syncfs(fs::File::open(dir).unwrap()).unwrap();
}

#[test]
fn a_store_whose_quota_is_reached_can_still_delete() {
    let fs = LoopFs::new("btrfs", 400);
    let quota = fs.path().join("quota");
    run("btrfs", &["quota", "enable", fs.path().to_str().unwrap()]);
    subvolume(&quota);
    run("btrfs", &["qgroup", "limit", "24m", quota.to_str().unwrap()]);
    let live = fs.path().join("live");
    fs::create_dir(&live).unwrap();
    fs::create_dir(live.join("dir")).unwrap();
    let bench = Bench::new(live, quota.join("store"), Some(fs), &json!({}));
    fs::write(bench.live.join("dir/file"), vec![1; 3 << 20]).unwrap();
    bench.take(1);
    fs::write(bench.live.join("dir/more"), vec![2; 4 << 20]).unwrap();
    bench.take(2);
    let partial = bench.store.join("web-1/2.partial");
    fs::rename(bench.stored(2), &partial).unwrap();
    fill(&quota);
    let refused = bench.try_take(3, None).unwrap_err();
    assert_eq!(refused.fault, Fault::NoSpace, "{refused}");
    for seq in [2, 1] {
        bench.backend.destroy(&handle(seq)).unwrap_or_else(|error| panic!("{seq}: {error}"));
    }
    let left: Vec<_> = bench.states().into_iter().filter(|(seq, _)| *seq != 3).collect();
    assert_eq!(left, []);
    let _ = bench.backend.destroy(&handle(3));
    fs::remove_file(quota.join("filler")).unwrap();
    bench.take(4);
    assert_eq!(bench.states().last(), Some(&(4, Wholeness::Whole)));
}

#[test]
fn a_full_disk_keeps_no_daemon_from_taking_its_lock() {
    for kind in ["btrfs", "ext4"] {
        let fs = LoopFs::new(kind, 120);
        let path = fs.path().join("lock");
        fs::write(&path, "4711\n").unwrap();
        fill(&fs.path());
        let first = InstanceLock::acquire(&path).unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert!(InstanceLock::acquire(&path).is_err(), "{kind}: it is locked all the same");
        drop(first);
        InstanceLock::acquire(&path).unwrap();
    }
}
