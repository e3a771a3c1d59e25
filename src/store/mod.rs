//! The place of one resource's snapshots in plain directories: `<store>/<RESOURCE>/<SEQ>/`.
//!
//! This room knows manifests, and how a snapshot's directory comes and goes. It must not know what
//! a backend puts into one.
//!
//! Only directories named `SEQ`, `SEQ.partial` or `SEQ.destroying` with a manifest of this resource
//! are ours. The manifest is the first thing in such a directory and the last one out of it, so
//! what has none was not made here and is never touched.

mod growing;
pub mod identity;
mod left;
mod listing;
mod looking;
pub mod manifest;
mod movable;
mod swap;
mod target;
mod unclaimed;
mod usage;
pub mod users;
mod verdict;

pub use growing::{Growing, remove};
pub use listing::{Seal, list, survey};
pub use movable::{OTHERWISE, expect_store_apart, movable, replaceable};
pub use swap::{Aside, Replacement, Swap};
pub use target::Target;
use unclaimed::has_snapshots;
pub use unclaimed::unclaimed;
pub use usage::{blocks, occupied};
pub use verdict::{clear_tampered, note_tampered, was_found_tampered};

use crate::domain::name::ResourceName;
use crate::domain::operation::Fault;
use crate::domain::snapshot::{Handle, Seq};
use crate::domain::survey::Elsewhere;
use crate::fs::tree::shed;
use crate::fs::{Doing, StorageError};
use crate::host::trust::trusted_place;
use manifest::{Manifest, sync_dir};
use std::ffi::OsStr;
use std::fs::{DirBuilder, File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

const HIGH_WATER: &str = "high_water";

#[derive(Debug)]
pub struct Store {
    /// The backend's name in manifests.
    word: &'static str,
    /// Shared with other resources.
    root: PathBuf,
    dir: PathBuf,
    resource: ResourceName,
    /// Remembers in heptad's state where the store was made: a store whose disk is not mounted
    /// must not pass for one that has not been used yet.
    record: PathBuf,
    /// Remembers, each ended by a zero, the stores that it had before.
    past: PathBuf,
}

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
    pub fn new(word: &'static str, root: PathBuf, state: &Path, resource: &ResourceName) -> Self {
        let dir = root.join(resource.as_str());
        let record = state.join("stores").join(resource.as_str());
        let past = state.join("stores.before").join(resource.as_str());
        Self { word, root, dir, resource: resource.clone(), record, past }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn resource(&self) -> &ResourceName {
        &self.resource
    }

    pub fn path(&self, seq: Seq, stage: Stage) -> PathBuf {
        self.dir.join(match stage {
            Stage::Whole => format!("{seq}"),
            Stage::Partial => format!("{seq}.partial"),
            Stage::Destroying => format!("{seq}.destroying"),
        })
    }

    /// Whether it exists; `false` only where it was never made.
    ///
    /// # Errors
    /// [`Fault::Absent`] where it should be, but is not; [`Fault::Permanent`] where it is another
    /// user's, who could plant snapshots in it.
    pub fn is_there(&self) -> Result<bool, StorageError> {
        let looking = || format!("looking at store {}", self.dir.display());
        match std::fs::symlink_metadata(&self.dir) {
            Ok(meta) if meta.is_dir() && meta.uid() == nix::unistd::geteuid().as_raw() => Ok(true),
            Ok(_) => {
                let why = "it is not a directory of the user that heptad runs as";
                Err(StorageError::new(Fault::Permanent, looking(), why))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => self.never_made(),
            Err(error) => Err(StorageError::io(looking(), &error)),
        }
    }

    fn never_made(&self) -> Result<bool, StorageError> {
        let reading = || format!("reading {}", self.record.display());
        match std::fs::read(&self.record) {
            Ok(root) if root == self.root.as_os_str().as_bytes() => Err(StorageError::new(
                Fault::Absent,
                format!("looking at store {}", self.dir.display()),
                format!(
                    "it was there before: is its disk mounted? If it is gone for good, remove {}",
                    self.record.display()
                ),
            )),
            Ok(_) => Ok(false),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StorageError::io(reading(), &error)),
        }
    }

    /// Makes it where it was never made. The directory above the store must exist: a whole path
    /// made on the wrong disk helps nobody.
    pub fn make(&self) -> Result<(), StorageError> {
        self.expect_safe()?;
        if !self.is_there()? {
            make_private(&self.root)?;
            make_private(&self.dir)?;
            sync_dir(&self.root)?;
            // What was not there before may have been made by somebody else.
            self.expect_safe()?;
        }
        let mode = Permissions::from_mode(0o700);
        let closing = || format!("closing {} to others", self.dir.display());
        std::fs::set_permissions(&self.dir, mode).doing(closing)?;
        // What the directories above hand down ends here: all that is made below inherits from it.
        shed(&File::open(&self.dir).doing(closing)?).doing(closing)?;
        self.remember()
    }

    /// Whoever can move a directory above away, and put another in its place, would lead what
    /// heptad writes and removes elsewhere.
    pub fn expect_safe(&self) -> Result<(), StorageError> {
        trusted_place(&self.root).map_err(|why| {
            let doing = format!("using store {}", self.root.display());
            StorageError::new(Fault::Permanent, doing, why.to_string())
        })
    }

    fn remember(&self) -> Result<(), StorageError> {
        let root = self.root.as_os_str().as_bytes();
        if std::fs::read(&self.record).is_ok_and(|known| known == root) {
            return Ok(());
        }
        let name = self.resource.as_str();
        if let (Some(dir), Ok(before)) = (self.past.parent(), std::fs::read(&self.record)) {
            let mut past = std::fs::read(&self.past).unwrap_or_default();
            if !past.split(|byte| *byte == 0).any(|known| known == before) {
                past.extend(before.iter().chain(&[0]));
                make_private(dir)?;
                replace(dir, name, &past)?;
            }
        }
        let Some(dir) = self.record.parent() else {
            return Ok(());
        };
        make_private(dir)?;
        replace(dir, name, root)
    }

    /// Where this resource's snapshots lie in a store that it had before, if any do: they only look
    /// gone. What cannot be looked at is left out.
    pub fn elsewhere(&self) -> Option<Elsewhere> {
        let past = std::fs::read(&self.past).unwrap_or_default();
        let last = std::fs::read(&self.record).unwrap_or_default();
        let stores = past.split(|byte| *byte == 0).chain([last.as_slice()]).rev();
        let stores = stores.filter(|store| !store.is_empty()).map(OsStr::from_bytes).map(Path::new);
        let others = stores.filter(|store| *store != self.root);
        let mut dirs = others.map(|store| store.join(self.resource.as_str()));
        let before = dirs.find(|dir| has_snapshots(dir))?;
        let shown = |path: &Path| path.display().to_string();
        Some(Elsewhere { before: shown(&before), now: shown(&self.dir) })
    }

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
        replace(&self.dir, HIGH_WATER, format!("{seq}\n").as_bytes())
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

fn make_private(dir: &Path) -> Result<(), StorageError> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(StorageError::io(format!("making {}", dir.display()), &error)),
        Ok(()) => File::open(dir)
            .and_then(|made| {
                shed(&made)?;
                // A directory above may have handed its group down.
                made.set_permissions(Permissions::from_mode(0o700))
            })
            .doing(|| format!("closing {} to others", dir.display())),
    }
}

/// Durably replaces a small file.
fn replace(dir: &Path, name: &str, content: &[u8]) -> Result<(), StorageError> {
    let (new, path) = (dir.join(format!(".{name}.new")), dir.join(name));
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&new)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&new, &path)
    };
    write().doing(|| format!("writing {}", path.display()))?;
    sync_dir(dir)
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
