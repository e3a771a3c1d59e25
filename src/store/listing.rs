//! The listing: every snapshot with one cheap look at each.

use super::identity;
use super::manifest::Manifest;
use super::{Item, Stage, Store, was_found_tampered};
use crate::domain::snapshot::Content;
use crate::domain::survey::{Found, Survey, Wholeness};
use crate::domain::told::Told;
use crate::fs::StorageError;
use serde::de::DeserializeOwned;
use std::path::Path;

/// What a backend wrote into its manifest to know the content by.
pub trait Seal: DeserializeOwned {
    /// `None` where the manifest holds none: not ours to trust.
    fn of(manifest: &Manifest) -> Option<Self> {
        Self::deserialize(&manifest.detail).ok()
    }

    /// Whether what lies in a snapshot's directory still looks the same.
    fn matches(&self, dir: &Path) -> Result<bool, StorageError>;

    fn content(&self) -> Content;

    /// What else there is to tell of a snapshot.
    fn told(&self, _item: &Item) -> Result<Told, StorageError> {
        Ok(Told::default())
    }
}

/// Everything of a store, and the identity of the live resource at `path`.
pub fn list<S: Seal>(store: &Store, path: &Path) -> Result<Survey, StorageError> {
    // Absent, or not to be read at the moment: that is for probing to say.
    survey::<S>(store, || identity::probe(path).ok().map(|probe| probe.identity))
}

/// Everything of a store, beside an identity that is no path's.
pub fn survey<S: Seal>(
    store: &Store,
    identity: impl FnOnce() -> Option<String>,
) -> Result<Survey, StorageError> {
    let (items, high_water) = store.items()?;
    let found = items.iter().map(found::<S>).collect::<Result<_, _>>()?;
    let elsewhere = store.elsewhere();
    Ok(Survey { identity: identity(), elsewhere, found, high_water, ..Survey::default() })
}

fn found<S: Seal>(item: &Item) -> Result<Found, StorageError> {
    let seal = S::of(&item.manifest);
    Ok(Found {
        card: item.manifest.card(item.manifest.id.to_string())?,
        state: state_by(item, seal.as_ref())?,
        mark: item.manifest.mark(&item.path)?,
        content: seal.as_ref().map(Seal::content),
        told: seal.map_or_else(|| Ok(Told::default()), |seal| seal.told(item))?,
        notes: item.manifest.notes.clone(),
    })
}

/// What one cheap look tells.
pub fn state<S: Seal>(item: &Item) -> Result<Wholeness, StorageError> {
    state_by(item, S::of(&item.manifest).as_ref())
}

fn state_by(item: &Item, seal: Option<&impl Seal>) -> Result<Wholeness, StorageError> {
    let Stage::Whole = item.stage else { return Ok(Wholeness::Partial) };
    match seal {
        Some(seal) if seal.matches(&item.path)? && !was_found_tampered(&item.path)? => {
            Ok(Wholeness::Whole)
        }
        _ => Ok(Wholeness::Tampered),
    }
}
