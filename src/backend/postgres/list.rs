//! The listing: every snapshot with one cheap look at each.

use super::cluster::Cluster;
use super::detail::Detail;
use super::{Postgres, WORD, prove};
use crate::domain::survey::{Found, Survey, Wholeness};
use crate::domain::told::{Engine, Told};
use crate::fs::{Doing, StorageError};
use crate::store::{Item, Stage};

/// Lies in a snapshot that failed to verify, with the reason in it; gone once it verifies again.
pub const TAMPERED: &str = "tampered";

pub fn list(postgres: &Postgres) -> Result<Survey, StorageError> {
    let (items, high_water) = postgres.store.items()?;
    // What cannot be removed now (a store that is read-only) can still be looked at.
    let _ = prove::sweep(postgres);
    let found = items.iter().map(found).collect::<Result<_, _>>()?;
    // Absent, or not to be read at the moment: that is for probing to say.
    let identity = identity(postgres).ok();
    let live = Cluster::open(&postgres.settings.data);
    let engine = live.ok().map(|live| engine(live.major));
    let elsewhere = postgres.store.elsewhere();
    Ok(Survey { identity, elsewhere, engine, found, high_water, ..Survey::default() })
}

/// What initdb drew: the same wherever the data directory is moved to.
pub fn identity(postgres: &Postgres) -> Result<String, StorageError> {
    let control = Cluster::open(&postgres.settings.data)?.control()?;
    Ok(format!("cluster:{}", control.system))
}

fn engine(major: u32) -> Engine {
    Engine { name: WORD.into(), version: major.to_string() }
}

fn found(item: &Item) -> Result<Found, StorageError> {
    let detail = Detail::of(&item.manifest);
    let engine = detail.as_ref().map(|detail| engine(detail.major));
    Ok(Found {
        card: item.manifest.card(item.manifest.id.to_string())?,
        state: state(item)?,
        mark: item.manifest.mark(&item.path)?,
        content: detail.map(|detail| detail.content()),
        notes: item.manifest.notes.clone(),
        told: Told { engine, proof: prove::proof(item)?, ..Told::default() },
    })
}

pub fn state(item: &Item) -> Result<Wholeness, StorageError> {
    if item.stage != Stage::Whole {
        return Ok(Wholeness::Partial);
    }
    let noted = item.path.join(TAMPERED);
    let noted = noted.try_exists().doing(|| format!("looking at {}", noted.display()))?;
    match Detail::of(&item.manifest) {
        Some(detail) if detail.matches(&item.path)? && !noted => Ok(Wholeness::Whole),
        _ => Ok(Wholeness::Tampered),
    }
}
