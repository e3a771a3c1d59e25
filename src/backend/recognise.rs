//! What is at a place that somebody wants protected, and which technology is its own.

use crate::domain::resource::Kind;
use crate::fs::StorageError;
use crate::fs::tree::{Kind as Entry, open_file};
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
