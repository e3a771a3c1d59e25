//! What the snapshots of a cluster occupy, by the word of the file system.

use super::build;
use super::load::cluster_in_subvolume;
use super::server::{Server, cluster, own, scratch};
use crate::conformance::{card, take};
use serde_json::json;

/// What directories, inodes and the trees of btrfs may come to here.
const SLACK: u64 = 1 << 20;

#[test]
fn what_snapshots_of_a_cluster_occupy_is_what_becomes_free_without_them() {
    let check = |kind: &str, exact: bool| {
        let mut fs = scratch(kind, 900);
        let (data, space) = (fs.path().join("data"), fs.path().join("space"));
        if kind == "btrfs" {
            cluster_in_subvolume(&data)
        } else {
            cluster(&data)
        }
        std::fs::create_dir(&space).unwrap();
        own(&space);
        let backend = build("db", &data, &fs.path().join("store"), json!({}));
        let server = Server::start(&data, "");
        server.sql(&format!("create tablespace far location '{}'", space.display()));
        let sql = "create table NAME as select n, md5(n::text) from generate_series(1, 50000) n";
        server.sql(&sql.replace("NAME", "near"));
        server.sql(&sql.replace("NAME", "away tablespace far"));
        let first = take(&*backend, &card(1));
        server.sql("update near set n = n + 1; update away set n = n + 1 where n % 2 = 0");
        let second = take(&*backend, &card(2));
        server.sql("drop table near; drop table away");
        drop(server);
        let told = backend.occupied().unwrap().unwrap();
        assert_eq!(told.exact, exact, "{kind}");
        assert!(told.bytes > 5 << 20, "{kind}: {told:?}");
        let before = fs.free("");
        [first, second].iter().for_each(|taken| backend.destroy(taken).unwrap());
        let freed = fs.free("") - before;
        assert!(told.bytes.abs_diff(freed) < SLACK, "{kind}: {told:?}, became free {freed}");
    };
    check("xfs", true);
    check("btrfs", false);
    check("ext4", true);
}
