//! Giving a copy the owner, attributes, mode and times of its original.

use super::meta::{Kind, Meta};
use super::open::through_proc;
use super::xattr;
use rustix::fs::{AtFlags, CWD, Gid, Mode, Timestamps, Uid};
use rustix::io::Errno;
use std::ffi::CString;
use std::os::fd::BorrowedFd;

/// What could not be carried over.
#[derive(Debug, Default)]
pub struct Lost {
    /// The owner or the group, and with it set-user-id or set-group-id; or the mode.
    pub owner: bool,
    pub attributes: Vec<CString>,
}

/// Dresses `to` as `from` (with `meta`). Both may be references only. The order matters: a change
/// of owner clears set-user-id and capabilities, an access list changes the mode.
pub fn dress(from: BorrowedFd<'_>, meta: &Meta, to: BorrowedFd<'_>) -> rustix::io::Result<Lost> {
    let path = through_proc(to);
    let made = Meta::of(to)?;
    let (uid, gid) = own(to, meta, &made)?;
    let attributes = xattr::copy(from, to)?;
    let moded = meta.kind == Kind::Link || chmod(&path, mode(meta, uid, gid))?;
    let times = Timestamps { last_access: meta.atime.into(), last_modification: meta.mtime.into() };
    rustix::fs::utimensat(CWD, path.as_str(), &times, AtFlags::empty())?;
    Ok(Lost { owner: !(uid && gid && moded), attributes })
}

/// Whether user and group are now right.
fn own(to: BorrowedFd<'_>, meta: &Meta, made: &Meta) -> rustix::io::Result<(bool, bool)> {
    let uid = made.uid == meta.uid || chown(to, Some(meta.uid), None)?;
    let gid = made.gid == meta.gid || chown(to, None, Some(meta.gid))?;
    Ok((uid, gid))
}

fn chown(to: BorrowedFd<'_>, uid: Option<u32>, gid: Option<u32>) -> rustix::io::Result<bool> {
    let (uid, gid) = (uid.map(Uid::from_raw), gid.map(Gid::from_raw));
    match rustix::fs::chownat(to, c"", uid, gid, AtFlags::EMPTY_PATH) {
        Ok(()) => Ok(true),
        // Not root, an id that this user namespace does not have, or a file system without owners.
        Err(Errno::PERM | Errno::INVAL | Errno::OPNOTSUPP) => Ok(false),
        Err(error) => Err(error),
    }
}

fn chmod(path: &str, mode: u32) -> rustix::io::Result<bool> {
    match rustix::fs::chmod(path, Mode::from_raw_mode(mode)) {
        Ok(()) => Ok(true),
        // A file system without modes, such as vfat.
        Err(Errno::PERM | Errno::OPNOTSUPP) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The mode under the owner that it got: nobody's program may become another one's, and what was
/// readable through the group must stay readable to the owner of the copy.
fn mode(meta: &Meta, uid: bool, gid: bool) -> u32 {
    let mut mode = meta.mode;
    if !uid {
        mode = (mode & !0o4000) | if meta.kind == Kind::Dir { 0o500 } else { 0o400 };
    }
    if !gid {
        mode &= !0o2000;
    }
    mode
}
