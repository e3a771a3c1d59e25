//! A file that appears whole or not at all.

use rustix::fs::{AtFlags, CWD, RenameFlags, Timespec, Timestamps};
use std::ffi::OsString;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Only these bits are kept. With set-user-id it would lend its owner's power, often root's, to
/// whoever starts it here.
const PLAIN_BITS: u32 = 0o777;

/// Grows under a hidden name beside its place; gone when dropped before it is placed.
pub struct Output {
    file: File,
    hidden: PathBuf,
    target: PathBuf,
    placed: bool,
}

impl Output {
    pub fn create(target: &Path) -> io::Result<Self> {
        let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let mut hidden = OsString::from(format!(".heptactl-{}-", std::process::id()));
        // A name of the greatest length leaves no room for more.
        hidden.push(if name.len() < 200 { name.to_owned() } else { "get".into() });
        let hidden = target.with_file_name(hidden);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&hidden)?;
        Ok(Self { file, hidden, target: target.into(), placed: false })
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Gives it its owner if that can be, mode, time and name. Without `force` never over something: then the error is
    /// [`io::ErrorKind::AlreadyExists`].
    pub fn place(
        mut self,
        mode: u32,
        owner: Option<(u32, u32)>,
        (secs, nanos): (i64, u32),
        force: bool,
    ) -> io::Result<()> {
        // Only root can give files away, and a change of owner takes bits from the mode.
        if let Some((uid, gid)) = owner.filter(|_| rustix::process::geteuid().is_root()) {
            std::os::unix::fs::fchown(&self.file, Some(uid), Some(gid))?;
        }
        self.file.set_permissions(Permissions::from_mode(mode & PLAIN_BITS))?;
        let time = Timespec { tv_sec: secs, tv_nsec: nanos.into() };
        let times = Timestamps { last_access: time, last_modification: time };
        rustix::fs::futimens(&self.file, &times)?;
        self.file.sync_all()?;
        if force {
            std::fs::rename(&self.hidden, &self.target)?;
        } else {
            self.place_beside()?;
        }
        self.placed = true;
        Ok(())
    }

    fn place_beside(&self) -> io::Result<()> {
        use rustix::io::Errno;
        let (from, to) = (&self.hidden, &self.target);
        match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // A file system that cannot: a second name is never given over something either.
            Err(Errno::INVAL | Errno::NOSYS) => {
                rustix::fs::linkat(CWD, from, CWD, to, AtFlags::empty())?;
                std::fs::remove_file(from)
            }
            renamed => Ok(renamed?),
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.placed {
            // There is nobody to tell, and the name says what it is.
            let _ = std::fs::remove_file(&self.hidden);
        }
    }
}
