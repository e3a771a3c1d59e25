//! What the user who works on a database may not do there, in words for a person: SQLite itself
//! only says "readonly".

use crate::domain::operation::Fault;
use crate::fs::StorageError;
use nix::unistd::{Uid, User, geteuid};
use rustix::fs::{Access, AtFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::BorrowedFd;
use std::path::Path;

/// Adds to an error what stands in the way of this process's user; `path` is what the database is
/// called in messages.
pub(super) fn explain(
    error: StorageError,
    dir: BorrowedFd<'_>,
    name: &OsStr,
    path: &Path,
) -> StorageError {
    if error.fault != Fault::Permanent {
        return error;
    }
    match why(dir, name, path) {
        Some(why) => StorageError { detail: format!("{}; {why}", error.detail), ..error },
        None => error,
    }
}

fn why(dir: BorrowedFd<'_>, name: &OsStr, path: &Path) -> Option<String> {
    let denied = |name: &OsStr, access| {
        let asked = rustix::fs::accessat(dir, name, access, AtFlags::empty()).err();
        asked.filter(|error| matches!(*error, Errno::ACCESS | Errno::PERM | Errno::ROFS))
    };
    let (who, above) = (called(geteuid()), path.parent().unwrap_or(path).display());
    let here = OsStr::new(".");
    let said = |name: &OsStr| {
        let stat = rustix::fs::statat(dir, name, AtFlags::empty()).ok()?;
        let mode = stat.st_mode & 0o7777;
        Some(format!("it belongs to {}, mode {mode:04o}", called(Uid::from_raw(stat.st_uid))))
    };
    let file = path.display();
    if denied(name, Access::READ_OK).is_some() {
        return Some(format!("{who} may not read {file} ({}): chmod u+r {file}", said(name)?));
    }
    match denied(here, Access::WRITE_OK)? {
        Errno::ROFS => Some(format!(
            "{above} is on a read-only file system, and SQLite has to put the log of {file} and its \
             index there: mount it writable, or end the log first (PRAGMA journal_mode=DELETE)"
        )),
        _ => Some(format!(
            "SQLite has to put the log of {file} and its index into {above}, where {who} may not \
             write ({}): let {who} write there (chown {who} {above}), or set as_owner = false, with \
             which heptad's own user reads it",
            said(here)?
        )),
    }
}

/// By name where the user has one.
fn called(uid: Uid) -> String {
    let user = User::from_uid(uid).ok().flatten();
    user.map_or_else(|| format!("uid {uid}"), |user| user.name)
}
