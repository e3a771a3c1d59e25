//! A tree that grows under a hidden name beside its place, open to nobody else, and gets its name
//! when it is whole.

use super::super::output::write_with_holes;
use super::walk::Sink;
use crate::api::wire::Entry;
use rustix::fs::{
    AtFlags, CWD, Gid, Mode, OFlags, RenameFlags, Timespec, Timestamps, Uid, chownat, fchmod,
    fchown, futimens, mkdirat, openat, renameat_with, symlinkat, syncfs, utimensat,
};
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Permissions and, of a directory, the sticky bit. With set-user-id a file would lend its owner's
/// power to whoever starts it here.
const KEPT_BITS: u32 = 0o1777;

pub(super) struct Tree {
    hidden: PathBuf,
    target: PathBuf,
    /// The directories that were entered, from the top down.
    open: Vec<OwnedFd>,
    /// With what was written to it.
    file: Option<(File, u64)>,
    /// Only root can give files away.
    owners: bool,
    placed: bool,
}

impl Tree {
    pub(super) fn create(target: &Path) -> io::Result<Self> {
        target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let hidden = OsString::from(format!(".heptactl-{}-tree", std::process::id()));
        let hidden = target.with_file_name(hidden);
        DirBuilder::new().mode(0o700).create(&hidden)?;
        let owners = rustix::process::geteuid().is_root();
        let (open, target) = (Vec::new(), target.to_owned());
        Ok(Self { hidden, target, open, file: None, owners, placed: false })
    }

    /// Gives it its name. Never over something: then the error is
    /// [`io::ErrorKind::AlreadyExists`].
    pub(super) fn place(mut self) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let above = self.target.parent().filter(|above| !above.as_os_str().is_empty());
        let above = openat(
            CWD,
            above.unwrap_or_else(|| Path::new(".")),
            flags.difference(OFlags::NOFOLLOW),
            Mode::empty(),
        )?;
        syncfs(&above)?;
        let (from, to) = (&self.hidden, &self.target);
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // A file system that cannot: a directory never takes the place of anything but an
            // empty one.
            Err(Errno::INVAL | Errno::NOSYS) if to.symlink_metadata().is_err() => {
                std::fs::rename(from, to)?;
            }
            Err(Errno::INVAL | Errno::NOSYS) => return Err(Errno::EXIST.into()),
            renamed => renamed?,
        }
        self.placed = true;
        rustix::fs::fsync(&above)?;
        Ok(())
    }

    fn here(&self) -> io::Result<BorrowedFd<'_>> {
        self.open.last().map(AsFd::as_fd).ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }

    /// Owner, then mode, which a change of owner takes bits from, then time.
    fn dress(&self, of: BorrowedFd<'_>, entry: &Entry) -> io::Result<()> {
        if self.owners {
            fchown(of, Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)))?;
        }
        let mode = u32::from_str_radix(&entry.mode, 8).unwrap_or(0o600) & KEPT_BITS;
        fchmod(of, Mode::from_raw_mode(mode))?;
        Ok(futimens(of, &times(entry))?)
    }
}

fn times(entry: &Entry) -> Timestamps {
    let nanos = entry.mtime.as_nanosecond().rem_euclid(1_000_000_000);
    let seconds = entry.mtime.as_nanosecond().div_euclid(1_000_000_000);
    let time = Timespec {
        tv_sec: i64::try_from(seconds).unwrap_or(0),
        tv_nsec: i64::try_from(nanos).unwrap_or(0),
    };
    Timestamps { last_access: time, last_modification: time }
}

impl Sink for Tree {
    fn enter(&mut self, name: &[u8], _: &Entry) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = match self.open.last() {
            None => openat(CWD, &self.hidden, flags, Mode::empty())?,
            Some(above) => {
                mkdirat(above, name, Mode::RWXU)?;
                openat(above, name, flags, Mode::empty())?
            }
        };
        self.open.push(opened);
        Ok(())
    }

    fn leave(&mut self, entry: &Entry) -> io::Result<()> {
        self.dress(self.here()?, entry)?;
        self.open.pop();
        Ok(())
    }

    fn file(&mut self, name: &[u8], _: &Entry, _: u64) -> io::Result<()> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(self.here()?, name, flags, Mode::RUSR | Mode::WUSR)?;
        self.file = Some((file.into(), 0));
        Ok(())
    }

    fn piece(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some((file, length)) = &mut self.file else { return Ok(()) };
        *length = write_with_holes(file, *length, bytes)?;
        Ok(())
    }

    fn end_file(&mut self, entry: &Entry) -> io::Result<()> {
        match self.file.take() {
            Some((file, length)) => {
                file.set_len(length)?;
                self.dress(file.as_fd(), entry)
            }
            None => Ok(()),
        }
    }

    fn link(&mut self, name: &[u8], target: &[u8], entry: &Entry) -> io::Result<()> {
        let here = self.here()?;
        symlinkat(target, here, name)?;
        if self.owners {
            let (uid, gid) = (Uid::from_raw(entry.uid), Gid::from_raw(entry.gid));
            chownat(here, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(utimensat(here, name, &times(entry), AtFlags::SYMLINK_NOFOLLOW)?)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if !self.placed {
            self.open.clear();
            // There is nobody to tell, and the name says what it is.
            // No mode keeps root from removing, and root follows no path into what others may own.
            let opened =
                if rustix::process::geteuid().is_root() { Ok(()) } else { open_up(&self.hidden) };
            let _ = opened.and_then(|()| std::fs::remove_dir_all(&self.hidden));
        }
    }
}

/// What a directory's own mode forbids its owner would keep it from being removed.
fn open_up(dir: &Path) -> io::Result<()> {
    std::fs::set_permissions(dir, Permissions::from_mode(0o700))?;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}
