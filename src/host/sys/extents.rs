//! Where a file's content lies on its file system: `linux/fiemap.h`, and of btrfs the trees
//! themselves.

use super::layout::{self, FiemapExtent, SearchArgs, TreeKey};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// A piece of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Where it lies on the device; none where it has no place of its own yet.
    pub start: Option<u64>,
    /// As much as the file shows of it.
    pub length: u64,
    pub form: Form,
    /// Whether others refer to the same place.
    pub shared: bool,
}

/// How a piece is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As it is shown.
    Plain,
    /// Compressed: it takes up less than its length.
    Encoded,
    /// Among what the file system knows of the file, without a block of its own.
    Inline,
}

/// Tells all pieces of an open file, in order; holes are none.
///
/// # Errors
/// `EOPNOTSUPP` where the file system does not tell.
pub fn extents(file: impl AsFd, visit: &mut dyn FnMut(Extent)) -> io::Result<()> {
    let mut args = Box::new(layout::FiemapPage::EMPTY);
    loop {
        args.head.mapped = 0;
        // SAFETY: the descriptor is open; the pointer is to the whole page, `extent_count` is the
        // true number of places that follow the head, and the kernel writes no further.
        unsafe { raw::fiemap(file.as_fd().as_raw_fd(), (&raw mut *args).cast()) }?;
        let told = usize::try_from(args.head.mapped).unwrap_or_default().min(args.extents.len());
        let Some(last) = args.extents[..told].last() else { return Ok(()) };
        let next = last.logical.saturating_add(last.length);
        let done = last.flags & layout::EXTENT_LAST != 0 || next <= args.head.start;
        args.extents[..told].iter().map(extent).for_each(&mut *visit);
        if done {
            return Ok(());
        }
        (args.head.start, args.head.length) = (next, u64::MAX - next);
    }
}

fn extent(told: &FiemapExtent) -> Extent {
    let is = |flags: u32| told.flags & flags != 0;
    let form = match (is(layout::EXTENT_INLINE), is(layout::EXTENT_ENCODED)) {
        (true, _) => Form::Inline,
        (false, true) => Form::Encoded,
        (false, false) => Form::Plain,
    };
    Extent {
        start: (!is(layout::EXTENT_PLACELESS)).then_some(told.physical),
        length: told.length,
        form,
        shared: is(layout::EXTENT_SHARED),
    }
}

/// Writes a file's data out and waits until the file system's *running transaction* refers to it,
/// without a commit of its own: the next commit makes the file durable. A btrfs commit alone does
/// not write file data that is still only in memory.
pub fn settle(file: BorrowedFd<'_>) -> io::Result<()> {
    let mut args = layout::Fiemap {
        start: 0,
        length: u64::MAX,
        flags: layout::FIEMAP_FLAG_SYNC,
        mapped: 0,
        extent_count: 0,
        reserved: 0,
    };
    // SAFETY: the descriptor is open; with no room for extents the kernel fills only this head.
    unsafe { raw::fiemap(file.as_raw_fd(), &raw mut args) }?;
    Ok(())
}

/// Reads a tree of btrfs page by page.
pub struct TreeReader(Box<SearchArgs<{ layout::TREE_PAGE }>>);

impl TreeReader {
    #[allow(clippy::new_without_default, reason = "it is large, and nobody needs a default one")]
    pub fn new() -> Self {
        Self(Box::new(SearchArgs::default()))
    }

    /// The first items from `from` to `to`, as many as fit: their number, and the raw buffer that
    /// they lie in. Tree 0 is the one that `fs` lies in. Needs `CAP_SYS_ADMIN`.
    pub fn read(
        &mut self,
        fs: impl AsFd,
        tree: u64,
        (from, to): (TreeKey, TreeKey),
    ) -> io::Result<(u32, &[u8])> {
        self.0.ask(tree, from, to);
        // SAFETY: the descriptor is open; `buf_size` is the true size of the buffer that follows,
        // and the kernel writes no further.
        unsafe { raw::tree_search_page(fs.as_fd().as_raw_fd(), &raw mut *self.0) }?;
        Ok((self.0.nr_items, &self.0.buf))
    }
}

/// The requests. The generated functions are unsafe: they take any pointer.
mod raw {
    use super::super::layout::{Fiemap, MAGIC, SEARCH_HEAD, SearchArgs, TREE_PAGE};

    // The requests' sizes are those of the heads alone: what follows is a flexible array.
    nix::ioctl_readwrite_bad!(
        fiemap,
        nix::request_code_readwrite!(b'f', 11, size_of::<Fiemap>()),
        Fiemap
    );
    nix::ioctl_readwrite_bad!(
        tree_search_page,
        nix::request_code_readwrite!(MAGIC, 17, SEARCH_HEAD),
        SearchArgs<TREE_PAGE>
    );
}
