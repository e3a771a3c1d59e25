//! Where a simulated machine keeps its records.

use crate::catalogue::{Catalogue, CatalogueError, FILE};
use crate::domain::event::Entry;
use crate::domain::ledger::Ledger;
use jiff::SignedDuration;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
            account.payment.slept = SignedDuration::ZERO;
            account.queue.clear();
        }
        ledger
    }

    fn fork(&self) -> Box<dyn Store> {
        Box::new(self.clone())
    }
}

/// The real catalogue in a directory. A fork copies the files as they are while they are open,
/// which is what a power cut leaves: everything recorded was written before `record` returned.
#[derive(Debug)]
pub struct OnDisk {
    catalogue: Catalogue,
    dir: PathBuf,
    forks: AtomicU64,
}

impl OnDisk {
    /// # Errors
    /// Those of opening the catalogue.
    pub fn open(dir: PathBuf) -> Result<Self, CatalogueError> {
        let catalogue = Catalogue::open(&dir)?.catalogue;
        Ok(Self { catalogue, dir, forks: AtomicU64::new(0) })
    }
}

#[expect(clippy::expect_used, reason = "a simulation without its files has nothing to show")]
impl Store for OnDisk {
    fn record(&mut self, entries: &[Entry]) {
        self.catalogue.record(entries).expect("recording in the simulation's directory");
    }

    fn load(&self) -> Ledger {
        self.catalogue.load().expect("loading what was recorded").0
    }

    fn fork(&self) -> Box<dyn Store> {
        let number = self.forks.fetch_add(1, Ordering::Relaxed);
        let dir = self.dir.join(format!("fork-{number}"));
        std::fs::create_dir(&dir).expect("a directory for the fork");
        for suffix in ["", "-wal"] {
            let file = format!("{FILE}{suffix}");
            if self.dir.join(&file).exists() {
                std::fs::copy(self.dir.join(&file), dir.join(&file))
                    .expect("copying the catalogue");
            }
        }
        Box::new(Self::open(dir).expect("opening the copy"))
    }
}

impl Drop for OnDisk {
    fn drop(&mut self) {
        // Forks are many; the directory of the first one belongs to whoever made it.
        if self.dir.file_name().is_some_and(|name| name.to_string_lossy().starts_with("fork-")) {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}
