//! Files with more names than one file can have.

use super::bench::{Bench, handle};
use crate::support::copied;
use crate::support::loopfs::LoopFs;
use serde_json::json;
use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// As many names as a file can have on ext4.
const MOST: usize = 65_000;

fn inodes(dirs: impl IntoIterator<Item = impl AsRef<Path>>) -> usize {
    let names = dirs.into_iter().flat_map(|dir| fs::read_dir(dir.as_ref()).unwrap());
    names.map(|entry| entry.unwrap().metadata().unwrap().ino()).collect::<HashSet<_>>().len()
}

fn plant(live: &Path, names: usize) {
    fs::write(live.join("0"), vec![7; 200_000]).unwrap();
    for name in 1..names {
        fs::hard_link(live.join("0"), live.join(name.to_string())).unwrap();
    }
}

#[test]
fn a_file_with_many_names_becomes_as_few_files_as_can_bear_them_day_after_day() {
    const NAMES: usize = 20_000;
    let fs = LoopFs::new("ext4", 160);
    let (live, store) = (fs.path().join("live"), fs.path().join("store"));
    let bench = Bench::new(live, store, Some(fs), &json!({}));
    plant(&bench.live, NAMES);
    let mut notes = Vec::new();
    for seq in 1..=6 {
        notes.push(bench.take(seq).notes);
    }
    let all = inodes((1..=6).map(|seq| bench.data(seq)));
    assert!(all <= (6 * NAMES).div_ceil(MOST), "{all}: {notes:?}");
    assert!(notes.iter().flatten().any(|note| note.contains("1 further copies")), "{notes:?}");
    // A kept one shares too, and what is made of any has one file again.
    bench.try_take(7, Some(6)).unwrap();
    assert!(inodes((1..=7).map(|seq| bench.data(seq))) <= (7 * NAMES).div_ceil(MOST));
    let target = bench.store.with_file_name("restored");
    bench.backend.restore(&copied(&handle(6), &target), &()).unwrap();
    assert!(inodes([&target]) <= 2);
    let usage = bench.backend.usage(&handle(1)).unwrap();
    assert_eq!(usage.stored, Some(200_000), "bytes of one file, whatever names it has");
    bench.backend.verify(&handle(6), &()).unwrap();
}

#[test]
fn more_names_than_the_store_allows_are_shared_out_among_the_fewest_files() {
    const NAMES: usize = MOST + 5_000;
    let (from, to) = (LoopFs::new("xfs", 320), LoopFs::new("ext4", 160));
    let live = from.path().join("live");
    let bench = Bench::new(live, to.path().join("store"), Some(from), &json!({}));
    plant(&bench.live, NAMES);
    bench.take(1);
    assert_eq!(inodes([bench.data(1)]), 2);
    bench.backend.verify(&handle(1), &()).unwrap();
}
