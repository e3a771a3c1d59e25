//! Where one resource's snapshots lie: `STORE/RESOURCE/SEQ/` with `manifest.json`, `data` and
//! `nested/N`. One directory per snapshot, because the snapshot ioctl holds the lock of its parent
//! directory while it commits.

use super::detail::Detail;
use super::place::{Place, Top};
use super::store_root::{self, STORE};
use super::stored::Stored;
use crate::backend::manifest::Manifest;
use crate::backend::subvolume;
use crate::backend::{BackendError, Doing};
use crate::domain::name::ResourceName;
use crate::domain::operation::Fault;
use crate::domain::snapshot::Seq;
use rustix::fs::XattrFlags;
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use uuid::Uuid;

pub const DATA: &str = "data";
pub const NESTED: &str = "nested";
pub const BACKEND: &str = "btrfs";
/// An extended attribute of the resource's directory: the highest sequence number ever used. Being
/// metadata, it is made durable by the commit of the very snapshot that it counts.
const HIGH_WATER: &str = "user.heptad.high-water";

/// One resource's directory in a store, open for the length of a job.
#[derive(Debug)]
pub struct Store {
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
pub enum Entry {
    Nothing,
    /// A directory that never got a manifest, or lost it last: nothing of value.
    Remains(OwnedFd),
    /// It bears another resource's marker, or none.
    Foreign,
    Ours(Box<Stored>),
}

impl Store {
    /// Opens a resource's directory; `None` where it was never made.
    pub fn open(
        place: &Place,
        configured: Option<&Path>,
        resource: &ResourceName,
    ) -> Result<Option<Self>, BackendError> {
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
    pub fn create(
        place: &Place,
        configured: Option<&Path>,
        resource: &ResourceName,
    ) -> Result<Self, BackendError> {
        if let Some(store) = Self::open(place, configured, resource)? {
            return Ok(store);
        }
        let doing = || format!("making the store of {resource}");
        let parent = match configured {
            Some(path) => store_root::open_configured(path, place)?,
            None => store_root::make_own(&*Top::of(place)?)?,
        };
        subvolume::make_dir(&parent, resource.as_str()).doing(doing)?;
        let gone = || BackendError::new(Fault::Transient, doing(), "it was removed at this moment");
        Self::open(place, configured, resource)?.ok_or_else(gone)
    }

    /// The sequence numbers that have a directory, rising.
    pub fn seqs(&self) -> Result<Vec<Seq>, BackendError> {
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
    pub fn high_water(&self) -> Result<Seq, BackendError> {
        let doing = || format!("reading {HIGH_WATER} of {}", self.shown.display());
        let mut buffer = [0; 32];
        let length = match rustix::fs::fgetxattr(&self.dir, HIGH_WATER, &mut buffer) {
            Ok(length) => length,
            Err(Errno::NODATA) => 0,
            Err(error) => return Err(error).doing(doing),
        };
        let text = buffer.get(..length).unwrap_or_default();
        let noted = match std::str::from_utf8(text).ok().map(str::parse) {
            _ if text.is_empty() => 0,
            Some(Ok(noted)) => noted,
            _ => return Err(BackendError::new(Fault::Permanent, doing(), "it is not a number")),
        };
        let seen = self.seqs()?.last().copied().unwrap_or_default();
        Ok(seen.max(Seq(noted)))
    }

    /// Notes that a sequence number is used. The caller keeps two from doing so at once.
    pub fn raise_high_water(&self, seq: Seq) -> Result<(), BackendError> {
        let highest = self.high_water()?.max(seq).to_string();
        let set =
            rustix::fs::fsetxattr(&self.dir, HIGH_WATER, highest.as_bytes(), XattrFlags::empty());
        set.doing(|| format!("noting {highest} in {HIGH_WATER} of {}", self.shown.display()))
    }

    /// Looks at what lies under a sequence number.
    pub fn look(&self, seq: Seq) -> Result<Entry, BackendError> {
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
            Err(error) => Err(BackendError { doing: doing(), ..error }),
        }
    }

    /// Removes the bare directory that an interrupted removal left: with nothing in it, it is
    /// nobody's. One that is not empty stays, and so does all on a read-only file system.
    pub fn sweep(&self, seq: Seq) {
        let _ = subvolume::remove(&self.dir, seq.to_string(), rustix::fs::AtFlags::REMOVEDIR);
    }

    /// For messages.
    pub fn path_of(&self, seq: Seq) -> PathBuf {
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
