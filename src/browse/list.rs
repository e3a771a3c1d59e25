//! One directory, page by page.

use super::{OpenTree, entry, refusal};
use crate::domain::tree::{BrowseError, Listing, TreePath};
use crate::fs::tree::{self, open_dir};
use std::collections::BinaryHeap;
use std::os::fd::AsFd;

/// What is at `path` and, if that is a directory, up to `limit` of its entries with names after
/// `after`, in byte order. However large the directory is, only so many names are held at once.
pub fn list(
    tree: &OpenTree,
    path: &TreePath,
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Listing, BrowseError> {
    let (at, meta) = tree.find(path)?;
    let top = entry(path.name(), &at, &meta)?;
    if meta.kind != tree::Kind::Dir {
        return Ok(Listing { top, entries: Vec::new(), more: false });
    }
    let dir = open_dir(&at).map_err(refusal)?;
    let (names, more) = smallest(&dir, after, limit).map_err(refusal)?;
    let entries = names.iter().map(|name| {
        let (reference, meta) = tree.find(&path.join(name))?;
        entry(name, &reference, &meta)
    });
    Ok(Listing { top, entries: entries.collect::<Result<_, _>>()?, more })
}

/// The first names after one, and whether there are more.
fn smallest(
    dir: impl AsFd,
    after: Option<&[u8]>,
    limit: usize,
) -> rustix::io::Result<(Vec<Vec<u8>>, bool)> {
    let mut heap = BinaryHeap::new();
    for found in rustix::fs::Dir::read_from(dir)? {
        let found = found?;
        let name = found.file_name().to_bytes();
        let wanted = !matches!(name, b"." | b"..") && after.is_none_or(|after| name > after);
        if wanted {
            heap.push(name.to_vec());
            if heap.len() > limit + 1 {
                heap.pop();
            }
        }
    }
    let mut names = heap.into_sorted_vec();
    let more = names.len() > limit;
    names.truncate(limit);
    Ok((names, more))
}
