//! Where one resource's snapshots lie: `STORE/RESOURCE/SEQ/` with `manifest.json`, `data` and
//! `nested/N`. One directory per snapshot, because the snapshot ioctl holds the lock of its parent
//! directory while it commits.

use super::detail::Detail;
use super::place::{Place, Top};
use super::store_root::{self, STORE};
use super::stored::{BACKEND, DATA, Stored};
use crate::domain::name::ResourceName;
use crate::domain::operation::Fault;
use crate::domain::snapshot::Seq;
use crate::fs::subvolume;
use crate::fs::tree::shed;
use crate::fs::{Doing, StorageError};
use crate::store::manifest::Manifest;
use rustix::fs::XattrFlags;
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use uuid::Uuid;
/// An extended attribute of the resource's directory: the highest sequence number ever used. Being
/// metadata, it is made durable by the commit of the very snapshot that it counts.
const HIGH_WATER: &str = "user.heptad.high-water";
/// Another one: the last rollback. Set before the exchange of names, it is durable no later.
const ROLLBACK: &str = "user.heptad.rollback";
/// Another one: the name that the resource had then.
const NAME: &str = "user.heptad.rollback-name";
/// Another one: the UUIDs that the resource and what is nested in it had, 16 bytes each, oldest
/// first.
const LINEAGE: &str = "user.heptad.lineage";
/// So many, that the attribute fits where nodes are smallest.
const REMEMBERED: usize = 200;
/// And one: the read-only subvolume that is open for the moment in which it is moved.
const MOVING: &str = "user.heptad.moving";

/// One resource's directory in a store, open for the length of a job.
#[derive(Debug)]
pub(super) struct Store {
    pub dir: OwnedFd,
    pub fsid: Uuid,
    /// For messages.
    pub shown: PathBuf,
    resource: ResourceName,
    /// The private mount that the directory lies on lives as long.
    _top: Option<Arc<Top>>,
}

/// What lies under a sequence number.
#[derive(Debug)]
pub(super) enum Entry {
    Nothing,
    /// A directory that never got a manifest, or lost it last: nothing of value.
    Remains(OwnedFd),
    /// It bears another resource's marker, or none.
    Foreign,
    Ours(Box<Stored>),
}

/// Which subvolume takes another one's place, by order of which token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Swap {
    pub token: Uuid,
    pub new: Uuid,
    pub old: Uuid,
    /// The old one may go.
    pub judged: bool,
    /// Whatever shall stay of the old one is in the new one.
    pub carried: bool,
}

const JUDGED: &str = "judged";
const CARRIED: &str = "carried";

impl Swap {
    fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        let (ids, said) = words.split_at_checked(3)?;
        let (judged, carried) = match *said {
            [] => (false, false),
            [JUDGED] => (true, false),
            [JUDGED, CARRIED] => (true, true),
            _ => return None,
        };
        let id = |at: usize| ids.get(at)?.parse().ok();
        Some(Self { token: id(0)?, new: id(1)?, old: id(2)?, judged, carried })
    }
}

impl fmt::Display for Swap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.token, self.new, self.old)?;
        let said = [(self.judged, JUDGED), (self.carried, CARRIED)];
        said.iter().filter(|(is, _)| *is).try_for_each(|(_, word)| write!(f, " {word}"))
    }
}

impl Store {
    /// Opens a resource's directory; `None` where it was never made.
    pub(super) fn open(
        place: &Place,
        configured: Option<&Path>,
        resource: &ResourceName,
    ) -> Result<Option<Self>, StorageError> {
        let (dir, shown, top) = match configured {
            Some(path) => (Some(store_root::open_configured(path, place)?), path.to_owned(), None),
            None => {
                let top = Top::of(place)?;
                (store_root::open_own(&top)?, Path::new("/").join(STORE), Some(top))
            }
        };
        let Some(dir) = dir else { return Ok(None) };
        let shown = shown.join(resource.as_str());
        match subvolume::open_below(&dir, resource.as_str()) {
            Ok(dir) => Ok(Some(Self {
                dir,
                fsid: place.fsid,
                shown,
                resource: resource.clone(),
                _top: top,
            })),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error).doing(|| format!("opening {}", shown.display())),
        }
    }

    /// As [`Store::open`], after making what is missing.
    pub(super) fn create(
        place: &Place,
        configured: Option<&Path>,
        resource: &ResourceName,
    ) -> Result<Self, StorageError> {
        let doing = || format!("making the store of {resource}");
        configured.map_or(Ok(()), store_root::expect_safe)?;
        if let Some(store) = Self::open(place, configured, resource)? {
            shed(&store.dir).doing(doing)?;
            return Ok(store);
        }
        let parent = match configured {
            Some(path) => store_root::open_configured(path, place)?,
            None => store_root::make_own(&*Top::of(place)?)?,
        };
        subvolume::make_dir(&parent, resource.as_str()).doing(doing)?;
        let gone = || StorageError::new(Fault::Transient, doing(), "it was removed at this moment");
        Self::open(place, configured, resource)?.ok_or_else(gone)
    }

    /// The sequence numbers that have a directory, rising.
    pub(super) fn seqs(&self) -> Result<Vec<Seq>, StorageError> {
        let doing = || format!("listing {}", self.shown.display());
        let mut seqs = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.dir).doing(doing)? {
            let entry = entry.doing(doing)?;
            seqs.extend(entry.file_name().to_str().ok().and_then(seq_of));
        }
        seqs.sort_unstable();
        Ok(seqs)
    }

    /// The highest sequence number that was ever used here.
    pub(super) fn high_water(&self) -> Result<Seq, StorageError> {
        let text = self.noted(HIGH_WATER)?;
        let noted = text.map_or(Some(0), |text| text.parse().ok());
        let noted = noted.ok_or_else(|| self.garbled(HIGH_WATER, "it is not a number"))?;
        let seen = self.seqs()?.last().copied().unwrap_or_default();
        Ok(seen.max(Seq(noted)))
    }

    /// The last rollback that got as far as to be noted.
    pub(super) fn rollback(&self) -> Result<Option<Swap>, StorageError> {
        let Some(text) = self.noted(ROLLBACK)? else { return Ok(None) };
        let swap = Swap::parse(&text).ok_or_else(|| self.garbled(ROLLBACK, "it names no swap"))?;
        Ok(Some(swap))
    }

    pub(super) fn note_rollback(&self, swap: &Swap) -> Result<(), StorageError> {
        self.note(ROLLBACK, &swap.to_string())
    }

    /// The name that the resource had in its directory when it was rolled back last.
    pub(super) fn rolled_name(&self) -> Result<Option<OsString>, StorageError> {
        let mut buffer = [0; 256];
        match rustix::fs::fgetxattr(&self.dir, NAME, &mut buffer) {
            Ok(0) | Err(Errno::NODATA) => Ok(None),
            Ok(length) => {
                let name = buffer.get(..length).unwrap_or_default();
                Ok(Some(OsStr::from_bytes(name).to_owned()))
            }
            Err(error) => {
                Err(error).doing(|| format!("reading {NAME} of {}", self.shown.display()))
            }
        }
    }

    pub(super) fn note_rolled_name(&self, name: &OsStr) -> Result<(), StorageError> {
        let set = rustix::fs::fsetxattr(&self.dir, NAME, name.as_bytes(), XattrFlags::empty());
        set.doing(|| format!("noting {NAME} of {}", self.shown.display()))
    }

    /// UUIDs that the resource and what is nested in it had before rollbacks.
    pub(super) fn lineage(&self) -> Result<Vec<Uuid>, StorageError> {
        let doing = || format!("reading {LINEAGE} of {}", self.shown.display());
        let mut buffer = [0; REMEMBERED * size_of::<Uuid>()];
        let length = match rustix::fs::fgetxattr(&self.dir, LINEAGE, &mut buffer) {
            Err(Errno::NODATA) => 0,
            length => length.doing(doing)?,
        };
        let ids = buffer[..length].chunks_exact(size_of::<Uuid>());
        Ok(ids.filter_map(|bytes| Uuid::from_slice(bytes).ok()).collect())
    }

    /// Remembers what is about to be replaced.
    pub(super) fn note_lineage(&self, replaced: &[Uuid]) -> Result<(), StorageError> {
        let mut ids = self.lineage()?;
        ids.retain(|id| !replaced.contains(id));
        ids.extend(replaced);
        let newest = &ids[ids.len().saturating_sub(REMEMBERED)..];
        let bytes: Vec<u8> = newest.iter().flat_map(|id| *id.as_bytes()).collect();
        let set = rustix::fs::fsetxattr(&self.dir, LINEAGE, &bytes, XattrFlags::empty());
        set.doing(|| format!("noting {LINEAGE} of {}", self.shown.display()))
    }

    /// What is open only to be moved, or was when that was cut off.
    pub(super) fn moving(&self) -> Result<Option<Uuid>, StorageError> {
        Ok(self.noted(MOVING)?.and_then(|text| text.parse().ok()).filter(|id: &Uuid| !id.is_nil()))
    }

    pub(super) fn note_moving(&self, id: Uuid) -> Result<(), StorageError> {
        self.note(MOVING, &id.to_string())
    }

    /// An extended attribute of the resource's directory.
    fn noted(&self, key: &str) -> Result<Option<String>, StorageError> {
        let doing = || format!("reading {key} of {}", self.shown.display());
        let mut buffer = [0; 256];
        match rustix::fs::fgetxattr(&self.dir, key, &mut buffer) {
            Ok(0) | Err(Errno::NODATA) => Ok(None),
            Ok(length) => {
                let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
                Ok(Some(text.into_owned()))
            }
            Err(error) => Err(error).doing(doing),
        }
    }

    fn note(&self, key: &str, text: &str) -> Result<(), StorageError> {
        let set = rustix::fs::fsetxattr(&self.dir, key, text.as_bytes(), XattrFlags::empty());
        set.doing(|| format!("noting {text} in {key} of {}", self.shown.display()))
    }

    fn garbled(&self, key: &str, why: &str) -> StorageError {
        let doing = format!("reading {key} of {}", self.shown.display());
        StorageError::new(Fault::Permanent, doing, why)
    }

    /// Notes that a sequence number is used. The caller keeps two from doing so at once.
    pub(super) fn raise_high_water(&self, seq: Seq) -> Result<(), StorageError> {
        self.note(HIGH_WATER, &self.high_water()?.max(seq).to_string())
    }

    /// Looks at what lies under a sequence number.
    pub(super) fn look(&self, seq: Seq) -> Result<Entry, StorageError> {
        let doing = || format!("opening {}", self.path_of(seq).display());
        let dir = match subvolume::open_below(&self.dir, seq.to_string()) {
            Ok(dir) => dir,
            Err(Errno::NOENT) => return Ok(Entry::Nothing),
            Err(Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => return Ok(Entry::Foreign),
            Err(error) => return Err(error).doing(doing),
        };
        let has_data = subvolume::exists(&dir, DATA).doing(doing)?;
        match Manifest::read(&subvolume::path_of(&dir)) {
            Ok(Some(manifest)) if self.is_ours(&manifest, seq) => {
                let detail = Detail::of(&manifest)?;
                Ok(Entry::Ours(Box::new(Stored::open(seq, dir, manifest, detail).doing(doing)?)))
            }
            Ok(Some(_)) => Ok(Entry::Foreign),
            Ok(None) if has_data => Ok(Entry::Foreign),
            Ok(None) => Ok(Entry::Remains(dir)),
            // A power cut before the commit point can leave an empty manifest.
            Err(error) if error.fault == Fault::Permanent && !has_data => Ok(Entry::Remains(dir)),
            Err(error) => Err(StorageError { doing: doing(), ..error }),
        }
    }

    /// Removes the bare directory that an interrupted removal left: with nothing in it, it is
    /// nobody's. One that is not empty stays, and so does all on a read-only file system.
    pub(super) fn sweep(&self, seq: Seq) {
        let _ = subvolume::remove(&self.dir, seq.to_string(), rustix::fs::AtFlags::REMOVEDIR);
    }

    /// For messages.
    pub(super) fn path_of(&self, seq: Seq) -> PathBuf {
        self.shown.join(seq.to_string())
    }

    fn is_ours(&self, manifest: &Manifest, seq: Seq) -> bool {
        manifest.resource == self.resource.as_str()
            && manifest.backend == BACKEND
            && manifest.seq == seq.0
    }
}

/// The number that a directory's name stands for, if it is exactly how heptad writes it.
fn seq_of(name: &str) -> Option<Seq> {
    let seq = Seq(name.parse().ok()?);
    (seq.to_string() == name).then_some(seq)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_is_read_as_it_was_written_and_nothing_else_is() {
        let id = Uuid::from_u128;
        let swap = Swap { token: id(1), new: id(2), old: id(3), judged: false, carried: false };
        let judged = Swap { judged: true, ..swap };
        for swap in [swap, judged, Swap { carried: true, ..judged }] {
            assert_eq!(Swap::parse(&swap.to_string()), Some(swap));
        }
        for text in ["", "1 2 3", &swap.to_string()[1..], &format!("{swap} {}", id(4))] {
            assert_eq!(Swap::parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_plain_numbers_are_sequence_numbers() {
        let check =
            |name: &str, want: Option<u64>| assert_eq!(seq_of(name), want.map(Seq), "{name}");
        check("1", Some(1));
        check("18446744073709551615", Some(u64::MAX));
        check("18446744073709551616", None);
        check("007", None);
        check("+7", None);
        check("-7", None);
        check("", None);
        check("7.old", None);
        check("..", None);
    }
}
