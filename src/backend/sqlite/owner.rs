//! Whose database it is, and so who may parse it.

use super::settings::Settings;
use crate::domain::operation::Fault;
use crate::fs::tree::{Kind, Meta, open_nosymlink};
use crate::fs::{Doing, StorageError};
use crate::host::process::User;
use crate::store::identity;
use nix::unistd::Uid;
use std::os::fd::OwnedFd;
use std::path::Path;

/// The group of nobody in particular (nogroup on Debian; the kernel's own overflow id).
const NOGROUP: u32 = 65_534;
/// Write permission for group or others.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// A reference to the live database and what the file is.
///
/// # Errors
/// [`Fault::Absent`] where nothing is there, [`Fault::Permanent`] for what is no regular file.
pub(super) fn open(path: &Path) -> Result<(OwnedFd, Meta), StorageError> {
    let doing = || format!("opening database {}", path.display());
    let (reference, kind) = identity::open(path)?;
    if kind != Kind::File {
        let why = format!("it is {}; name the database file itself", kind.words());
        return Err(StorageError::new(Fault::Permanent, doing(), why));
    }
    let meta = Meta::of(&reference).doing(doing)?;
    Ok((reference, meta))
}

/// Who shall parse the live database: its owner; `None` for this process's own user.
///
/// # Errors
/// [`Fault::Permanent`] where that would be root although others decide what root would parse.
pub(super) fn of_live(
    settings: &Settings,
    path: &Path,
    file: &Meta,
) -> Result<Option<User>, StorageError> {
    if !settings.as_owner || !nix::unistd::geteuid().is_root() {
        return Ok(None);
    }
    if file.uid != 0 {
        return user(file.uid).map(Some);
    }
    let doing = || format!("looking at the directory of {}", path.display());
    let dir = open_nosymlink(path.parent().unwrap_or(path))?;
    let dir = Meta::of(&dir).doing(doing)?;
    let foreign = |meta: &Meta| meta.uid != 0 || meta.mode & WRITABLE_BY_OTHERS != 0;
    if foreign(file) || foreign(&dir) {
        let why = "it belongs to root, but others can write to it or beside it, and so decide what SQLite would do as root: chown the file to who uses it, or set as_owner = false";
        return Err(StorageError::new(Fault::Permanent, doing(), why));
    }
    Ok(None)
}

/// Who shall parse a stored copy: whoever the live one belonged to.
pub(super) fn of_copy(settings: &Settings, copy: &Meta) -> Result<Option<User>, StorageError> {
    let other = settings.as_owner && nix::unistd::geteuid().is_root() && copy.uid != 0;
    if other { user(copy.uid).map(Some) } else { Ok(None) }
}

/// A user with the group that the user database gives. Not with the file's group: a directory may
/// hand its own group to files of users who are not in it.
fn user(uid: u32) -> Result<User, StorageError> {
    let doing = || format!("looking up uid {uid}");
    let found = nix::unistd::User::from_uid(Uid::from_raw(uid));
    let found = found.map_err(std::io::Error::from).doing(doing)?;
    Ok(User { uid, gid: found.map_or(NOGROUP, |user| user.gid.as_raw()) })
}
