//! A disk that is really full.

use super::{assert_twin, open, record, scribe};
use crate::support::loopfs::{LoopFs, run};
use heptad::catalogue::{Catalogue, CatalogueError, Found};
use heptad::domain::event::Entry;
use heptad::domain::id::OperationId;
use heptad::domain::ledger::Ledger;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Fills the file system to the last block, in ever smaller pieces; returns what filled it.
fn fill(dir: &Path, number: u32) -> PathBuf {
    let path = dir.join(format!("filler-{number}"));
    for piece in [1 << 20, 64 << 10, 4 << 10, 512] {
        // What a copy-on-write file system still owes is settled by the sync: so twice.
        for _ in 0..2 {
            let Ok(mut file) = OpenOptions::new().create(true).append(true).open(&path) else {
                return path;
            };
            let block = vec![0xa5_u8; piece];
            let full = loop {
                if let Err(error) = file.write_all(&block) {
                    break error;
                }
            };
            assert!(matches!(full.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded));
            let _ = file.sync_all();
            let _ = rustix::fs::syncfs(File::open(dir).unwrap());
        }
    }
    path
}

/// One that turns freed blocks into free ones within a second or two, not after thirty.
fn btrfs() -> LoopFs {
    let fs = LoopFs::new("btrfs", 200);
    fs.remount("commit=1,nodiscard");
    fs
}

/// btrfs turns freed data blocks into room for metadata only in the commits after.
fn until_there_is_room(dir: &Path) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let probe = dir.join("probe");
    while std::fs::write(&probe, vec![1; 64 << 10]).is_err() {
        assert!(std::time::Instant::now() < deadline, "no room came back");
        rustix::fs::syncfs(File::open(dir).unwrap()).unwrap();
    }
    std::fs::remove_file(probe).unwrap();
}

/// A batch of some 40 KiB.
fn batch(n: u64) -> Vec<Entry> {
    let operation = |i: u64| {
        let mut operation = scribe::operation(OperationId(n * 10 + i), 1, 2);
        operation.output = format!("{n} ").repeat(4096 / 2);
        Entry::Operation(operation)
    };
    (0..10).map(operation).collect()
}

/// Records until `stop` says so; at most a thousand batches.
fn record_until(
    world: &mut (Catalogue, Ledger, u64),
    stop: impl Fn(&Catalogue, &Result<(), CatalogueError>) -> bool,
) -> Result<(), CatalogueError> {
    for _ in 0..1000 {
        let (catalogue, ledger, n) = world;
        *n += 1;
        let batch = batch(*n);
        let result = catalogue.record(&batch);
        if result.is_ok() {
            batch.iter().for_each(|entry| ledger.apply(entry));
        }
        if stop(catalogue, &result) {
            return result;
        }
    }
    panic!("the disk never filled up");
}

fn check_full(mount: &Path) {
    let dir = mount.join("heptad");
    let (mut catalogue, mut ledger) = (open(&dir), Ledger::default());
    record(&mut catalogue, &mut ledger, &[Entry::Account(Box::new(scribe::account(1, 1)))]);
    assert!(!catalogue.ballast_spent());
    let mut world = (catalogue, ledger, 0);

    // Full: the ballast goes, and the batch that met the end of the disk is written all the same.
    let first = fill(mount, 1);
    let result =
        record_until(&mut world, |catalogue, result| catalogue.ballast_spent() || result.is_err());
    result.unwrap();
    assert!(!world.0.restore_ballast().unwrap(), "there is no room for it now");

    // Full again, with nothing left to free: a clean error, and reading goes on.
    let second = fill(mount, 2);
    let error = record_until(&mut world, |_, result| result.is_err()).unwrap_err();
    assert!(matches!(error, CatalogueError::Full { .. }), "{error}");
    assert_eq!(world.0.broken(), None, "a full disk passes");
    assert_twin(&world.0, &world.1);
    world.0.quick_check().unwrap();

    // Room again: writing goes on, the ballast comes back, and nothing acknowledged is lost.
    std::fs::remove_file(first).unwrap();
    let _ = std::fs::remove_file(second);
    let (mut catalogue, mut ledger, n) = world;
    record(&mut catalogue, &mut ledger, &batch(n + 1));
    until_there_is_room(mount);
    assert!(catalogue.restore_ballast().unwrap());
    assert!(!catalogue.ballast_spent());
    catalogue.checkpoint().unwrap();
    drop(catalogue);
    assert_twin(&open(&dir), &ledger);
}

#[test]
fn a_full_btrfs_is_an_error_and_not_the_end_of_the_process() {
    check_full(&btrfs().path());
}

#[test]
fn a_full_ext4_is_an_error_and_passes() {
    check_full(&LoopFs::new("ext4", 64).path());
}

#[test]
fn a_full_quota_is_a_full_disk() {
    let fs = btrfs();
    let path = fs.path();
    let mount = path.to_str().unwrap();
    run("btrfs", &["quota", "enable", mount]);
    run("btrfs", &["qgroup", "limit", "30M", mount]);
    check_full(&path);
}

#[test]
fn a_catalogue_opens_on_a_full_disk_and_can_be_read() {
    let fs = btrfs();
    let dir = fs.path().join("heptad");
    let (mut catalogue, mut ledger) = (open(&dir), Ledger::default());
    record(&mut catalogue, &mut ledger, &[Entry::Account(Box::new(scribe::account(1, 1)))]);
    catalogue.release_ballast();
    drop(catalogue);
    fill(&fs.path(), 1);
    let catalogue = open(&dir);
    assert!(catalogue.ballast_spent());
    assert_twin(&catalogue, &ledger);
}

#[test]
fn the_ballast_is_given_up_if_a_start_needs_the_room() {
    let fs = LoopFs::new("ext4", 64);
    let dir = fs.path().join("heptad");
    assert!(!open(&dir).ballast_spent());
    std::fs::write(dir.join("catalogue.sqlite"), "not a catalogue").unwrap();
    fill(&fs.path(), 1);
    let opened = Catalogue::open(&dir).unwrap();
    assert!(matches!(opened.state, Found::Damaged { .. }), "{:?}", opened.state);
    let (mut catalogue, mut ledger) = (opened.catalogue, Ledger::default());
    assert!(catalogue.ballast_spent());
    record(&mut catalogue, &mut ledger, &[Entry::Account(Box::new(scribe::account(1, 1)))]);
    assert_twin(&catalogue, &ledger);
}

#[test]
fn a_start_that_finds_no_room_at_all_says_so_and_changes_nothing() {
    let fs = btrfs();
    let dir = fs.path().join("heptad");
    let (mut catalogue, mut ledger) = (open(&dir), Ledger::default());
    record(&mut catalogue, &mut ledger, &[Entry::Account(Box::new(scribe::account(1, 1)))]);
    drop(catalogue);
    // Somebody tidied the empty log away, and btrfs has no room to make it again.
    std::fs::remove_file(dir.join("catalogue.sqlite-wal")).unwrap();
    let filler = fill(&fs.path(), 1);
    let error = Catalogue::open(&dir).unwrap_err();
    assert!(matches!(error, CatalogueError::Full { .. }), "{error}");
    std::fs::remove_file(filler).unwrap();
    until_there_is_room(&fs.path());
    assert_twin(&open(&dir), &ledger);
}
