//! What is at a place that somebody wants protected, and which technology is its own.

use super::registry::BACKENDS;
use crate::domain::operation::Fault;
use crate::domain::resource::Kind;
use crate::fs::StorageError;
use crate::fs::tree::{Kind as Entry, Meta, open_file, open_nosymlink};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

/// Where somebody points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Absolute, without symbolic links.
    Path(PathBuf),
    /// A domain of libvirt.
    Domain(String),
}

/// A place that was looked at: each backend says whether it is its own.
#[derive(Debug)]
pub enum Seen<'a> {
    Entry { path: &'a str, reference: OwnedFd, kind: Entry },
    Domain(&'a str),
}

/// What a technology would protect, and how that is declared.
#[derive(Clone, Debug, PartialEq)]
pub struct Recognised {
    /// Its name in the configuration.
    pub backend: &'static str,
    pub kind: Kind,
    /// In words: "a directory".
    pub what: String,
    pub options: serde_json::Map<String, serde_json::Value>,
}

/// A backend's answer; `None`: it is not of this technology.
pub type Answer = Result<Option<Recognised>, StorageError>;

impl Recognised {
    pub fn new(backend: &'static str, kind: Kind, what: &str, options: &[(&str, &str)]) -> Self {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).into());
        Self { backend, kind, what: what.into(), options: options.iter().map(pair).collect() }
    }
}

impl Seen<'_> {
    /// The first bytes of a regular file, as many as there are up to `most`.
    pub fn head(&self, most: usize) -> std::io::Result<Vec<u8>> {
        let mut head = Vec::new();
        if let Self::Entry { reference, kind: Entry::File, .. } = self {
            let file = std::fs::File::from(open_file(reference)?);
            file.take(most as u64).read_to_end(&mut head)?;
        }
        Ok(head)
    }
}

/// Which backend a place belongs to. Those that know one kind of thing are asked before those that
/// take anything.
///
/// # Errors
/// [`Fault::Absent`] where nothing is, [`Fault::Permanent`] for what no backend takes.
pub fn recognise(place: &Place) -> Result<Recognised, StorageError> {
    let shown = match place {
        Place::Path(path) => path.display().to_string(),
        Place::Domain(name) => name.clone(),
    };
    let doing = || format!("looking at {shown}");
    let seen = match place {
        Place::Path(path) => {
            let reference = open_nosymlink(path)?;
            let meta = Meta::of(&reference).map_err(|e| StorageError::io(doing(), &e.into()))?;
            let path = path.to_str().ok_or_else(|| {
                StorageError::new(Fault::Permanent, doing(), "its path is not UTF-8; rename it")
            })?;
            Seen::Entry { path, reference, kind: meta.kind }
        }
        Place::Domain(name) => Seen::Domain(name),
    };
    for (_, _, recognise, _) in BACKENDS {
        if let Some(found) = recognise(&seen)? {
            return Ok(found);
        }
    }
    let why = match &seen {
        Seen::Entry { kind, .. } => {
            format!("it is {}; directories and files can be protected", kind.words())
        }
        Seen::Domain(_) => "no backend knows it".into(),
    };
    Err(StorageError::new(Fault::Permanent, doing(), why))
}
