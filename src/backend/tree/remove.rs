//! Removing a tree of ours, whatever modes its directories have.

use super::super::{BackendError, Doing};
use super::meta::{Kind, Meta};
use super::open::{names, open_dir, peek, through_proc};
use super::report::shown;
use super::walk::push;
use crate::domain::operation::Fault;
use rustix::fs::{AtFlags, Mode};
use rustix::io::Errno;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};

/// Removes the file or tree under `name`; one that is gone already is success. Not durable until
/// the directory is synced. Symbolic links are removed, never followed, and a file system that
/// someone mounted inside is not touched.
///
/// # Errors
/// [`Fault::Busy`] at a mount point inside; what an interrupted removal left can be removed again.
pub fn remove_tree(dir: BorrowedFd<'_>, name: &CStr) -> Result<(), BackendError> {
    let parent = Meta::of(dir).doing(|| "looking at a directory".into())?;
    remove(dir, &parent, name, &mut Vec::new())
}

fn remove(
    dir: BorrowedFd<'_>,
    parent: &Meta,
    name: &CStr,
    path: &mut Vec<u8>,
) -> Result<(), BackendError> {
    let length = path.len();
    push(path, name.to_bytes());
    let doing = |path: &[u8]| format!("removing {}", shown(path));
    let (reference, meta) = match peek(dir, name) {
        Err(Errno::NOENT) => {
            path.truncate(length);
            return Ok(());
        }
        found => found.doing(|| doing(path))?,
    };
    if !meta.same_mount(parent) {
        let why = "something is mounted there: unmount it first";
        return Err(BackendError::new(Fault::Busy, doing(path), why));
    }
    let flags = if meta.kind == Kind::Dir {
        if meta.mode & 0o700 != 0o700 {
            let at = through_proc(reference.as_fd());
            rustix::fs::chmod(at.as_str(), Mode::RWXU).doing(|| doing(path))?;
        }
        let inside = open_dir(&reference).doing(|| doing(path))?;
        for child in names(&inside).doing(|| doing(path))? {
            remove(inside.as_fd(), &meta, &child, path)?;
        }
        AtFlags::REMOVEDIR
    } else {
        AtFlags::empty()
    };
    match rustix::fs::unlinkat(dir, name, flags) {
        Err(Errno::NOENT) => {}
        done => done.doing(|| doing(path))?,
    }
    path.truncate(length);
    Ok(())
}
