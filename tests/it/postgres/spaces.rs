//! Tablespaces: tables outside of the data directory come along, on each ground, and lie beside the
//! copy.

use super::load::Busy;
use super::server::{Server, own};
use crate::support::copied;
use crate::support::telling::Told;
use std::path::Path;

/// Of the files in a tree.
fn bytes(path: &Path) -> u64 {
    let meta = std::fs::symlink_metadata(path).unwrap();
    if !meta.is_dir() {
        return if meta.is_file() { meta.len() } else { 0 };
    }
    std::fs::read_dir(path).unwrap().map(|entry| bytes(&entry.unwrap().path())).sum()
}

fn check(kind: &str) {
    let mut busy = Busy::new(kind);
    let outside = busy.fs.path().join("space");
    std::fs::create_dir(&outside).unwrap();
    own(&outside);
    busy.server.sql(&format!("create tablespace far location '{}'", outside.display()));
    busy.server.sql("create table away tablespace far as select generate_series(1, 5000) as n");
    let (one, _) = busy.take(1);
    busy.backend.verify(&one, &()).unwrap();
    busy.calm();
    busy.server.sql("delete from away");
    let target = busy.target(1);
    let told = Told::by(&busy.fs.path().join("told"));
    busy.backend.restore(&copied(&one, &target), &told).unwrap();
    let stored = busy.fs.path().join("store/db/1");
    let whole = |part: &str| bytes(&stored.join(part));
    let all = told.all.lock().unwrap();
    let (done, total) = *all.last().unwrap();
    // A subvolume is no data that is copied.
    let least = whole("tablespaces") + if kind == "btrfs" { 0 } else { whole("data") };
    assert!(whole("tablespaces") > 100_000 && done >= least, "{done} of {total:?}, {least}");
    assert_eq!(Some(done), total);
    assert!(all.is_sorted_by_key(|(done, _)| *done) && all.iter().all(|told| told.1 == total));
    drop(all);
    let copy = Server::start(&target, "");
    assert_eq!(copy.sql("select count(*) from away"), "5000");
    let lies =
        copy.sql("select pg_tablespace_location(oid) from pg_tablespace where spcname = 'far'");
    assert!(Path::new(&lies).starts_with(busy.fs.path().join("copy-1.tablespaces")), "{lies}");
    copy.must_be_sound();
    drop(copy);
    let again = busy.backend.restore(&copied(&one, &busy.target(2)), &());
    assert!(again.is_ok(), "{again:?}");
}

#[test]
fn a_tablespace_is_reflinked_and_restored_beside_the_copy() {
    check("xfs");
}

#[test]
fn a_tablespace_beside_a_subvolume_is_restored_beside_the_copy() {
    check("btrfs");
}

#[test]
fn a_tablespace_is_copied_by_pg_basebackup_and_restored_beside_the_copy() {
    check("ext4");
}
