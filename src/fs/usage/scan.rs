//! Visiting all files of a tree by references, also of one that is changing.

use super::super::tree::{Kind, Meta, Trail, names, open_dir, peek_here, shown};
use super::super::{Doing, StorageError};
use rustix::io::Errno;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// One entry.
pub struct Seen<'a> {
    /// The directory that it lies in, open; none for the root.
    pub dir: Option<BorrowedFd<'a>>,
    /// A reference to it.
    pub entry: BorrowedFd<'a>,
    pub meta: &'a Meta,
}

/// What is done at each entry, directories before what is in them.
pub trait Visitor {
    type Error: From<StorageError>;

    /// Whether to go into a directory.
    fn visit(&mut self, seen: &Seen<'_>) -> Result<bool, Self::Error>;
}

/// Whether entries may vanish meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tree {
    Still,
    Changing,
}

/// A directory that is entered, with the names in it that are still to do.
type Names = std::vec::IntoIter<CString>;

/// Where something is mounted is not looked at: it may be a server that does not answer.
///
/// # Errors
/// Anything that cannot be read; of a changing tree what has vanished is passed over.
pub fn scan<V: Visitor>(root: impl AsFd, tree: Tree, visitor: &mut V) -> Result<(), V::Error> {
    let meta = Meta::of(&root).doing(|| "looking at a tree".into())?;
    let seen = Seen { dir: None, entry: root.as_fd(), meta: &meta };
    let Some((dir, names)) = step(&seen, tree, visitor)? else { return Ok(()) };
    let mut trail = Trail::new(dir);
    let mut levels = vec![names];
    while let Some(names) = levels.last_mut() {
        let Some(name) = names.next() else {
            levels.pop();
            trail.leave();
            continue;
        };
        let looking = || format!("looking at {}", shown(name.to_bytes()));
        // Of a changing tree it may have been moved elsewhere.
        let Some(here) = there(trail.here(), tree).doing(looking)? else { continue };
        let found = there(peek_here(&*here, &name), tree).doing(looking)?;
        let Some((entry, meta)) = found.flatten() else { continue };
        let seen = Seen { dir: Some(here.as_fd()), entry: entry.as_fd(), meta: &meta };
        if let Some((dir, names)) = step(&seen, tree, visitor)? {
            trail.enter(&name, meta, dir);
            levels.push(names);
        }
    }
    Ok(())
}

fn step<V: Visitor>(
    seen: &Seen<'_>,
    tree: Tree,
    visitor: &mut V,
) -> Result<Option<(OwnedFd, Names)>, V::Error> {
    if !visitor.visit(seen)? || seen.meta.kind != Kind::Dir {
        return Ok(None);
    }
    let reading = || "reading a directory".to_owned();
    let Some(dir) = there(open_dir(seen.entry), tree).doing(reading)? else { return Ok(None) };
    let names = names(&dir).doing(reading)?;
    Ok(Some((dir, names.into_iter())))
}

fn there<T>(found: rustix::io::Result<T>, tree: Tree) -> rustix::io::Result<Option<T>> {
    match found {
        Err(Errno::NOENT | Errno::STALE) if tree == Tree::Changing => Ok(None),
        found => found.map(Some),
    }
}
