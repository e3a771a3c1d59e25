//! Opening without being led astray.

use super::super::{Doing, StorageError};
use super::meta::Meta;
use super::trouble::{self, of_copy};
use crate::domain::operation::Fault;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Only a reference to the object: opening it touches nothing, neither a device nor a pipe.
const REFERENCE: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A reference to what is at an absolute path. A symbolic link anywhere in it is refused: whoever
/// can write one of the directories above could otherwise lead a privileged reader elsewhere.
///
/// # Errors
/// [`Fault::Absent`] where nothing is there, [`Fault::Permanent`] for a link, with the real path.
pub fn open_nosymlink(path: &Path) -> Result<OwnedFd, StorageError> {
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let doing = || format!("opening {}", path.display());
    match rustix::fs::openat2(rustix::fs::CWD, path, flags, Mode::empty(), resolve) {
        Err(Errno::LOOP) => {
            let real = std::fs::canonicalize(path).ok();
            let real = real.map_or("the path that it leads to".into(), |p| p.display().to_string());
            let detail = format!("a symbolic link is part of this path: write {real} instead");
            Err(StorageError::new(Fault::Permanent, doing(), detail))
        }
        opened => opened.doing(doing),
    }
}

/// The real path, of what is not there as far as it is.
pub fn real_path(path: &Path) -> std::io::Result<PathBuf> {
    let (mut at, mut rest) = (path, Vec::new());
    loop {
        match std::fs::canonicalize(at) {
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                let (Some(above), Some(name)) = (at.parent(), at.file_name()) else {
                    return Err(error);
                };
                rest.push(name);
                at = above;
            }
            found => return Ok(rest.iter().rev().fold(found?, |path, name| path.join(name))),
        }
    }
}

/// A reference to what is under `name`, and what it is: the two belong together, whatever happens
/// to the name afterwards.
pub fn peek(dir: impl AsFd, name: &CStr) -> rustix::io::Result<(OwnedFd, Meta)> {
    let fd = rustix::fs::openat(dir, name, REFERENCE, Mode::empty())?;
    let meta = Meta::of(&fd)?;
    Ok((fd, meta))
}

/// As [`peek`], but nothing where something is mounted: that is told from the directory alone, so
/// that a file system whose server is gone, or does not answer, is not asked.
pub fn peek_here(dir: impl AsFd, name: &CStr) -> rustix::io::Result<Option<(OwnedFd, Meta)>> {
    match rustix::fs::openat2(dir, name, REFERENCE, Mode::empty(), ResolveFlags::NO_XDEV) {
        Err(Errno::XDEV) => Ok(None),
        found => {
            let fd = found?;
            let meta = Meta::of(&fd)?;
            Ok(Some((fd, meta)))
        }
    }
}

/// A reference to what is at a relative path of any length below `root`; never outside, never
/// through a link.
pub fn below(root: impl AsFd, path: &[u8]) -> rustix::io::Result<(OwnedFd, Meta)> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let open = |from: BorrowedFd<'_>, part: &[u8]| {
        rustix::fs::openat2(from, part, REFERENCE, Mode::empty(), resolve)
    };
    let (first, mut rest) = cut(path);
    let mut fd = open(root.as_fd(), first)?;
    while !rest.is_empty() {
        let (next, after) = cut(rest);
        fd = open(fd.as_fd(), next)?;
        rest = after;
    }
    let meta = Meta::of(&fd)?;
    Ok((fd, meta))
}

/// The part of a path that the kernel takes in one call (`PATH_MAX`), and the rest.
fn cut(path: &[u8]) -> (&[u8], &[u8]) {
    const MOST: usize = 4_000;
    if path.len() <= MOST {
        return (path, &[]);
    }
    match path[..MOST].iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (path, &[]),
    }
}

/// Opens the directory behind a reference, for listing and as a base for names.
pub fn open_dir(reference: impl AsFd) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    quietly(|extra| rustix::fs::openat(&reference, c".", flags | extra, Mode::empty()))
}

/// Opens the regular file behind a reference for reading. What the reference means cannot be
/// exchanged meanwhile, so a device or a pipe is never opened by mistake.
pub fn open_file(reference: impl AsFd) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let path = through_proc(reference.as_fd());
    quietly(|extra| rustix::fs::open(path.as_str(), flags | extra, Mode::empty()))
}

/// Without touching the access time, which only its owner and root may ask for.
fn quietly(open: impl Fn(OFlags) -> rustix::io::Result<OwnedFd>) -> rustix::io::Result<OwnedFd> {
    match open(OFlags::NOATIME) {
        Err(Errno::PERM) => open(OFlags::empty()),
        opened => opened,
    }
}

/// A path that means exactly what the descriptor refers to, for calls that want a path, as long as
/// it is open: hence a borrowed one.
pub fn through_proc(fd: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// The names in a directory, in byte order, without `.` and `..`.
pub fn names(dir: impl AsFd) -> rustix::io::Result<Vec<CString>> {
    match list(dir)? {
        (names, None) => Ok(names),
        (_, Some(error)) => Err(error),
    }
}

/// As [`names`]: those up to where reading failed, and how.
pub(super) fn list(dir: impl AsFd) -> rustix::io::Result<(Vec<CString>, Option<Errno>)> {
    let (mut names, mut broken) = (Vec::new(), None);
    for entry in rustix::fs::Dir::read_from(dir)? {
        match entry {
            Ok(entry) if matches!(entry.file_name().to_bytes(), b"." | b"..") => {}
            Ok(entry) => names.push(entry.file_name().to_owned()),
            Err(error) => {
                broken = Some(error);
                break;
            }
        }
    }
    names.sort_unstable();
    Ok((names, broken))
}

/// A new directory that only we may enter; its final mode comes when it is filled.
pub(super) fn make_dir(dir: impl AsFd, name: &CStr) -> rustix::io::Result<OwnedFd> {
    rustix::fs::mkdirat(&dir, name, Mode::RWXU)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(dir, name, flags, Mode::empty())
}

/// What became of a further name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Linked {
    Yes,
    /// It has as many names as a file can have there.
    Full,
    /// The file system does not want to (another one, not permitted, no links): a copy is needed.
    No,
}

/// Gives what a reference means a second name.
pub(super) fn link(
    reference: impl AsFd,
    dir: impl AsFd,
    name: &CStr,
) -> rustix::io::Result<Linked> {
    let path = through_proc(reference.as_fd());
    let follow = rustix::fs::AtFlags::SYMLINK_FOLLOW;
    match rustix::fs::linkat(rustix::fs::CWD, path.as_str(), dir, name, follow) {
        Ok(()) => Ok(Linked::Yes),
        Err(Errno::MLINK) => Ok(Linked::Full),
        Err(Errno::XDEV | Errno::NOENT) => Ok(Linked::No),
        Err(error) if of_copy(error) == trouble::Fault::Entry => Ok(Linked::No),
        Err(error) => Err(error),
    }
}
