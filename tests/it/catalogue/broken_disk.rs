//! A disk that fails under an open catalogue.

use super::{assert_twin, open, record, scribe};
use crate::support::loopfs::{LoopFs, run};
use heptad::catalogue::CatalogueError;
use heptad::domain::event::Entry;
use heptad::domain::id::OperationId;
use heptad::domain::ledger::Ledger;

#[test]
fn after_a_failed_write_nothing_is_written_until_it_is_opened_anew() {
    let mut fs = LoopFs::new("xfs", 320);
    let dir = fs.path().join("heptad");
    let (mut catalogue, mut ledger) = (open(&dir), Ledger::default());
    let entry = |n| Entry::Operation(scribe::operation(OperationId(n), 1, n));
    record(&mut catalogue, &mut ledger, &[entry(1), entry(2)]);

    // From here on every write and every sync of this file system is an I/O error.
    run("xfs_io", &["-x", "-c", "shutdown", fs.path().to_str().unwrap()]);
    let first = catalogue.record(&[entry(3)]).unwrap_err();
    assert!(matches!(first, CatalogueError::Write { .. }), "{first}");
    assert!(catalogue.broken().is_some());
    for _ in 0..2 {
        let next = catalogue.record(&[entry(4)]).unwrap_err();
        assert!(matches!(next, CatalogueError::Broken { .. }), "{next}");
    }
    assert!(matches!(catalogue.checkpoint(), Err(CatalogueError::Broken { .. })));
    drop(catalogue);

    fs.unmount();
    fs.mount("");
    let mut catalogue = open(&dir);
    assert_twin(&catalogue, &ledger);
    record(&mut catalogue, &mut ledger, &[entry(3)]);
    assert_twin(&catalogue, &ledger);
}
