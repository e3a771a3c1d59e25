//! Copying one entry that is not a directory.

use super::super::{BackendError, Doing};
use super::copier::Copier;
use super::copy::Entry;
use super::data;
use super::meta::{Kind, Meta};
use super::open::{is_forbidden, link, open_file, peek};
use super::report::shown;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};

/// How often a file that changes while it is read is read again.
const TRIES: u32 = 3;

impl Copier<'_> {
    pub fn file(
        &mut self,
        from: BorrowedFd<'_>,
        meta: Meta,
        into: BorrowedFd<'_>,
        name: &CStr,
    ) -> Result<(), BackendError> {
        let entry = Entry { path: &self.path, reference: from, meta: &meta };
        if let Some(earlier) = self.visitor.unchanged(&entry)?
            && link(&earlier, into, name).doing(|| format!("linking {}", shown(&self.path)))?
        {
            self.report.linked += 1;
            return self.count(&meta, into, name);
        }
        let doing = |path: &[u8]| format!("copying {}", shown(path));
        let source = match open_file(from) {
            Err(error) if is_forbidden(error) => {
                self.report.unreadable.add(&self.path);
                return Ok(());
            }
            opened => opened.doing(|| doing(&self.path))?,
        };
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let target = rustix::fs::openat(into, name, flags, Mode::RUSR | Mode::WUSR)
            .doing(|| doing(&self.path))?;
        let read = self.steady(source.as_fd(), meta, target.as_fd());
        let read = read.doing(|| doing(&self.path))?;
        self.finish(from, &read, target.as_fd())
    }

    /// Copies the bytes, again if the file changed meanwhile; what it was when that copy began.
    fn steady(
        &mut self,
        from: BorrowedFd<'_>,
        mut before: Meta,
        to: BorrowedFd<'_>,
    ) -> rustix::io::Result<Meta> {
        for attempt in 1..=TRIES {
            let cloned = self.bytes(from, &before, to)?;
            let after = Meta::of(from)?;
            let steady = after.unchanged_since(&before);
            if steady || attempt == TRIES {
                // A clone is of one instant, whatever happens around it.
                if !steady && !cloned {
                    self.report.changing.add(&self.path);
                }
                let counter =
                    if cloned { &mut self.report.cloned } else { &mut self.report.copied };
                *counter += 1;
                break;
            }
            before = after;
            rustix::fs::ftruncate(to, 0)?;
        }
        Ok(before)
    }

    /// Whether the bytes were cloned.
    fn bytes(
        &mut self,
        from: BorrowedFd<'_>,
        meta: &Meta,
        to: BorrowedFd<'_>,
    ) -> rustix::io::Result<bool> {
        if !self.unclonable.contains(&meta.dev) {
            match data::clone(from, to)? {
                Some(true) => return Ok(true),
                Some(false) => {
                    self.unclonable.insert(meta.dev);
                }
                None => {}
            }
        }
        let mut done = self.report.bytes;
        data::copy(from, to, meta.size, &mut |more| {
            done += more;
            self.options.progress.report(done, self.options.total);
        })?;
        Ok(false)
    }

    pub fn special(
        &mut self,
        from: BorrowedFd<'_>,
        meta: &Meta,
        into: BorrowedFd<'_>,
        name: &CStr,
    ) -> Result<(), BackendError> {
        let doing = |path: &[u8]| format!("making {} {}", meta.kind.words(), shown(path));
        match make_special(from, meta, into, name) {
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::INVAL) => {
                self.report.special.add(&self.path);
                return Ok(());
            }
            made => made.doing(|| doing(&self.path))?,
        }
        let (made, _) = peek(into, name).doing(|| doing(&self.path))?;
        self.finish(from, meta, made.as_fd())
    }
}

fn make_special(
    from: BorrowedFd<'_>,
    meta: &Meta,
    into: BorrowedFd<'_>,
    name: &CStr,
) -> rustix::io::Result<()> {
    let file_type = match meta.kind {
        Kind::Link => {
            let target = rustix::fs::readlinkat(from, c"", Vec::new())?;
            return rustix::fs::symlinkat(target, into, name);
        }
        Kind::Fifo => FileType::Fifo,
        Kind::Socket => FileType::Socket,
        Kind::Block => FileType::BlockDevice,
        Kind::Char => FileType::CharacterDevice,
        Kind::Dir | Kind::File => return Err(Errno::INVAL),
    };
    let device = rustix::fs::makedev(meta.rdev.0, meta.rdev.1);
    rustix::fs::mknodat(into, name, file_type, Mode::RUSR | Mode::WUSR, device)
}
