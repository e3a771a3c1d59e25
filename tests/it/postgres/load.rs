//! A server that is never idle, and a ledger of what it has acknowledged.

use super::build;
use super::server::{Server, cluster, own, scratch, text};
use crate::conformance::{card, take};
use crate::support::copied;
use crate::support::loopfs::{LoopFs, run, subvolume};
use heptad::backend::Backend;
use heptad::domain::snapshot::Handle;
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// pgbench and a writer of the ledger, until dropped.
struct Load {
    bench: Child,
    writer: Child,
    acknowledged: Arc<AtomicU64>,
}

impl Load {
    fn on(server: &Server) -> Self {
        let init = server.client("pgbench", &["-i", "-q", "-s", "1", "postgres"]).output();
        text("pgbench -i", init.unwrap());
        server.sql("create table ledger (n int primary key)");
        // Busy, but not to the last: both processors are needed for looking at the copies, too.
        let bench = ["-c", "2", "-R", "300", "-T", "600", "-n", "postgres"];
        let mut bench = server.client("pgbench", &bench);
        let bench = bench.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut writer = server.client("psql", &["-X", "-q", "-A", "-t", "postgres"]);
        let mut writer = writer.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut ask, told) = (writer.stdin.take().unwrap(), writer.stdout.take().unwrap());
        let acknowledged = Arc::new(AtomicU64::new(0));
        let newest = acknowledged.clone();
        // One commit after the other; it ends with psql.
        std::thread::spawn(move || {
            let mut told = BufReader::new(told).lines();
            for n in 1_u64.. {
                let sql =
                    format!("insert into ledger select {n} from pg_sleep(0.002) returning n;");
                let asked = writeln!(ask, "{sql}");
                match told.next() {
                    Some(Ok(line)) if asked.is_ok() && line == n.to_string() => {
                        newest.store(n, SeqCst);
                    }
                    _ => return,
                }
            }
        });
        Self { bench, writer, acknowledged }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in [&mut self.bench, &mut self.writer] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub struct Busy {
    pub server: Server,
    pub backend: Arc<dyn Backend>,
    load: Option<Load>,
    pub fs: LoopFs,
}

impl Busy {
    /// On `btrfs` the data directory is a subvolume.
    pub fn new(kind: &str) -> Self {
        let fs = scratch(kind, 4000);
        let data = fs.path().join("data");
        match kind {
            "btrfs" => cluster_in_subvolume(&data),
            _ => cluster(&data),
        }
        let server = Server::start(&data, "");
        let load = Some(Load::on(&server));
        let backend = build("db", &data, &fs.path().join("store"), json!({}));
        Self { server, backend, load, fs }
    }

    /// The highest number whose commit was acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.load.as_ref().map_or(0, |load| load.acknowledged.load(SeqCst))
    }

    /// Takes; also what had been acknowledged before.
    pub fn take(&self, seq: u64) -> (Handle, u64) {
        let before = self.acknowledged();
        (take(&*self.backend, &card(seq)), before)
    }

    pub fn calm(&mut self) {
        self.load = None;
    }

    pub fn target(&self, seq: u64) -> PathBuf {
        self.fs.path().join(format!("copy-{seq}"))
    }

    /// Restores, starts, looks, and removes the copy again.
    pub fn must_start(&self, handle: &Handle, before: u64) {
        let target = self.target(handle.seq.0);
        self.backend.restore(&copied(handle, &target), &()).unwrap();
        let copy = Server::start(&target, "");
        assert_ne!(copy.port(), self.server.port());
        // Without a gap: whatever was acknowledged is there, and what came before it.
        let seen = copy.sql("select count(*), coalesce(max(n), 0) from ledger");
        let (count, highest) = seen.split_once('|').unwrap();
        let (count, highest): (u64, u64) = (count.parse().unwrap(), highest.parse().unwrap());
        assert!(count == highest && highest >= before, "{handle:?}: {seen}, {before} before");
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

    pub fn must_be_out_of_backup_mode(&self) {
        self.server.must_be_out_of_backup_mode();
    }
}

/// A fresh cluster whose directory is a subvolume.
pub fn cluster_in_subvolume(data: &Path) {
    subvolume(data);
    own(data);
    let other = data.with_extension("fresh");
    cluster(&other);
    let (from, to) = (other.display(), data.display());
    run("sh", &["-c", &format!("mv {from}/* {to}/ && chmod 700 {to} && rmdir {from}")]);
}

fn remove(target: &Path) {
    std::fs::remove_dir_all(target).unwrap();
    let _ = std::fs::remove_dir_all(target.with_extension("s"));
}
