//! What files occupy on the file system that they lie on, where several of them may share blocks.
//!
//! ext4 and tmpfs share nothing: what the inodes count is what would become free. XFS tells of each
//! block range whether it is shared. btrfs tells by its trees, which also know how large what is
//! compressed or half overwritten really is; its own trees, and with them symbolic links and the
//! content of small files, are not counted. Of other file systems nothing is told.
//!
//! This room knows trees of files and the kernel's requests. It must not know resources, snapshots
//! or any backend.

mod pieces;
mod ranges;
mod scan;
pub mod search;
mod sum;

pub use pieces::unshared;
pub use ranges::MOST;
use ranges::TooMany;
pub use scan::{Seen, Tree, Visitor, scan};
pub use sum::UsageSum;

use super::tree::Meta;
use super::{Doing, StorageError};
use crate::host::sys;
use rustix::io::Errno;
use std::os::fd::AsFd;

/// Bytes of one of the blocks that inodes count in.
const BLOCK: u64 = 512;

const EXT: u64 = 0xef53;
const TMPFS: u64 = 0x0102_1994;
const XFS: u64 = 0x5846_5342;
const BTRFS: u64 = 0x9123_683e;

/// How a file system shares blocks between files, and how it tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    Never,
    /// It tells of each piece.
    Told,
    /// Its trees tell.
    Btrfs,
    Unknown,
}

impl Sharing {
    /// What an entry takes up that has no pieces to ask for. On btrfs that is nothing of its own:
    /// it lies in the trees, although the inode counts a whole block.
    pub fn of_inode(self, meta: &Meta) -> u64 {
        if self == Self::Btrfs { 0 } else { meta.blocks * BLOCK }
    }

    pub fn of(fd: impl AsFd) -> Result<Self, StorageError> {
        let found = rustix::fs::fstatfs(fd).doing(|| "looking at a file system".into())?;
        // The type of this field differs between machines.
        #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast, reason = "magic numbers")]
        let magic = found.f_type as u64 & 0xffff_ffff;
        Ok(match magic {
            EXT | TMPFS => Self::Never,
            XFS => Self::Told,
            BTRFS => Self::Btrfs,
            _ => Self::Unknown,
        })
    }
}

/// Why there is no figure.
#[derive(Debug, thiserror::Error)]
pub enum Unmeasurable {
    #[error(transparent)]
    Failed(#[from] StorageError),
    #[error(transparent)]
    TooMany(#[from] TooMany),
    #[error("this file system does not tell, or not to this user")]
    Silent,
}

impl Unmeasurable {
    /// What the kernel refused: by what it cannot do, or by chance.
    fn by(doing: &str, error: std::io::Error) -> Self {
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::OPNOTSUPP | Errno::NOTTY | Errno::PERM) => Self::Silent,
            _ => Self::Failed(StorageError::io(doing, &error)),
        }
    }

    /// Whether a figure was made, or cannot be made at all.
    ///
    /// # Errors
    /// What may be better next time.
    pub fn settle<T>(told: Result<T, Self>) -> Result<Option<T>, StorageError> {
        match told {
            Ok(told) => Ok(Some(told)),
            Err(Self::TooMany(_) | Self::Silent) => Ok(None),
            Err(Self::Failed(error)) => Err(error),
        }
    }
}

/// The UUID of the btrfs that an open directory lies on.
fn fsid(dir: impl AsFd) -> Option<[u8; 16]> {
    sys::btrfs_fsid(dir).ok()
}
