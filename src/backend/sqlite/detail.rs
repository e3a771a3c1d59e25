//! What this backend remembers in the manifest, and the cheap look that a listing takes.

use super::protocol::Answer;
use super::{DATA, DATABASE};
use crate::domain::snapshot::Content;
use crate::domain::told::{Engine, Told};
use crate::fs::tree::{Kind, Meta};
use crate::fs::{Doing, StorageError};
use crate::store::{Item, Seal};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::os::fd::OwnedFd;
use std::path::Path;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Detail {
    /// Bytes of the pages that hold something: what was deleted does not count, although the file
    /// keeps its size.
    pub used_bytes: u64,
    pub empty: bool,
    /// How the copy looks: a change changes its time.
    pub look: String,
    /// It was saved byte for byte, and is none that SQLite could use.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub damaged: bool,
}

impl Detail {
    pub(super) fn new(answer: &Answer, copy: &Meta) -> Self {
        let (used_bytes, empty) = (answer.used_bytes, answer.empty);
        Self { used_bytes, empty, look: look(copy), damaged: false }
    }

    /// Of a copy that holds every byte of a damaged database.
    pub(super) fn damaged(copy: &Meta) -> Self {
        Self { used_bytes: copy.size, empty: false, look: look(copy), damaged: true }
    }
}

impl Seal for Detail {
    fn content(&self) -> Content {
        Content { empty: self.empty, entries: None, bytes: Some(self.used_bytes) }
    }

    fn told(&self, _item: &Item) -> Result<Told, StorageError> {
        Ok(Told { engine: Some(engine()), ..Told::default() })
    }

    /// Whether the copy in `dir` still looks as it did; a change under the same look is for
    /// verifying to find.
    fn matches(&self, dir: &Path) -> Result<bool, StorageError> {
        match database(dir).and_then(Meta::of) {
            Err(Errno::NOENT) => Ok(false),
            meta => {
                let meta = meta.doing(|| format!("looking at {}", dir.display()))?;
                Ok(look(&meta) == self.look)
            }
        }
    }
}

/// All versions from 3 on read each other's files.
pub(super) fn engine() -> Engine {
    Engine { name: super::WORD.into(), version: "3".into() }
}

/// A reference to the copy in a snapshot's directory.
pub(super) fn database(dir: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let data = rustix::fs::open(dir.join(DATA), flags, Mode::empty())?;
    rustix::fs::openat(data, DATABASE, flags, Mode::empty())
}

fn look(meta: &Meta) -> String {
    let kind = if meta.kind == Kind::File { "file" } else { "other" };
    format!("{kind} {:o} {} {} {} {}", meta.mode, meta.uid, meta.gid, meta.size, meta.mtime)
}
