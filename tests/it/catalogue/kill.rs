//! A process that is killed while it records.

use super::{open, record, scribe};
use heptad::catalogue::{Catalogue, CatalogueError};
use heptad::domain::account::Account;
use heptad::domain::event::Entry;
use heptad::domain::id::OperationId;
use heptad::domain::ledger::Ledger;
use heptad::domain::snapshot::Seq;
use heptad::host::lock::{InstanceLock, LockError};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const CHILD: &str = "HEPTAD_TEST_RECORD_IN";
const PER_BATCH: u64 = 8;

/// Batch `n`: the n-th snapshot of each resource, an operation for each, one slot.
fn batch(n: u64) -> Vec<Entry> {
    let one = |i: u64| {
        let name = scribe::name(i);
        let head = Account { next_seq: Seq(n + 2), ..scribe::account(i, i) };
        [
            Entry::Account(Box::new(head)),
            Entry::Snapshot(Box::new(scribe::taking(&name, Seq(n + 1), n))),
            Entry::Operation(scribe::operation(OperationId(n * PER_BATCH + i), i, n)),
        ]
    };
    (0..PER_BATCH).flat_map(one).collect()
}

/// What the killed one does: records, and says so only then.
fn record_for_ever(dir: &Path) {
    let _lock = InstanceLock::acquire(&dir.join("lock")).unwrap();
    let mut catalogue = Catalogue::open(dir).unwrap().catalogue;
    let (ledger, _) = catalogue.load().unwrap();
    let mut out = std::io::stdout();
    for n in ledger.next_operation.0 / PER_BATCH.. {
        catalogue.record(&batch(n)).unwrap();
        writeln!(out, "recorded {n}").unwrap();
        out.flush().unwrap();
    }
}

fn spawn(dir: &Path) -> Child {
    let test =
        "catalogue::kill::a_killed_process_leaves_whole_batches_and_all_that_it_acknowledged";
    Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn acknowledged(line: &str) -> Option<u64> {
    line.trim().rsplit_once("recorded ")?.1.parse().ok()
}

#[test]
fn a_killed_process_leaves_whole_batches_and_all_that_it_acknowledged() {
    if let Some(dir) = std::env::var_os(CHILD) {
        return record_for_ever(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let mut last = None;
    for round in 0..6_u64 {
        let mut child = spawn(dir.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        let mut seen = 0;
        while seen < 3 + round * 7 {
            line.clear();
            assert_ne!(lines.read_line(&mut line).unwrap(), 0, "the child ended by itself");
            if let Some(n) = acknowledged(&line) {
                (last, seen) = (Some(n), seen + 1);
            }
        }
        if round == 0 {
            check_exclusive(dir.path(), child.id());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let mut rest = String::new();
        lines.read_to_string(&mut rest).unwrap();
        // A last line that was cut short was not heard by anybody.
        let heard = rest.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        last = heard.filter_map(acknowledged).next_back().or(last);
        check_whole(dir.path(), last.unwrap());
    }
}

/// While the other one lives, neither its lock nor its catalogue can be had.
fn check_exclusive(dir: &Path, holder: u32) {
    match InstanceLock::acquire(&dir.join("lock")) {
        Err(LockError::AlreadyRunning { pid, .. }) => assert_eq!(pid, Some(holder)),
        other => panic!("{other:?}"),
    }
    match Catalogue::open(dir) {
        Err(CatalogueError::InUse { .. }) => {}
        other => panic!("{other:?}"),
    }
}

fn check_whole(dir: &Path, acknowledged: u64) {
    let _lock = InstanceLock::acquire(&dir.join("lock")).unwrap();
    let mut catalogue = open(dir);
    catalogue.integrity_check().unwrap();
    let (mut ledger, _): (Ledger, _) = catalogue.load().unwrap();
    let batches = ledger.next_operation.0 / PER_BATCH;
    assert!(batches > acknowledged, "{acknowledged} was acknowledged, {batches} are there");
    assert_eq!(ledger.next_operation.0 % PER_BATCH, 0, "a part of a batch");
    for account in ledger.accounts.values() {
        let seqs: Vec<u64> = account.snapshots.keys().map(|seq| seq.0).collect();
        assert_eq!(seqs, (1..=batches).collect::<Vec<_>>(), "{}", account.name());
    }
    record(&mut catalogue, &mut ledger, &batch(batches));
}
