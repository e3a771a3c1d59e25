//! Extended attributes, POSIX access lists among them.

use super::open::through_proc;
use super::trouble::{self, of_copy, of_source};
use rustix::buffer::spare_capacity;
use rustix::fs::XattrFlags;
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd};

/// The kernel's limit of one value, and of one file's list of names (`XATTR_SIZE_MAX`,
/// `XATTR_LIST_MAX`).
const LIMIT: usize = 65_536;

/// XFS shows root its access lists a second time, in its own form. Only the usual form is copied.
const TWICE: &[u8] = b"trusted.SGI_ACL_";

/// Attributes that a new entry inherits from the directory that it is made in: access lists, and
/// properties of btrfs. Labels are given by the system's policy to whatever is made.
const INHERITED: [&[u8]; 2] = [b"system.", b"btrfs."];

/// Below this much free space a refused attribute means that the disk is full; above it, that the
/// attribute is larger than this file system takes (ext4 says the same for both).
const FULL: u64 = 1 << 20;

/// What could not be carried over.
#[derive(Debug, Default)]
pub struct Lost {
    /// Those that the target does not take.
    pub refused: Vec<CString>,
    /// Why the original's could not all be read.
    pub unread: Option<Errno>,
    /// Some that the target inherited could not be taken away.
    pub inherited: bool,
}

/// Gives `to` all attributes of `from`, and takes away what it has beyond them.
pub(super) fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> rustix::io::Result<Lost> {
    let (from, target) = (through_proc(from), through_proc(to));
    let mut lost = Lost::default();
    let mut wanted = Vec::new();
    for name in read(list(&from), &mut lost)?.unwrap_or_default() {
        if is_note(&name) {
            continue;
        }
        let Some(value) = read(get(&from, &name), &mut lost)?.flatten() else { continue };
        match rustix::fs::setxattr(target.as_str(), &*name, &value, XattrFlags::empty()) {
            Ok(()) => {}
            Err(error) if is_refusal(error, to)? => lost.refused.push(name.clone()),
            Err(error) => return Err(error),
        }
        wanted.push(name);
    }
    lost.inherited = !take_away(&target, &wanted)?;
    Ok(lost)
}

/// Takes away what a new entry has inherited.
pub(super) fn shed(to: impl AsFd) -> rustix::io::Result<Lost> {
    let inherited = !take_away(&through_proc(to.as_fd()), &[])?;
    Ok(Lost { inherited, ..Lost::default() })
}

/// Removes inherited attributes but those that are wanted; whether that was possible.
fn take_away(target: &str, wanted: &[CString]) -> rustix::io::Result<bool> {
    let inherited = |name: &CString| INHERITED.iter().any(|kind| name.to_bytes().starts_with(kind));
    let mut gone = true;
    for name in list(target)?.iter().filter(|name| inherited(name) && !wanted.contains(name)) {
        match rustix::fs::removexattr(target, &**name) {
            Ok(()) | Err(Errno::NODATA) => {}
            Err(error) if of_copy(error) == trouble::Fault::Entry => gone = false,
            Err(error) => return Err(error),
        }
    }
    Ok(gone)
}

fn read<T>(found: rustix::io::Result<T>, lost: &mut Lost) -> rustix::io::Result<Option<T>> {
    match found {
        Err(error) if of_source(error) == trouble::Fault::All => Err(error),
        Err(error) => {
            lost.unread = Some(error);
            Ok(None)
        }
        Ok(found) => Ok(Some(found)),
    }
}

/// Whether two files have the same attributes.
pub fn same(one: impl AsFd, other: impl AsFd) -> rustix::io::Result<bool> {
    Ok(all(&through_proc(one.as_fd()))? == all(&through_proc(other.as_fd()))?)
}

fn all(path: &str) -> rustix::io::Result<Vec<(CString, Option<Vec<u8>>)>> {
    let names = list(path)?.into_iter().filter(|name| !is_note(name));
    names.map(|name| get(path, &name).map(|value| (name, value))).collect()
}

pub(super) fn is_refusal(error: Errno, to: BorrowedFd<'_>) -> rustix::io::Result<bool> {
    Ok(match error {
        Errno::NOSPC => {
            // Asked through the path: a reference alone cannot be asked.
            let disk = rustix::fs::statvfs(through_proc(to))?;
            disk.f_bavail.saturating_mul(disk.f_frsize) > FULL
        }
        error => of_copy(error) == trouble::Fault::Entry,
    })
}

fn list(path: &str) -> rustix::io::Result<Vec<CString>> {
    let read = |buffer: &mut Vec<u8>| rustix::fs::listxattr(path, spare_capacity(buffer));
    let bytes = match grow(read) {
        Ok(bytes) => bytes,
        Err(Errno::OPNOTSUPP | Errno::ACCESS | Errno::PERM) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let names = bytes.split_inclusive(|byte| *byte == 0).filter(|name| !name.starts_with(TWICE));
    let mut names: Vec<CString> =
        names.filter_map(|name| CStr::from_bytes_with_nul(name).ok().map(CStr::to_owned)).collect();
    names.sort_unstable();
    Ok(names)
}

/// `None`: it went away meanwhile, or may not be read.
fn get(path: &str, name: &CStr) -> rustix::io::Result<Option<Vec<u8>>> {
    match grow(|buffer| rustix::fs::getxattr(path, name, spare_capacity(buffer))) {
        Ok(value) => Ok(Some(value)),
        Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::ACCESS | Errno::PERM) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads into a buffer that fits nearly always, and once more into the largest.
fn grow(read: impl Fn(&mut Vec<u8>) -> rustix::io::Result<usize>) -> rustix::io::Result<Vec<u8>> {
    let mut buffer = Vec::with_capacity(1024);
    match read(&mut buffer) {
        Err(Errno::RANGE) => {
            buffer.reserve_exact(LIMIT);
            read(&mut buffer)?;
        }
        other => {
            other?;
        }
    }
    Ok(buffer)
}

/// Whether an extended attribute is such a note.
pub(super) fn is_note(name: &CStr) -> bool {
    NOTES.contains(&name)
}

/// Of whoever may not write root's, the notes are as trustworthy as all his files.
pub(super) const NOTES: [&CStr; 2] = [c"trusted.heptad.flags", c"user.heptad.flags"];
