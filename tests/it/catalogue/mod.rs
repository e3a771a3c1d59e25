//! The catalogue against real files, real file systems and real kills.

mod broken_disk;
mod checks;
mod damage;
mod full_disk;
mod history;
mod kill;
mod scribe;
mod twin;
mod versions;

use heptad::catalogue::{Catalogue, Found};
use heptad::domain::account::Account;
use heptad::domain::event::Entry;
use heptad::domain::ledger::{Ledger, OPERATIONS_IN_MEMORY};
use heptad::domain::operation::Operation;
use std::path::Path;
use std::sync::Arc;

/// Opens a catalogue that must be whole.
fn open(dir: &Path) -> Catalogue {
    let opened = Catalogue::open(dir).unwrap();
    assert!(!matches!(opened.state, Found::Damaged { .. }), "{:?}", opened.state);
    opened.catalogue
}

/// Asserts that a catalogue holds what the ledger does, so far as it is to be remembered.
fn assert_twin(catalogue: &Catalogue, ledger: &Ledger) {
    let (loaded, remarks) = catalogue.load().unwrap();
    assert_eq!(remarks, []);
    assert_eq!(accounts(&loaded), accounts(ledger));
    assert_eq!(operations(&loaded), operations(ledger));
    let host = |ledger: &Ledger| (ledger.next_operation, ledger.floor, ledger.elapsed);
    assert_eq!(host(&loaded), host(ledger));
}

/// Accounts without what a restart forgets.
fn accounts(ledger: &Ledger) -> Vec<Account> {
    let lasting = |account: &Arc<Account>| Account {
        surveyed: false,
        running: None,
        queue: Vec::new(),
        ..account.as_ref().clone()
    };
    ledger.accounts.values().map(lasting).collect()
}

/// The open operations and the newest finished ones.
fn operations(ledger: &Ledger) -> Vec<Operation> {
    let all = ledger.operations.values().rev().map(|operation| operation.as_ref().clone());
    let (open, finished): (Vec<_>, Vec<_>) = all.partition(Operation::is_open);
    open.into_iter().chain(finished.into_iter().take(OPERATIONS_IN_MEMORY)).collect()
}

/// Records a batch in both.
fn record(catalogue: &mut Catalogue, ledger: &mut Ledger, batch: &[Entry]) {
    catalogue.record(batch).unwrap();
    batch.iter().for_each(|entry| ledger.apply(entry));
}
