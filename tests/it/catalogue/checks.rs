//! Files, modes, backups, speed.

use super::{assert_twin, open, record, scribe};
use heptad::catalogue::{BALLAST_BYTES, Catalogue, CatalogueError, Found, sqlite_version};
use heptad::domain::event::Entry;
use heptad::domain::id::OperationId;
use heptad::domain::ledger::Ledger;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn the_linked_sqlite_has_the_repair_of_the_log_reset_bug() {
    assert!(sqlite_version() >= 3_051_003, "{}", sqlite_version());
}

#[test]
fn directory_and_files_are_closed_to_everybody_else() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("var/heptad");
    std::fs::create_dir_all(&state).unwrap();
    std::fs::set_permissions(&state, PermissionsExt::from_mode(0o755)).unwrap();
    let mut catalogue = open(&state);
    catalogue.record(&[Entry::Account(Box::new(scribe::account(1, 1)))]).unwrap();
    catalogue.backup_to(&dir.path().join("copy")).unwrap();
    assert_eq!(mode(&state), 0o700);
    assert_eq!(mode(&dir.path().join("copy")), 0o600);
    let mut names: Vec<_> =
        std::fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["catalogue.ballast", "catalogue.sqlite", "catalogue.sqlite-wal"]);
    for name in names {
        assert_eq!(mode(&state.join(&name)), 0o600, "{name:?}");
    }
    drop(catalogue);
    std::fs::set_permissions(state.join("catalogue.sqlite"), PermissionsExt::from_mode(0o666))
        .unwrap();
    open(&state);
    assert_eq!(mode(&state.join("catalogue.sqlite")), 0o600);
}

#[test]
fn a_first_start_is_fresh_and_the_next_is_not() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Catalogue::open(dir.path()).unwrap().state, Found::Fresh));
    assert!(matches!(Catalogue::open(dir.path()).unwrap().state, Found::Existing));
    // What a crash during the very first start leaves does no harm.
    std::fs::remove_file(dir.path().join("catalogue.sqlite")).unwrap();
    std::fs::write(dir.path().join("catalogue.sqlite.new"), "half").unwrap();
    assert!(matches!(Catalogue::open(dir.path()).unwrap().state, Found::Fresh));
}

#[test]
fn the_ballast_takes_up_real_room_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut catalogue = open(dir.path());
    let allocated = || {
        let found = std::fs::metadata(dir.path().join("catalogue.ballast"));
        found.map_or(0, |found| found.blocks() * 512)
    };
    assert!(!catalogue.ballast_spent());
    assert!(allocated() >= BALLAST_BYTES);
    assert!(catalogue.release_ballast());
    assert!(!catalogue.release_ballast(), "there is nothing left to free");
    assert_eq!((catalogue.ballast_spent(), allocated()), (true, 0));
    assert!(catalogue.restore_ballast().unwrap());
    assert!(!catalogue.ballast_spent());
    assert!(allocated() >= BALLAST_BYTES);
}

#[test]
fn a_backup_is_a_whole_catalogue_and_replaces_an_older_one() {
    let dir = tempfile::tempdir().unwrap();
    let (mut catalogue, mut ledger) = (open(&dir.path().join("state")), Ledger::default());
    let copies = dir.path().join("copies");
    std::fs::create_dir(&copies).unwrap();
    let copy = copies.join("catalogue.sqlite");
    std::fs::write(&copy, "an older one").unwrap();
    for n in 0..50 {
        let head = Entry::Account(Box::new(scribe::account(n, n)));
        let operation = Entry::Operation(scribe::operation(OperationId(n), n, n));
        record(&mut catalogue, &mut ledger, &[head, operation]);
    }
    catalogue.backup_to(&copy).unwrap();
    assert_eq!(std::fs::read_dir(&copies).unwrap().count(), 1, "no log, no stage beside it");
    assert_twin(&open(&copies), &ledger);

    let nowhere = catalogue.backup_to(&dir.path().join("no/such/place")).unwrap_err();
    assert!(matches!(nowhere, CatalogueError::Files { .. }), "{nowhere}");
    catalogue.integrity_check().unwrap();
}

/// How many commits stand in a log: frames whose header tells the size of the database after it.
/// The layout is that of <https://sqlite.org/fileformat2.html#the_write_ahead_log>.
fn commits(log: &Path) -> usize {
    let bytes = std::fs::read(log).unwrap_or_default();
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    if bytes.len() < 32 {
        return 0;
    }
    let (frame, salts) = (24 + number(8) as usize, &bytes[16..24]);
    let frames = (32..bytes.len()).step_by(frame).filter(|at| at + frame <= bytes.len());
    frames.filter(|at| number(at + 4) != 0 && &bytes[at + 8..at + 16] == salts).count()
}

#[test]
fn a_thousand_entries_in_one_batch_are_one_commit() {
    let dir = tempfile::tempdir().unwrap();
    let (mut catalogue, mut ledger) = (open(dir.path()), Ledger::default());
    let log = dir.path().join("catalogue.sqlite-wal");
    catalogue.checkpoint().unwrap();
    assert_eq!(commits(&log), 0);
    let entry = |n: u64| match n % 2 {
        0 => Entry::Account(Box::new(scribe::account(n, n))),
        _ => Entry::Operation(scribe::operation(OperationId(n), n, n)),
    };
    let batch: Vec<Entry> = (0..1000).map(entry).collect();
    record(&mut catalogue, &mut ledger, &batch);
    assert_eq!(commits(&log), 1);
    record(&mut catalogue, &mut ledger, &batch[..1]);
    assert_eq!(commits(&log), 2);
    catalogue.record(&[]).unwrap();
    assert_eq!(commits(&log), 2, "nothing to write is no commit");
    assert_twin(&catalogue, &ledger);
}

#[test]
fn a_used_sequence_number_is_not_given_to_another_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let (mut catalogue, mut ledger) = (open(dir.path()), Ledger::default());
    let seq = heptad::domain::snapshot::Seq(1);
    let mut head = scribe::account(1, 1);
    head.next_seq = heptad::domain::snapshot::Seq(2);
    let snapshot = || Entry::Snapshot(Box::new(scribe::taking(&scribe::name(1), seq, 1)));
    record(&mut catalogue, &mut ledger, &[Entry::Account(Box::new(head)), snapshot()]);
    let operation = Entry::Operation(scribe::operation(OperationId(1), 1, 1));
    let error = catalogue.record(&[operation, snapshot()]).unwrap_err();
    assert!(matches!(error, CatalogueError::SeqReused { .. }), "{error}");
    assert_twin(&catalogue, &ledger);
    assert_eq!(catalogue.broken(), None, "a refused batch breaks nothing");
}

#[test]
fn numbers_beyond_sqlites_are_refused_and_measures_cut() {
    let dir = tempfile::tempdir().unwrap();
    let mut catalogue = open(dir.path());
    let operation = scribe::operation(OperationId(u64::MAX), 1, 1);
    let error = catalogue.record(&[Entry::Operation(operation)]).unwrap_err();
    assert!(matches!(error, CatalogueError::Write { .. }), "{error}");

    let mut snapshot = scribe::taking(&scribe::name(1), heptad::domain::snapshot::Seq(1), 1);
    snapshot.facts.stored = Some(u64::MAX);
    let head = Entry::Account(Box::new(scribe::account(1, 1)));
    catalogue.record(&[head, Entry::Snapshot(Box::new(snapshot))]).unwrap();
    let (ledger, _) = catalogue.load().unwrap();
    let stored = ledger.snapshots().next().unwrap().facts.stored;
    assert_eq!(stored, Some(u64::MAX / 2));
}
