//! What a snapshot's tree occupies, and what all of a store do together.

use super::Store;
use crate::domain::usage::TotalUsage;
use crate::domain::usage::Usage;
use crate::fs::tree::{Kind, Meta, add_bytes};
use crate::fs::usage::{self, MOST, Seen, Sharing, Tree, Unmeasurable, UsageSum, Visitor};
use crate::fs::{Doing, StorageError};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Bytes of a tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blocks {
    /// Logical bytes of all files, one with several names once.
    pub stored: u64,
    /// What has no name outside of the tree and shares its blocks with nothing; none where the
    /// file system does not tell, or not how much it is.
    pub exclusive: Option<u64>,
}

impl Blocks {
    pub fn usage(self) -> Usage {
        Usage { stored: Some(self.stored), exclusive: self.exclusive }
    }
}

/// Measures the tree behind a reference.
pub fn blocks(root: impl AsFd) -> Result<Blocks, StorageError> {
    let sharing = Sharing::of(&root)?;
    let exclusive = (sharing != Sharing::Unknown).then_some(0);
    let blocks = Blocks { stored: 0, exclusive };
    let mut measuring = Measuring { sharing, blocks, names: HashMap::new() };
    usage::scan(root, Tree::Still, &mut measuring)?;
    Ok(measuring.blocks)
}

struct Measuring {
    sharing: Sharing,
    blocks: Blocks,
    /// Names found here of files with several: all of them here means that no other snapshot has
    /// one.
    names: HashMap<((u32, u32), u64), u32>,
}

impl Visitor for Measuring {
    type Error = StorageError;

    fn visit(&mut self, seen: &Seen<'_>) -> Result<bool, StorageError> {
        let meta = seen.meta;
        let (first, all) = self.of_names(meta);
        if meta.kind == Kind::File && first {
            self.blocks.stored = add_bytes(self.blocks.stored, meta.size);
        }
        if self.blocks.exclusive.is_some() && all {
            let bytes = match (meta.kind, self.sharing) {
                (Kind::File, Sharing::Told | Sharing::Btrfs) if meta.blocks > 0 => {
                    usage::unshared(seen.entry)?
                }
                _ => Some(self.sharing.of_inode(meta)),
            };
            let sum = self.blocks.exclusive.zip(bytes);
            self.blocks.exclusive = sum.map(|(sum, bytes)| sum + bytes);
        }
        Ok(true)
    }
}

impl Measuring {
    /// Whether this is the first name found here of what it is a name of, and whether it is the
    /// last of all that there are.
    fn of_names(&mut self, meta: &Meta) -> (bool, bool) {
        if meta.kind == Kind::Dir || meta.nlink == 1 {
            return (true, true);
        }
        let key = (meta.dev, meta.ino);
        if self.names.len() >= MOST && !self.names.contains_key(&key) {
            self.blocks.exclusive = None;
            return (true, false);
        }
        let found = self.names.entry(key).or_default();
        *found += 1;
        (*found == 1, *found == meta.nlink)
    }
}

/// What everything in a store occupies together, beside the live resource. That is asked for only
/// where some of it may be shared. What the resource leaves out is not looked at: heptad's own
/// catalogue may be there, and to close it would drop the locks that this process holds on it.
pub fn occupied(
    store: &Store,
    live: impl FnOnce() -> Result<Vec<OwnedFd>, StorageError>,
    left_out: &[PathBuf],
) -> Result<Option<TotalUsage>, StorageError> {
    if !store.is_there()? {
        return Ok(None);
    }
    Unmeasurable::settle(together(store, live, left_out))
}

fn together(
    store: &Store,
    live: impl FnOnce() -> Result<Vec<OwnedFd>, StorageError>,
    left_out: &[PathBuf],
) -> Result<TotalUsage, Unmeasurable> {
    let mut tally = UsageSum::new(open(store.dir(), OFlags::RDONLY)?)?;
    for item in store.items()?.0 {
        tally.add(open(&item.path, OFlags::PATH)?)?;
    }
    let shares = tally.may_share();
    let mut beside = tally.beside()?;
    if shares {
        let mut skip = Vec::new();
        for path in left_out.iter().map(PathBuf::as_path).chain([store.root()]) {
            skip.extend(at(path)?);
        }
        for root in live()? {
            beside.holds(root, &skip)?;
        }
    }
    beside.occupied()
}

/// What is at a path, if anything.
fn at(path: &Path) -> Result<Option<Meta>, StorageError> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()).and_then(Meta::of) {
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        found => found.map(Some).doing(|| format!("looking at {}", path.display())),
    }
}

fn open(dir: &Path, how: OFlags) -> Result<OwnedFd, StorageError> {
    let flags = how | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = rustix::fs::open(dir, flags, Mode::empty());
    open.doing(|| format!("measuring {}", dir.display()))
}
