//! Giving a copy the owner, attributes, mode and times of its original, and nothing else.

use super::flags;
use super::meta::{Kind, Meta};
use super::open::through_proc;
use super::trouble::{Fault, of_copy};
use super::xattr;
use rustix::fs::{AtFlags, CWD, Gid, Mode, Timestamps, Uid};
use std::os::fd::{AsFd, BorrowedFd};

/// What could not be carried over.
#[derive(Debug, Default)]
pub struct Lost {
    /// The owner or the group, and with it set-user-id or set-group-id; the mode, or the times.
    pub owner: bool,
    pub attributes: xattr::Lost,
}

/// Dresses `to` as `from` (with `meta`), of which more than `meta` may be out of reach. Both may be
/// references only. The order matters: a change of owner clears set-user-id and capabilities, an
/// access list changes the mode, and one that `to` has inherited must be gone before the mode opens
/// it to anybody.
pub(super) fn dress(
    from: Option<BorrowedFd<'_>>,
    meta: &Meta,
    to: BorrowedFd<'_>,
) -> rustix::io::Result<Lost> {
    let path = through_proc(to);
    let made = Meta::of(to)?;
    let (uid, gid) = own(to, meta, &made)?;
    let attributes = match from {
        Some(from) => xattr::copy(from, to)?,
        None => xattr::shed(to)?,
    };
    let moded = meta.kind == Kind::Link || {
        let mode = Mode::from_raw_mode(mode(meta, uid, gid));
        // A file system without modes, such as vfat, refuses.
        accepted(rustix::fs::chmod(path.as_str(), mode))?
    };
    let times = Timestamps { last_access: meta.atime.into(), last_modification: meta.mtime.into() };
    let timed = accepted(rustix::fs::utimensat(CWD, path.as_str(), &times, AtFlags::empty()))?;
    Ok(Lost { owner: !(uid && gid && moded && timed), attributes })
}

/// Takes from what is ours the access lists that it has inherited. Its mode is not changed.
pub fn disinherit(made: impl AsFd) -> rustix::io::Result<()> {
    xattr::shed(made).map(|_| ())
}

/// Takes from a directory or file of ours, held open, what it has inherited from the one that it
/// was made in: access lists, flags, a project. Its mode is not changed.
pub fn shed(made: impl AsFd) -> rustix::io::Result<()> {
    xattr::shed(&made)?;
    flags::shed(made)
}

/// Whether user and group are now right.
fn own(to: BorrowedFd<'_>, meta: &Meta, made: &Meta) -> rustix::io::Result<(bool, bool)> {
    let uid = made.uid == meta.uid || chown(to, Some(meta.uid), None)?;
    let gid = made.gid == meta.gid || chown(to, None, Some(meta.gid))?;
    Ok((uid, gid))
}

/// Refused where heptad is not root, for an id that this user namespace does not have, or on a file
/// system without owners.
fn chown(to: BorrowedFd<'_>, uid: Option<u32>, gid: Option<u32>) -> rustix::io::Result<bool> {
    let (uid, gid) = (uid.map(Uid::from_raw), gid.map(Gid::from_raw));
    accepted(rustix::fs::chownat(to, c"", uid, gid, AtFlags::EMPTY_PATH))
}

fn accepted(done: rustix::io::Result<()>) -> rustix::io::Result<bool> {
    match done {
        Ok(()) => Ok(true),
        Err(error) if of_copy(error) == Fault::Entry => Ok(false),
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
