//! What is left when somebody is killed, and where there is no room.

use super::bench::{Bench, Other, backend, fill, helper_process, no_options, rows, small_store};
use crate::conformance::{card, states};
use heptad::backend::TakeOrder;
use heptad::domain::operation::Fault;
use heptad::domain::survey::Wholeness;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::PathBuf;

const SOME: &str = "CREATE TABLE t(n INTEGER PRIMARY KEY, pad BLOB);
    WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 300)
    INSERT INTO t SELECT n, randomblob(1000) FROM c;";

#[test]
fn what_a_killed_writer_left_half_done_is_rolled_back() {
    let bench = Bench::new(&no_options());
    fill(&bench.live, SOME);
    // A cache of a few pages: the transaction reaches the file before it is committed.
    let half = "db.execute('PRAGMA cache_size=5')\ndb.execute('BEGIN')\n\
                db.execute('UPDATE t SET pad = randomblob(1500)')\n\
                db.execute('INSERT INTO t SELECT n + 1000, pad FROM t')\n\
                print(1, flush=True)\ntime.sleep(60)\n";
    let before = std::fs::read(&bench.live).unwrap();
    let mut other = Other::start(&bench.live, 0, half);
    other.wait_for(1);
    other.kill();
    let journal = PathBuf::from(format!("{}-journal", bench.live.display()));
    assert!(std::fs::metadata(&journal).unwrap().len() > 512, "no hot journal");
    assert_ne!(std::fs::read(&bench.live).unwrap(), before, "nothing was half done");
    bench.take(1);
    assert_eq!(rows(&bench.restore(1)), (300, 300));
}

#[test]
fn the_copy_can_be_got_as_the_single_file_that_it_is() {
    let bench = Bench::new(&no_options());
    fill(&bench.live, SOME);
    bench.take(1);
    let tree = bench.backend.tree(&card(1).handle).unwrap();
    let (mut file, _) = heptad::browse::open(&tree, &Default::default()).unwrap();
    let got = bench.target("got");
    std::io::copy(&mut file, &mut std::fs::File::create(&got).unwrap()).unwrap();
    assert_eq!(rows(&got), (300, 300));
}

#[test]
fn a_log_that_a_killed_writer_left_is_in_the_copy_and_stays_where_it_is() {
    let bench = Bench::new(&no_options());
    let logged = "db.execute('PRAGMA journal_mode=WAL')\ndb.execute('PRAGMA wal_autocheckpoint=0')\n\
                  db.execute('CREATE TABLE t(n INTEGER PRIMARY KEY)')\n\
                  db.execute('INSERT INTO t VALUES(1), (2)')\nprint(1, flush=True)\ntime.sleep(60)\n";
    let mut other = Other::start(&bench.live, 0, logged);
    other.wait_for(1);
    other.kill();
    let log = PathBuf::from(format!("{}-wal", bench.live.display()));
    let (file, before) = (std::fs::read(&bench.live).unwrap(), std::fs::read(&log).unwrap());
    bench.take(1);
    assert_eq!(std::fs::read(&bench.live).unwrap(), file);
    assert_eq!(std::fs::read(&log).unwrap(), before);
    assert_eq!(rows(&bench.restore(1)), (2, 2));
}

#[test]
fn a_killed_helper_leaves_a_partial_snapshot_that_can_be_made_anew() {
    let bench = Bench::new(&no_options());
    fill(&bench.live, SOME);
    let mut other = Other::start(
        &bench.live,
        0,
        "db.execute('BEGIN EXCLUSIVE')\nprint(1, flush=True)\ntime.sleep(60)\n",
    );
    other.wait_for(1);
    std::thread::scope(|scope| {
        let taking = scope.spawn(|| bench.try_take(1));
        kill(Pid::from_raw(helper_process().try_into().unwrap()), Signal::SIGKILL).unwrap();
        let error = taking.join().unwrap().unwrap_err();
        assert_eq!(error.fault, Fault::Transient, "{error}");
        assert!(error.to_string().contains("signal 9"), "{error}");
    });
    assert_eq!(bench.states(), [(1, Wholeness::Partial)]);
    other.kill();
    bench.take(1);
    assert_eq!(bench.states(), [(1, Wholeness::Whole)]);
    assert_eq!(rows(&bench.restore(1)), (300, 300));
}

#[test]
fn a_full_store_is_said_to_be_full_and_harms_nothing() {
    let (bench, store) = (Bench::new(&no_options()), small_store(16));
    fill(&bench.live, SOME);
    let full = backend("full", &bench.live, &store.path().join("store"), &no_options());
    let take = |seq| full.take(&TakeOrder { card: &card(seq), source: None, previous: None }, &());
    take(1).unwrap();
    fill(
        &bench.live,
        "WITH RECURSIVE c(n) AS (SELECT 1001 UNION ALL SELECT n + 1 FROM c WHERE n < 6000)
         INSERT INTO t SELECT n, randomblob(5000) FROM c;",
    );
    let error = take(2).unwrap_err();
    assert_eq!(error.fault, Fault::NoSpace, "{error}");
    assert_eq!(states(&*full), [(1, Wholeness::Whole), (2, Wholeness::Partial)]);
    full.destroy(&card(2).handle).unwrap();
    full.verify(&card(1).handle, &()).unwrap();
}
