//! Is the live resource still the same one?
//!
//! A directory is known by its file system and its inode: an empty mount point whose disk is away
//! is another inode on another file system. One file is known by the directory that it is in and
//! its name: programs replace a file by renaming a new one over it, which must alarm nobody.

use crate::domain::operation::Fault;
use crate::fs::tree::{Kind, Meta, open_dir, open_file, open_nosymlink, shown};
use crate::fs::{Doing, StorageError};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// File systems whose `f_fsid` comes from their UUID (ext2 to ext4, btrfs) or is drawn anew at each
/// mount (tmpfs, whose content is new then, too). Others derive it from a device number, which
/// may change at any boot: there the inode's number and birth time must do.
const STEADY_FSID: [u64; 3] = [0xef53, 0x9123_683e, 0x0102_1994];

/// What a look at a live resource tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Stable while the resource is the same one: UUIDs, never a path.
    pub identity: String,
}

/// # Errors
/// [`Fault::Absent`] where nothing is there, [`Fault::Permanent`] for what cannot be protected.
pub fn probe(path: &Path) -> Result<Probe, StorageError> {
    let (reference, kind) = open(path)?;
    let identity = match (kind, path.parent(), path.file_name()) {
        (Kind::File, Some(parent), Some(name)) => {
            let parent = place(&open_nosymlink(parent)?, parent)?;
            format!("file:{parent}/{}", shown(name.as_bytes()))
        }
        _ => format!("dir:{}", place(&reference, path)?),
    };
    Ok(Probe { identity })
}

/// A reference to the live resource, which this process may read.
pub fn open(path: &Path) -> Result<(OwnedFd, Kind), StorageError> {
    let doing = || format!("opening {}", path.display());
    let reference = open_nosymlink(path)?;
    let kind = Meta::of(&reference).doing(doing)?.kind;
    match kind {
        Kind::Dir => drop(open_dir(&reference).doing(doing)?),
        Kind::File => drop(open_file(&reference).doing(doing)?),
        other => {
            let why = format!("it is {}; only directories and files are protected", other.words());
            return Err(StorageError::new(Fault::Permanent, doing(), why));
        }
    }
    Ok((reference, kind))
}

/// One object by its file system and inode, told apart from others that had its number before.
pub fn place(reference: &OwnedFd, path: &Path) -> Result<String, StorageError> {
    let doing = || format!("identifying {}", path.display());
    let meta = Meta::of(reference).doing(doing)?;
    let kind =
        u64::from_ne_bytes(rustix::fs::fstatfs(reference).doing(doing)?.f_type.to_ne_bytes());
    let mut text = format!("{kind:x}");
    if STEADY_FSID.contains(&kind) {
        let fsid = rustix::fs::fstatvfs(reference).doing(doing)?.f_fsid;
        text.push_str(&format!(":{fsid:016x}"));
    }
    text.push_str(&format!(":{}", meta.ino));
    if let Some(born) = meta.btime {
        text.push_str(&format!(":{born}"));
    }
    Ok(text)
}
