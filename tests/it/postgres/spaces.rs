//! Tablespaces: tables outside of the data directory come along, on each ground, and lie beside the
//! copy.

use super::load::Busy;
use super::server::{Server, own};
use crate::support::copied;
use std::path::Path;

fn check(kind: &str) {
    let mut busy = Busy::new(kind);
    let outside = busy.fs.path().join("space");
    std::fs::create_dir(&outside).unwrap();
    own(&outside);
    busy.server.sql(&format!("create tablespace far location '{}'", outside.display()));
    busy.server.sql("create table away tablespace far as select generate_series(1, 5000) as n");
    let (one, _) = busy.take(1);
    busy.backend.verify(&one).unwrap();
    busy.calm();
    busy.server.sql("delete from away");
    let target = busy.target(1);
    busy.backend.restore(&copied(&one, &target), &()).unwrap();
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
