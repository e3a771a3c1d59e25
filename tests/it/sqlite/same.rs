//! What a database is like says nothing of whether it can be rolled back: only what was written
//! since the snapshot to be safe stands against that.

use super::bench::{Bench, fill, no_options};
use crate::conformance::card;
use heptad::backend::RollbackOrder;
use heptad::domain::operation::Fault;
use rusqlite::Connection;
use std::fs::{File, read};
use std::os::unix::fs::FileExt;
use std::path::Path;

const MANY: &str = "CREATE TABLE t(n INTEGER PRIMARY KEY, pad BLOB); CREATE INDEX i ON t(pad);
    WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 300)
    INSERT INTO t SELECT n, randomblob(500) FROM c;
    CREATE TABLE log(n INTEGER, at TEXT); CREATE VIEW v AS SELECT count(*) FROM t;
    CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO log(n, at) VALUES(new.n, 'now'); END;
    CREATE TABLE w(a TEXT, b TEXT, PRIMARY KEY(a, b)) WITHOUT ROWID;
    INSERT INTO w SELECT n, 'x' FROM t; CREATE TABLE gone(a); DROP TABLE gone;
    ALTER TABLE log ADD COLUMN more TEXT; PRAGMA user_version = 7;";
const MORE: &str = "INSERT INTO t SELECT n + 300, randomblob(500) FROM t WHERE n <= 300;
    DELETE FROM w WHERE a % 3 = 0; CREATE TABLE later(a UNIQUE); INSERT INTO later VALUES(1);
    DELETE FROM t WHERE n BETWEEN 100 AND 500;";

fn back(bench: &Bench, to: u64, safety: u64) -> Result<(), heptad::fs::StorageError> {
    let (handle, token) = (card(to).handle, card(safety).handle.id);
    bench.backend.rollback(&RollbackOrder { handle: &handle, token }, &()).map(|_| ())
}

/// There and back again, each time with a snapshot to be safe.
fn check(what: &str, first: &str, then: &str, meanwhile: &dyn Fn(&Path)) {
    let bench = Bench::new(&no_options());
    fill(&bench.live, first);
    meanwhile(&bench.live);
    bench.take(1);
    fill(&bench.live, then);
    meanwhile(&bench.live);
    bench.take(2);
    back(&bench, 1, 2).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(read(&bench.live).unwrap(), read(bench.copy(1)).unwrap(), "{what}");
    bench.take(3);
    back(&bench, 2, 3).unwrap_or_else(|error| panic!("{what}, again: {error}"));
    assert_eq!(read(&bench.live).unwrap(), read(bench.copy(2)).unwrap(), "{what}");
}

#[test]
fn a_database_of_any_shape_goes_back_and_forth() {
    let plain = |what: &str, first: &str, then: &str| check(what, first, then, &|_| {});
    plain("two tables", "CREATE TABLE a(x); CREATE TABLE b(x);", "INSERT INTO a VALUES(1);");
    plain("many", MANY, MORE);
    for mode in ["wal", "delete", "truncate", "persist"] {
        let mode = format!("PRAGMA journal_mode={mode};");
        plain(&mode, &format!("{mode}{MANY}"), &format!("{mode}{MORE}"));
    }
    plain("to a log", MANY, &format!("PRAGMA journal_mode=wal;{MORE}"));
    let log = format!("PRAGMA journal_mode=wal;{MANY}");
    plain("from a log", &log, &format!("PRAGMA journal_mode=delete;{MORE}"));
    for size in [512, 1024, 16_384, 65_536] {
        plain("pages", &format!("PRAGMA page_size={size};{MANY}"), MORE);
    }
    for vacuum in ["full", "incremental"] {
        plain(vacuum, &format!("PRAGMA auto_vacuum={vacuum};{MANY}"), MORE);
        let vacuumed = format!("{MORE} PRAGMA incremental_vacuum(3);");
        plain(vacuum, &format!("PRAGMA auto_vacuum={vacuum};{MANY}"), &vacuumed);
    }
    plain("vacuumed", &format!("{MANY} VACUUM;"), &format!("{MORE} VACUUM;"));
    let other_size = "PRAGMA page_size=8192; VACUUM;";
    plain("another page size", MANY, &format!("{MORE} {other_size}"));
    plain("UTF-16", &format!("PRAGMA encoding='UTF-16';{MANY}"), MORE);
    plain("statistics", &format!("{MANY} ANALYZE;"), &format!("{MORE} ANALYZE; REINDEX;"));
    let texts = "CREATE VIRTUAL TABLE f USING fts5(body);
        INSERT INTO f SELECT hex(randomblob(20)) FROM t;
        CREATE VIRTUAL TABLE r USING rtree(id, a, b); INSERT INTO r VALUES(1, 2, 3);";
    let more_texts = "INSERT INTO f VALUES('again'); INSERT INTO r VALUES(2, 3, 4);";
    plain("virtual tables", &format!("{MANY}{texts}"), &format!("{MORE}{more_texts}"));
    plain("emptied", MANY, "DELETE FROM t; DELETE FROM w; DELETE FROM log;");
    plain("dropped", MANY, "DROP TABLE t; DROP TABLE w; VACUUM;");
}

#[test]
fn what_a_program_leaves_in_a_file_beside_its_pages_is_no_content() {
    let patch = |path: &Path, at: u64, bytes: &[u8]| {
        File::options().write(true).open(path).unwrap().write_all_at(bytes, at).unwrap();
    };
    // Room reserved by a program that grows its file in large steps.
    let room = |path: &Path| {
        let file = File::options().write(true).open(path).unwrap();
        file.set_len(file.metadata().unwrap().len().next_multiple_of(1 << 20)).unwrap();
    };
    let taken = |meanwhile: &dyn Fn(&Path)| {
        let bench = Bench::new(&no_options());
        fill(&bench.live, MANY);
        bench.take(1);
        fill(&bench.live, MORE);
        meanwhile(&bench.live);
        bench.take(2);
        bench
    };
    back(&taken(&room), 1, 2).unwrap();
    let emptied = |path: &Path| File::options().write(true).open(path).unwrap().set_len(0).unwrap();
    back(&taken(&emptied), 1, 2).unwrap();
    // A file of an SQLite before 3.7.0 does not say how many pages it has.
    back(&taken(&|path| patch(path, 92, &[0; 4])), 1, 2).unwrap();
    let bench = taken(&|_| {});
    // A schema that is read again, as after any change that was taken back.
    fill(&bench.live, "PRAGMA schema_version = 99;");
    back(&bench, 1, 2).unwrap();
}

#[test]
fn whatever_was_written_since_the_snapshot_to_be_safe_stands_against_it() {
    for mode in ["wal", "delete"] {
        let bench = Bench::new(&no_options());
        fill(&bench.live, &format!("PRAGMA journal_mode={mode};{MANY}"));
        bench.take(1);
        let mut seq = 1;
        for since in [
            "UPDATE t SET pad = 1 WHERE n = 7",
            "CREATE TABLE empty(a)",
            "DROP VIEW v",
            "PRAGMA user_version = 8",
            "PRAGMA application_id = 8",
            "INSERT INTO w VALUES('y', 'z')",
            "DELETE FROM t",
        ] {
            seq += 1;
            bench.take(seq);
            fill(&bench.live, since);
            let error = back(&bench, 1, seq).unwrap_err();
            assert_eq!(error.fault, Fault::Busy, "{mode} {since}: {error}");
        }
        let left: i64 = Connection::open(&bench.live)
            .unwrap()
            .query_row("SELECT count(*) FROM w WHERE a = 'y'", [], |row| row.get(0))
            .unwrap();
        assert_eq!(left, 1, "{mode}");
    }
}
