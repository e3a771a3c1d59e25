//! Tablespaces and a log that lie in the data directory, whatever way a link takes to them: all of
//! it goes back with the cluster, again and again, and comes along with a copy.

use super::build;
use super::load::cluster_in_subvolume;
use super::server::{Server, cluster, own, scratch};
use crate::conformance::{card, fault, find, take};
use crate::support::copied;
use crate::support::loopfs::{LoopFs, Mounted};
use heptad::backend::{Backend, RollbackOrder, TakeOrder};
use heptad::domain::operation::Fault;
use heptad::domain::snapshot::Handle;
use serde_json::json;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use uuid::Uuid;

/// A stopped cluster that is prepared, then served once.
struct Scene {
    fs: LoopFs,
    data: PathBuf,
    backend: Arc<dyn Backend>,
}

impl Scene {
    fn new(kind: &str, prepare: &dyn Fn(&Path)) -> Self {
        let fs = scratch(kind, 900);
        let data = fs.path().join("data");
        match kind {
            "btrfs" => cluster_in_subvolume(&data),
            _ => cluster(&data),
        }
        prepare(&fs.path());
        let backend = build("db", &data, &fs.path().join("store"), json!({}));
        Self { fs, data, backend }
    }

    fn back(&self, to: &Handle, token: u128) {
        let order = RollbackOrder { handle: to, token: Uuid::from_u128(token) };
        self.backend.rollback(&order, &()).unwrap();
        let left = std::fs::read_dir(self.fs.path()).unwrap();
        let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert!(!left.into_iter().any(|name| name.starts_with(".heptad")));
    }
}

fn dir(path: &Path) -> String {
    std::fs::create_dir_all(path).unwrap();
    own(path);
    path.display().to_string()
}

/// With what else was found out of two snapshots of it, before and after a change: back, forth, and
/// back again; then a new one, which verifies, and a copy of that which stands on its own.
fn check(scene: &Scene, spaces: &[String]) {
    let server = Server::start(&scene.data, "");
    for (n, place) in spaces.iter().enumerate() {
        server.sql(&format!("create tablespace s{n} location '{place}'"));
        let rows = "as select generate_series(1, 700) as n";
        server.sql(&format!("create table t{n} tablespace s{n} {rows}"));
    }
    server.sql("create table here as select generate_series(1, 700) as n");
    let tables = || (0..spaces.len()).map(|n| format!("t{n}")).chain(["here".into()]);
    let expect = |server: &Server, rows: &str, when: &str| {
        for table in tables() {
            let count = server.sql(&format!("select count(*) from {table}"));
            assert_eq!(count, rows, "{table} {when}");
        }
        server.must_be_sound();
    };
    let odd = scene.backend.oddities();
    for place in spaces.iter().filter(|place| place.contains("/data/")) {
        let (_, inside) = place.split_once("/data/").unwrap();
        let named = |said: &str| said.ends_with(&format!("in itself, at {inside}"));
        assert!(odd.iter().any(|odd| named(&odd.problem)), "{place}: {odd:?}");
    }
    let one = take(&*scene.backend, &card(1));
    assert!(scene.backend.verify(&one, &()).unwrap().entries.unwrap() > spaces.len() as u64);
    tables().for_each(|table| drop(server.sql(&format!("delete from {table} where n > 300"))));
    drop(server);
    // Of the stopped server, as before every rollback.
    let two = take(&*scene.backend, &card(2));
    scene.backend.verify(&two, &()).unwrap();
    for (token, to, rows) in [(10, &one, "700"), (11, &two, "300"), (12, &one, "700")] {
        scene.back(to, token);
        expect(&Server::start(&scene.data, ""), rows, &format!("after rollback {token}"));
        let safety = take(&*scene.backend, &card(u64::try_from(token).unwrap()));
        scene.backend.verify(&safety, &()).unwrap();
    }
    let server = Server::start(&scene.data, "");
    let last = take(&*scene.backend, &card(20));
    scene.backend.verify(&last, &()).unwrap();
    let target = scene.fs.path().join("copy");
    scene.backend.restore(&copied(&last, &target), &()).unwrap();
    let copy = Server::start(&target, "");
    expect(&copy, "700", "in the copy");
    let places = "select string_agg(pg_tablespace_location(oid), ' ') from pg_tablespace";
    let places = copy.sql(places);
    for place in places.split_whitespace() {
        assert!(place.starts_with(target.to_str().unwrap()), "{places}");
    }
    tables().for_each(|table| drop(copy.sql(&format!("delete from {table}"))));
    drop(copy);
    expect(&server, "700", "beside a copy that was written to");
}

fn each(layout: &dyn Fn(&Path) -> Vec<String>) {
    for kind in ["xfs", "ext4", "btrfs"] {
        let scene = Scene::new(kind, &|_| ());
        let spaces = layout(&scene.fs.path());
        check(&scene, &spaces);
    }
}

#[test]
fn a_tablespace_in_the_data_directory_belongs_to_it() {
    each(&|fs| vec![dir(&fs.join("data/ts"))]);
}

#[test]
fn a_tablespace_that_a_link_or_a_mount_leads_into_the_data_directory_belongs_to_it() {
    each(&|fs| {
        dir(&fs.join("data/deep/ts"));
        symlink(fs.join("data/deep"), fs.join("way")).unwrap();
        vec![fs.join("way/ts").display().to_string()]
    });
    let scene = Scene::new("xfs", &|_| ());
    let place = dir(&scene.fs.path().join("data/ts"));
    let other = scene.fs.path().join("other");
    dir(&other);
    let _mounted = Mounted::new(&["--bind", &place], &other);
    check(&scene, &[other.display().to_string()]);
}

#[test]
fn tablespaces_in_one_another_and_beside_go_back_together() {
    each(&|fs| {
        vec![
            dir(&fs.join("data/ts")),
            dir(&fs.join("data/ts/inner")),
            dir(&fs.join("outside")),
            dir(&fs.join("outside/inner")),
            dir(&fs.join("heptad-data")),
            dir(&fs.join("data/pg_stat_tmp/ts")),
            fs.join("data").display().to_string(),
        ]
    });
}

/// With the log at a place that `pg_wal` leads to by this text.
fn with_log(kind: &str, place: &str, link: &dyn Fn(&Path) -> PathBuf) {
    let scene = Scene::new(kind, &|fs| {
        std::fs::rename(fs.join("data/pg_wal"), fs.join(place)).unwrap();
        symlink(link(fs), fs.join("data/pg_wal")).unwrap();
    });
    check(&scene, &[]);
    // As it was, for whoever looks there.
    let wal = scene.data.join("pg_wal");
    assert!(
        wal.is_symlink() && std::fs::read_dir(scene.fs.path().join(place)).unwrap().count() > 0
    );
}

#[test]
fn a_log_that_a_link_leads_into_the_data_directory_belongs_to_it() {
    for kind in ["xfs", "ext4", "btrfs"] {
        with_log(kind, "data/log", &|fs| fs.join("data/log"));
    }
    with_log("xfs", "data/log", &|_| "log".into());
    with_log("xfs", "data/log", &|_| "../data/./log".into());
}

#[test]
fn a_log_elsewhere_goes_back_also_where_its_link_is_relative() {
    with_log("xfs", "wal", &|_| "../wal".into());
    with_log("ext4", "wal", &|fs| fs.join("wal"));
}

#[test]
fn a_cluster_whose_tablespace_is_lost_is_not_taken_for_a_whole_one() {
    for kind in ["xfs", "ext4"] {
        let scene = Scene::new(kind, &|_| ());
        let place = dir(&scene.fs.path().join("space"));
        let server = Server::start(&scene.data, "");
        server.sql(&format!("create tablespace far location '{place}'"));
        server.sql("create table away tablespace far as select generate_series(1, 700) as n");
        let refused = |part: &str| {
            let order = TakeOrder { card: &card(2), source: None, previous: None };
            let error = scene.backend.take(&order, &()).unwrap_err();
            assert_eq!(error.fault, Fault::Absent, "{error}");
            assert!(error.to_string().contains(part), "{error}");
            assert!(find(&*scene.backend, 2).is_none(), "nothing was begun");
            let odd = scene.backend.oddities();
            assert!(odd.len() == 1 && odd[0].problem.contains(part), "{odd:?}");
        };
        assert!(scene.backend.oddities().is_empty());
        let (there, away) = (scene.fs.path().join("space"), scene.fs.path().join("away"));
        std::fs::rename(&there, &away).unwrap();
        refused("is not there: is its disk mounted?");
        dir(&there);
        refused("has nothing of PostgreSQL");
        server.stop("immediate");
        refused("has nothing of PostgreSQL");
        std::fs::remove_dir(&there).unwrap();
        std::fs::rename(&away, &there).unwrap();
        take(&*scene.backend, &card(2));
    }
}

#[test]
fn content_that_lies_elsewhere_by_a_link_that_postgresql_knows_nothing_of_is_refused() {
    let scene = Scene::new("xfs", &|_| ());
    let check = |name: &str| {
        let (there, away) = (scene.data.join(name), scene.fs.path().join("away"));
        std::fs::rename(&there, &away).unwrap();
        symlink(&away, &there).unwrap();
        let order = TakeOrder { card: &card(1), source: None, previous: None };
        let error = scene.backend.take(&order, &()).unwrap_err();
        assert_eq!(error.fault, Fault::Permanent, "{error}");
        assert!(error.to_string().contains(&format!("{name} is a link to ")), "{error}");
        std::fs::remove_file(&there).unwrap();
        std::fs::rename(&away, &there).unwrap();
    };
    check("base/1");
    check("pg_xact");
    std::fs::write(scene.data.join("tablespace_map"), "16385 /srv/space\n").unwrap();
    let order = TakeOrder { card: &card(1), source: None, previous: None };
    assert_eq!(fault(scene.backend.take(&order, &())), Fault::Permanent);
}

#[test]
fn what_a_backup_left_in_the_data_directory_is_no_measure_of_a_snapshot() {
    for kind in ["xfs", "ext4", "btrfs"] {
        let scene = Scene::new(kind, &|fs| {
            let left = fs.join("data/backup_manifest");
            std::fs::write(&left, "{ \"PostgreSQL-Backup-Manifest-Version\": 1 }\n").unwrap();
            own(&left);
        });
        let stopped = take(&*scene.backend, &card(1));
        scene.backend.verify(&stopped, &()).unwrap();
        let server = Server::start(&scene.data, "");
        let running = take(&*scene.backend, &card(2));
        scene.backend.verify(&running, &()).unwrap();
        drop(server);
        scene.back(&running, 7);
        assert!(!scene.data.join("backup_manifest").exists());
        drop(Server::start(&scene.data, ""));
    }
}

#[test]
fn a_store_that_a_link_leads_into_the_data_directory_is_refused() {
    let scene = Scene::new("xfs", &|fs| {
        dir(&fs.join("data/inner"));
        symlink(fs.join("data/inner"), fs.join("way")).unwrap();
    });
    let store = scene.fs.path().join("way/store");
    let backend = build("db", &scene.data, &store, json!({}));
    let order = TakeOrder { card: &card(1), source: None, previous: None };
    let error = backend.take(&order, &()).unwrap_err();
    assert_eq!(error.fault, Fault::Permanent, "{error}");
    assert!(error.to_string().contains("the store of its snapshots lies in it"), "{error}");
}
