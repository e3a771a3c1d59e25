//! Whoever takes may be killed at any step.

use super::build;
use super::server::{Server, cluster, scratch};
use crate::conformance::{card, states, take};
use heptad::domain::event::Wholeness;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Set for the process that takes and is killed: the scratch file system.
const PLACE: &str = "HEPTAD_TEST_POSTGRES_CRASH";

/// Waits for an event; it must come.
fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !happened() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::yield_now();
    }
}

#[test]
fn a_take_that_is_killed_leaves_no_backup_mode_and_a_partial_that_can_be_destroyed() {
    if let Some(place) = std::env::var_os(PLACE) {
        let place = PathBuf::from(place);
        let backend = build("db", &place.join("data"), &place.join("store"), json!({}));
        take(&*backend, &card(1));
        return;
    }
    let fs = scratch("xfs", 600);
    let data = fs.path().join("data");
    cluster(&data);
    let server = Server::start(&data, "");
    server.sql("create table t as select generate_series(1, 100000) as n");
    let backend = build("db", &data, &fs.path().join("store"), json!({}));
    let partial = fs.path().join("store/db/1.partial");
    let check = |step: &str, reached: &dyn Fn() -> bool| {
        let mut taker = taker(&fs.path());
        until(step, reached);
        taker.kill().unwrap();
        taker.wait().unwrap();
        let left = "select (select count(*) from pg_replication_slots) + (select count(*) from \
                    pg_stat_activity where application_name = 'heptad')";
        until("the end of backup mode", || server.sql(left) == "0");
        assert!(!data.join("backup_label").exists());
        let found = backend.list().unwrap().found;
        assert!(found.iter().all(|found| found.state == Wholeness::Partial), "{step}: {found:?}");
        for found in found {
            backend.destroy(&found.card.handle).unwrap();
        }
        assert_eq!(states(&*backend), [], "{step}");
    };
    check("making the directory", &|| partial.exists());
    check("the slot", &|| server.sql("select count(*) from pg_replication_slots") == "1");
    check("the copy", &|| partial.join("data/base").exists());
    check("the log", &|| partial.join("data/global/pg_control").exists());
    take(&*backend, &card(1));
    assert_eq!(states(&*backend), [(1, Wholeness::Whole)]);
}

/// This very test as another process.
fn taker(place: &Path) -> std::process::Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let name = "a_take_that_is_killed_leaves_no_backup_mode_and_a_partial_that_can_be_destroyed";
    command.args(["--exact", &format!("postgres::crash::{name}")]).env(PLACE, place);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}
