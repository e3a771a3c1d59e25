//! Removing a tree of ours, whatever modes its directories have.

use super::super::{Doing, StorageError};
use super::flags;
use super::meta::{Kind, Meta};
use super::open::{names, open_dir, open_file, peek_here, through_proc};
use super::report::shown;
use super::trail::Trail;
use super::walk::push;
use crate::domain::operation::Fault;
use rustix::fs::{AtFlags, Mode};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

/// Removes the file or tree under `name`; one that is gone already is success. Not durable until
/// the directory is synced. Symbolic links are removed, never followed, and a file system that
/// someone mounted inside is not touched.
///
/// # Errors
/// [`Fault::Busy`] at a mount point inside; what an interrupted removal left can be removed again.
pub fn remove_tree(dir: BorrowedFd<'_>, name: &CStr) -> Result<(), StorageError> {
    let parent = Meta::of(dir).doing(|| "looking at a directory".into())?;
    let root = dir.try_clone_to_owned().doing(|| "looking at a directory".into())?;
    let mut removal = Removal { trail: Trail::new(root), path: Vec::new() };
    let mut levels = Vec::from_iter(removal.remove(&parent, name)?);
    while let Some(level) = levels.last_mut() {
        match level.names.pop() {
            Some(name) => {
                let meta = level.meta;
                levels.extend(removal.remove(&meta, &name)?);
            }
            None => {
                removal.trail.leave();
                let name = std::mem::take(&mut level.name);
                levels.pop();
                let here = removal.here()?;
                removal.unlink(&here, &name, AtFlags::REMOVEDIR)?;
            }
        }
    }
    Ok(())
}

struct Removal {
    trail: Trail,
    path: Vec<u8>,
}

/// A directory, and what in it is still to be removed.
struct Level {
    name: CString,
    names: Vec<CString>,
    meta: Meta,
}

impl Removal {
    /// Removes what is there; a directory is entered.
    fn remove(&mut self, parent: &Meta, name: &CStr) -> Result<Option<Level>, StorageError> {
        push(&mut self.path, name.to_bytes());
        let here = self.here()?;
        let (reference, meta) = match peek_here(&*here, name) {
            Err(Errno::NOENT) => {
                self.back(name);
                return Ok(None);
            }
            Ok(Some((reference, meta))) if meta.same_mount(parent) => (reference, meta),
            Ok(_) => {
                let why = "something is mounted there: unmount it first";
                return Err(StorageError::new(Fault::Busy, self.doing(), why));
            }
            Err(error) => return Err(error).doing(|| self.doing()),
        };
        if meta.fixed {
            self.loosen(&reference, &meta)?;
        }
        if meta.kind != Kind::Dir {
            return self.unlink(&here, name, AtFlags::empty()).map(|()| None);
        }
        if meta.mode & 0o700 != 0o700 {
            let at = through_proc(reference.as_fd());
            rustix::fs::chmod(at.as_str(), Mode::RWXU).doing(|| self.doing())?;
        }
        let inside = open_dir(&reference).doing(|| self.doing())?;
        let names = names(&inside).doing(|| self.doing())?;
        self.trail.enter(name, meta, inside);
        Ok(Some(Level { name: name.to_owned(), names, meta }))
    }

    /// What grew out of a store may have become immutable already.
    fn loosen(&self, reference: &OwnedFd, meta: &Meta) -> Result<(), StorageError> {
        let open = match meta.kind {
            Kind::Dir => open_dir(reference),
            _ => open_file(reference),
        };
        open.and_then(flags::loosen).doing(|| self.doing())
    }

    fn unlink(&mut self, dir: &OwnedFd, name: &CStr, how: AtFlags) -> Result<(), StorageError> {
        match rustix::fs::unlinkat(dir, name, how) {
            Err(Errno::NOENT) => {}
            done => done.doing(|| self.doing())?,
        }
        self.back(name);
        Ok(())
    }

    fn here(&self) -> Result<Rc<OwnedFd>, StorageError> {
        self.trail.here().doing(|| self.doing())
    }

    /// Takes the last name off the path.
    fn back(&mut self, name: &CStr) {
        let length = self.path.len() - name.to_bytes().len();
        self.path.truncate(length.saturating_sub(1));
    }

    fn doing(&self) -> String {
        format!("removing {}", shown(&self.path))
    }
}
