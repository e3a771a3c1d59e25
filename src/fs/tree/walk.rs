//! Visiting a tree that nobody else changes: names in byte order, children before their directory.

use super::super::{Doing, StorageError};
use super::meta::{Kind, Meta};
use super::open::{names, open_dir, peek_here};
use super::report::shown;
use super::trail::Trail;
use crate::domain::operation::Fault;
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

/// Hears each entry with its relative path; the root itself, last, has an empty one.
type Visit<'a> = dyn FnMut(&[u8], &Meta) -> Result<(), StorageError> + 'a;
/// The same. Of a name where something is mounted nothing else is known: it is not looked into.
type VisitAll<'a> = dyn FnMut(&[u8], Option<&Meta>) -> Result<(), StorageError> + 'a;

/// A directory with the names in it that are still to visit.
struct Level {
    names: std::vec::IntoIter<CString>,
    meta: Meta,
    above: usize,
}

/// Walks the tree, or single file, behind a reference. Symbolic links are visited, not followed.
///
/// # Errors
/// Anything that cannot be read: unlike a copy of a live tree, nothing is passed over.
/// [`Fault::Busy`] where something is mounted inside.
pub fn walk(root: impl AsFd, visit: &mut Visit<'_>) -> Result<(), StorageError> {
    walk_with_mounts(root, &mut |path, meta| match meta {
        Some(meta) => visit(path, meta),
        None => {
            let why = "something is mounted there: unmount it first";
            Err(StorageError::new(Fault::Busy, format!("looking at {}", shown(path)), why))
        }
    })
}

/// As [`walk`], for whom a mount inside is no error.
pub fn walk_with_mounts(root: impl AsFd, visit: &mut VisitAll<'_>) -> Result<(), StorageError> {
    let meta = Meta::of(&root).doing(|| "looking at a tree".into())?;
    let mut path = Vec::new();
    if meta.kind != Kind::Dir {
        return visit(&path, Some(&meta));
    }
    let (dir, names) = open(&root, &path)?;
    let mut trail = Trail::new(dir);
    let mut levels = vec![Level { names, meta, above: 0 }];
    while let Some(level) = levels.last_mut() {
        let Some(name) = level.names.next() else {
            visit(&path, Some(&level.meta))?;
            path.truncate(level.above);
            levels.pop();
            trail.leave();
            continue;
        };
        let above = path.len();
        push(&mut path, name.to_bytes());
        let looking = || format!("looking at {}", shown(&path));
        let here = trail.here().doing(looking)?;
        match peek_here(&*here, &name).doing(looking)? {
            Some((child, meta)) if meta.kind == Kind::Dir => {
                let (dir, names) = open(child, &path)?;
                trail.enter(&name, meta, dir);
                levels.push(Level { names, meta, above });
            }
            found => {
                visit(&path, found.map(|(_, meta)| meta).as_ref())?;
                path.truncate(above);
            }
        }
    }
    Ok(())
}

fn open(
    directory: impl AsFd,
    path: &[u8],
) -> Result<(OwnedFd, std::vec::IntoIter<CString>), StorageError> {
    let reading = || format!("reading directory {}", shown(path));
    let dir = open_dir(directory).doing(reading)?;
    let names = names(&dir).doing(reading)?;
    Ok((dir, names.into_iter()))
}

/// Appends a name to a relative path.
pub(super) fn push(path: &mut Vec<u8>, name: &[u8]) {
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
}
