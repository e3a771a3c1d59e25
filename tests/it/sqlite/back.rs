//! Rolling a database back in its place.

use super::bench::{Bench, NOBODY, Other, RESOURCE, backend, fill, no_options, rows};
use crate::conformance::{card, fault, take};
use crate::support::copied;
use crate::support::loopfs::{LoopFs, Mounted, run};
use heptad::backend::{RollbackOrder, TakeOrder};
use heptad::domain::operation::Fault;
use heptad::domain::survey::Wholeness;
use heptad::fs::StorageError;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Set for the process that rolls back and is killed: the directory of the live database.
const PLACE: &str = "HEPTAD_TEST_SQLITE_BACK";
/// And the token that it is done with.
const WITH: &str = "HEPTAD_TEST_SQLITE_TOKEN";
const TOKEN: Uuid = Uuid::from_u128(7);
const SOME: &str = "CREATE TABLE t(n INTEGER PRIMARY KEY, pad BLOB);
    WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 300)
    INSERT INTO t SELECT n, randomblob(1000) FROM c;";
const MORE: &str = "INSERT INTO t SELECT n + 300, pad FROM t;";

fn back(bench: &Bench, seq: u64, token: Uuid) -> Result<(), StorageError> {
    let handle = card(seq).handle;
    bench.backend.rollback(&RollbackOrder { handle: &handle, token }, &()).map(|_| ())
}

/// What lies beside the database, apart from store and state.
fn beside(bench: &Bench) -> Vec<String> {
    let dir = std::fs::read_dir(bench.dir.path()).unwrap();
    let names = dir.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> =
        names.filter(|name| name.starts_with(".heptad") || name.starts_with("live.db")).collect();
    names.sort();
    names
}

fn taken(sql: &str) -> Bench {
    let bench = Bench::new(&no_options());
    fill(&bench.live, sql);
    bench.take(1);
    bench
}

#[test]
fn a_database_goes_back_and_keeps_owner_mode_and_place() {
    let bench = taken(SOME);
    fill(&bench.live, MORE);
    let nobody = Some(NOBODY);
    std::os::unix::fs::chown(&bench.live, nobody, nobody).unwrap();
    std::os::unix::fs::chown(bench.dir.path(), nobody, nobody).unwrap();
    std::fs::set_permissions(&bench.live, PermissionsExt::from_mode(0o640)).unwrap();
    let identity = bench.backend.probe().unwrap();
    assert_eq!(bench.backend.users().unwrap(), [""; 0]);
    back(&bench, 1, TOKEN).unwrap();
    let is = std::fs::metadata(&bench.live).unwrap();
    assert_eq!((is.uid(), is.gid(), is.mode() & 0o7777), (NOBODY, NOBODY, 0o640));
    assert_eq!(bench.backend.probe().unwrap(), identity);
    assert_eq!(rows(&bench.live), (300, 300));
    assert_eq!(beside(&bench), ["live.db"]);
    // It was done, so doing it again does nothing.
    fill(&bench.live, MORE);
    back(&bench, 1, TOKEN).unwrap();
    assert_eq!(rows(&bench.live), (600, 600));
    assert_eq!(fault(back(&bench, 9, Uuid::new_v4())), Fault::Absent);
}

/// What a killed writer left beside the old database does not get into the new one.
#[test]
fn a_log_or_journal_of_the_old_database_does_not_meet_the_new_one() {
    let logged = "db.execute('PRAGMA journal_mode=WAL')\ndb.execute('PRAGMA wal_autocheckpoint=0')\n\
                  db.execute('UPDATE t SET pad = 1')\nprint(1, flush=True)\ntime.sleep(60)\n";
    let half = "db.execute('PRAGMA cache_size=5')\ndb.execute('BEGIN')\n\
                db.execute('UPDATE t SET pad = randomblob(1500)')\n\
                db.execute('INSERT INTO t SELECT n + 1000, pad FROM t')\n\
                print(1, flush=True)\ntime.sleep(60)\n";
    let check = |script: &str, end: &str, damaged: bool| {
        let bench = taken(SOME);
        let mut other = Other::start(&bench.live, 0, script);
        other.wait_for(1);
        other.kill();
        let side = PathBuf::from(format!("{}{end}", bench.live.display()));
        assert!(std::fs::metadata(side).unwrap().len() > 512, "{end}");
        if damaged {
            let mut file = std::fs::read(&bench.live).unwrap();
            file[..200].fill(b'x');
            std::fs::write(&bench.live, file).unwrap();
        }
        back(&bench, 1, TOKEN).unwrap();
        assert_eq!(rows(&bench.live), (300, 300));
        assert_eq!(std::fs::read(&bench.live).unwrap(), std::fs::read(bench.copy(1)).unwrap());
        assert_eq!(beside(&bench), ["live.db"], "{end}");
    };
    check(logged, "-wal", false);
    check(half, "-journal", false);
    check(logged, "-wal", true);
    check(half, "-journal", true);
}

/// It was put aside by an attempt that was killed before the exchange.
#[test]
fn a_log_comes_back_only_beside_the_database_that_it_was_put_aside_from() {
    let check = |written_since: bool, want: &[&str]| {
        let bench = taken(SOME);
        let aside = bench.dir.path().join(format!(".heptad-rollback-{TOKEN}-wal"));
        std::fs::write(&aside, "frames").unwrap();
        if written_since {
            fill(&bench.live, MORE);
        }
        let reading = "f = open(sys.argv[1], 'rb')\nprint(1, flush=True)\ntime.sleep(60)\n";
        let mut other = Other::start(&bench.live, 0, reading);
        other.wait_for(1);
        assert_eq!(fault(back(&bench, 1, TOKEN)), Fault::Busy);
        assert_eq!(beside(&bench), want, "written since: {written_since}");
        other.kill();
    };
    check(true, &["live.db"]);
    check(false, &["live.db", "live.db-wal"]);
}

#[test]
fn what_was_written_after_the_safety_snapshot_is_never_lost() {
    for mode in ["wal", "delete"] {
        let bench = taken(SOME);
        fill(&bench.live, &format!("PRAGMA journal_mode={mode}; {MORE}"));
        bench.take(2);
        fill(&bench.live, "UPDATE t SET pad = 1 WHERE n = 600");
        let error = back(&bench, 1, card(2).handle.id).unwrap_err();
        assert!(error.fault == Fault::Busy && error.to_string().contains("snapshot 2"), "{error}");
        assert_eq!(beside(&bench), ["live.db"], "{mode}");
        assert_eq!(rows(&bench.live), (600, 600));
        bench.take(3);
        back(&bench, 1, card(3).handle.id).unwrap();
        assert_eq!(rows(&bench.live), (300, 300));
    }
}

#[test]
fn a_database_in_use_is_not_rolled_back_and_its_users_are_named() {
    let bench = taken(SOME);
    fill(&bench.live, MORE);
    let mut other = Other::start(
        &bench.live,
        0,
        "db.execute('SELECT count(*) FROM t').fetchone()\nprint(1, flush=True)\ntime.sleep(60)\n",
    );
    other.wait_for(1);
    let users = bench.backend.users().unwrap();
    let named = format!("python3 (process {}) holds", other.child.id());
    assert!(users.len() == 1 && users[0].starts_with(&named), "{users:?}");
    let error = back(&bench, 1, TOKEN).unwrap_err();
    assert_eq!(error.fault, Fault::Busy);
    assert!(error.to_string().contains(&named), "{error}");
    assert_eq!(beside(&bench), ["live.db"]);
    other.kill();
    assert_eq!(rows(&bench.live), (600, 600));
    back(&bench, 1, TOKEN).unwrap();
    assert_eq!(rows(&bench.live), (300, 300));
}

#[test]
fn a_rollback_that_is_killed_at_any_step_is_finished_by_the_next_one() {
    if let Some(place) = std::env::var_os(PLACE) {
        let place = Path::new(&place);
        let (live, store) = (place.join("live.db"), place.join("store"));
        let backend = backend(super::bench::RESOURCE, &live, &store, &no_options());
        let token = std::env::var(WITH).unwrap().parse().unwrap();
        let handle = card(1).handle;
        backend.rollback(&RollbackOrder { handle: &handle, token }, &()).unwrap();
        return;
    }
    let bench = taken(SOME);
    fill(&bench.live, MORE);
    bench.take(2);
    let hidden = bench.dir.path().join(format!(".heptad-rollback-{TOKEN}"));
    let inode = || std::fs::metadata(&bench.live).unwrap().ino();
    let check = |step: &str, reached: &dyn Fn(u64) -> bool| {
        let before = inode();
        let mut child = child(bench.dir.path());
        let deadline = Instant::now() + Duration::from_secs(30);
        while !reached(before) {
            assert!(Instant::now() < deadline, "{step} was not reached");
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // Whole, whichever of the two it is.
        let want = if inode() == before { (600, 600) } else { (300, 300) };
        assert_eq!(rows(&bench.live), want, "{step}");
        back(&bench, 1, TOKEN).unwrap();
        assert_eq!(rows(&bench.live), (300, 300), "{step}");
        assert_eq!(beside(&bench), ["live.db"], "{step}");
        back(&bench, 2, Uuid::new_v4()).unwrap();
    };
    check("the copy", &|_| hidden.exists());
    check("all of the copy", &|_| {
        std::fs::metadata(&hidden).is_ok_and(|file| file.len() > 300_000)
    });
    check("the exchange", &|before| inode() != before);
    check("the end", &|before| inode() != before && !hidden.exists());
}

/// Commits one row more, numbered 9999, and is killed with it in the log alone.
fn commit_and_die(live: &Path) {
    let script = "db.execute('PRAGMA journal_mode=WAL')\ndb.execute('PRAGMA wal_autocheckpoint=0')\n\
                  db.execute('INSERT INTO t VALUES(9999, 1)')\nprint(1, flush=True)\n\
                  time.sleep(60)\n";
    let mut app = Other::start(live, 0, script);
    app.wait_for(1);
    app.kill();
    assert!(std::fs::metadata(format!("{}-wal", live.display())).unwrap().len() > 0);
}

/// Killed right after the exchange: the old database has the hidden name.
fn killed_in_the_middle(bench: &Bench, token: Uuid) -> PathBuf {
    let hidden = bench.dir.path().join(format!(".heptad-rollback-{token}"));
    let inode = |path: &Path| std::fs::metadata(path).map(|file| file.ino()).ok();
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        assert!(Instant::now() < until, "it was never killed in the middle");
        let before = inode(&bench.live);
        let mut child = child_with(bench.dir.path(), token);
        while inode(&bench.live) == before && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        if inode(&hidden) == before {
            return hidden;
        }
        // Killed too late: it was done.
        let _ = std::fs::remove_file(&hidden);
        std::fs::remove_file(bench.dir.path().join("store").join(RESOURCE).join("rollback"))
            .unwrap();
        back(bench, 2, Uuid::new_v4()).unwrap();
        fill(&bench.live, "PRAGMA journal_mode=WAL");
        bench.backend.destroy(&card(2).handle).unwrap();
        bench.take(2);
    }
}

#[test]
fn what_a_program_commits_after_a_rollback_was_killed_is_in_the_live_database_whichever_that_is() {
    for is_back in [true, false] {
        let bench = taken(SOME);
        fill(&bench.live, &format!("PRAGMA journal_mode=WAL; {MORE}"));
        bench.take(2);
        let token = card(2).handle.id;
        let hidden = killed_in_the_middle(&bench, token);
        if is_back {
            // As it is after a kill right after the names were exchanged back.
            let (hidden, live) = (&hidden, &bench.live);
            let flags = rustix::fs::RenameFlags::EXCHANGE;
            let cwd = rustix::fs::CWD;
            rustix::fs::renameat_with(cwd, hidden, cwd, live, flags).unwrap();
        }
        commit_and_die(&bench.live);
        let done = back(&bench, 1, token);
        // What is newer than the snapshot to be safe stands against it.
        assert_eq!(
            done.map_err(|error| error.fault),
            if is_back { Err(Fault::Busy) } else { Ok(()) }
        );
        assert_eq!(rows(&bench.live), (if is_back { 601 } else { 301 }, 9999), "{is_back}");
        assert_eq!(beside(&bench), ["live.db"], "{is_back}");
    }
}

/// This very test as another process.
fn child(place: &Path) -> std::process::Child {
    child_with(place, TOKEN)
}

fn child_with(place: &Path, token: Uuid) -> std::process::Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let name = "a_rollback_that_is_killed_at_any_step_is_finished_by_the_next_one";
    command.args(["--exact", &format!("sqlite::back::{name}")]).env(PLACE, place);
    command.env(WITH, token.to_string());
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// A further name or a mount would go on with what was there.
#[test]
fn a_file_that_others_have_by_another_name_is_not_rolled_back() {
    let bench = taken(SOME);
    fill(&bench.live, MORE);
    let other = bench.target("other.db");
    std::fs::hard_link(&bench.live, &other).unwrap();
    let error = back(&bench, 1, TOKEN).unwrap_err();
    assert!(error.fault == Fault::Permanent && error.to_string().contains("-samefile"), "{error}");
    let mut user = Other::start(&other, 0, "print(1, flush=True)\ntime.sleep(60)\n");
    user.wait_for(1);
    let users = bench.backend.users().unwrap();
    assert!(users.len() == 1 && users[0].contains("other.db"), "{users:?}");
    user.kill();
    std::fs::remove_file(&other).unwrap();
    std::fs::write(&other, "").unwrap();
    let bound = Mounted::new(&["--bind", bench.live.to_str().unwrap()], &other);
    let users = bench.backend.users().unwrap();
    let way_out = format!("try: umount {}", other.display());
    assert!(users.len() == 1 && users[0].ends_with(&way_out), "{users:?}");
    assert_eq!(fault(back(&bench, 1, TOKEN)), Fault::Busy);
    drop(bound);
    assert_eq!(rows(&bench.live), (600, 600));
    back(&bench, 1, TOKEN).unwrap();
    assert_eq!(rows(&bench.live), (300, 300));
}

#[test]
fn a_database_keeps_its_access_list_and_stays_without_copy_on_write() {
    let fs = LoopFs::new("btrfs", 320);
    let live = fs.path().join("live.db");
    std::fs::write(&live, "").unwrap();
    let path = live.to_str().unwrap();
    run("chattr", &["+Cd", path]);
    fill(&live, "CREATE TABLE t (x); INSERT INTO t VALUES (1);");
    run("setfacl", &["-m", "u:33:r", path]);
    // What is made beside it inherits more.
    run("setfacl", &["-d", "-m", "u:44:rwx", fs.path().to_str().unwrap()]);
    let backend = backend(RESOURCE, &live, &fs.path().join("store"), &no_options());
    let look = |path: &Path| {
        let file = std::fs::File::open(path).unwrap();
        let flags = rustix::fs::ioctl_getflags(file).unwrap();
        let list = std::process::Command::new("getfacl").args(["-cpn"]).arg(path).output();
        (flags, String::from_utf8(list.unwrap().stdout).unwrap())
    };
    let before = look(&live);
    assert!(before.1.contains("user:33:r--"), "{before:?}");
    let handle = take(&*backend, &card(1));
    let target = fs.path().join("restored");
    backend.restore(&copied(&handle, &target), &()).unwrap();
    assert_eq!(look(&target), before);
    let order = RollbackOrder { handle: &handle, token: uuid::Uuid::from_u128(1001) };
    backend.rollback(&order, &()).unwrap();
    assert_eq!(look(&live), before);
}

/// No snapshot by SQLite can be had of it, and going back is why a person asks.
#[test]
fn a_damaged_database_is_saved_as_it_is_and_rolled_back() {
    let check = |damage: &dyn Fn(&mut Vec<u8>), log: Option<&str>| {
        let bench = taken(SOME);
        fill(&bench.live, MORE);
        let mut bytes = std::fs::read(&bench.live).unwrap();
        damage(&mut bytes);
        std::fs::write(&bench.live, &bytes).unwrap();
        let side = PathBuf::from(format!("{}-wal", bench.live.display()));
        log.iter().for_each(|log| std::fs::write(&side, log).unwrap());
        let why = bench.try_take(2).unwrap_err();
        assert!(why.damaged && why.fault == Fault::Permanent, "{why}");
        // What the failed attempt left goes first.
        let order = TakeOrder { card: &card(2), source: None, previous: None };
        let saved = bench.backend.take_damaged(&order, why, &()).unwrap();
        let doubt = saved.incomplete.unwrap();
        assert!(doubt.starts_with("saved as it was, it is damaged: "), "{doubt}");
        bench.backend.verify(&card(2).handle, &()).unwrap();
        assert_eq!(bench.states(), [(1, Wholeness::Whole), (2, Wholeness::Whole)]);
        // What came later would be lost.
        std::fs::write(&bench.live, [&bytes[..], b"more"].concat()).unwrap();
        assert_eq!(fault(back(&bench, 1, card(2).handle.id)), Fault::Busy);
        std::fs::write(&bench.live, &bytes).unwrap();
        back(&bench, 1, card(2).handle.id).unwrap();
        assert_eq!(rows(&bench.live), (300, 300));
        assert_eq!(beside(&bench), ["live.db"]);
        // It is all there for whoever tries to rescue something, and never goes live again.
        assert_eq!(fault(back(&bench, 2, Uuid::new_v4())), Fault::Permanent);
        let target = bench.restore(2);
        assert_eq!(std::fs::read(&target).unwrap(), bytes);
        let found = std::fs::read_to_string(format!("{}-wal", target.display())).ok();
        assert_eq!(found.as_deref(), log);
    };
    check(&|bytes| bytes[..200].fill(b'x'), None);
    check(&|bytes| bytes[..200].fill(b'x'), Some("frames"));
    check(&|bytes| bytes[4096..40_960].fill(b'x'), None);
    check(&|bytes| bytes.truncate(20_000), None);
}
