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
mod items;
mod left;
mod listing;
mod looking;
pub mod manifest;
mod movable;
mod swap;
mod take;
mod target;
mod unclaimed;
mod usage;
pub mod users;
mod verdict;

pub use growing::{Growing, remove};
pub use items::{Item, Stage};
pub use listing::{Seal, list, state, survey};
pub use movable::{OTHERWISE, expect_store_apart, movable, replaceable};
pub use swap::{Aside, Replacement, Swap};
pub use take::{Filled, Taking};
pub use target::Target;
use unclaimed::has_snapshots;
pub use unclaimed::unclaimed;
pub use usage::{blocks, occupied};
use verdict::was_found_tampered;
pub use verdict::{differing, remember};

use crate::domain::name::ResourceName;
use crate::domain::operation::Fault;
use crate::domain::snapshot::Seq;
use crate::domain::survey::Elsewhere;
use crate::fs::tree::shed;
use crate::fs::{Doing, StorageError};
use crate::host::durable;
use crate::host::trust::trusted_place;
use std::ffi::OsStr;
use std::fs::{DirBuilder, File, Permissions};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

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
                replace(&dir.join(name), &past)?;
            }
        }
        let Some(dir) = self.record.parent() else {
            return Ok(());
        };
        make_private(dir)?;
        replace(&dir.join(name), root)
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
fn replace(path: &Path, content: &[u8]) -> Result<(), StorageError> {
    durable::replace(path, content).doing(|| format!("writing {}", path.display()))
}

/// Makes a directory's entries durable.
pub fn sync_dir(dir: &Path) -> Result<(), StorageError> {
    durable::sync(dir).doing(|| format!("syncing {}", dir.display()))
}
