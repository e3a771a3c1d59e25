//! Snapshots of a server that is never idle: each of them starts, is sound, and has all that was
//! committed before it began.

use super::build;
use super::server::{Server, cluster, own, scratch, text};
use crate::conformance::{card, find, take};
use crate::support::copied;
use crate::support::loopfs::{LoopFs, run, subvolume};
use heptad::backend::Backend;
use heptad::domain::snapshot::Handle;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;

/// pgbench that runs until dropped.
struct Load(Child);

impl Load {
    fn on(server: &Server) -> Self {
        let init = server.client("pgbench", &["-i", "-q", "-s", "2", "postgres"]).output();
        text("pgbench -i", init.unwrap());
        let args = ["-c", "2", "-T", "600", "-n", "postgres"];
        let mut command = server.client("pgbench", &args);
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Busy {
    server: Server,
    backend: Arc<dyn Backend>,
    load: Option<Load>,
    fs: LoopFs,
}

impl Busy {
    fn new(kind: &str) -> Self {
        let fs = scratch(kind, 2500);
        let data = fs.path().join("data");
        if kind == "btrfs" {
            subvolume(&data);
            own(&data);
            let other = fs.path().join("fresh");
            cluster(&other);
            run(
                "sh",
                &[
                    "-c",
                    &format!("mv {0}/* {1}/ && chmod 700 {1}", other.display(), data.display()),
                ],
            );
        } else {
            cluster(&data);
        }
        let server = Server::start(&data, "");
        server.sql("create table witness (n int primary key, at timestamptz default now())");
        let load = Some(Load::on(&server));
        let backend = build("db", &data, &fs.path().join("store"), json!({}));
        Self { server, backend, load, fs }
    }

    /// Commits a witness, then takes.
    fn take(&self, seq: u64) -> Handle {
        self.server.sql(&format!("insert into witness values ({seq})"));
        take(&*self.backend, &card(seq))
    }

    fn target(&self, seq: u64) -> PathBuf {
        self.fs.path().join(format!("copy-{seq}"))
    }

    /// Restores, starts, looks, and removes the copy again.
    fn must_start(&self, handle: &Handle) {
        let target = self.target(handle.seq.0);
        self.backend.restore(&copied(handle, &target), &()).unwrap();
        let copy = Server::start(&target, "");
        assert_ne!(copy.port(), self.server.port());
        let seen = copy.sql("select count(*), max(n) from witness");
        let n = handle.seq.0;
        assert!(seen == format!("{n}|{n}"), "snapshot {n} has {seen}");
        // Each transaction of pgbench is in all of its tables or in none.
        let sums = "select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from \
                    pgbench_history) and (select sum(bbalance) from pgbench_branches) = (select \
                    sum(delta) from pgbench_history) or not exists (select from pgbench_history)";
        assert_eq!(copy.sql(sums), "t");
        assert_eq!(copy.sql("select count(*) from pg_replication_slots"), "0");
        copy.must_be_sound();
        drop(copy);
        remove(&target);
    }

    fn must_be_out_of_backup_mode(&self) {
        assert_eq!(self.server.sql("select count(*) from pg_replication_slots"), "0");
        let sessions = "select count(*) from pg_stat_activity where application_name = 'heptad'";
        assert_eq!(self.server.sql(sessions), "0");
        assert!(!self.server.data.join("backup_label").exists());
    }
}

fn remove(target: &Path) {
    std::fs::remove_dir_all(target).unwrap();
    let _ = std::fs::remove_dir_all(target.with_extension("s"));
}

/// Ten takes while the load runs, then each is restored.
fn check(kind: &str, count: u64, how: &str) {
    let mut busy = Busy::new(kind);
    let handles: Vec<Handle> = (1..=count).map(|seq| busy.take(seq)).collect();
    busy.must_be_out_of_backup_mode();
    busy.load = None;
    for handle in &handles {
        let notes = find(&*busy.backend, handle.seq.0).unwrap().notes;
        assert!(notes[0].contains(how), "{notes:?}");
        let content = busy.backend.verify(handle).unwrap();
        assert!(!content.empty, "{content:?}");
        busy.must_start(handle);
        busy.backend.destroy(handle).unwrap();
    }
    assert!(busy.backend.list().unwrap().found.is_empty());
}

#[test]
fn ten_reflinked_snapshots_of_a_busy_server_all_start() {
    check("xfs", 10, "reflinked");
}

#[test]
fn snapshots_of_a_busy_subvolume_all_start() {
    check("btrfs", 4, "btrfs snapshot");
}

#[test]
fn copies_of_a_busy_server_on_a_plain_file_system_all_start() {
    check("ext4", 2, "pg_basebackup");
}

#[test]
fn a_kept_snapshot_of_a_subvolume_outlives_its_original() {
    let mut busy = Busy::new("btrfs");
    let one = busy.take(1);
    busy.load = None;
    let copy = crate::conformance::kept(2, 1);
    let order = heptad::backend::TakeOrder { card: &copy, source: Some(&one), previous: None };
    let object = busy.backend.take(&order).unwrap().object;
    busy.backend.destroy(&one).unwrap();
    let two = Handle { object, ..copy.handle };
    busy.backend.verify(&two).unwrap();
    let target = busy.target(2);
    busy.backend.restore(&copied(&two, &target), &()).unwrap();
    let server = Server::start(&target, "");
    assert_eq!(server.sql("select max(n) from witness"), "1");
}

/// On each ground, a table outside of the data directory comes along and lies beside the copy.
fn tablespace(kind: &str) {
    let mut busy = Busy::new(kind);
    let outside = busy.fs.path().join("space");
    std::fs::create_dir(&outside).unwrap();
    own(&outside);
    busy.server.sql(&format!("create tablespace far location '{}'", outside.display()));
    busy.server.sql("create table away tablespace far as select generate_series(1, 5000) as n");
    let one = busy.take(1);
    busy.backend.verify(&one).unwrap();
    busy.load = None;
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
    tablespace("xfs");
}

#[test]
fn a_tablespace_beside_a_subvolume_is_restored_beside_the_copy() {
    tablespace("btrfs");
}

#[test]
fn a_tablespace_is_copied_by_pg_basebackup_and_restored_beside_the_copy() {
    tablespace("ext4");
}
