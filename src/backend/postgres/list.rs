//! The listing, and by what a cluster is known.

use super::cluster::Cluster;
use super::detail::{Detail, engine};
use super::{Postgres, prove};
use crate::domain::survey::Survey;
use crate::fs::StorageError;
use crate::store;

pub(super) fn list(postgres: &Postgres) -> Result<Survey, StorageError> {
    // What cannot be removed now (a store that is read-only) can still be looked at.
    let _ = prove::sweep(postgres);
    // Absent, or not to be read at the moment: that is for probing to say.
    let survey = store::survey::<Detail>(&postgres.store, || identity(postgres).ok())?;
    let live = Cluster::open(&postgres.settings.data).ok();
    Ok(Survey { engine: live.map(|live| engine(live.major)), ..survey })
}

/// What initdb drew: the same wherever the data directory is moved to.
pub(super) fn identity(postgres: &Postgres) -> Result<String, StorageError> {
    let control = Cluster::open(&postgres.settings.data)?.control()?;
    Ok(format!("cluster:{}", control.system))
}
