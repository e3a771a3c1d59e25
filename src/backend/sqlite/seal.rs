//! Taking a copy back from its owner: from here on nobody writes to it.

use super::{DATA, DATABASE};
use crate::domain::operation::Fault;
use crate::fs::tree::{Kind, Meta, names, open_dir, peek, resemble};
use crate::fs::{Doing, StorageError};
use crate::host::process::User;
use rustix::fs::{Gid, Mode, OFlags, Uid};
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

/// Makes the directory in which `user` puts the copy.
pub(super) fn open_up(dir: &Path, user: Option<User>) -> Result<(), StorageError> {
    let data = dir.join(DATA);
    let doing = || format!("making {}", data.display());
    std::fs::DirBuilder::new().mode(0o700).create(&data).doing(doing)?;
    match user {
        Some(user) => std::os::unix::fs::chown(&data, Some(user.uid), Some(user.gid)).doing(doing),
        None => Ok(()),
    }
}

/// Sees that exactly one file came, and gives it owner, group, mode and attributes of the
/// `original`. Returns what it then is, and sentences on what is lost.
///
/// # Errors
/// [`Fault::Permanent`] where something else is there: the owner could have put a link to anything.
pub(super) fn seal(
    dir: &Path,
    (live, original): &(OwnedFd, Meta),
    user: Option<User>,
) -> Result<(Meta, Vec<String>), StorageError> {
    let data = dir.join(DATA);
    let doing = || format!("sealing {}", data.display());
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let held = rustix::fs::open(&data, flags, Mode::empty()).and_then(open_dir).doing(doing)?;
    close(&data, &held, user).doing(doing)?;
    let found = names(&held).doing(doing)?;
    let name = CString::new(DATABASE).map_err(std::io::Error::from).doing(doing)?;
    let (copy, meta) = peek(&held, &name).doing(doing)?;
    let whose = user.map_or(nix::unistd::geteuid().as_raw(), |user| user.uid);
    if found != [name] || meta.kind != Kind::File || meta.nlink != 1 || meta.uid != whose {
        let why = "something else than one copy is in it";
        return Err(StorageError::new(Fault::Permanent, doing(), why));
    }
    dress(&copy, original).doing(doing)?;
    let lost = resemble(live.as_fd(), copy.as_fd()).doing(doing)?;
    Ok((Meta::of(&copy).doing(doing)?, lost))
}

/// The owner may enter and read, and no more.
fn close(path: &Path, held: &OwnedFd, user: Option<User>) -> std::io::Result<()> {
    if user.is_some() {
        rustix::fs::fchown(held, Some(Uid::ROOT), Some(Gid::ROOT))?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o711))?;
    }
    Ok(())
}

fn dress(copy: &OwnedFd, original: &Meta) -> std::io::Result<()> {
    if nix::unistd::geteuid().is_root() {
        let (uid, gid) = (Uid::from_raw(original.uid), Gid::from_raw(original.gid));
        let at = rustix::fs::AtFlags::EMPTY_PATH;
        rustix::fs::chownat(copy, c"", Some(uid), Some(gid), at)?;
    }
    // Its owner can always read it, or it could not be checked as its owner; and no program is one.
    let mode = Mode::from_raw_mode(original.mode & 0o666 | 0o400);
    let path = format!("/proc/self/fd/{}", copy.as_fd().as_raw_fd());
    Ok(rustix::fs::chmod(path.as_str(), mode)?)
}
