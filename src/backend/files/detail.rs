//! What this backend remembers in the manifest, and the cheap look that a listing takes.

use super::{DATA, INDEX};
use crate::domain::snapshot::Content;
use crate::fs::tree::{Kind, Meta, Report};
use crate::fs::{Doing, StorageError};
use crate::store::Seal;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::os::fd::OwnedFd;
use std::path::Path;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Detail {
    pub entries: u64,
    pub bytes: u64,
    pub empty: bool,
    /// The length of the index.
    pub index_bytes: u64,
    /// How the copy's root looks.
    pub root: String,
    /// Whether what chattr(1) sets is noted; that was not always done.
    #[serde(default)]
    pub flags: bool,
}

impl Detail {
    pub(super) fn new(report: &Report, index_bytes: u64, root: &Meta) -> Self {
        let empty = if root.kind == Kind::Dir { report.entries == 0 } else { report.bytes == 0 };
        let (entries, bytes) = (report.entries, report.bytes);
        Self { entries, bytes, empty, index_bytes, root: look(root), flags: true }
    }
}

impl Seal for Detail {
    fn content(&self) -> Content {
        Content { empty: self.empty, entries: Some(self.entries), bytes: Some(self.bytes) }
    }

    /// Whether the snapshot in `dir` still looks as it did: two looks, whatever its size. A change
    /// deeper inside is found by verifying.
    fn matches(&self, dir: &Path) -> Result<bool, StorageError> {
        let doing = || format!("looking at {}", dir.display());
        let root = match data(dir) {
            Err(Errno::NOENT) => return Ok(false),
            root => root.and_then(Meta::of).doing(doing)?,
        };
        let index = match std::fs::symlink_metadata(dir.join(INDEX)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            index => index.doing(doing)?,
        };
        Ok(look(&root) == self.root && index.len() == self.index_bytes)
    }
}

/// A reference to the copy's root.
pub(super) fn data(dir: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(dir.join(DATA), flags, Mode::empty())
}

fn look(root: &Meta) -> String {
    let size = if root.kind == Kind::File { root.size } else { 0 };
    format!("{} {:o} {size} {}", root.kind.letter(), root.mode, root.mtime)
}
