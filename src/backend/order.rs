//! What verbs are asked for, and what they bring back.

use crate::domain::name::ResourceName;
use crate::domain::operation::Fault;
use crate::domain::plan::Plan;
use crate::domain::snapshot::{Card, Handle};
use crate::fs::StorageError;
use crate::store::manifest::Manifest;
use std::path::{Path, PathBuf};

/// What to take.
#[derive(Clone, Copy, Debug)]
pub struct TakeOrder<'a> {
    pub card: &'a Card,
    /// Copy this snapshot instead of the live resource.
    pub source: Option<&'a Handle>,
    /// The newest whole snapshot's sequence number, for backends that store only what changed.
    pub previous: Option<&'a Handle>,
}

/// A snapshot that exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object {
    /// The backend's identity of it, to be found in the listing again.
    pub object: String,
    /// Sentences for a person: how it was copied, what is not in it.
    pub notes: Vec<String>,
    /// What the resource has and it lacks, as a sentence part, such as `2 entries could not be
    /// read (a, b)`: it is suspect then. The listing has to show the same as a doubt in the mark.
    pub incomplete: Option<String>,
}

impl Object {
    /// For a backend that knows its objects by the manifest's id.
    pub fn of(manifest: &Manifest) -> Self {
        Self::known_as(manifest.id.to_string(), manifest)
    }

    /// What the manifest says of an object with this identity.
    pub fn known_as(object: String, manifest: &Manifest) -> Self {
        let (notes, incomplete) = (manifest.notes.clone(), manifest.incomplete.clone());
        Self { object, notes, incomplete }
    }
}

/// What to make from a snapshot.
#[derive(Clone, Copy, Debug)]
pub struct RestoreOrder<'a> {
    pub handle: &'a Handle,
    /// Of the new resource.
    pub name: &'a ResourceName,
    /// Where it appears: a tree, a file, a data directory, the directory of an instance's disks.
    pub target: &'a Path,
    /// The new size; none: as it was.
    pub plan: Option<&'a Plan>,
    /// The new size of a disk, or of an instance's system disk, in bytes; none: as it was, or as
    /// the plan says.
    pub size: Option<u64>,
    /// Where a new server listens; none: where nothing does.
    pub port: Option<u16>,
}

impl<'a> RestoreOrder<'a> {
    /// The same again at another place.
    pub fn copy(handle: &'a Handle, name: &'a ResourceName, target: &'a Path) -> Self {
        Self { handle, name, target, plan: None, size: None, port: None }
    }

    /// For a technology without sizes or ports. A plan tells what whatever runs there will need,
    /// and nothing is set by it.
    ///
    /// # Errors
    /// [`Fault::Permanent`], naming what has no use here.
    pub fn is_plain(&self) -> Result<(), StorageError> {
        let given = [("--size", self.size.is_some()), ("--port", self.port.is_some())];
        let given: Vec<&str> = given.iter().filter(|(_, is)| *is).map(|(what, _)| *what).collect();
        if given.is_empty() {
            return Ok(());
        }
        let doing = format!("making {}", self.name);
        let why = format!("this backend does not support {}", given.join(" and "));
        Err(StorageError::new(Fault::Permanent, doing, why))
    }
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Restored {
    /// In what its options as a resource differ from the original's; null takes a key away. Empty
    /// where it cannot be a resource.
    pub options: serde_json::Map<String, serde_json::Value>,
    /// Sentences for a person: how to start it, what is left to do.
    pub notes: Vec<String>,
    /// Of an instance: the same for each attached disk, by what it calls it.
    pub disks: Vec<(String, serde_json::Map<String, serde_json::Value>)>,
}

/// What the live resource shall hold again.
#[derive(Clone, Copy, Debug)]
pub struct RollbackOrder<'a> {
    pub handle: &'a Handle,
    /// The same in every attempt: names what an interrupted one left.
    pub token: uuid::Uuid,
}

/// A disk's image file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pub name: ResourceName,
    pub path: PathBuf,
    /// `qcow2` or `raw`.
    pub format: String,
}

impl Restored {
    /// For a backend whose resource is what lies at one path.
    pub fn at(target: &Path) -> Self {
        let path = ("path".to_owned(), target.display().to_string().into());
        Self { options: [path].into_iter().collect(), ..Self::default() }
    }
}
