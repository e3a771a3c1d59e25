//! A configuration of many files outside of the data directory: all of it comes along with a copy,
//! which uses no file of the original's, and starts.

use super::build;
use super::server::{Server, cluster, own, scratch, text, typed};
use crate::conformance::{card, find, take};
use crate::support::copied;
use crate::support::loopfs::{LoopFs, run};
use heptad::backend::Backend;
use heptad::domain::snapshot::Handle;
use heptad::domain::survey::Wholeness;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

struct Scene {
    fs: LoopFs,
    data: PathBuf,
    backend: Arc<dyn Backend>,
}

impl Scene {
    /// The main files go to `etc`, and `files` are written below the file system.
    fn new(files: &[(&str, &[u8])], more: &str) -> Self {
        let fs = scratch("xfs", 900);
        let (data, etc) = (fs.path().join("data"), fs.path().join("etc"));
        cluster(&data);
        std::fs::create_dir(&etc).unwrap();
        for name in ["postgresql.conf", "pg_hba.conf", "pg_ident.conf"] {
            std::fs::rename(data.join(name), etc.join(name)).unwrap();
        }
        for (path, text) in files {
            let path = fs.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
        }
        let at = |name: &str| fs.path().join(name).display().to_string();
        let paths = [("data_directory", "data"), ("hba_file", "etc/pg_hba.conf")];
        let paths = paths.map(|(name, path)| format!("{name} = '{}'\n", at(path))).concat();
        let main = etc.join("postgresql.conf");
        let mut text = std::fs::read_to_string(&main).unwrap();
        text.push_str(&format!("{paths}ident_file = '{}'\n{more}", at("etc/pg_ident.conf")));
        std::fs::write(main, text.replace("HERE", &fs.path().display().to_string())).unwrap();
        run("chown", &["-R", "postgres:", etc.to_str().unwrap(), data.to_str().unwrap()]);
        let backend = build("db", &data, &fs.path().join("store"), json!({ "prove": "always" }));
        Self { fs, data, backend }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.fs.path().join(name)
    }

    fn serve(&self) -> Server {
        let main = self.at("etc/postgresql.conf");
        Server::start(&self.data, &format!("-c config_file={}", main.display()))
    }

    fn proof(&self, handle: &Handle, seq: u64) -> String {
        self.backend.verify(handle, &()).unwrap();
        find(&*self.backend, seq).unwrap().told.proof.unwrap().by
    }

    /// A copy, started as heptad says it, and stopped when the answers are there.
    fn answers(
        &self,
        handle: &Handle,
        name: &str,
        settings: &[&str],
    ) -> (Vec<String>, Vec<String>) {
        let target = self.at(name);
        let restored = self.backend.restore(&copied(handle, &target), &()).unwrap();
        let start = restored.notes.iter().find_map(|note| note.split_once("start it: ")).unwrap().1;
        let said = typed(start).output().unwrap();
        text(&std::fs::read_to_string(target.join("server.log")).unwrap_or_default(), said);
        let copy = Server { socket: self.data.with_extension("s"), data: target };
        let answers = settings.iter().map(|name| copy.sql(&format!("show {name}"))).collect();
        (answers, restored.notes)
    }
}

const MORE: &str = "include_dir = 'conf.d'\nInclude '../shared/one.conf' # near\n\
    include_if_exists 'none.conf'\ninclude_dir 'HERE/empty.d'\ninclude 'HERE/data/inner.conf'\n\
    unix_socket_directories = 'HERE/data.s'\nexternal_pid_file = 'HERE/data.s/pid'\n\
    cluster_name = '15/main'\nlog_directory = 'HERE/data.s/logs'\n";

#[test]
fn all_that_a_configuration_includes_comes_along_and_the_copy_uses_nothing_of_the_original() {
    let long = [b"# \xe4 line that is no UTF-8\n".repeat(4000), b"max_connections = 77\n".into()];
    let scene = Scene::new(
        &[
            ("etc/conf.d/10-first.conf", b"work_mem = '5MB'\nmaintenance_work_mem = '9MB'\n"),
            ("etc/conf.d/20-second.conf", b"work_mem = '7MB'\ninclude 'deep/more.inc'\n"),
            ("etc/conf.d/deep/more.inc", b"temp_buffers = '9MB'\n"),
            ("etc/conf.d/ignored", b"nonsense\n"),
            ("etc/conf.d/.hidden.conf", b"nonsense\n"),
            ("shared/one.conf", b"include_dir 'two.d'\n"),
            ("shared/two.d/long.conf", &long.concat()),
            ("empty.d/.keep", b""),
            ("data/inner.conf", b"geqo = off\ninclude 'sub/inner.inc'\n"),
            ("data/sub/inner.inc", b"geqo_threshold = 17\n"),
            ("etc/names/admins", b"postgres, @others\n"),
            ("etc/names/others", b"nobody\n"),
        ],
        MORE,
    );
    let hba = "local all @names/admins peer # the administrators\n";
    std::fs::write(scene.at("etc/pg_hba.conf"), hba).unwrap();
    own(&scene.at("etc/pg_hba.conf"));
    let server = scene.serve();
    let running = take(&*scene.backend, &card(1));
    let by = scene.proof(&running, 1);
    assert!(
        by.ends_with("1 databases read, with its own configuration")
            || by.ends_with("2 databases read, with its own configuration"),
        "{by}"
    );
    server.stop("fast");
    drop(server);
    let stopped = take(&*scene.backend, &card(2));
    assert!(scene.proof(&stopped, 2).ends_with("with its own configuration"));
    // A snapshot of a snapshot has it as well.
    let source = find(&*scene.backend, 1).unwrap().card.handle;
    let kept = card(3);
    let order = heptad::backend::TakeOrder { card: &kept, source: Some(&source), previous: None };
    scene.backend.take(&order, &()).unwrap();
    let kept = find(&*scene.backend, 3).unwrap().card.handle;
    // What an administrator had there is gone: each copy has its own.
    for gone in ["etc", "shared", "empty.d", "data"] {
        std::fs::rename(scene.at(gone), scene.at(&format!("{gone}.gone"))).unwrap();
    }
    let settings = [
        "work_mem",
        "maintenance_work_mem",
        "temp_buffers",
        "max_connections",
        "geqo_threshold",
        "external_pid_file",
        "cluster_name",
        "log_directory",
        "hba_file",
    ];
    for (handle, name) in [(&running, "one"), (&stopped, "two"), (&kept, "three")] {
        let (answers, notes) = scene.answers(handle, name, &settings);
        let at = |file: &str| scene.at(name).join(file).display().to_string();
        let version = std::fs::read_to_string(scene.at(name).join("PG_VERSION")).unwrap();
        let cluster = format!("{}/{name}", version.trim());
        let own = [&*at("external.pid"), &cluster, "log", &at("pg_hba.conf")];
        assert_eq!(answers, [&["7MB", "9MB", "9MB", "77", "17"][..], &own].concat(), "{notes:?}");
    }
    // And a copy of a copy, whose configuration is in its data directory by now.
    let copy = build("db2", &scene.at("one"), &scene.at("store"), json!({ "prove": "always" }));
    let again = Scene { data: scene.at("one"), backend: copy, fs: scene.fs };
    std::fs::create_dir_all(again.data.with_extension("s")).unwrap();
    let handle = take(&*again.backend, &card(1));
    assert!(again.proof(&handle, 1).ends_with("with its own configuration"));
    std::fs::rename(&again.data, again.at("one.gone")).unwrap();
    let restored = again.backend.restore(&copied(&handle, &again.at("four")), &()).unwrap();
    assert!(!restored.notes.iter().any(|note| note.contains("not in the snapshot")));
    let names = names_in(&again.at("four"));
    assert!(!names.contains("/one/") && names.contains("/four/conf.d"), "{names}");
}

/// What the settings of a data directory name.
fn names_in(data: &Path) -> String {
    let files = ["postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "conf.d/20-second.conf"];
    let read = |file: &&str| std::fs::read_to_string(data.join(file)).unwrap();
    let text: String = files.iter().map(read).collect();
    text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
}

#[test]
fn what_the_owner_may_not_read_stays_closed_and_a_copy_starts_without_it() {
    let scene = Scene::new(
        &[("etc/conf.d/open.conf", b"work_mem = '7MB'\n"), ("closed/key.conf", b"geqo = off\n")],
        "include_dir 'conf.d'\ninclude '../closed/key.conf'\ninclude_dir '../closed'\n\
         unix_socket_directories = 'HERE/data.s'\n",
    );
    let server = scene.serve();
    run("chmod", &["700", scene.at("closed").to_str().unwrap()]);
    let handle = take(&*scene.backend, &card(1));
    drop(server);
    assert!(scene.proof(&handle, 1).ends_with("with what is stored of its own configuration"));
    let notes = find(&*scene.backend, 1).unwrap().notes;
    for closed in ["closed/key.conf is not in it", "closed is not in it"] {
        assert!(notes.iter().any(|note| note.contains(closed)), "{closed}: {notes:?}");
    }
    let stored = std::fs::read_dir(scene.at("store/db/1/config/files")).unwrap().count();
    assert_eq!(stored, 1, "only what is open");
    std::fs::rename(scene.at("closed"), scene.at("gone")).unwrap();
    let (answers, notes) = scene.answers(&handle, "copy", &["work_mem", "geqo"]);
    assert_eq!(answers, ["7MB", "on"]);
    assert_eq!(notes.iter().filter(|note| note.ends_with("is not in the snapshot")).count(), 2);
}

#[test]
fn a_configuration_with_which_no_server_starts_is_told_by_the_proof() {
    let check = |file: &str, text: &str, want: &str| {
        let open = "include_dir 'conf.d'\nunix_socket_directories = 'HERE/data.s'\n";
        let scene = Scene::new(&[("etc/conf.d/a.conf", b"work_mem = '7MB'\n")], open);
        let _server = scene.serve();
        // Written since it was started.
        std::fs::write(scene.at(file), text).unwrap();
        own(&scene.at(file));
        let by = scene.proof(&take(&*scene.backend, &card(1)), 1);
        assert!(by.contains("2 databases read, but with its own configuration it does not start"));
        assert!(by.contains(want), "{by}");
    };
    check("etc/conf.d/b.conf", "no_such_thing = 1\n", "no_such_thing");
    check("etc/pg_hba.conf", "local all postgres peer\nnonsense\n", "line 2 of pg_hba.conf");
}

/// What lies beside the data is as much of the snapshot as that is.
#[test]
fn rot_in_the_stored_configuration_or_label_is_seen_and_nothing_is_made_of_it() {
    let scene = Scene::new(
        &[("etc/conf.d/10-first.conf", b"work_mem = '5MB'\n")],
        "include_dir = 'conf.d'\nunix_socket_directories = 'HERE/data.s'\n",
    );
    let server = scene.serve();
    let handle = take(&*scene.backend, &card(1));
    drop(server);
    scene.backend.verify(&handle, &()).unwrap();
    let stored = scene.at("store/db/1");
    let included = scene.at("etc/conf.d/10-first.conf");
    let included = stored.join("config/files").join(included.strip_prefix("/").unwrap());
    let label = stored.join("backup_label");
    for (n, path) in [included, stored.join("config/pg_hba.conf"), label].iter().enumerate() {
        let (was, at) = (std::fs::read(path).unwrap(), std::fs::metadata(path).unwrap());
        let rotten = |text: &[u8]| {
            std::fs::write(path, text).unwrap();
            let file = std::fs::File::options().write(true).open(path).unwrap();
            file.set_modified(at.modified().unwrap()).unwrap();
        };
        let mut text = was.clone();
        *text.last_mut().unwrap() ^= 1;
        rotten(&text);
        let target = scene.at(&format!("copy-{n}"));
        let made = scene.backend.restore(&copied(&handle, &target), &()).unwrap_err();
        assert!(made.to_string().contains("not what its manifest says"), "{made}");
        assert!(!target.exists());
        scene.backend.verify(&handle, &()).unwrap_err();
        assert_eq!(find(&*scene.backend, 1).unwrap().state, Wholeness::Tampered);
        rotten(&was);
        scene.backend.verify(&handle, &()).unwrap();
        assert_eq!(find(&*scene.backend, 1).unwrap().state, Wholeness::Whole);
    }
}

/// Older ones have no measure of what lies beside the data.
#[test]
fn a_snapshot_from_before_its_configuration_was_measured_is_whole_all_the_same() {
    let scene = Scene::new(&[], "unix_socket_directories = 'HERE/data.s'\n");
    let handle = take(&*scene.backend, &card(1));
    let path = scene.at("store/db/1/manifest.json");
    let mut manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let measure = manifest["detail"]["measure"].as_object_mut().unwrap();
    assert!(measure.remove("beside").is_some());
    std::fs::write(&path, manifest.to_string()).unwrap();
    scene.backend.verify(&handle, &()).unwrap();
    scene.backend.restore(&copied(&handle, &scene.at("copy")), &()).unwrap();
}
