//! Visiting a tree that nobody else changes: names in byte order, children before their directory.

use super::super::{BackendError, Doing};
use super::DEPTH;
use super::meta::{Kind, Meta};
use super::open::{names, open_dir, peek};
use super::report::shown;
use crate::domain::operation::Fault;
use std::os::fd::AsFd;

/// Hears each entry with its relative path; the root itself, last, has an empty one.
type Visit<'a> = dyn FnMut(&[u8], &Meta) -> Result<(), BackendError> + 'a;

/// Walks the tree, or single file, behind a reference. Symbolic links are visited, not followed.
///
/// # Errors
/// Anything that cannot be read: unlike a copy of a live tree, nothing is passed over.
pub fn walk(root: impl AsFd, visit: &mut Visit<'_>) -> Result<(), BackendError> {
    let meta = Meta::of(&root).doing(|| "looking at a tree".into())?;
    step(root, &meta, &mut Vec::new(), 0, visit)
}

fn step(
    at: impl AsFd,
    meta: &Meta,
    path: &mut Vec<u8>,
    depth: usize,
    visit: &mut Visit<'_>,
) -> Result<(), BackendError> {
    if meta.kind == Kind::Dir {
        let reading = |path: &[u8]| format!("reading directory {}", shown(path));
        if depth > DEPTH {
            let why = format!("it is nested deeper than {DEPTH} levels");
            return Err(BackendError::new(Fault::Permanent, reading(path), why));
        }
        let dir = open_dir(at).doing(|| reading(path))?;
        for name in names(&dir).doing(|| reading(path))? {
            let length = path.len();
            push(path, name.to_bytes());
            let (child, meta) =
                peek(&dir, &name).doing(|| format!("looking at {}", shown(path)))?;
            step(child, &meta, path, depth + 1, visit)?;
            path.truncate(length);
        }
    }
    visit(path, meta)
}

/// Appends a name to a relative path.
pub fn push(path: &mut Vec<u8>, name: &[u8]) {
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
}
