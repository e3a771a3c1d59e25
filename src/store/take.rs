//! How a snapshot comes to lie in a store: one pipeline, into which a backend puts its content.

use super::manifest::Manifest;
use super::{Growing, Item, Store};
use crate::domain::snapshot::{Card, Handle, Seq};
use crate::domain::suspicion::as_it_was;
use crate::fs::{Doing, Progress, StorageError};
use serde::Serialize;

/// One snapshot that is to be taken into a store.
#[derive(Clone, Copy)]
pub struct Taking<'a> {
    pub store: &'a Store,
    pub card: &'a Card,
    pub progress: &'a dyn Progress,
}

/// What was put into its directory.
#[derive(Default)]
pub struct Filled {
    /// What the backend remembers in the manifest, see [`super::Seal`].
    detail: serde_json::Value,
    /// Sentences for a person.
    notes: Vec<String>,
    incomplete: Option<String>,
}

impl Filled {
    pub fn new(detail: impl Serialize, notes: Vec<String>) -> Result<Self, StorageError> {
        let detail = serde_json::to_value(detail).map_err(std::io::Error::from);
        let detail = detail.doing(|| "writing the manifest".into())?;
        Ok(Self { detail, notes, incomplete: None })
    }

    /// The same with what the resource has and the snapshot lacks, as a sentence part: it is
    /// suspect then.
    pub fn lacking(self, incomplete: Option<String>) -> Self {
        Self { incomplete, ..self }
    }

    /// For content that was saved byte for byte although it is damaged; `why` tells how.
    pub fn damaged(detail: impl Serialize, why: &StorageError) -> Result<Self, StorageError> {
        let doubt = as_it_was(&why.to_string());
        Ok(Self::new(detail, vec![doubt.clone()])?.lacking(Some(doubt)))
    }
}

impl Taking<'_> {
    /// Of the live resource. `look` finds it before anything is made, so that a source that is away
    /// leaves nothing behind; `fill` copies what was found. One that exists whole is returned as it
    /// is.
    pub fn live<L>(
        &self,
        look: impl FnOnce() -> Result<L, StorageError>,
        fill: impl FnOnce(L, &Growing<'_>) -> Result<Filled, StorageError>,
    ) -> Result<Manifest, StorageError> {
        if let Some(done) = self.store.already(&self.card.handle)? {
            return Ok(done.manifest);
        }
        let found = look()?;
        let mut manifest = Manifest::new(self.store.resource(), self.store.word, self.card);
        let growing = self.store.begin(&manifest)?;
        let Filled { detail, notes, incomplete } = fill(found, &growing)?;
        manifest = Manifest { detail, notes, incomplete, ..manifest };
        self.progress.wanted()?;
        growing.commit(&manifest)?;
        Ok(manifest)
    }

    /// Of a snapshot that lies in the store. It is verified first: a copy of something changed
    /// would pass for the snapshot that it was. What is missing in it is missing in the copy.
    pub fn kept<V>(
        &self,
        source: &Handle,
        verify: impl FnOnce(&Item) -> Result<V, StorageError>,
        fill: impl FnOnce(&Item, &Growing<'_>) -> Result<Filled, StorageError>,
    ) -> Result<Manifest, StorageError> {
        let look = || {
            let item = self.store.whole(source)?;
            verify(&item)?;
            Ok(item)
        };
        self.live(look, |item, growing| Ok(fill(&item, growing)?.lacking(item.manifest.incomplete)))
    }
}

impl Store {
    /// Makes the directory in which a snapshot grows, once everything of earlier attempts is
    /// cleared away; its number counts as used from here on.
    fn begin(&self, manifest: &Manifest) -> Result<Growing<'_>, StorageError> {
        let seq = Seq(manifest.seq);
        self.make()?;
        self.sweep()?;
        self.expect_free(seq)?;
        self.raise(seq)?;
        Growing::begin(self, manifest)
    }
}
