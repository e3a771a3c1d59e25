//! The previous snapshot, as a lender of unchanged files.

use super::detail::Detail;
use super::grounds::{self, Times};
use super::index::{Line, Reader, Stamps};
use super::{DATA, INDEX};
use crate::fs::StorageError;
use crate::fs::tree::{
    Entry, Flags, Kind, Meta, Time, below, open_file, same_content, same_xattrs,
};
use crate::store::{Item, Seal};
use rustix::fs::{Mode, OFlags};
use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;

/// A file changed this short before the previous snapshot began, or during it, is compared byte by
/// byte: what was stored through a memory map while it was copied need not have moved its times,
/// nor need what was in the same tick of the clock.
const RECENT_SECS: i64 = 60;

/// Changes since then may not show in the times.
pub(super) fn recent(begun: Time) -> Time {
    Time { secs: begun.secs.saturating_sub(RECENT_SECS), ..begun }
}

pub(super) struct Past {
    data: OwnedFd,
    index: File,
    /// Where in the index a file with such stamps stands. 16 bytes per file, not its path: a tree
    /// may have millions.
    offsets: HashMap<u64, u64>,
    hasher: RandomState,
    recent: Time,
    /// Whether its copies note what chattr(1) had set on their originals.
    flags: bool,
    /// The live root's device.
    dev: (u32, u32),
}

impl Past {
    /// Reads the index of a snapshot.
    pub(super) fn open(item: &Item, root: &Meta) -> Result<Self, StorageError> {
        use crate::fs::Doing;
        let dir = &item.path;
        let opening = || format!("opening {}", dir.display());
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let data = rustix::fs::open(dir.join(DATA), flags, Mode::empty()).doing(opening)?;
        let index = File::open(dir.join(INDEX)).doing(opening)?;
        let mut reader = Reader::open(&dir.join(INDEX))?;
        let recent = recent(reader.begun);
        let (mut offsets, hasher) = (HashMap::new(), RandomState::new());
        loop {
            let offset = reader.offset;
            let Some(line) = reader.next()? else { break };
            if line.kind == Kind::File {
                offsets.insert(hasher.hash_one(line.was), offset);
            }
        }
        let flags = Detail::of(&item.manifest).is_some_and(|detail| detail.flags);
        Ok(Self { data, index, offsets, hasher, recent, flags, dev: root.dev })
    }

    /// The previous copy of this very file, if neither has changed. Whatever goes wrong here means
    /// that the file is copied.
    pub(super) fn unchanged(&self, original: &Entry<'_>, times: Times) -> Option<OwnedFd> {
        let meta = original.meta;
        let line = self.find(meta.into())?;
        // By inode, so that a renamed directory costs nothing; but inode numbers are unique only
        // within one file system.
        if meta.dev != self.dev && line.path != original.path {
            return None;
        }
        let (copy, is) = below_or_root(&self.data, &line.path)?;
        let dressed = (is.mode, is.uid, is.gid) == (meta.mode, meta.uid, meta.gid);
        let lent = line.size == meta.size
            && line.difference(&is).is_none()
            // Without root the copy may lack its owner; a new one would lack it as well.
            && (dressed || !nix::unistd::geteuid().is_root())
            && (self.flags || has_none(original)?)
            && (self.is_told(&line, original, times) || is_same(original, &copy)?);
        lent.then_some(copy)
    }

    /// Whether the times alone show that it is unchanged.
    fn is_told(&self, line: &Line, original: &Entry<'_>, times: Times) -> bool {
        line.was.ctime < self.recent
            && match times {
                Times::Tell => true,
                Times::TellOnceSynced => grounds::is_as_seen(original),
                Times::Hide => false,
            }
    }

    fn find(&self, stamps: Stamps) -> Option<Line> {
        let offset = *self.offsets.get(&self.hasher.hash_one(stamps))?;
        let mut bytes = vec![0; 512];
        loop {
            let read = self.index.read_at(&mut bytes, offset).ok()?;
            if let Some(end) = bytes[..read].iter().position(|byte| *byte == b'\n') {
                let line = Line::parse(std::str::from_utf8(&bytes[..end]).ok()?)?;
                return (line.was == stamps).then_some(line);
            }
            if read < bytes.len() {
                return None;
            }
            bytes.resize(bytes.len() * 2, 0);
        }
    }
}

pub(super) fn below_or_root(data: &OwnedFd, path: &[u8]) -> Option<(OwnedFd, Meta)> {
    if path.is_empty() {
        return Some((data.try_clone().ok()?, Meta::of(data).ok()?));
    }
    below(data, path).ok()
}

fn has_none(original: &Entry<'_>) -> Option<bool> {
    let open = open_file(original.reference).ok()?;
    Some(Flags::of(open.as_fd()) == Flags::default())
}

fn is_same(original: &Entry<'_>, copy: &OwnedFd) -> Option<bool> {
    let same = same_xattrs(original.reference, copy).ok()?
        && same_content(open_file(original.reference).ok()?, open_file(copy).ok()?).ok()?
        // Not changed while it was compared.
        && Meta::of(original.reference).ok()?.unchanged_since(original.meta);
    Some(same)
}
