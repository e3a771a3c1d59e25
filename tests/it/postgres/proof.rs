//! Proofs: a server started on a copy of a snapshot.

use super::build;
use super::server::{Server, cluster, scratch};
use crate::conformance::{card, find, take};
use crate::support::copied;
use heptad::backend::TakeOrder;
use heptad::domain::snapshot::Card;
use serde_json::json;

#[test]
fn one_automatic_snapshot_a_week_is_proven_by_a_server_that_starts() {
    let fs = scratch("xfs", 800);
    let data = fs.path().join("data");
    cluster(&data);
    let server = Server::start(&data, "-c max_prepared_transactions=5");
    server.sql("create table t (n int primary key); insert into t select generate_series(1, 9)");
    server.sql("create database other");
    let weekly = build("db", &data, &fs.path().join("store"), json!({ "prove": "weekly" }));
    let check = |seq: u64, day: &str, want: bool| {
        let card = Card { taken_at: format!("{day}T06:00:00Z").parse().unwrap(), ..card(seq) };
        let handle = take(&*weekly, &card);
        weekly.verify(&handle, &()).unwrap();
        let told = find(&*weekly, seq).unwrap().told;
        let proven = told.proof.as_ref().is_some_and(|proof| proof.by.contains("3 databases read"));
        assert_eq!(proven, want, "{seq}: {told:?}");
        assert_eq!(told.engine.unwrap().name, "postgres");
        let left = std::fs::read_dir(fs.path().join("store/db")).unwrap();
        let mut left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert!(!left.any(|name| name.starts_with(".prove")));
    };
    check(1, "2026-11-01", true);
    check(2, "2026-11-02", false);
    check(3, "2026-11-07", false);
    check(4, "2026-11-08", true);
    check(5, "2026-11-09", false);
    // A copy of a proven one is proven: its files are the same.
    let (four, kept) = (find(&*weekly, 4).unwrap(), card(6));
    let source = Some(&four.card.handle);
    weekly.take(&TakeOrder { card: &kept, source, previous: None }, &()).unwrap();
    assert_eq!(find(&*weekly, 6).unwrap().told, four.told);
    assert!(
        four.told.proof.unwrap().at
            > data.metadata().unwrap().created().unwrap().try_into().unwrap()
    );
    // As it was noted by earlier versions.
    let three = fs.path().join("store/db/3");
    let text = "proven: a server started on a copy of it, 2 databases read\n";
    std::fs::write(three.join("proven"), text).unwrap();
    let proof = find(&*weekly, 3).unwrap().told.proof.unwrap();
    assert_eq!(proof.by, "a server started on a copy of it, 2 databases read");
}

#[test]
fn a_broken_index_is_found_by_the_proof() {
    let fs = scratch("xfs", 800);
    let data = fs.path().join("data");
    cluster(&data);
    let server = Server::start(&data, "");
    server.sql("create table t (n int primary key); insert into t select generate_series(1, 9000)");
    let path = server.sql("select pg_relation_filepath('t_pkey')");
    server.stop("fast");
    let mut index = std::fs::read(data.join(&path)).unwrap();
    // The second page, beyond its header.
    index[8192 + 200..2 * 8192 - 200].fill(0x5a);
    std::fs::write(data.join(&path), index).unwrap();
    let backend = build("db", &data, &fs.path().join("store"), json!({ "prove": "always" }));
    let handle = take(&*backend, &card(1));
    let error = backend.verify(&handle, &()).unwrap_err();
    assert!(error.to_string().contains("database postgres"), "{error}");
    assert!(backend.restore(&copied(&handle, &fs.path().join("copy")), &()).is_err());
}
