//! Snapshots beside a writer that does not stop.

use super::bench::{Bench, rows, worst, writer};
use heptad::domain::survey::Wholeness;

/// Forty snapshots, each restored: sound, without a gap, with all that was committed before.
fn forty(mode: &str) {
    let bench = Bench::alone();
    let writer = writer(&bench.live, mode, 500);
    writer.wait_for(50);
    let mut longest = std::time::Duration::ZERO;
    for seq in 1..=40 {
        let before = writer.latest();
        let begun = std::time::Instant::now();
        let object = bench.take(seq);
        longest = longest.max(begun.elapsed());
        let restored = bench.restore(seq);
        let (count, highest) = rows(&restored);
        std::fs::remove_file(restored).unwrap();
        assert!(highest >= before, "{mode} {seq}: {highest} of {before}, {:?}", object.notes);
        assert_eq!(count, highest, "{mode} {seq}: a gap");
        for left in ["-wal", "-shm", "-journal"] {
            let beside = format!("{}{left}", bench.copy(seq).display());
            assert!(!std::path::Path::new(&beside).exists(), "{beside}");
        }
    }
    assert!(bench.states().iter().all(|(_, state)| *state == Wholeness::Whole));
    let (rows, stall) = (writer.latest(), worst(&bench.live));
    eprintln!(
        "{mode}: {rows} rows committed meanwhile, the worst commit took {stall}, the longest taking {longest:?}"
    );
}

#[test]
fn forty_snapshots_of_a_busy_database_with_a_write_ahead_log_are_all_good() {
    forty("wal");
}

#[test]
fn forty_snapshots_of_a_busy_database_with_a_rollback_journal_are_all_good() {
    forty("delete");
}

/// Several steps of the copy, and never a pause: the copy is not put off for ever.
#[test]
fn a_large_database_that_never_keeps_still_is_copied_all_the_same() {
    for mode in ["wal", "delete", "persist"] {
        let bench = Bench::alone();
        super::bench::fill(
            &bench.live,
            "CREATE TABLE t(n INTEGER PRIMARY KEY, pad BLOB);
             WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 4000)
             INSERT INTO t SELECT n, randomblob(4000) FROM c;",
        );
        let writer = writer(&bench.live, mode, 100);
        writer.wait_for(4_010);
        let before = writer.latest();
        let object = bench.take(1);
        let (count, highest) = rows(&bench.restore(1));
        assert!(highest >= before && count == highest, "{mode}: {count} {highest} {before}");
        eprintln!(
            "{mode}, 16 MB: {}; the worst commit took {}",
            object.notes[0],
            worst(&bench.live)
        );
    }
}
