//! Which subvolumes of a tree that heptad builds are closed to writers, and when.
//!
//! Those that were read-only are so again in the end. Until what they replace is judged, all of a
//! tree that takes another one's place are closed: what somebody wrote into it would be lost if the
//! names had to be exchanged back.

use super::detail::NestedPart;
use super::stored::Stored;
use crate::fs::subvolume::Subvolume;
use crate::fs::{Doing, StorageError};
use crate::host::sys;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// One subvolume of the tree.
pub(super) struct Piece {
    /// From the root of the tree; empty for the root itself.
    pub path: PathBuf,
    /// What it is a copy of.
    pub source: Uuid,
    /// What it is in the end.
    pub read_only: bool,
}

/// Those of a stored snapshot's tree, parents before children.
pub(super) fn pieces(stored: &Stored, data: &Subvolume) -> Vec<Piece> {
    let (source, read_only) = (data.uuid(), stored.detail.read_only);
    let root = Piece { path: PathBuf::new(), source, read_only };
    let parts = stored.detail.nested.iter().zip(stored.nested.iter().flatten());
    let part = |(part, stored): (&NestedPart, &Subvolume)| Piece {
        path: part.path.to_path(),
        source: stored.uuid(),
        read_only: part.read_only,
    };
    std::iter::once(root).chain(parts.map(part)).collect()
}

/// What shall become of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seal {
    Closed,
    Open,
    /// As the original was.
    Original,
}

/// Closes or opens the subvolumes of a tree. What lies in the place of one and is no copy of it
/// stays as it is.
pub(super) fn set(root: &OwnedFd, pieces: &[Piece], seal: Seal) -> Result<(), StorageError> {
    for piece in pieces {
        set_one(
            root,
            piece,
            match seal {
                Seal::Closed => true,
                Seal::Open => false,
                Seal::Original => piece.read_only,
            },
        )?;
    }
    Ok(())
}

/// Opens those that have others in them, which could not be removed else.
pub(super) fn open_above(root: &OwnedFd, pieces: &[Piece]) -> Result<(), StorageError> {
    let above = |piece: &&Piece| has_below(&piece.path, pieces.iter().map(|piece| &piece.path));
    pieces.iter().filter(above).try_for_each(|piece| set_one(root, piece, false))
}

/// Whether something is put into it after it was made. What is closed from the beginning stays what
/// `btrfs receive` made of it.
pub(super) fn has_below<'a>(piece: &Path, mut others: impl Iterator<Item = &'a PathBuf>) -> bool {
    others.any(|path| path != piece && path.starts_with(piece))
}

fn set_one(root: &OwnedFd, piece: &Piece, read_only: bool) -> Result<(), StorageError> {
    let is_root = piece.path.as_os_str().is_empty();
    let doing = || match is_root {
        true => "setting whether a subvolume is read-only".to_owned(),
        false => format!("setting whether {} is read-only", piece.path.display()),
    };
    if is_root {
        return sys::btrfs_set_read_only(root, read_only).doing(doing);
    }
    match Subvolume::open(root, &piece.path).doing(doing)? {
        Some(copy) if copy.parent() == piece.source => copy.set_read_only(read_only).doing(doing),
        _ => Ok(()),
    }
}
