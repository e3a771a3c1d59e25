//! Copying one entry that is not a directory.

use super::super::{Doing, StorageError};
use super::copier::Copier;
use super::data::{self, Broken};
use super::flow::Entry;
use super::meta::{Kind, Meta};
use super::open::{Linked, link, open_file, peek};
use super::trouble::{Fault, is_forbidden, of_copy};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// How often a file that changes while it is read is read again.
const TRIES: u32 = 3;

impl Copier<'_> {
    pub(super) fn file(
        &mut self,
        from: BorrowedFd<'_>,
        meta: Meta,
        into: BorrowedFd<'_>,
        name: &CStr,
    ) -> Result<(), StorageError> {
        let entry = Entry { path: &self.path, reference: from, meta: &meta };
        if let Some(earlier) = self.visitor.unchanged(&entry)?
            && link(&earlier, into, name).doing(|| self.doing("linking"))? == Linked::Yes
        {
            self.report.linked += 1;
            return self.count(&meta, into, name);
        }
        let Some(source) = self.read(open_file(from), "opening")? else { return Ok(()) };
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let target = rustix::fs::openat(into, name, flags, Mode::RUSR | Mode::WUSR);
        let Some(target) = self.made(target, "making")? else { return Ok(()) };
        let flags = self.flags(source.as_fd());
        self.begin(flags, target.as_fd())?;
        let copied = match self.steady(source.as_fd(), meta, target.as_fd()) {
            Err(Broken::Read(error)) => self.read(Err(error), "reading"),
            Err(Broken::Write(error)) => self.made(Err(error), "copying"),
            Err(Broken::Off) => return Err(StorageError::unwanted()),
            Ok(read) => Ok(Some(read)),
        };
        match copied? {
            Some(read) => self.finish(Some(from), &read, target.as_fd(), Some(flags)),
            None => self.unmake(target, into, name),
        }
    }

    /// Half a file is none.
    fn unmake(
        &mut self,
        half: OwnedFd,
        into: BorrowedFd<'_>,
        name: &CStr,
    ) -> Result<(), StorageError> {
        drop(half);
        rustix::fs::unlinkat(into, name, AtFlags::empty()).doing(|| self.doing("clearing"))
    }

    /// Copies the bytes, again if the file changed meanwhile; what it was when that copy began.
    fn steady(
        &mut self,
        from: BorrowedFd<'_>,
        mut before: Meta,
        to: BorrowedFd<'_>,
    ) -> Result<Meta, Broken> {
        for attempt in 1..=TRIES {
            let cloned = self.bytes(from, &before, to)?;
            let after = Meta::of(from).map_err(Broken::Read)?;
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
            rustix::fs::ftruncate(to, 0).map_err(Broken::Write)?;
        }
        Ok(before)
    }

    /// Whether the bytes were cloned.
    fn bytes(
        &mut self,
        from: BorrowedFd<'_>,
        meta: &Meta,
        to: BorrowedFd<'_>,
    ) -> Result<bool, Broken> {
        if !self.unclonable.contains(&meta.dev) {
            match data::clone(from, to) {
                Ok(Some(true)) => return Ok(true),
                Ok(Some(false)) => {
                    self.unclonable.insert(meta.dev);
                }
                Ok(None) => {}
                // Of which side it is, copying will tell.
                Err(error) if error != Errno::NOSPC && error != Errno::DQUOT => {}
                Err(error) => return Err(Broken::Write(error)),
            }
        }
        let mut done = self.report.bytes;
        data::transfer(from, to, meta.size, &mut |more| {
            done = done.saturating_add(more);
            self.options.progress.report(done, self.options.total);
            self.options.progress.is_wanted()
        })?;
        Ok(false)
    }

    pub(super) fn special(
        &mut self,
        from: BorrowedFd<'_>,
        meta: &Meta,
        into: BorrowedFd<'_>,
        name: &CStr,
    ) -> Result<(), StorageError> {
        let target = match meta.kind {
            Kind::Link => {
                let target = rustix::fs::readlinkat(from, c"", Vec::new());
                let Some(target) = self.read(target, "reading")? else { return Ok(()) };
                Some(target)
            }
            _ => None,
        };
        let made = match target {
            Some(target) => rustix::fs::symlinkat(target, into, name),
            None => make_special(meta, into, name),
        };
        match made {
            Err(error) if meta.kind.is_device() && is_forbidden(error) => {
                self.report.devices.add(&self.path);
                return Ok(());
            }
            Err(error) if of_copy(error) == Fault::Entry => {
                self.report.unmade(&self.path, error);
                return Ok(());
            }
            made => made.doing(|| self.doing("making"))?,
        }
        let (made, _) = peek(into, name).doing(|| self.doing("making"))?;
        self.finish(Some(from), meta, made.as_fd(), None)
    }
}

fn make_special(meta: &Meta, into: BorrowedFd<'_>, name: &CStr) -> rustix::io::Result<()> {
    let file_type = match meta.kind {
        Kind::Fifo => FileType::Fifo,
        Kind::Socket => FileType::Socket,
        Kind::Block => FileType::BlockDevice,
        Kind::Char => FileType::CharacterDevice,
        Kind::Dir | Kind::File | Kind::Link => return Err(Errno::INVAL),
    };
    let device = rustix::fs::makedev(meta.rdev.0, meta.rdev.1);
    rustix::fs::mknodat(into, name, file_type, Mode::RUSR | Mode::WUSR, device)
}
