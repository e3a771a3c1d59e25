//! What lies under a mount point: the directory that whoever mounts something there has covered.

use super::meta::Meta;
use super::open::below;
use rustix::mount::OpenTreeFlags;
use std::os::fd::{BorrowedFd, OwnedFd};

/// The tree without anything that is mounted below it, made when it is first asked for.
pub(super) struct Covered<'a> {
    root: BorrowedFd<'a>,
    /// A copy of the root's mount alone, seen by nobody else; none where that is not permitted.
    bare: Option<Option<OwnedFd>>,
}

impl<'a> Covered<'a> {
    pub(super) fn new(root: BorrowedFd<'a>) -> Self {
        Self { root, bare: None }
    }

    /// A reference to what is covered at a relative path.
    pub(super) fn at(&mut self, path: &[u8]) -> Option<(OwnedFd, Meta)> {
        let bare = self.bare.get_or_insert_with(|| {
            let flags = OpenTreeFlags::OPEN_TREE_CLONE
                | OpenTreeFlags::OPEN_TREE_CLOEXEC
                | OpenTreeFlags::AT_EMPTY_PATH;
            rustix::mount::open_tree(self.root, c"", flags).ok()
        });
        below(bare.as_ref()?, path).ok()
    }
}
