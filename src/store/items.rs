//! What lies in a store: one directory a snapshot, found by its number and stage.

use super::manifest::Manifest;
use super::{Store, replace};
use crate::domain::operation::Fault;
use crate::domain::snapshot::{Handle, Seq};
use crate::fs::{Doing, StorageError};
use std::io::ErrorKind;
use std::path::PathBuf;

const HIGH_WATER: &str = "high_water";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Whole,
    Partial,
    Destroying,
}

/// One snapshot's directory.
#[derive(Debug)]
pub struct Item {
    pub seq: Seq,
    pub stage: Stage,
    pub path: PathBuf,
    pub manifest: Manifest,
}

impl Store {
    /// Everything that is ours, in order, and the highest sequence number that was ever here.
    ///
    /// # Errors
    /// A manifest that cannot be read: a shorter list would pass for the truth.
    pub fn items(&self) -> Result<(Vec<Item>, Seq), StorageError> {
        let mut items = Vec::new();
        if !self.is_there()? {
            return Ok((items, Seq(0)));
        }
        let mut high = self.high_water()?;
        let reading = || format!("reading {}", self.dir.display());
        for entry in std::fs::read_dir(&self.dir).doing(reading)? {
            let entry = entry.doing(reading)?;
            let name = entry.file_name();
            let Some((seq, stage)) = name.to_str().and_then(parse) else { continue };
            high = high.max(seq);
            if entry.file_type().doing(reading)?.is_dir() {
                items.extend(self.item(seq, stage, entry.path())?);
            }
        }
        items.sort_by_key(|item: &Item| item.seq);
        Ok((items, high))
    }

    fn item(&self, seq: Seq, stage: Stage, path: PathBuf) -> Result<Option<Item>, StorageError> {
        let Some(manifest) = Manifest::read(&path)? else {
            return Ok(None);
        };
        if manifest.backend != self.word || manifest.resource != self.resource.as_str() {
            return Ok(None);
        }
        if manifest.seq != seq.0 {
            let why = format!("its manifest says {}: give it that name again", manifest.seq);
            let doing = format!("reading {}", path.display());
            return Err(StorageError::new(Fault::Permanent, doing, why));
        }
        Ok(Some(Item { seq, stage, path, manifest }))
    }

    /// What is there under this sequence number, in any stage.
    ///
    /// # Errors
    /// [`Fault::Identity`] where it has another id.
    pub fn find(&self, handle: &Handle) -> Result<Vec<Item>, StorageError> {
        let mut found = Vec::new();
        if !self.is_there()? {
            return Ok(found);
        }
        for stage in [Stage::Destroying, Stage::Partial, Stage::Whole] {
            let path = self.path(handle.seq, stage);
            match std::fs::symlink_metadata(&path) {
                Ok(meta) if meta.is_dir() => found.extend(self.item(handle.seq, stage, path)?),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                // What cannot be seen is not gone.
                Err(error) => {
                    return Err(StorageError::io(format!("looking at {}", path.display()), &error));
                }
            }
        }
        let known = handle.object.is_empty() || handle.object == handle.id.to_string();
        match found.iter().find(|item| item.manifest.id != handle.id || !known) {
            Some(other) => Err(StorageError::new(
                Fault::Identity,
                format!("opening {}", other.path.display()),
                format!("it is snapshot {}, not {}", other.manifest.id, handle.id),
            )),
            None => Ok(found),
        }
    }

    /// The whole snapshot of this handle.
    ///
    /// # Errors
    /// [`Fault::Absent`] where there is none.
    pub fn whole(&self, handle: &Handle) -> Result<Item, StorageError> {
        let whole = self.find(handle)?.into_iter().find(|item| item.stage == Stage::Whole);
        whole.ok_or_else(|| {
            let doing = format!("opening {}", self.path(handle.seq, Stage::Whole).display());
            StorageError::new(Fault::Absent, doing, "no such snapshot")
        })
    }

    fn high_water(&self) -> Result<Seq, StorageError> {
        let path = self.dir.join(HIGH_WATER);
        let doing = || format!("reading {}", path.display());
        match std::fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().map(Seq).map_err(|_| {
                StorageError::new(Fault::Permanent, doing(), "it does not hold a number")
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Seq(0)),
            Err(error) => Err(StorageError::io(doing(), &error)),
        }
    }

    /// Durably remembers that this sequence number was used.
    pub fn raise(&self, seq: Seq) -> Result<(), StorageError> {
        if self.high_water()? >= seq {
            return Ok(());
        }
        replace(&self.dir.join(HIGH_WATER), format!("{seq}\n").as_bytes())
    }
}

fn parse(name: &str) -> Option<(Seq, Stage)> {
    let (number, stage) = match name.split_once('.') {
        None => (name, Stage::Whole),
        Some((number, "partial")) => (number, Stage::Partial),
        Some((number, "destroying")) => (number, Stage::Destroying),
        Some(_) => return None,
    };
    let seq: u64 = number.parse().ok()?;
    (seq.to_string() == number).then_some((Seq(seq), stage))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_names_are_snapshots() {
        let check = |name: &str, want: Option<(u64, Stage)>| {
            assert_eq!(parse(name), want.map(|(seq, stage)| (Seq(seq), stage)), "{name:?}");
        };
        check("7", Some((7, Stage::Whole)));
        check("7.partial", Some((7, Stage::Partial)));
        check("12.destroying", Some((12, Stage::Destroying)));
        for name in ["07", "+7", "7.old", "7.partial.x", "high_water", ".7", ""] {
            check(name, None);
        }
    }
}
