//! Copying a live tree: what a caller chooses and hears.

use super::super::{Doing, StorageError};
use super::copier::Copier;
use super::flags::Flags;
use super::flow::{Copy, Visitor};
use super::meta::{Kind, Meta};
use super::open::{make_dir, names, open_dir, open_file};
use super::report::{Report, shown};
use crate::domain::operation::Fault;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

impl Visitor for () {}

/// Copies the file or tree behind the reference `from` to a new `name` in `to`. Not durable until
/// the caller syncs the file system.
///
/// # Errors
/// [`Fault::Permanent`] if the root may not be read; [`Fault::NoSpace`] and what else the kernel
/// says of the root or of the copy's file system. What was copied until then stays: the caller
/// removes it, also where [`Fault::Cancelled`] tells that nobody wants the copy any more. What is
/// wrong with one entry is no error but in the report.
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

/// Whether a directory just made is somebody else's by now. A file system that gives all to one
/// user (NFS, vfat) does so with whatever is made in it, too.
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
