//! Extended attributes, POSIX access lists among them.

use super::open::through_proc;
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

/// Below this much free space a refused attribute means that the disk is full; above it, that the
/// attribute is larger than this file system takes (ext4 says the same for both).
const FULL: u64 = 1 << 20;

/// Copies all attributes; returns the names of those that the target does not take.
pub fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> rustix::io::Result<Vec<CString>> {
    let (from, target) = (through_proc(from), through_proc(to));
    let mut lost = Vec::new();
    for name in list(&from)? {
        let Some(value) = get(&from, &name)? else {
            continue;
        };
        match rustix::fs::setxattr(target.as_str(), &*name, &value, XattrFlags::empty()) {
            Ok(()) => {}
            Err(error) if is_refusal(error, to)? => lost.push(name),
            Err(error) => return Err(error),
        }
    }
    Ok(lost)
}

/// Whether two files have the same attributes.
pub fn same(one: impl AsFd, other: impl AsFd) -> rustix::io::Result<bool> {
    Ok(all(&through_proc(one.as_fd()))? == all(&through_proc(other.as_fd()))?)
}

fn all(path: &str) -> rustix::io::Result<Vec<(CString, Option<Vec<u8>>)>> {
    let names = list(path)?.into_iter();
    names.map(|name| get(path, &name).map(|value| (name, value))).collect()
}

fn is_refusal(error: Errno, to: BorrowedFd<'_>) -> rustix::io::Result<bool> {
    Ok(match error {
        Errno::PERM | Errno::ACCESS | Errno::OPNOTSUPP => true,
        Errno::RANGE | Errno::TOOBIG | Errno::INVAL | Errno::NAMETOOLONG => true,
        Errno::NOSPC => {
            // Asked through the path: a reference alone cannot be asked.
            let disk = rustix::fs::statvfs(through_proc(to))?;
            disk.f_bavail.saturating_mul(disk.f_frsize) > FULL
        }
        _ => false,
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
