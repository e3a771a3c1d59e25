//! Copying a live tree: what a caller chooses and hears.

use super::super::{Doing, Progress, StorageError};
use super::copier::Copier;
use super::flags::Flags;
use super::meta::{Kind, Meta};
use super::open::{make_dir, names, open_dir, open_file};
use super::report::{Report, shown};
use crate::domain::operation::Fault;
use std::collections::HashSet;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Where from and where to: copies in a store do not bear what chattr(1) sets but note it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    IntoStore,
    WithinStore,
    /// What forbids to move the root of the copy is left to [`fix`].
    OutOfStore,
}

/// What to copy, and how.
#[derive(Clone, Copy)]
pub struct Copy<'a> {
    pub flow: Flow,
    /// Relative paths left out, with all below them.
    pub exclude: &'a HashSet<Vec<u8>>,
    /// Whether to enter other file systems (and bind mounts, and btrfs subvolumes). Where not, an
    /// empty directory stands in the copy, and the report names it.
    pub cross_mounts: bool,
    /// A directory that is left out wherever it is met: where the copy itself goes.
    pub own_store: Option<Meta>,
    pub progress: &'a dyn Progress,
    /// The expected bytes, for the progress report.
    pub total: Option<u64>,
}

/// One original, held open.
pub struct Entry<'a> {
    /// Relative to the root, whose own path is empty.
    pub path: &'a [u8],
    /// A reference (`O_PATH`).
    pub reference: BorrowedFd<'a>,
    pub meta: &'a Meta,
}

/// Hears of each entry as it is copied.
pub trait Visitor {
    /// An earlier copy of this very file, unchanged since, to be linked instead of copied. It must
    /// lie on the file system of the copy.
    fn unchanged(&mut self, _file: &Entry<'_>) -> Result<Option<OwnedFd>, StorageError> {
        Ok(None)
    }

    /// An entry is in place, a directory after all that is in it: as the original was when it was
    /// read, and as the copy is.
    fn stored(&mut self, _path: &[u8], _was: &Meta, _is: &Meta) -> Result<(), StorageError> {
        Ok(())
    }
}

impl Visitor for () {}

/// Every file becomes another name of the same copy: for copies of what nobody writes to.
pub struct Share;

impl Visitor for Share {
    fn unchanged(&mut self, file: &Entry<'_>) -> Result<Option<OwnedFd>, StorageError> {
        file.reference.try_clone_to_owned().map(Some).doing(|| "sharing a file".into())
    }
}

/// Copies the file or tree behind the reference `from` to a new `name` in `to`. Not durable until
/// the caller syncs the file system.
///
/// # Errors
/// [`Fault::Permanent`] if the root may not be read; [`Fault::NoSpace`] and what else the kernel
/// says of the root or of the copy's file system. What was copied until then stays: the caller
/// removes it, also where [`Fault::Cancelled`] tells that nobody wants the copy any more. What is wrong with one entry is no error but in the report.
pub fn copy_tree(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    name: &CStr,
    options: &Copy<'_>,
    visitor: &mut dyn Visitor,
) -> Result<Report, StorageError> {
    options.progress.wanted()?;
    let meta = Meta::of(from).doing(|| "looking at the root of the tree".into())?;
    match meta.kind {
        Kind::Dir => {
            let making = || format!("making {}", shown(name.to_bytes()));
            let made = make_dir(to, name).doing(making)?;
            if is_foreign(&made).doing(making)? {
                // It would read along while the copy is being made.
                let why = "somebody who may write to that directory put another one in its place";
                return Err(StorageError::new(Fault::Permanent, making(), why));
            }
            copy_into(from, made.as_fd(), options, visitor)
        }
        Kind::File => {
            let mut copier = Copier::new(from, to, meta, options, visitor);
            copier.file(from, meta, to, name)?;
            match copier.report.incomplete() {
                Some(why) => Err(root_error(&why)),
                None if copier.report.entries == 0 => Err(root_error("it went away")),
                None => Ok(copier.report),
            }
        }
        kind => Err(root_error(&format!("it is {}, not a directory or file", kind.words()))),
    }
}

/// Whether a directory just made is somebody else's by now. A file system that gives all to one user
/// (NFS, vfat) does so with whatever is made in it, too.
fn is_foreign(made: &OwnedFd) -> rustix::io::Result<bool> {
    const PROBE: &CStr = c".heptad-owner";
    let owner = Meta::of(made)?.uid;
    if owner == nix::unistd::geteuid().as_raw() {
        return Ok(false);
    }
    let inside = make_dir(made, PROBE).and_then(Meta::of);
    rustix::fs::unlinkat(made, PROBE, rustix::fs::AtFlags::REMOVEDIR)?;
    Ok(inside?.uid != owner)
}

/// Copies what is in the directory `from` into the empty directory `to`, and dresses `to` as
/// `from` is.
///
/// # Errors
/// As [`copy_tree`].
pub fn copy_into(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    options: &Copy<'_>,
    visitor: &mut dyn Visitor,
) -> Result<Report, StorageError> {
    let opening = || "opening the root of the tree".to_owned();
    let meta = Meta::of(from).doing(opening)?;
    let inside = open_dir(from).doing(opening)?;
    let into = to.try_clone_to_owned().doing(opening)?;
    let mut copier = Copier::new(from, to, meta, options, visitor);
    let flags = copier.flags(inside.as_fd());
    copier.begin(flags, to)?;
    copier.contents(inside, into)?;
    copier.fix()?;
    if copier.report.is_broken {
        // One bad sector, or the whole disk? With that it would be no snapshot at all.
        open_dir(from).and_then(names).doing(|| "reading the root of the tree again".into())?;
    }
    copier.finish(Some(from), &meta, to, Some(flags))?;
    Ok(copier.report)
}

/// Gives the root of a restored copy, once it is in its place, what forbids to move it.
pub fn fix(stored: BorrowedFd<'_>, placed: BorrowedFd<'_>) -> rustix::io::Result<()> {
    let open = |reference: BorrowedFd<'_>| match Meta::of(reference)?.kind {
        Kind::Dir => open_dir(reference),
        _ => open_file(reference),
    };
    let flags = Flags::noted(open(stored)?.as_fd());
    if flags.is_fixed() {
        let placed = open(placed)?;
        flags.counted_as(placed.as_fd()).end(placed.as_fd(), true)?;
    }
    Ok(())
}

fn root_error(why: &str) -> StorageError {
    StorageError::new(Fault::Permanent, "reading the root of the tree", why)
}
