//! The bytes of a live tree beside those of a snapshot, where times do not tell.

use super::detail::data;
use super::grounds::{Times, times_of};
use super::index::{Line, Reader};
use super::past::{below_or_root, recent};
use crate::fs::tree::{Kind, Meta, Time, open_file, same_content, shown};
use crate::fs::{Doing, StorageError};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::path::Path;

pub(super) struct Contents<'a> {
    live: &'a OwnedFd,
    stored: OwnedFd,
    /// Changes since then may not show.
    recent: Time,
    times: Times,
}

impl<'a> Contents<'a> {
    /// Writes out what programs stored in the live tree: from then on its times tell.
    pub(super) fn open(
        live: &'a OwnedFd,
        snapshot: &Path,
        index: &Reader,
    ) -> Result<Self, StorageError> {
        let stored = data(snapshot).doing(|| format!("opening {}", snapshot.display()))?;
        Ok(Self { live, stored, recent: recent(index.begun), times: times_of(live) })
    }

    /// Whether a live file, whose times are as the snapshot's index has them, holds the same.
    pub(super) fn hold(&self, line: &Line, is: &Meta) -> Result<bool, StorageError> {
        if is.kind != Kind::File {
            return Ok(true);
        }
        let is_told = self.times == Times::Tell && line.was.ctime < self.recent;
        if line.size != is.size || is_told {
            return Ok(line.size == is.size);
        }
        let open = |root: &OwnedFd| match below_or_root(root, &line.path) {
            Some((reference, _)) => open_file(reference),
            None => Err(Errno::NOENT),
        };
        let same = || -> std::io::Result<bool> {
            Ok(same_content(open(self.live)?, open(&self.stored)?)?)
        };
        same().doing(|| format!("comparing {} with its copy", shown(&line.path)))
    }
}
