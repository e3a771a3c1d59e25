//! Where a simulated machine keeps its records.

use crate::domain::event::Entry;
use crate::domain::ledger::Ledger;
use std::sync::Arc;

/// What survives a power cut, beside the disk.
pub trait Store: std::fmt::Debug {
    /// Durable on return.
    fn record(&mut self, entries: &[Entry]);

    /// What a fresh start would find.
    fn load(&self) -> Ledger;

    /// An independent copy as it stands on disk at this moment.
    fn fork(&self) -> Box<dyn Store>;
}

/// Records in memory, for long runs of the keeper alone.
#[derive(Clone, Debug, Default)]
pub struct Memory(Ledger);

impl Store for Memory {
    fn record(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.0.apply(entry);
        }
    }

    fn load(&self) -> Ledger {
        let mut ledger = self.0.clone();
        for account in ledger.accounts.values_mut() {
            let account = Arc::make_mut(account);
            (account.surveyed, account.running) = (false, None);
            account.queue.clear();
        }
        ledger
    }

    fn fork(&self) -> Box<dyn Store> {
        Box::new(self.clone())
    }
}
