//! What is open before anything runs: the lock, the catalogue, the ledger.

use super::error::BootError;
use super::setup::Setup;
use crate::catalogue::{Catalogue, CatalogueError, Found, Opened};
use crate::domain::ledger::Ledger;
use crate::host::lock::InstanceLock;
use std::path::Path;

/// What is open before anything runs.
pub(super) struct Opening {
    pub setup: Setup,
    pub lock: InstanceLock,
    pub catalogue: Catalogue,
    pub ledger: Ledger,
}

/// A disk that damages a new one as well will not do better with a third.
const NEW_ONES: u32 = 2;

/// Takes the lock, opens the catalogue and loads it. A damaged one is set aside: what the backends
/// show replaces it.
pub(super) fn open(setup: Setup) -> Result<Opening, BootError> {
    let state = setup.config.daemon.state.clone();
    prepare_state(&state)?;
    let lock = InstanceLock::acquire(&state.join("lock"))?;
    let mut opened = Catalogue::open(&state)?;
    let mut left = NEW_ONES;
    let loaded = loop {
        tell(&opened);
        match opened.catalogue.load() {
            Ok(loaded) => break loaded,
            Err(CatalogueError::Damaged { table, row, why }) if left > 0 => {
                left -= 1;
                opened = opened.catalogue.set_aside(&format!("{table} {row}: {why}"))?;
            }
            Err(error) => return Err(error.into()),
        }
    };
    let (ledger, remarks) = loaded;
    remarks.iter().for_each(|remark| tracing::warn!("{remark}"));
    Ok(Opening { setup, lock, catalogue: opened.catalogue, ledger })
}

fn prepare_state(state: &Path) -> Result<(), BootError> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(state);
    made.map_err(|source| BootError::System { what: "in the state directory", source })
}

fn tell(opened: &Opened) {
    match &opened.state {
        Found::Existing => {}
        Found::Fresh => tracing::info!("no catalogue yet: it is made from what the backends show"),
        Found::Damaged { set_aside, why } => {
            let set_aside = set_aside.display();
            tracing::error!(%set_aside, why, "{why}; it is set aside as \
                {set_aside}, and a new one is made from what the backends show");
        }
    }
}
