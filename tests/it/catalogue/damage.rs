//! Files that are not what heptad wrote: nothing panics, nothing is deleted.

use super::{assert_twin, open, record, scribe};
use heptad::catalogue::{Catalogue, CatalogueError, Found};
use heptad::domain::account::Account;
use heptad::domain::event::Entry;
use heptad::domain::id::OperationId;
use heptad::domain::ledger::Ledger;
use heptad::domain::snapshot::Seq;
use std::path::{Path, PathBuf};

fn file(dir: &Path) -> PathBuf {
    dir.join("catalogue.sqlite")
}

/// A closed catalogue with something in each table, and its bytes.
fn written(dir: &Path) -> (Ledger, Vec<u8>) {
    let (mut catalogue, mut ledger) = (open(dir), Ledger::default());
    for n in 0..20 {
        let name = scribe::name(n);
        let head = Account { next_seq: Seq(3), ..scribe::account(n, n) };
        let mut batch = vec![Entry::Account(Box::new(head))];
        for seq in [1, 2] {
            batch.push(Entry::Snapshot(Box::new(scribe::taking(&name, Seq(seq), n + seq))));
            batch.push(Entry::Slot(name.clone(), scribe::slot_record(0, seq, n)));
        }
        batch.push(Entry::SnapshotErased(name, Seq(1)));
        batch.push(Entry::Operation(scribe::operation(OperationId(n), n, n)));
        record(&mut catalogue, &mut ledger, &batch);
    }
    drop(catalogue);
    (ledger, std::fs::read(file(dir)).unwrap())
}

fn shell(dir: &Path, sql: &str) {
    let conn = rusqlite::Connection::open(file(dir)).unwrap();
    conn.execute_batch(sql).unwrap();
}

/// Opens what must be found damaged; the file must lie aside, byte for byte, and an empty one must
/// be usable in its place.
fn check_set_aside(name: &str, dir: &Path) {
    let before = std::fs::read(file(dir)).unwrap();
    let opened = Catalogue::open(dir).unwrap_or_else(|error| panic!("{name}: {error}"));
    let Found::Damaged { set_aside, why } = opened.state else {
        panic!("{name} was believed");
    };
    assert!(!why.is_empty());
    assert_eq!(std::fs::read(set_aside).unwrap(), before, "{name}");
    let (mut catalogue, mut ledger) = (opened.catalogue, Ledger::default());
    record(&mut catalogue, &mut ledger, &[Entry::Account(Box::new(scribe::account(1, 1)))]);
    assert_twin(&catalogue, &ledger);
}

#[test]
fn a_file_that_is_no_catalogue_is_set_aside_and_never_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (_, whole) = written(dir);
    let header_only: Vec<u8> = [&whole[..100], &[0x5a; 9000][..]].concat();
    let contents: [(&str, Vec<u8>); 8] = [
        ("empty", Vec::new()),
        ("one byte", vec![b'S']),
        ("zeros", vec![0; 4096]),
        ("many zeros", vec![0; 1 << 20]),
        ("text", b"SQLite format 3 is what this file is not. ".repeat(100)),
        ("a good head and garbage", header_only),
        ("half", whole[..whole.len() / 2].to_vec()),
        ("zeros in the middle", {
            let mut holed = whole.clone();
            holed[4096..12288].fill(0);
            holed
        }),
    ];
    for (name, content) in contents {
        std::fs::write(file(dir), content).unwrap();
        check_set_aside(name, dir);
    }
    for n in 1..=8 {
        assert!(dir.join(format!("catalogue.sqlite.damaged-{n}")).exists(), "{n}");
    }
}

#[test]
fn a_database_that_is_not_heptads_or_was_changed_is_set_aside() {
    for (name, sql) in [
        ("foreign", "PRAGMA application_id = 1"),
        ("version 0", "PRAGMA user_version = 0"),
        ("version below 0", "PRAGMA user_version = -5"),
        ("a table is gone", "DROP TABLE tombstone"),
        ("an index is gone", "DROP INDEX operation_by_key"),
        ("a column is gone", "ALTER TABLE account DROP COLUMN trouble"),
        ("a trigger", "CREATE TRIGGER t AFTER INSERT ON slot BEGIN DELETE FROM snapshot; END"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        written(dir.path());
        shell(dir.path(), sql);
        check_set_aside(name, dir.path());
    }
}

#[test]
fn an_index_added_by_hand_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _) = written(dir.path());
    shell(dir.path(), "CREATE INDEX mine ON slot (outcome); CREATE VIEW v AS SELECT 1;");
    assert_twin(&open(dir.path()), &ledger);
}

#[test]
fn a_log_without_its_catalogue_is_not_played_into_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    std::fs::rename(file(dir.path()), dir.path().join("elsewhere")).unwrap();
    let log = dir.path().join("catalogue.sqlite-wal");
    std::fs::write(&log, "frames").unwrap();
    let opened = Catalogue::open(dir.path()).unwrap();
    assert!(matches!(opened.state, Found::Damaged { .. }), "{:?}", opened.state);
    let aside = dir.path().join("catalogue.sqlite.damaged-1-wal");
    assert_eq!(std::fs::read(aside).unwrap(), b"frames");
}

#[test]
fn a_damaged_catalogue_takes_its_log_along() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    let conn = rusqlite::Connection::open(file(dir.path())).unwrap();
    let keep_log = rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    conn.set_db_config(keep_log, true).unwrap();
    conn.execute_batch("DROP TABLE slot; UPDATE host SET next_operation = 77").unwrap();
    drop(conn);
    let Found::Damaged { set_aside, .. } = Catalogue::open(dir.path()).unwrap().state else {
        panic!("it was believed");
    };
    let aside = rusqlite::Connection::open(set_aside).unwrap();
    let next = aside.query_row("SELECT next_operation FROM host", [], |row| row.get::<_, i64>(0));
    assert_eq!(next, Ok(77), "what only the log knew can still be read");
}

#[test]
fn a_value_that_heptad_never_writes_is_told_with_its_table_and_row() {
    let cases = [
        ("UPDATE account SET kind = 'toaster' WHERE life = 1", "account", "resource-0"),
        ("UPDATE account SET resource = '../etc' WHERE life = 20", "account", "../etc"),
        ("UPDATE account SET resource = 'other' WHERE life = 20", "snapshot", "resource-19/2"),
        ("UPDATE account SET time = '25:00', cron = NULL WHERE life = 1", "account", "resource-0"),
        ("UPDATE account SET cron = '0 3 * * MON' WHERE time NOT NULL", "account", "resource-1"),
        ("UPDATE account SET keep_latest = 0 WHERE life = 2", "account", "resource-1"),
        ("UPDATE account SET next_seq = -1 WHERE life = 2", "account", "resource-1"),
        ("UPDATE account SET credit = 5000000000 WHERE life = 2", "account", "resource-1"),
        ("UPDATE account SET timeline = '[{]' WHERE life = 3", "account", "resource-2"),
        ("UPDATE account SET since = 'soon' WHERE life = 3", "account", "resource-2"),
        ("UPDATE account SET tags = '[[[[' WHERE life = 3", "account", "resource-2"),
        (
            "UPDATE snapshot SET health = 'splendid' WHERE resource = 'resource-3'",
            "snapshot",
            "resource-3/2",
        ),
        (
            "UPDATE snapshot SET health = 'suspect' WHERE resource = 'resource-3'",
            "snapshot",
            "resource-3/2",
        ),
        (
            "UPDATE snapshot SET fate = 'trashed' WHERE resource = 'resource-3'",
            "snapshot",
            "resource-3/2",
        ),
        (
            "UPDATE snapshot SET origin = '' WHERE resource = 'resource-4'",
            "snapshot",
            "resource-4/2",
        ),
        ("UPDATE snapshot SET id = 'x' WHERE resource = 'resource-4'", "snapshot", "resource-4/2"),
        (
            "UPDATE snapshot SET name = '-rf /' WHERE resource = 'resource-4'",
            "snapshot",
            "resource-4/2",
        ),
        (
            "UPDATE snapshot SET slot = 'latest' WHERE resource = 'resource-4'",
            "snapshot",
            "resource-4/2",
        ),
        ("UPDATE snapshot SET seq = -2 WHERE resource = 'resource-5'", "snapshot", "resource-5/-2"),
        (
            "UPDATE snapshot SET notes = CAST(x'ff' AS TEXT) WHERE resource = 'resource-5'",
            "snapshot",
            "resource-5/2",
        ),
        (
            "UPDATE slot SET outcome = 'failed', reason = NULL WHERE life = 6 AND slot = '2026-01-02'",
            "slot",
            "resource-5/2026-01-02",
        ),
        (
            "UPDATE slot SET due = '' WHERE life = 6 AND slot = '2026-01-02'",
            "slot",
            "resource-5/2026-01-02",
        ),
        ("UPDATE operation SET act = 'explode' WHERE id = 7", "operation", "7"),
        ("UPDATE operation SET act = 'delete', seq = NULL WHERE id = 7", "operation", "7"),
        ("UPDATE operation SET parameters = '{\"surprise\": 1}' WHERE id = 7", "operation", "7"),
        ("UPDATE operation SET cause = 'peer', uid = NULL WHERE id = 7", "operation", "7"),
        (
            "UPDATE operation SET state = 'failed', fault = 'whim', reason = '' WHERE id = 7",
            "operation",
            "7",
        ),
        ("UPDATE host SET next_operation = -1", "host", "1"),
        ("DELETE FROM host", "host", "1"),
    ];
    let dir = tempfile::tempdir().unwrap();
    let (_, whole) = written(dir.path());
    for (sql, table, row) in cases {
        std::fs::write(file(dir.path()), &whole).unwrap();
        shell(dir.path(), &format!("PRAGMA foreign_keys = off; {sql}"));
        let catalogue = open(dir.path());
        match catalogue.load() {
            Err(CatalogueError::Damaged { table: t, row: r, .. }) => {
                assert_eq!((t, r.as_str()), (table, row), "{sql}");
            }
            other => panic!("{sql}: {other:?}"),
        }
        // The way out: aside with it, and begin anew.
        let opened = catalogue.set_aside("as told").unwrap();
        let Found::Damaged { set_aside, .. } = opened.state else { panic!("{sql}") };
        assert!(set_aside.exists());
        assert!(opened.catalogue.load().unwrap().0.accounts.is_empty());
    }
}

#[test]
fn a_flipped_bit_or_a_cut_end_never_panics_and_never_deletes() {
    let dir = tempfile::tempdir().unwrap();
    let (_, whole) = written(dir.path());
    let flips = (0..100_usize).map(|n| {
        let mut bytes = whole.clone();
        // The head and the schema first, then all over the file.
        let at = if n < 40 { n * 2 } else { (n * 7919 * 31) % whole.len() };
        bytes[at] ^= 1 << (n % 8);
        bytes
    });
    let cuts = (1..20_usize).map(|n| whole[..whole.len() * n / 20 / 3 * 3].to_vec());
    for (n, bytes) in flips.chain(cuts).enumerate() {
        for part in ["", "-wal"] {
            let _ = std::fs::remove_file(dir.path().join(format!("catalogue.sqlite{part}")));
        }
        std::fs::write(file(dir.path()), &bytes).unwrap();
        let kept = match Catalogue::open(dir.path()) {
            Ok(opened) => {
                let _ = opened.catalogue.load();
                match opened.state {
                    Found::Damaged { set_aside, .. } => set_aside,
                    _ => continue,
                }
            }
            Err(CatalogueError::Newer { .. }) => file(dir.path()),
            Err(error) => panic!("case {n}: {error}"),
        };
        assert!(std::fs::read(&kept).unwrap() == bytes, "case {n}: {kept:?} was changed");
        if kept != file(dir.path()) {
            std::fs::remove_file(kept).unwrap();
        }
    }
}
