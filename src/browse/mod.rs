//! Looking into a snapshot's files: one directory, one file, two trees side by side.
//!
//! Every path is resolved by the kernel from a held descriptor, beneath it, through no symbolic
//! link and no mount; what is opened for reading is a directory or a regular file, so that nothing
//! in a snapshot, whoever put it there, leads elsewhere or makes a reader wait. This room knows the
//! kernel's file calls; it must not know how any backend stores its snapshots.

mod compare;
mod detach;
mod list;

pub use compare::{Bounds, compare};
pub use detach::{Detached, Own, detach};
pub use list::list;

use crate::domain::tree::{BrowseError, Entry, Kind, Stamp, TreePath};
use crate::fs::tree::{self, Meta};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

/// A snapshot's content, held open: a directory or a single file. As long as it lives, the mount
/// that it lies on stays.
#[derive(Debug)]
pub struct OpenTree {
    root: Content,
    /// What stands in the place of an empty directory: the content of nested volumes by path.
    parts: Vec<(TreePath, Content)>,
}

#[derive(Debug)]
struct Content {
    fd: OwnedFd,
    /// How it gets a mount of its own; without one, from the mount that it lies on.
    own: Option<Own>,
}

/// A reference only: neither a device nor a pipe is touched by it.
const REFERENCE: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

const RESOLVE: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

impl OpenTree {
    pub fn new(root: OwnedFd) -> Self {
        Self { root: Content { fd: root, own: None }, parts: Vec::new() }
    }

    /// A tree on a mount that is in nobody's tree, and how it gets another.
    pub fn with_mount(root: OwnedFd, own: Own) -> Self {
        Self { root: Content { fd: root, own: Some(own) }, parts: Vec::new() }
    }

    /// Shows `root` at `path`.
    #[must_use]
    pub fn with_part(mut self, path: TreePath, root: OwnedFd, own: Option<Own>) -> Self {
        self.parts.push((path, Content { fd: root, own }));
        self
    }

    /// A reference to what is at a path, and what it is: the two belong together.
    fn find(&self, path: &TreePath) -> Result<(OwnedFd, Meta), BrowseError> {
        let (root, rest) = self.base(path);
        let found = if rest.is_top() {
            root.try_clone().map_err(|error| unreadable(&error))?
        } else {
            rustix::fs::openat2(root, rest.as_bytes(), REFERENCE, Mode::empty(), RESOLVE)
                .map_err(refusal)?
        };
        let meta = Meta::of(&found).map_err(refusal)?;
        Ok((found, meta))
    }

    /// The deepest part that a path lies in, and the path from there.
    fn base(&self, path: &TreePath) -> (&OwnedFd, TreePath) {
        let parts = self.parts.iter().filter_map(|(top, part)| Some((&part.fd, path.below(top)?)));
        let deepest = parts.min_by_key(|(_, rest)| rest.as_bytes().len());
        deepest.unwrap_or_else(|| (&self.root.fd, path.clone()))
    }
}

/// Opens a regular file for reading.
///
/// # Errors
/// [`BrowseError::NotAFile`] for anything else, which is not opened.
pub fn open(tree: &OpenTree, path: &TreePath) -> Result<(File, Entry), BrowseError> {
    let (reference, meta) = tree.find(path)?;
    if meta.kind != tree::Kind::File {
        return Err(BrowseError::NotAFile(kind(meta.kind)));
    }
    let file = tree::open_file(&reference).map_err(refusal)?;
    Ok((File::from(file), entry(path.name(), &reference, &meta)?))
}

fn entry(name: &[u8], reference: impl AsFd, meta: &Meta) -> Result<Entry, BrowseError> {
    let target = match meta.kind {
        tree::Kind::Link => Some(target(reference)?),
        _ => None,
    };
    Ok(Entry {
        name: name.into(),
        kind: kind(meta.kind),
        size: meta.size,
        mtime: Stamp { secs: meta.mtime.secs, nanos: meta.mtime.nanos },
        mode: meta.mode,
        uid: meta.uid,
        gid: meta.gid,
        target,
    })
}

fn target(link: impl AsFd) -> Result<Vec<u8>, BrowseError> {
    let target = rustix::fs::readlinkat(link, c"", Vec::new()).map_err(refusal)?;
    Ok(target.into_bytes())
}

fn kind(kind: tree::Kind) -> Kind {
    match kind {
        tree::Kind::Dir => Kind::Directory,
        tree::Kind::File => Kind::File,
        tree::Kind::Link => Kind::Link,
        tree::Kind::Fifo => Kind::Fifo,
        tree::Kind::Socket => Kind::Socket,
        tree::Kind::Block => Kind::Block,
        tree::Kind::Char => Kind::Char,
    }
}

fn refusal(error: Errno) -> BrowseError {
    match error {
        Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG => BrowseError::NotThere,
        Errno::LOOP => BrowseError::ThroughLink,
        Errno::XDEV => BrowseError::Elsewhere,
        other => unreadable(&other.into()),
    }
}

fn unreadable(error: &std::io::Error) -> BrowseError {
    BrowseError::Unreadable(error.to_string())
}
