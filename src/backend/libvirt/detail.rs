//! What this backend remembers in the manifest, and the cheap look that a listing takes.

use super::domain::Format;
use crate::domain::snapshot::Content;
use crate::domain::told::{Disk, Told};
use crate::fs::tree::Meta;
use crate::fs::{Doing, StorageError};
use crate::store::{Item, Seal};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The directory of a snapshot that its images are in.
pub(super) const DISKS: &str = "disks";
/// The definition of the domain.
pub(super) const DEFINITION: &str = "domain.xml";
/// The firmware's variables.
pub(super) const NVRAM: &str = "nvram";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Detail {
    /// The instance; none for a disk.
    pub domain: Option<Original>,
    /// The system disk is the first.
    pub disks: Vec<Stored>,
    /// Files beside the images, and how they look.
    #[serde(default)]
    pub beside: Vec<(String, String)>,
    /// How the live files were that it is a copy of, see [`super::image::seen`]; none where a guest
    /// wrote on, and in snapshots of an older heptad.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<String>,
    /// For how long the guest's file systems were frozen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen_ms: Option<u64>,
    /// For how long its processors were paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_ms: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Original {
    pub name: String,
    pub uuid: String,
}

/// One image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    /// What the domain calls it.
    pub target: String,
    pub format: Format,
    /// Where the live one was.
    pub source: PathBuf,
    /// Bytes that the guest sees.
    pub size: u64,
    /// Bytes that hold something.
    pub used: u64,
    /// Owner, group and mode of the live one.
    pub uid: u32,
    pub gid: u32,
    pub mode: u32,
    /// How the copy looks: a change changes its time.
    pub look: String,
}

impl Stored {
    /// Its file's name: `vda.qcow2`.
    pub(super) fn file(&self) -> String {
        format!("{}.{}", self.target, self.format.word())
    }

    pub(super) fn path(&self, snapshot: &Path) -> PathBuf {
        snapshot.join(DISKS).join(self.file())
    }
}

impl Seal for Detail {
    fn content(&self) -> Content {
        let used = self.disks.iter().map(|disk| disk.used).sum();
        Content { empty: used == 0, entries: None, bytes: Some(used) }
    }

    fn told(&self, _item: &Item) -> Result<Told, StorageError> {
        let disk = |disk: &Stored| Disk {
            name: disk.target.clone(),
            file: disk.source.display().to_string(),
            size: disk.size,
        };
        Ok(Told { disks: self.disks.iter().map(disk).collect(), ..Told::default() })
    }

    /// Whether everything in `dir` still looks as it did; a change under the same look is for
    /// verifying to find.
    fn matches(&self, dir: &Path) -> Result<bool, StorageError> {
        let disks = self.disks.iter().map(|disk| (disk.path(dir), &disk.look));
        let beside = self.beside.iter().map(|(name, look)| (dir.join(name), look));
        for (path, look) in disks.chain(beside) {
            match self::look(&path) {
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(false),
                found => {
                    if found.doing(|| format!("looking at {}", path.display()))? != *look {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }
}

pub(super) fn look(path: &Path) -> rustix::io::Result<String> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let meta = Meta::of(rustix::fs::open(path, flags, Mode::empty())?)?;
    Ok(format!("{} {:o} {} {}", meta.kind.letter(), meta.mode, meta.size, meta.mtime))
}
