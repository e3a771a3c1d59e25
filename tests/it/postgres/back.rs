//! Rolling a cluster back in its place.

use super::build;
use super::load::cluster_in_subvolume;
use super::server::{Server, cluster, own, scratch, tool};
use crate::conformance::{card, fault, take};
use crate::support::loopfs::{LoopFs, Mounted, run};
use heptad::backend::{Backend, RollbackOrder};
use heptad::domain::operation::Fault;
use heptad::domain::snapshot::Handle;
use serde_json::json;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Set for the process that rolls back and is killed: the scratch file system.
const PLACE: &str = "HEPTAD_TEST_POSTGRES_BACK";
const TOKEN: Uuid = Uuid::from_u128(7);

fn backend(place: &Path) -> Arc<dyn Backend> {
    build("db", &place.join("data"), &place.join("store"), json!({}))
}

fn order(handle: &Handle, token: u128) -> RollbackOrder<'_> {
    RollbackOrder { handle, token: Uuid::from_u128(token) }
}

/// A server with the table `before`, its snapshot, and then the table `after`; stopped.
struct Scene {
    fs: LoopFs,
    data: PathBuf,
    backend: Arc<dyn Backend>,
    taken: Handle,
}

impl Scene {
    fn new(kind: &str, prepare: &dyn Fn(&Path), sql: &str) -> Self {
        let fs = scratch(kind, 900);
        let data = fs.path().join("data");
        match kind {
            "btrfs" => cluster_in_subvolume(&data),
            _ => cluster(&data),
        }
        prepare(&fs.path());
        let backend = backend(&fs.path());
        let server = Server::start(&data, "");
        server.sql("create table before as select generate_series(1, 1000) as n");
        if !sql.is_empty() {
            server.sql(sql);
        }
        let taken = take(&*backend, &card(1));
        server.sql("create table after as select generate_series(1, 1000) as n");
        server.sql("delete from before where n > 500");
        drop(server);
        Self { fs, data, backend, taken }
    }

    fn tables(&self, server: &Server) -> (String, String) {
        let after = server.sql("select count(*) from pg_class where relname = 'after'");
        (server.sql("select count(*) from before"), after)
    }

    /// What lies beside the data directory under a name of heptad's.
    fn left(&self) -> Vec<String> {
        let dir = std::fs::read_dir(self.fs.path()).unwrap();
        let names = dir.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with(".heptad")).collect()
    }

    /// Rolled back whole, nothing left; the server runs and is sound.
    fn must_be_back(&self) -> Server {
        assert_eq!(self.left(), [""; 0]);
        let server = Server::start(&self.data, "");
        assert_eq!(self.tables(&server), ("1000".into(), "0".into()));
        server.must_be_sound();
        server
    }
}

fn nothing(_: &Path) {}

fn check(kind: &str) {
    let scene = Scene::new(kind, &nothing, "");
    run("chmod", &["750", scene.data.to_str().unwrap()]);
    let (before, port) = (std::fs::metadata(&scene.data).unwrap(), "port = '5498'\n");
    std::fs::write(scene.data.join("postgresql.auto.conf"), port).unwrap();
    let identity = scene.backend.probe().unwrap();
    assert_eq!(scene.backend.users().unwrap(), [""; 0]);
    let after = scene.backend.rollback(&order(&scene.taken, 7), &()).unwrap();
    assert_eq!(after, identity);
    let is = std::fs::metadata(&scene.data).unwrap();
    assert_eq!((is.uid(), is.gid(), is.mode()), (before.uid(), before.gid(), before.mode()));
    let server = scene.must_be_back();
    assert_eq!(server.port(), "5498", "of the live one, whatever the snapshot had");
    server.sql("create table newer (n int)");
    drop(server);
    // It was done, so doing it again does nothing.
    scene.backend.rollback(&order(&scene.taken, 7), &()).unwrap();
    let server = Server::start(&scene.data, "");
    assert_eq!(server.sql("select count(*) from newer"), "0");
    drop(server);
    let two = take(&*scene.backend, &card(2));
    scene.backend.rollback(&order(&scene.taken, 8), &()).unwrap();
    scene.backend.rollback(&order(&two, 9), &()).unwrap();
    assert_eq!(Server::start(&scene.data, "").sql("select count(*) from newer"), "0");
}

#[test]
fn a_cluster_goes_back_to_a_reflinked_snapshot_and_keeps_its_place_owner_mode_and_port() {
    check("xfs");
}

#[test]
fn a_cluster_goes_back_to_a_copied_snapshot_and_keeps_its_place_owner_mode_and_port() {
    check("ext4");
}

#[test]
fn a_subvolume_goes_back_and_stays_one() {
    check("btrfs");
    let scene = Scene::new("btrfs", &nothing, "");
    scene.backend.rollback(&order(&scene.taken, 7), &()).unwrap();
    assert_eq!(std::fs::metadata(&scene.data).unwrap().ino(), 256);
    let two = take(&*scene.backend, &card(2));
    let notes = crate::conformance::find(&*scene.backend, two.seq.0).unwrap().notes;
    assert!(notes[0].contains("btrfs snapshot"), "{notes:?}");
    assert_eq!(scene.fs.path().join("store/db/1/data").metadata().unwrap().ino(), 256);
    drop(scene.must_be_back());
}

#[test]
fn a_cluster_in_use_is_not_rolled_back_and_its_users_are_named() {
    let scene = Scene::new("xfs", &nothing, "");
    let refused = |part: &str| {
        let users = scene.backend.users().unwrap();
        assert!(users.len() == 1 && users[0].contains(part), "{users:?}");
        let error = scene.backend.rollback(&order(&scene.taken, 7), &()).unwrap_err();
        assert_eq!(error.fault, Fault::Busy, "{error}");
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(scene.left(), [""; 0]);
        users[0].clone()
    };
    let server = Server::start(&scene.data, "");
    let pid = std::fs::read_to_string(scene.data.join("postmaster.pid")).unwrap();
    let said = refused(&format!("process {}", pid.lines().next().unwrap()));
    let (_, stop) = said.split_once("; try: ").unwrap();
    assert!(stop.contains("pg_ctl -D") && stop.ends_with(" stop"), "{stop}");
    // What it says to type does stop it.
    run("sh", &["-c", stop]);
    drop(server);
    let mut other = Command::new("sleep").arg("600").current_dir(scene.data.join("base")).spawn();
    refused(&format!("sleep (process {})", other.as_ref().unwrap().id()));
    let other = other.as_mut().unwrap();
    other.kill().unwrap();
    other.wait().unwrap();
    scene.backend.rollback(&order(&scene.taken, 7), &()).unwrap();
    drop(scene.must_be_back());
}

#[test]
fn what_cannot_be_exchanged_is_refused_and_left_as_it_is() {
    let scene = Scene::new("xfs", &nothing, "");
    let refused_as = |fault: Fault, part: &str| {
        let error = scene.backend.rollback(&order(&scene.taken, 7), &()).unwrap_err();
        assert_eq!(error.fault, fault, "{error}");
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(scene.left(), [""; 0]);
    };
    let refused = |part: &str| refused_as(Fault::Permanent, part);
    let data = scene.data.to_str().unwrap();
    let mounted = Mounted::new(&["--bind", data], &scene.data);
    refused("is a mount point");
    drop(mounted);
    let mounted = Mounted::tmpfs(&scene.data.join("pg_stat"));
    refused("unmount ");
    drop(mounted);
    std::fs::write(scene.data.join("standby.signal"), "").unwrap();
    refused("it is a standby");
    std::fs::remove_file(scene.data.join("standby.signal")).unwrap();
    let tampered = scene.fs.path().join("store/db/1/data/global/pg_control");
    std::fs::write(tampered, "defaced").unwrap();
    refused_as(Fault::Identity, "changed since it was taken");
    let server = Server::start(&scene.data, "");
    assert_eq!(scene.tables(&server), ("500".into(), "1".into()));
}

#[test]
fn tablespaces_and_a_log_elsewhere_go_back_with_the_cluster() {
    let prepare = |fs: &Path| {
        let (space, wal) = (fs.join("space"), fs.join("wal"));
        std::fs::create_dir(&space).unwrap();
        own(&space);
        std::fs::rename(fs.join("data/pg_wal"), &wal).unwrap();
        std::os::unix::fs::symlink(&wal, fs.join("data/pg_wal")).unwrap();
    };
    let sql = "create tablespace far location '/nowhere'";
    let scene = Scene::new("xfs", &prepare, "");
    let (space, wal) = (scene.fs.path().join("space"), scene.fs.path().join("wal"));
    let sql = sql.replace("/nowhere", space.to_str().unwrap());
    let server = Server::start(&scene.data, "");
    server.sql(&sql);
    server.sql("create table away tablespace far as select generate_series(1, 700) as n");
    let two = take(&*scene.backend, &card(2));
    server.sql("delete from away");
    drop(server);
    let names = |dir: &Path| {
        let names = std::fs::read_dir(dir).unwrap();
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    for token in [8_u128, 9] {
        scene.backend.rollback(&order(&two, token), &()).unwrap();
        let ours = format!("heptad-{}", Uuid::from_u128(token).simple());
        assert_eq!(names(&space), [&*ours]);
        assert_eq!(names(&wal), [&*ours]);
        let server = Server::start(&scene.data, "");
        assert_eq!(server.sql("select count(*) from away"), "700");
        server.must_be_sound();
        server.sql("delete from away");
    }
    // Before there was a tablespace.
    scene.backend.rollback(&order(&scene.taken, 10), &()).unwrap();
    assert_eq!(names(&space), [""; 0]);
    drop(scene.must_be_back());
    std::fs::remove_dir(&space).unwrap();
    let error = scene.backend.rollback(&order(&two, 11), &()).unwrap_err();
    assert!(error.to_string().contains("make that directory again"), "{error}");
    drop(scene.must_be_back());
}

#[test]
fn a_rollback_that_is_killed_at_any_step_is_finished_by_the_next_one() {
    if let Some(place) = std::env::var_os(PLACE) {
        let backend = backend(Path::new(&place));
        let handle = backend.list().unwrap().found.remove(0).card.handle;
        backend.rollback(&order(&handle, TOKEN.as_u128()), &()).unwrap();
        return;
    }
    let scene = Scene::new("xfs", &nothing, "");
    let newest = take(&*scene.backend, &card(2));
    let hidden = scene.fs.path().join(format!(".heptad-rollback-{TOKEN}"));
    let old = scene.data.metadata().unwrap().ino();
    let live = || scene.data.metadata().unwrap().ino();
    let check = |step: &str, reached: &dyn Fn(u64) -> bool| {
        let before = live();
        let mut child = child(&scene.fs.path());
        let deadline = Instant::now() + Duration::from_secs(30);
        while !reached(before) {
            assert!(Instant::now() < deadline, "{step} was not reached");
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // Whole, whichever of the two it is.
        let (server, exchanged) = (Server::start(&scene.data, ""), live() != before);
        let want = if exchanged { ("1000", "0") } else { ("500", "1") };
        assert_eq!(scene.tables(&server), (want.0.into(), want.1.into()), "{step}");
        drop(server);
        let taken = RollbackOrder { handle: &scene.taken, token: TOKEN };
        scene.backend.rollback(&taken, &()).unwrap();
        drop(scene.must_be_back());
        // And to what it was, for the next step.
        scene
            .backend
            .rollback(&RollbackOrder { handle: &newest, token: Uuid::new_v4() }, &())
            .unwrap();
        exchanged
    };
    for part in ["", "base/1", "pg_wal", "global/pg_control"] {
        check(part, &|_| hidden.join(part).symlink_metadata().is_ok());
    }
    assert_ne!(old, 0);
    check("the exchange", &|before| live() != before);
    let gone = |_| !hidden.exists();
    check("the end of the removal", &|before| live() != before && gone(before));
    assert_eq!(fault(scene.backend.rollback(&order(&card(9).handle, 12), &())), Fault::Absent);
}

/// This very test as another process.
fn child(place: &Path) -> std::process::Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let name = "a_rollback_that_is_killed_at_any_step_is_finished_by_the_next_one";
    command.args(["--exact", &format!("postgres::back::{name}")]).env(PLACE, place);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn configuration_elsewhere_stays_as_it_is() {
    let scene = Scene::new("xfs", &nothing, "");
    let etc = scene.fs.path().join("etc");
    std::fs::create_dir(&etc).unwrap();
    std::fs::rename(scene.data.join("postgresql.conf"), etc.join("postgresql.conf")).unwrap();
    let mut text = std::fs::read_to_string(etc.join("postgresql.conf")).unwrap();
    let paths = format!(
        "data_directory = '{0}'\nhba_file = '{0}/pg_hba.conf'\nident_file = '{0}/pg_ident.conf'\n",
        scene.data.display()
    );
    text.push_str(&paths);
    std::fs::write(etc.join("postgresql.conf"), &text).unwrap();
    let options = format!("-c config_file={}", etc.join("postgresql.conf").display());
    drop(Server::start(&scene.data, &options));
    let two = take(&*scene.backend, &card(2));
    scene.backend.rollback(&order(&two, 7), &()).unwrap();
    assert_eq!(std::fs::read_to_string(etc.join("postgresql.conf")).unwrap(), text);
    drop(Server::start(&scene.data, &options));
    tool("pg_controldata", &["-D", scene.data.to_str().unwrap()]);
}
