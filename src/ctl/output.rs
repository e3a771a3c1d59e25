//! A file that appears whole or not at all.

use super::error::CtlError;
use super::exit;
use super::session::{Done, Session};
use rustix::fs::{AtFlags, CWD, RenameFlags, Timespec, Timestamps};
use std::ffi::OsString;
use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Only these bits are kept. With set-user-id it would lend its owner's power, often root's, to
/// whoever starts it here.
const PLAIN_BITS: u32 = 0o777;

/// Grows under a hidden name beside its place; gone when dropped before it is placed.
pub(super) struct Output {
    file: File,
    length: u64,
    hidden: PathBuf,
    target: PathBuf,
    placed: bool,
}

impl Output {
    pub(super) fn create(target: &Path) -> io::Result<Self> {
        let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let mut hidden = OsString::from(format!(".heptactl-{}-", std::process::id()));
        // A name of the greatest length leaves no room for more.
        hidden.push(if name.len() < 200 { name.to_owned() } else { "get".into() });
        let hidden = target.with_file_name(hidden);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&hidden)?;
        Ok(Self { file, length: 0, hidden, target: target.into(), placed: false })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.length = write_with_holes(&self.file, self.length, bytes)?;
        Ok(())
    }

    /// Gives it its owner if that can be, mode, time and name. Without `force` never over
    /// something: then the error is [`io::ErrorKind::AlreadyExists`].
    pub(super) fn place(
        mut self,
        mode: u32,
        owner: Option<(u32, u32)>,
        (secs, nanos): (i64, u32),
        force: bool,
    ) -> io::Result<()> {
        self.file.set_len(self.length)?;
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

/// What of a block of this size is all zeros is a hole, as it may have been in the original: a
/// sparse file would fill the disk.
const BLOCK: u64 = 4096;

/// Writes to a new file from `at` on, but no holes; returns where that ends. The length of the file
/// is to be set when all is written.
pub(super) fn write_with_holes(file: &File, at: u64, bytes: &[u8]) -> io::Result<u64> {
    let (mut data, mut end) = (0, 0);
    while end < bytes.len() {
        let left = BLOCK - (at + end as u64) % BLOCK;
        let next = bytes.len().min(end.saturating_add(usize::try_from(left).unwrap_or(usize::MAX)));
        if bytes[end..next].iter().all(|byte| *byte == 0) {
            file.write_all_at(&bytes[data..end], at + data as u64)?;
            data = next;
        }
        end = next;
    }
    file.write_all_at(&bytes[data..], at + data as u64)?;
    Ok(at + bytes.len() as u64)
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.placed {
            // There is nobody to tell, and the name says what it is.
            let _ = std::fs::remove_file(&self.hidden);
        }
    }
}

/// # Errors
/// [`CtlError::Partly`] where some of several were refused or failed, which is told here.
pub(super) fn each<T>(
    session: &mut Session<'_, '_>,
    all: &[T],
    mut one: impl FnMut(&mut Session<'_, '_>, &T) -> Result<(), CtlError>,
) -> Done {
    let mut failed = None;
    for thing in all {
        if let Err(error) = one(session, thing) {
            match error.exit_code() {
                exit::REFUSED if all.len() > 1 && !error.is_broken_pipe() => {
                    session.complain(&error)?;
                    failed = Some(CtlError::Partly);
                }
                _ => return Err(error),
            }
        }
    }
    failed.map_or(Ok(exit::OK), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn what_is_written_is_the_same_however_it_comes_in_pieces_and_holes_take_no_room() {
        let check = |content: &[u8], sizes: &[usize], most: u64| {
            let dir = tempfile::tempdir_in("/var/tmp").unwrap();
            let path = dir.path().join("file");
            let mut output = Output::create(&path).unwrap();
            let (mut rest, mut sizes) = (content, sizes.iter().cycle());
            while !rest.is_empty() {
                let (piece, more) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
                output.write(piece).unwrap();
                rest = more;
            }
            output.place(0o644, None, (0, 0), false).unwrap();
            assert!(std::fs::read(&path).unwrap() == content, "{} bytes", content.len());
            let is = std::fs::metadata(&path).unwrap().blocks() * 512;
            assert!(is <= most, "{is} bytes of {most}");
        };
        let data = |length: usize| vec![7; length];
        let zeros = |length: usize| vec![0; length];
        check(b"", &[1], 0);
        check(b"text", &[1, 2], 4096);
        check(&zeros(1 << 22), &[65_536], 0);
        check(&[data(5000), zeros(1 << 22), data(3), zeros(9)].concat(), &[65_536], 32_768);
        check(&[zeros(3), data(4096), zeros(20_000)].concat(), &[1, 4095, 10_000], 8192);
    }
}
