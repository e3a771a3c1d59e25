//! A program that has the database by another name keeps its log there: what is in that is in no
//! file that lies beside the database.

use super::bench::{Bench, NOBODY, Other, backend, fill, helper, no_options, rows};
use crate::conformance::card;
use crate::support::loopfs::Mounted;
use heptad::backend::{Object, TakeOrder};
use heptad::domain::operation::Fault;
use heptad::domain::survey::Wholeness;
use heptad::fs::StorageError;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One row is in the file, the others are in the log of whoever is running.
const ONE: &str = "PRAGMA journal_mode=WAL; CREATE TABLE t(n INTEGER PRIMARY KEY, pad BLOB);
    INSERT INTO t VALUES(1, 'x');";
const MORE: &str = "db.execute('PRAGMA wal_autocheckpoint=0')\n\
    db.execute('WITH RECURSIVE c(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM c WHERE n < 1001) '\n\
    '           INSERT INTO t SELECT n, n FROM c')\n\
    print(1, flush=True)\n";
const STAY: &str = "time.sleep(60)\n";

/// The file is at a second place, too.
fn bound(from: &Path, at: &Path) -> Mounted {
    fs::write(at, "").unwrap();
    Mounted::new(&["--bind", from.to_str().unwrap()], at)
}

/// A database with one row, and a directory that another name of it can be in.
fn scene(sql: &str) -> (Bench, PathBuf) {
    let bench = Bench::new(&no_options());
    let dir = bench.target("app");
    fs::create_dir(&dir).unwrap();
    fill(&bench.live, sql);
    (bench, dir.join("app.db"))
}

/// No snapshot, the reason, and nothing left beside the database.
fn refused(bench: &Bench, seq: u64, words: &[&str]) {
    let error = bench.try_take(seq).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.fault, Fault::Permanent, "{text}");
    assert!(words.iter().all(|word| text.contains(word)), "{text}");
    assert!(bench.states().iter().all(|(_, state)| *state != Wholeness::Whole), "{text}");
}

fn strays(bench: &Bench) -> Vec<PathBuf> {
    let ends = ["-wal", "-shm", "-journal"].iter();
    let all = ends.map(|end| PathBuf::from(format!("{}{end}", bench.live.display())));
    all.filter(|path| path.exists()).collect()
}

/// As long as the log lies elsewhere, whoever left it there, there is no snapshot; then a whole
/// one.
fn check_log_elsewhere(bench: &Bench, mut app: Other, elsewhere: &str, again: &dyn Fn() -> Other) {
    app.wait_for(1);
    refused(bench, 1, &["python3 (process", elsewhere, "directory"]);
    assert_eq!(strays(bench), [""; 0].map(PathBuf::from));
    app.kill();
    refused(bench, 2, &[elsewhere]);
    assert_eq!(strays(bench), [""; 0].map(PathBuf::from));
    // Its own program, started once more by the same name, puts all of it into the file.
    let mut last = again();
    last.wait_for(1);
    last.child.wait().unwrap();
    bench.take(3);
    assert_eq!(rows(&bench.restore(3)), (1001, 1001));
}

#[test]
fn a_log_beside_a_mount_of_the_file_alone_is_missed_by_no_snapshot() {
    let (bench, at) = scene(ONE);
    let _bound = bound(&bench.live, &at);
    let app = Other::start(&at, 0, &format!("{MORE}{STAY}"));
    let finish = "db.execute('SELECT * FROM t').fetchall()\nprint(1, flush=True)\ndb.close()\n";
    check_log_elsewhere(&bench, app, "app.db-wal", &|| Other::start(&at, 0, finish));
}

#[test]
fn a_log_in_another_namespace_of_mounts_is_missed_by_no_snapshot() {
    let (bench, at) = scene(ONE);
    fs::write(&at, "").unwrap();
    let script = format!("{MORE}{STAY}");
    let mut app = Other::apart(&bench.live, &at, &at, &script);
    app.wait_for(1);
    refused(&bench, 1, &["python3 (process", "app.db-wal", "-v ./data:/data"]);
    assert_eq!(strays(&bench), [""; 0].map(PathBuf::from));
    app.kill();
    // What a container has left while others of it live on.
    let idle = "db.close()\nprint(1, flush=True)\ntime.sleep(60)\n";
    fs::remove_file(format!("{}-shm", at.display())).unwrap();
    let other = bench.target("app/other.db");
    let mut rest = Other::apart(&bench.live, &at, &other, idle);
    rest.wait_for(1);
    refused(&bench, 2, &["app.db-wal lies there"]);
    rest.kill();
}

/// Nothing is left to be seen of a container but what was seen while it ran.
#[test]
fn a_log_in_a_container_that_has_ended_is_remembered() {
    let (bench, at) = scene(ONE);
    fs::write(&at, "").unwrap();
    let mut app = Other::apart(&bench.live, &at, &at, &format!("{MORE}{STAY}"));
    app.wait_for(1);
    refused(&bench, 1, &["app.db-wal"]);
    app.kill();
    for seq in 2..4 {
        refused(
            &bench,
            seq,
            &["when it was last seen in use: python3", "has ended", "stop it properly", "/apart"],
        );
    }
    // Used as it should be, it is as any other.
    let right = Other::start(&bench.live, 0, &format!("{MORE}{STAY}"));
    right.wait_for(1);
    bench.take(4);
    drop(right);
    bench.take(5);
    assert_eq!(rows(&bench.restore(5)), (1001, 1001));
}

#[test]
fn a_directory_in_another_namespace_has_the_log_in_it() {
    let (bench, at) = scene(ONE);
    let dir = at.with_file_name("data");
    fs::create_dir(&dir).unwrap();
    let (above, script) = (bench.dir.path(), format!("{MORE}{STAY}"));
    let app = Other::apart(above, &dir, &dir.join("live.db"), &script);
    app.wait_for(1);
    let object = bench.take(1);
    assert_eq!(rows(&bench.restore(1)), (1001, 1001), "{:?}", object.notes);
    assert_eq!(object.notes.len(), 1, "{:?}", object.notes);
}

#[test]
fn a_log_beside_a_further_name_of_the_file_is_missed_by_no_snapshot() {
    for name in ["app/app.db", "app.db"] {
        let (bench, _) = scene(ONE);
        let at = bench.target(name);
        fs::hard_link(&bench.live, &at).unwrap();
        let mut app = Other::start(&at, 0, &format!("{MORE}{STAY}"));
        app.wait_for(1);
        refused(&bench, 1, &["python3 (process", "app.db-wal"]);
        assert_eq!(strays(&bench), [""; 0].map(PathBuf::from));
        app.kill();
        let words = if name == "app.db" { "app.db-wal lies there" } else { "-samefile" };
        refused(&bench, 2, &[words]);
        let users = bench.backend.users().unwrap();
        assert_eq!(users, [""; 0]);
        let finish = "db.execute('SELECT * FROM t').fetchall()\nprint(1, flush=True)\ndb.close()\n";
        Other::start(&at, 0, finish).child.wait().unwrap();
        fs::remove_file(&at).unwrap();
        bench.take(3);
        assert_eq!(rows(&bench.restore(3)), (1001, 1001));
    }
}

/// SQLite follows a symbolic link and keeps its files where that leads.
#[test]
fn a_program_that_goes_by_a_symbolic_link_has_its_log_beside_the_file() {
    let (bench, at) = scene(ONE);
    symlink(&bench.live, &at).unwrap();
    let app = Other::start(&at, 0, &format!("{MORE}{STAY}"));
    app.wait_for(1);
    bench.take(1);
    assert_eq!(rows(&bench.restore(1)), (1001, 1001));
}

#[test]
fn a_log_that_lost_its_name_or_its_database_is_missed_by_no_snapshot() {
    let check = |what: &str, spoil: &dyn Fn(&Path), words: &[&str]| {
        let (bench, _) = scene(ONE);
        let app = Other::start(&bench.live, 0, &format!("{MORE}{STAY}"));
        app.wait_for(1);
        spoil(&bench.live);
        let error = bench.try_take(1).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{what}: {error}");
    };
    let side = |path: &Path, end: &str| PathBuf::from(format!("{}{end}", path.display()));
    let removed = |path: &Path| fs::remove_file(side(path, "-wal")).unwrap();
    check("removed", &removed, &["live.db-wal"]);
    let index = |path: &Path| {
        removed(path);
        fs::remove_file(side(path, "-shm")).unwrap();
    };
    check("index, too", &index, &["live.db-wal"]);
    let renamed = |path: &Path| {
        let other = path.with_file_name("older.db");
        // The program has the file by another name than before, and its log by the old one.
        fs::rename(side(path, "-wal"), side(&other, "-wal")).unwrap();
        fs::rename(side(path, "-shm"), side(&other, "-shm")).unwrap();
    };
    check("renamed", &renamed, &["older.db-wal"]);
    let replaced = |path: &Path| {
        let new = path.with_file_name("new.db");
        fill(&new, "CREATE TABLE t(n INTEGER PRIMARY KEY); INSERT INTO t VALUES(7);");
        fs::rename(&new, path).unwrap();
    };
    check("replaced", &replaced, &["took its place", "start it again"]);
}

#[test]
fn a_journal_elsewhere_is_told_and_what_it_may_have_left_is_missed_by_no_snapshot() {
    let plain = ONE.replace("PRAGMA journal_mode=WAL;", "");
    let (bench, at) = scene(&plain);
    let bound = bound(&bench.live, &at);
    // The lock on the file is the same whatever its name: what is not committed is not in it.
    let open = "db.execute('BEGIN IMMEDIATE')\ndb.execute('DELETE FROM t')\nprint(1, flush=True)\n";
    let mut app = Other::start(&at, 0, &format!("{open}{STAY}"));
    app.wait_for(1);
    let object = bench.take(1);
    assert_eq!(rows(&bench.restore(1)), (1, 1));
    assert!(object.notes.iter().any(|note| note.contains("app.db: should it end")), "{object:?}");
    app.kill();
    let half = "db.execute('PRAGMA cache_size=5')\ndb.execute('BEGIN')\n\
                db.execute('WITH RECURSIVE c(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM c WHERE n < 300) '\n\
                '           INSERT INTO t SELECT n, randomblob(1000) FROM c')\nprint(1, flush=True)\n";
    let mut app = Other::start(&at, 0, &format!("{half}{STAY}"));
    app.wait_for(1);
    app.kill();
    let error = bench.try_take(2).unwrap_err();
    assert!(error.to_string().contains("app.db-journal lies there"), "{error}");
    Other::start(&at, 0, "print(db.execute('SELECT count(*) FROM t').fetchone()[0])\n").wait_for(1);
    bench.take(3);
    assert_eq!(rows(&bench.restore(3)), (1, 1));
    drop(bound);
}

/// Its journal may be in a container that has ended: the copy is kept, and doubted.
#[test]
fn a_journal_in_a_container_that_has_ended_is_remembered() {
    let (bench, at) = scene(&ONE.replace("PRAGMA journal_mode=WAL;", ""));
    fs::write(&at, "").unwrap();
    let idle = "db.execute('SELECT * FROM t').fetchall()\nprint(1, flush=True)\ntime.sleep(60)\n";
    let mut app = Other::apart(&bench.live, &at, &at, idle);
    app.wait_for(1);
    assert_eq!(bench.take(1).incomplete, None);
    app.kill();
    let lacks = bench.take(2).incomplete.unwrap();
    assert!(lacks.contains("python3 (process") && lacks.contains("journal"), "{lacks}");
    let mark = bench.backend.list().unwrap().found.pop().unwrap().mark;
    assert_eq!(mark.doubt, Some(lacks));
    // Used as it should be, it is as any other.
    let right = Other::start(&bench.live, 0, idle);
    right.wait_for(1);
    assert_eq!(bench.take(3).incomplete, None);
    drop(right);
    assert_eq!(bench.take(4).incomplete, None);
}

/// What is done with before the next name is looked at: a journal that is kept and empty.
#[test]
fn a_log_or_a_journal_that_is_done_with_stands_against_nothing() {
    for mode in ["persist", "truncate", "delete", "wal"] {
        let (bench, at) = scene(&ONE.replace("WAL", mode));
        let _bound = bound(&bench.live, &at);
        let script = format!(
            "db.execute('PRAGMA journal_mode={mode}')\ndb.execute('INSERT INTO t VALUES(2, 2)')\n\
             db.close()\nprint(1, flush=True)\ntime.sleep(60)\n"
        );
        let app = Other::start(&at, 0, &script);
        app.wait_for(1);
        bench.take(1);
        assert_eq!(rows(&bench.restore(1)), (2, 2), "{mode}");
        let logs = strays(&bench).into_iter().filter(|path| !path.ends_with("live.db-journal"));
        assert_eq!(logs.count(), 0, "{mode}");
    }
}

/// The helper is asked alone, as a user who may look into no other process.
#[test]
fn a_log_elsewhere_is_told_by_its_locks_to_who_sees_no_processes() {
    let (bench, at) = scene(ONE);
    for path in [bench.dir.path(), &bench.live, at.parent().unwrap()] {
        nix::unistd::chown(path, Some(NOBODY.into()), Some(NOBODY.into())).unwrap();
    }
    fs::set_permissions(bench.dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let ask = |into: &str| {
        let into = bench.target(into);
        fs::create_dir(&into).unwrap();
        nix::unistd::chown(&into, Some(NOBODY.into()), Some(NOBODY.into())).unwrap();
        let act = serde_json::json!({ "path": bench.live, "into": into, "hold_ms": 1000 });
        let order = serde_json::json!({
            "user": [NOBODY, NOBODY], "check": "Quick", "act": { "Copy": act }
        });
        let mut asked = Command::new(helper());
        asked.args(["helper", "sqlite"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut asked = asked.spawn().unwrap();
        asked.stdin.take().unwrap().write_all(order.to_string().as_bytes()).unwrap();
        String::from_utf8(asked.wait_with_output().unwrap().stdout).unwrap()
    };
    let _bound = bound(&bench.live, &at);
    let mut app = Other::start(&at, 0, &format!("{MORE}{STAY}"));
    app.wait_for(1);
    let said = ask("one");
    assert!(said.contains("does not lie beside it"), "{said}");
    assert_eq!(strays(&bench), [""; 0].map(PathBuf::from));
    app.kill();
    // Beside it, it is read.
    let beside = Other::start(&bench.live, NOBODY, &format!("{MORE}{STAY}"));
    beside.wait_for(1);
    let said = ask("two");
    assert!(said.contains("Ok") && said.contains("no writer waited"), "{said}");
}

/// Set for the process that takes without the right to look into others.
const PLACE: &str = "HEPTAD_TEST_SQLITE_BLIND";

#[test]
fn who_may_not_look_into_other_processes_says_so() {
    if let Some(place) = std::env::var_os(PLACE) {
        let (live, store) = (Path::new(&place).join("live.db"), Path::new(&place).join("store"));
        let backend = backend(super::bench::RESOURCE, &live, &store, &no_options());
        let card = card(1);
        let taken: Result<Object, StorageError> =
            backend.take(&TakeOrder { card: &card, source: None, previous: None }, &());
        let notes = taken.unwrap().notes;
        assert!(notes.iter().any(|note| note.contains("CAP_SYS_PTRACE")), "{notes:?}");
        return;
    }
    let (bench, _) = scene(ONE);
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"]);
    command.arg(std::env::current_exe().unwrap()).env(PLACE, bench.dir.path());
    let name = "sqlite::apart::who_may_not_look_into_other_processes_says_so";
    let out = command.args(["--exact", name]).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stdout));
    assert_eq!(rows(&bench.restore(1)), (1, 1));
}
