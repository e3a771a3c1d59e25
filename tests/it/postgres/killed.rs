//! The daemon is killed in every step of a take and of a removal: no backup mode stays on, nobody
//! goes on, and after the next boot the store holds whole snapshots and nothing else.

use super::load::cluster_in_subvolume;
use super::server::{Server, cluster, scratch, text};
use crate::daemon::host::{Host, at};
use crate::support::loopfs::LoopFs;
use heptad::host::holders::holders;
use rustix::process::{Pid, Signal, kill_process};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Waits for something that must come.
fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !happened() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::yield_now();
    }
}

/// A process that stands still until this is dropped.
struct Halted(Pid);

impl Halted {
    fn new(pid: Pid) -> Self {
        kill_process(pid, Signal::STOP).unwrap();
        Self(pid)
    }
}

impl Drop for Halted {
    fn drop(&mut self) {
        // Gone, if it was the daemon.
        let _ = kill_process(self.0, Signal::CONT);
    }
}

/// Of the daemon's session, beside the two that pg_basebackup has.
const SESSION: &str = "application_name = 'heptad' and backend_type = 'client backend'";

struct Scene {
    host: Host,
    server: Server,
    fs: LoopFs,
    taken: u32,
}

impl Scene {
    fn new(kind: &str, options: &str) -> Self {
        let fs = scratch(kind, 2500);
        let data = fs.path().join("data");
        match kind {
            "btrfs" => cluster_in_subvolume(&data),
            _ => cluster(&data),
        }
        let server = Server::start(&data, "");
        let init = server.client("pgbench", &["-i", "-q", "-s", "4", "postgres"]).output();
        text("pgbench -i", init.unwrap());
        let host = Host::with(
            &at(1, "05:00"),
            &format!(
                "[resource.db]\nkind = \"database\"\ntime = \"06:00\"\npostgres = {{ data = {data:?}, \
                 store = {:?}, {options} }}\n",
                fs.path().join("store")
            ),
        );
        Self { host, server, fs, taken: 0 }
    }

    fn stored(&self) -> PathBuf {
        self.fs.path().join("store/db")
    }

    fn names(&self) -> Vec<String> {
        let Ok(dir) = std::fs::read_dir(self.stored()) else { return Vec::new() };
        let mut names: Vec<String> =
            dir.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Whether something is in a snapshot's directory of this stage.
    fn has(&self, stage: &str, path: &str) -> bool {
        let mut names = self.names().into_iter().filter(|name| name.ends_with(stage));
        names.any(|name| self.stored().join(name).join(path).symlink_metadata().is_ok())
    }

    fn pid(&self, condition: &str) -> Pid {
        let sql = format!("select pid from pg_stat_activity where {condition}");
        Pid::from_raw(self.server.sql(&sql).parse().unwrap()).unwrap()
    }

    fn asks(&self, condition: &str) -> bool {
        let sql = format!("select count(*) from pg_stat_activity where {condition}");
        self.server.sql(&sql) != "0"
    }

    fn take(&mut self) -> String {
        self.taken += 1;
        let name = format!("take-{}", self.taken);
        self.host.ok(&format!("take db {name} --no-wait"));
        name
    }

    /// Takes; kills the daemon as soon as a step is reached. Tried again where it was too late.
    fn killed(
        &mut self,
        step: &str,
        reached: &dyn Fn(&Self) -> bool,
        gone_by: &dyn Fn(&Self) -> bool,
    ) {
        for _ in 0..10 {
            let name = self.take();
            until(step, || reached(self));
            self.host.kill();
            let missed = gone_by(self);
            self.must_recover(step, &name);
            if !missed {
                return;
            }
        }
        panic!("{step} was always over too soon");
    }

    /// Nothing goes on; after the next boot what was asked for is there, and nothing else.
    fn must_recover(&mut self, step: &str, name: &str) {
        let stored = self.stored();
        until(&format!("{step}: the end of all that the daemon had started"), || {
            !self.asks("application_name = 'heptad'") && holders(&stored).unwrap().is_empty()
        });
        self.server.must_be_out_of_backup_mode();
        self.host.start();
        self.host.settle();
        self.must_be_tidy(step);
        let shown = self.host.ok(&format!("show {name}"));
        assert!(shown.contains("complete"), "{step}: {shown}");
    }

    fn must_be_tidy(&self, step: &str) {
        self.server.must_be_out_of_backup_mode();
        let names = self.names();
        let strays: Vec<_> = names.iter().filter(|name| name.parse::<u64>().is_err()).collect();
        assert_eq!(strays, ["high_water"], "{step}");
        assert_eq!(names.len() - 1, self.host.labels("db").len(), "{step}: {names:?}");
    }

    /// Takes and lets the daemon stand still with backup mode on and nothing copied.
    fn halted_in_backup_mode(&mut self) -> (String, Halted) {
        let checkpointer = Halted::new(self.pid("backend_type = 'checkpointer'"));
        let name = self.take();
        let starting = format!("{SESSION} and state = 'active' and query ~ 'backup_start'");
        until("the start of backup mode", || self.asks(&starting));
        assert_eq!(self.server.sql("select count(*) from pg_replication_slots"), "1");
        let daemon = Halted::new(self.host.pid());
        drop(checkpointer);
        until("backup mode", || self.asks(&format!("{SESSION} and state = 'idle'")));
        (name, daemon)
    }
}

fn while_it_copies(kind: &str) {
    let mut scene = Scene::new(kind, "prove = \"never\"");
    let checkpointer = Halted::new(scene.pid("backend_type = 'checkpointer'"));
    let name = scene.take();
    let starting = format!("{SESSION} and query ~ 'backup_start'");
    until("waiting for a checkpoint", || scene.asks(&starting));
    scene.host.kill();
    drop(checkpointer);
    scene.must_recover("waiting for a checkpoint", &name);

    let (name, daemon) = scene.halted_in_backup_mode();
    scene.host.kill();
    drop(daemon);
    scene.must_recover("backup mode is on", &name);

    let (name, daemon) = scene.halted_in_backup_mode();
    let session = Halted::new(scene.pid(SESSION));
    drop(daemon);
    until("the end of the copy", || scene.has(".partial", "data/global/pg_control"));
    scene.host.kill();
    drop(session);
    scene.must_recover("before backup mode is switched off", &name);

    let control = |scene: &Scene| scene.has(".partial", "data/global/pg_control");
    scene.killed("the shell", &|scene| !scene.names().is_empty(), &control);
    if kind != "btrfs" {
        scene.killed("the copy", &|scene| scene.has(".partial", "data/base/1"), &control);
    }
    let whole = |scene: &Scene| !scene.has(".partial", "");
    scene.killed("the log", &|scene| scene.has(".partial", "wal"), &whole);
    scene.killed("the label", &|scene| scene.has(".partial", "backup_label"), &whole);
    while_it_removes(&mut scene);
}

fn while_it_removes(scene: &mut Scene) {
    for n in 1..=scene.taken {
        let step = format!("removing {n}");
        scene.host.ok(&format!("delete take-{n} --now --yes --no-wait"));
        until(&step, || {
            scene.has(".destroying", "")
                || !scene.host.labels("db").iter().any(|l| *l == format!("take-{n}"))
        });
        scene.host.kill();
        scene.host.start();
        scene.host.settle();
        scene.must_be_tidy(&step);
    }
    assert_eq!(scene.names(), ["high_water"]);
}

#[test]
fn a_daemon_that_is_killed_while_it_reflinks_leaves_nothing_behind() {
    while_it_copies("xfs");
}

#[test]
fn a_daemon_that_is_killed_while_it_snapshots_a_subvolume_leaves_nothing_behind() {
    while_it_copies("btrfs");
}

#[test]
fn a_daemon_that_is_killed_while_pg_basebackup_runs_leaves_nothing_behind() {
    let mut scene = Scene::new("ext4", "prove = \"never\"");
    let sender = "backend_type = 'walsender' and query ~ 'BASE_BACKUP'";
    let checkpointer = Halted::new(scene.pid("backend_type = 'checkpointer'"));
    let name = scene.take();
    until("waiting for a checkpoint", || scene.asks(sender));
    scene.host.kill();
    drop(checkpointer);
    scene.must_recover("waiting for a checkpoint", &name);

    let checkpointer = Halted::new(scene.pid("backend_type = 'checkpointer'"));
    let name = scene.take();
    until("waiting for a checkpoint", || scene.asks(sender));
    let (pid, phase) = (scene.pid(sender), "select phase from pg_stat_progress_basebackup");
    drop(checkpointer);
    until("streaming", || scene.has(".partial", "data/base/1"));
    let halted = Halted::new(pid);
    assert_eq!(scene.server.sql(phase), "streaming database files");
    assert_eq!(scene.server.sql("select count(*) from pg_replication_slots"), "1");
    scene.host.kill();
    drop(halted);
    scene.must_recover("streaming", &name);

    let whole = |scene: &Scene| !scene.has(".partial", "");
    scene.killed("the end", &|scene| scene.has(".partial", "data/backup_manifest"), &whole);
}

#[test]
fn a_daemon_that_is_killed_while_it_proves_leaves_no_server_and_no_copy() {
    let mut scene = Scene::new("xfs", "prove = \"always\"");
    let proving = |scene: &Scene| {
        let mut names = scene.names().into_iter();
        let scratch = names.find(|name| name.starts_with(".prove-"));
        scratch.is_some_and(|name| scene.stored().join(name).join("data/postmaster.pid").exists())
    };
    scene.killed("the proof", &proving, &|_| false);
}
