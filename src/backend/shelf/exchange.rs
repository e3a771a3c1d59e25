//! Replacing what is live by what was made beside it, at one instant: the two names are exchanged.
//!
//! What is new carries the order's token in an extended attribute, so that whoever comes after a
//! crash sees by what lies at the live name whether the exchange has happened.

use super::super::tree::{Kind, open_dir, open_file, open_nosymlink, peek};
use super::super::{BackendError, Doing};
use super::growing::remove;
use crate::domain::operation::Fault;
use crate::host::mounts::Mounts;
use rustix::fs::{AtFlags, RenameFlags, XattrFlags};
use rustix::io::Errno;
use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Only root can see or forge the first; the second is for a heptad without root.
const MARKS: [&str; 2] = ["trusted.heptad.rollback", "user.heptad.rollback"];

pub struct Exchange {
    /// The directory that both are in.
    pub dir: OwnedFd,
    pub name: CString,
    /// Where the new content grows, and where the old one lies afterwards.
    pub hidden: CString,
    pub hidden_path: PathBuf,
    token: String,
    doing: String,
}

impl Exchange {
    /// # Errors
    /// [`Fault::Absent`] where nothing is live there.
    pub fn open(path: &Path, token: Uuid) -> Result<Self, BackendError> {
        let text = format!("rolling {} back", path.display());
        let doing = || text.clone();
        let parts = path.parent().zip(path.file_name()).filter(|_| path.is_absolute());
        let (parent, name) = parts.ok_or_else(|| {
            BackendError::new(
                Fault::Permanent,
                doing(),
                "it is no path of something in a directory",
            )
        })?;
        let dir = open_nosymlink(parent).and_then(|found| open_dir(&found).doing(doing))?;
        let token = token.simple().to_string();
        let hidden = format!(".heptad-back-{token}");
        let hidden_path = parent.join(&hidden);
        let hidden = CString::new(hidden).map_err(std::io::Error::from);
        let name = CString::new(name.as_bytes()).map_err(std::io::Error::from);
        let (hidden, name) = (hidden.doing(doing)?, name.doing(doing)?);
        rustix::fs::statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW).doing(doing)?;
        Ok(Self { dir, name, hidden, hidden_path, token, doing: text })
    }

    /// # Errors
    /// [`Fault::Permanent`] where something is mounted at or below it: a mount cannot be moved.
    pub fn must_be_movable(&self, path: &Path) -> Result<(), BackendError> {
        let refuse = |why: String| Err(BackendError::new(Fault::Permanent, &self.doing, why));
        let mounts = match Mounts::read() {
            Ok(mounts) => mounts,
            Err(error) => return refuse(error.to_string()),
        };
        if mounts.of(path).is_some_and(|mount| mount.point == path) {
            return refuse(format!(
                "{} is a mount point, which cannot be exchanged: keep it in a directory below, or \
                 make a new resource of the snapshot (heptactl create)",
                path.display()
            ));
        }
        match mounts.below(path).next() {
            Some(mount) => refuse(format!("unmount {} first", mount.point.display())),
            None => Ok(()),
        }
    }

    /// Whether what is live is what this order has put there.
    pub fn is_done(&self) -> Result<bool, BackendError> {
        let doing = || self.doing.clone();
        let live = self.open_at(&self.name)?;
        let mut value = [0; 64];
        match rustix::fs::fgetxattr(&live, mark(), &mut value) {
            Ok(length) => Ok(value.get(..length) == Some(self.token.as_bytes())),
            Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::RANGE) => Ok(false),
            Err(error) => Err(error).doing(doing),
        }
    }

    /// Removes what lies under the hidden name.
    pub fn clear(&self) -> Result<(), BackendError> {
        remove(&self.dir, &self.hidden)
    }

    /// After a failure: removes what was made, by `clear`, unless that is live by now. Then it is the
    /// old content that has the hidden name, and it stays.
    pub fn give_up(
        &self,
        error: BackendError,
        clear: impl FnOnce() -> Result<(), BackendError>,
    ) -> BackendError {
        match self.is_done() {
            Ok(false) => {
                // The first error is the one to tell; a second try clears what this leaves.
                let _ = clear();
                error
            }
            Ok(true) => {
                let detail = format!(
                    "{}; the snapshot's content is in place, what was there before is left at {}: \
                     remove it once the disk is sound",
                    error.detail,
                    self.hidden_path.display()
                );
                BackendError { detail, ..error }
            }
            // Nobody knows which of the two it is.
            Err(_) => error,
        }
    }

    /// Makes the new content durable and exchanges: the commit point. Durable on return.
    pub fn commit(&self) -> Result<(), BackendError> {
        let doing = || self.doing.clone();
        let new = self.open_at(&self.hidden)?;
        rustix::fs::fsetxattr(&new, mark(), self.token.as_bytes(), XattrFlags::empty()).map_err(
            |error| match error {
                Errno::OPNOTSUPP => {
                    let why = "the file system there keeps no extended attributes";
                    BackendError::new(Fault::Permanent, doing(), why)
                }
                other => BackendError::io(doing(), &other.into()),
            },
        )?;
        rustix::fs::syncfs(&self.dir).doing(doing)?;
        self.swap()
    }

    /// Exchanges the two, also back again.
    pub fn swap(&self) -> Result<(), BackendError> {
        let doing = || self.doing.clone();
        let flags = RenameFlags::EXCHANGE;
        let swapped =
            rustix::fs::renameat_with(&self.dir, &self.hidden, &self.dir, &self.name, flags);
        swapped.map_err(|error| match error {
            Errno::INVAL => {
                let why = "the file system there cannot exchange two names";
                BackendError::new(Fault::Permanent, doing(), why)
            }
            other => BackendError::io(doing(), &other.into()),
        })?;
        rustix::fs::fsync(&self.dir).doing(doing)
    }

    /// Makes the removal of what was there durable.
    pub fn finish(&self) -> Result<(), BackendError> {
        rustix::fs::fsync(&self.dir).doing(|| self.doing.clone())
    }

    pub fn doing(&self) -> String {
        self.doing.clone()
    }

    fn open_at(&self, name: &CString) -> Result<OwnedFd, BackendError> {
        let doing = || self.doing.clone();
        let (reference, meta) = peek(&self.dir, name).doing(doing)?;
        match meta.kind {
            Kind::Dir => open_dir(reference).doing(doing),
            Kind::File => open_file(reference).doing(doing),
            other => {
                let why = format!("it is {}", other.words());
                Err(BackendError::new(Fault::Permanent, doing(), why))
            }
        }
    }
}

fn mark() -> &'static str {
    if nix::unistd::geteuid().is_root() { MARKS[0] } else { MARKS[1] }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `commit` can fail after the exchange, when syncing the directory does.
    #[test]
    fn giving_up_removes_the_new_content_until_it_is_live_and_never_the_old() {
        let check = |committed: bool, live: &str, hidden: Option<&str>, says: &str| {
            let dir = tempfile::tempdir_in("/var/tmp").unwrap();
            let path = dir.path().join("live");
            std::fs::write(&path, "old").unwrap();
            let exchange = Exchange::open(&path, Uuid::from_u128(7)).unwrap();
            std::fs::write(&exchange.hidden_path, "new").unwrap();
            if committed {
                exchange.commit().unwrap();
            }
            let error = BackendError::new(Fault::Transient, "syncing", "input/output error");
            let told = exchange.give_up(error, || exchange.clear());
            assert_eq!(std::fs::read_to_string(&path).unwrap(), live);
            let left = std::fs::read_to_string(&exchange.hidden_path).ok();
            assert_eq!(left.as_deref(), hidden);
            assert!(told.to_string().ends_with(says), "{told}");
        };
        check(false, "old", None, "input/output error");
        check(true, "new", Some("old"), "remove it once the disk is sound");
    }
}
