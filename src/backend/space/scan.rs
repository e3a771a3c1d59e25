//! Visiting all files of a tree by references, also of one that is changing.

use crate::backend::tree::{DEPTH, Kind, Meta, names, open_dir, peek};
use crate::backend::{BackendError, Doing};
use crate::domain::operation::Fault;
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd};

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
    type Error: From<BackendError>;

    /// Whether to go into a directory.
    fn visit(&mut self, seen: &Seen<'_>) -> Result<bool, Self::Error>;
}

/// Whether entries may vanish meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tree {
    Still,
    Changing,
}

/// # Errors
/// Anything that cannot be read; of a changing tree what has vanished is passed over.
pub fn scan<V: Visitor>(root: impl AsFd, tree: Tree, visitor: &mut V) -> Result<(), V::Error> {
    let meta = Meta::of(&root).doing(|| "looking at a tree".into())?;
    let seen = Seen { dir: None, entry: root.as_fd(), meta: &meta };
    step(&seen, tree, 0, visitor)
}

fn step<V: Visitor>(
    seen: &Seen<'_>,
    tree: Tree,
    depth: usize,
    visitor: &mut V,
) -> Result<(), V::Error> {
    if !visitor.visit(seen)? || seen.meta.kind != Kind::Dir {
        return Ok(());
    }
    let reading = || "reading a directory".to_owned();
    if depth > DEPTH {
        let why = format!("it is nested deeper than {DEPTH} levels");
        return Err(BackendError::new(Fault::Permanent, reading(), why).into());
    }
    let Some(dir) = there(open_dir(seen.entry), tree).doing(reading)? else { return Ok(()) };
    for name in names(&dir).doing(reading)? {
        let found = there(peek(&dir, &name), tree);
        let found = found.doing(|| format!("looking at {}", name.to_string_lossy()))?;
        if let Some((entry, meta)) = found {
            let seen = Seen { dir: Some(dir.as_fd()), entry: entry.as_fd(), meta: &meta };
            step(&seen, tree, depth + 1, visitor)?;
        }
    }
    Ok(())
}

fn there<T>(found: rustix::io::Result<T>, tree: Tree) -> rustix::io::Result<Option<T>> {
    match found {
        Err(Errno::NOENT | Errno::STALE) if tree == Tree::Changing => Ok(None),
        found => found.map(Some),
    }
}
