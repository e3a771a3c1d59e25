//! A directory with images in it, which may be a user's own.
//!
//! It is reached through no symbolic link and held open, and what is in it goes by names and
//! descriptors: whoever owns it can exchange what lies in it, or the directory itself, and leads a
//! privileged heptad nowhere else by that.

use crate::fs::tree::{Meta, open_dir, open_nosymlink, shed};
use crate::fs::{Doing, StorageError};
use rustix::fs::{AtFlags, DirEntry, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// Only a reference: opening it touches nothing.
const REFERENCE: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

#[derive(Debug)]
pub(super) struct Folder {
    pub dir: OwnedFd,
    /// Where it was; for people.
    pub path: PathBuf,
}

impl Folder {
    /// # Errors
    /// [`Fault::Permanent`](crate::domain::operation::Fault) where a symbolic link is part of the
    /// path.
    pub(super) fn open(path: &Path) -> Result<Self, StorageError> {
        let found = open_nosymlink(path)?;
        let dir = open_dir(&found).doing(|| format!("opening {}", path.display()))?;
        Ok(Self { dir, path: path.to_owned() })
    }

    /// The directory that a file is in, and its name there.
    pub(super) fn around(file: &Path) -> Result<(Self, &OsStr), StorageError> {
        let (Some(dir), Some(name)) = (file.parent(), file.file_name()) else {
            let error = std::io::Error::from(Errno::INVAL);
            return Err(StorageError::io(format!("opening {}", file.display()), &error));
        };
        Ok((Self::open(dir)?, name))
    }

    /// One that is open already.
    pub(super) fn at(dir: OwnedFd, path: &Path) -> Self {
        Self { dir, path: path.to_owned() }
    }

    /// A new one in this one, of a mode.
    pub(super) fn make(&self, name: &OsStr, mode: u32) -> Result<Self, StorageError> {
        let made = rustix::fs::mkdirat(&self.dir, name, Mode::RWXU);
        made.doing(|| format!("making {}", self.path.join(name).display()))?;
        let folder = self.below(name)?;
        shed(&folder.dir).doing(|| format!("making {}", self.path.join(name).display()))?;
        folder.set_mode(mode)?;
        Ok(folder)
    }

    /// One that is in this one.
    pub(super) fn below(&self, name: &OsStr) -> Result<Self, StorageError> {
        let path = self.path.join(name);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = rustix::fs::openat(&self.dir, name, flags, Mode::empty());
        let dir = dir.doing(|| format!("opening {}", path.display()))?;
        Ok(Self { dir, path })
    }

    pub(super) fn set_mode(&self, mode: u32) -> Result<(), StorageError> {
        let set = rustix::fs::fchmod(&self.dir, Mode::from_raw_mode(mode));
        set.doing(|| format!("setting the mode of {}", self.path.display()))
    }

    /// Gives a file in it an owner, a group and a mode.
    pub(super) fn dress(
        &self,
        name: &OsStr,
        uid: u32,
        gid: u32,
        mode: u32,
    ) -> Result<(), StorageError> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.dir, name, flags, Mode::empty()).map(File::from);
        let dressed = file.map_err(Into::into).and_then(|file| dress(&file, uid, gid, mode));
        dressed.doing(|| format!("dressing {}", self.path.join(name).display()))
    }

    /// A new file in it, for a copy.
    pub(super) fn create(&self, name: &OsStr) -> Result<File, StorageError> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.dir, name, flags, Mode::RUSR | Mode::WUSR);
        file.map(File::from).doing(|| format!("making {}", self.path.join(name).display()))
    }

    /// Opens a file in it for reading.
    pub(super) fn open_file(&self, name: &OsStr) -> Result<File, StorageError> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.dir, name, flags, Mode::empty());
        file.map(File::from).doing(|| format!("opening {}", self.path.join(name).display()))
    }

    /// What an entry is. A symbolic link is itself.
    pub(super) fn look(&self, name: &OsStr) -> Result<Meta, StorageError> {
        let meta = rustix::fs::openat(&self.dir, name, REFERENCE, Mode::empty()).and_then(Meta::of);
        meta.doing(|| format!("looking at {}", self.path.join(name).display()))
    }

    /// How an entry is at this moment; see [`super::image::fingerprint`]. A symbolic link is
    /// itself.
    pub(super) fn fingerprint(&self, name: &OsStr) -> Result<String, StorageError> {
        let stat = rustix::fs::statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW);
        let stat = stat.doing(|| format!("looking at {}", self.path.join(name).display()))?;
        Ok(super::image::print(&stat))
    }

    /// Puts one entry in the place of another.
    pub(super) fn rename(&self, from: &OsStr, to: &OsStr) -> Result<(), StorageError> {
        let renamed = rustix::fs::renameat(&self.dir, from, &self.dir, to);
        renamed.doing(|| format!("replacing {}", self.path.join(to).display()))
    }

    /// Gives an entry a name; `false` where something has it.
    pub(super) fn rename_to_free(&self, from: &OsStr, to: &OsStr) -> Result<bool, StorageError> {
        let flags = RenameFlags::NOREPLACE;
        match rustix::fs::renameat_with(&self.dir, from, &self.dir, to, flags) {
            Err(Errno::EXIST) => Ok(false),
            renamed => renamed
                .map(|()| true)
                .doing(|| format!("renaming {}", self.path.join(from).display())),
        }
    }

    /// Lets two entries exchange their names at once; `false` where the file system cannot.
    pub(super) fn exchange(&self, one: &OsStr, other: &OsStr) -> Result<bool, StorageError> {
        let flags = RenameFlags::EXCHANGE;
        match rustix::fs::renameat_with(&self.dir, one, &self.dir, other, flags) {
            Err(Errno::INVAL | Errno::NOSYS) => Ok(false),
            exchanged => {
                exchanged.doing(|| format!("replacing {}", self.path.join(other).display()))?;
                Ok(true)
            }
        }
    }

    /// What is in it.
    pub(super) fn names(&self) -> Result<Vec<OsString>, StorageError> {
        let doing = || format!("reading {}", self.path.display());
        let entries = rustix::fs::Dir::read_from(&self.dir).doing(doing)?;
        let name = |entry: rustix::io::Result<DirEntry>| {
            entry.map(|entry| OsStr::from_bytes(entry.file_name().to_bytes()).to_owned())
        };
        entries.map(name).collect::<Result<_, _>>().doing(doing)
    }

    /// Removes a file, if it is there.
    pub(super) fn remove(&self, name: &OsStr) -> Result<(), StorageError> {
        match rustix::fs::unlinkat(&self.dir, name, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            removed => removed.doing(|| format!("clearing {}", self.path.join(name).display())),
        }
    }

    pub(super) fn sync(&self) -> Result<(), StorageError> {
        rustix::fs::fsync(&self.dir).doing(|| format!("writing {}", self.path.display()))
    }
}

/// Gives a file an owner, a group and a mode.
pub(super) fn dress(file: &File, uid: u32, gid: u32, mode: u32) -> std::io::Result<()> {
    fchown(file, Some(uid), Some(gid))?;
    file.set_permissions(Permissions::from_mode(mode))
}
