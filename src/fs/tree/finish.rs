//! The end of one entry's copy: dressed as its original, counted, and told to whoever listens.

use super::super::{Doing, StorageError};
use super::copier::Copier;
use super::dress;
use super::flags::Flags;
use super::flow::Flow;
use super::meta::{Kind, Meta};
use super::open::{below, open_file};
use super::report::shown;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};

impl Copier<'_> {
    /// Dresses what was made as its original, of which nothing but `meta` may be left.
    pub(super) fn finish(
        &mut self,
        from: Option<BorrowedFd<'_>>,
        meta: &Meta,
        made: BorrowedFd<'_>,
        flags: Option<Flags>,
    ) -> Result<(), StorageError> {
        let doing = |path: &[u8]| format!("finishing the copy of {}", shown(path));
        let lost = dress::dress(from, meta, made).doing(|| doing(&self.path))?;
        self.report.lost(&self.path, &lost);
        let flags = flags.map(|flags| self.counted(flags, made));
        let letters = match flags {
            None => Ok(String::new()),
            Some(flags) if self.options.flow == Flow::OutOfStore => {
                let several = meta.kind == Kind::File && meta.nlink > 1 && flags.is_fixed();
                if several && !self.path.is_empty() {
                    self.fixed.push((self.path.clone(), flags));
                }
                flags.end(made, !several && !self.path.is_empty())
            }
            Some(flags) => flags.note(made),
        };
        self.report.unflagged(&self.path, &letters.doing(|| doing(&self.path))?);
        let is = Meta::of(made).doing(|| doing(&self.path))?;
        self.record(meta, &is)
    }

    /// What chattr(1) has set on an original that is open.
    pub(super) fn flags(&self, original: BorrowedFd<'_>) -> Flags {
        match self.options.flow {
            Flow::IntoStore => Flags::of(original),
            Flow::WithinStore | Flow::OutOfStore => Flags::noted(original),
        }
    }

    /// Before anything is in the copy.
    pub(super) fn begin(&self, flags: Flags, made: BorrowedFd<'_>) -> Result<(), StorageError> {
        let in_store = self.options.flow != Flow::OutOfStore;
        let flags = self.counted(flags, made);
        flags.begin(made, in_store).doing(|| self.doing("making"))
    }

    fn counted(&self, flags: Flags, made: BorrowedFd<'_>) -> Flags {
        if self.is_counted { flags.counted_as(made) } else { flags }
    }

    pub(super) fn count(
        &mut self,
        was: &Meta,
        into: BorrowedFd<'_>,
        name: &CStr,
    ) -> Result<(), StorageError> {
        let is = Meta::at(into, name).doing(|| self.doing("looking at"))?;
        self.record(was, &is)
    }

    pub(super) fn record(&mut self, was: &Meta, is: &Meta) -> Result<(), StorageError> {
        self.options.progress.wanted()?;
        if !self.path.is_empty() || is.kind != Kind::Dir {
            self.report.entries += 1;
        }
        if is.kind == Kind::File {
            self.report.bytes = add_bytes(self.report.bytes, is.size);
            self.options.progress.report(self.report.bytes, self.options.total);
        }
        self.visitor.stored(&self.path, was, is)
    }

    /// Sets what was put off.
    pub(super) fn fix(&mut self) -> Result<(), StorageError> {
        for (path, flags) in std::mem::take(&mut self.fixed) {
            let doing = || format!("finishing the copy of {}", shown(&path));
            let file =
                below(self.base, &path).and_then(|(file, _)| open_file(file)).doing(doing)?;
            let letters = flags.end(file.as_fd(), true).doing(doing)?;
            self.report.unflagged(&path, &letters);
        }
        Ok(())
    }
}

/// Sparse files may claim any size; sums of them stay within what is counted elsewhere.
pub fn add_bytes(sum: u64, size: u64) -> u64 {
    sum.saturating_add(size).min(i64::MAX.unsigned_abs())
}
