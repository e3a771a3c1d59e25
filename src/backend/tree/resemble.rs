//! Attributes for a copy whose bytes came by other ways than the copier: a database's, an image's.

use super::dress::Lost;
use super::flags::Flags;
use super::open::open_file;
use super::report::Report;
use super::xattr;
use std::os::fd::{AsFd, BorrowedFd};

/// Gives a stored copy of one file all of its original but owner, mode and times: extended attributes,
/// access lists among them, and a note of what chattr(1) set. Both are references. Returns sentences
/// on what is lost.
pub fn resemble(original: BorrowedFd<'_>, copy: BorrowedFd<'_>) -> rustix::io::Result<Vec<String>> {
    let mut report = Report::default();
    let attributes = xattr::copy(original, copy)?;
    report.lost(b"", &Lost { owner: false, attributes });
    let flags = Flags::of(open_file(original)?.as_fd());
    report.unflagged(b"", &flags.note(open_file(copy)?.as_fd())?);
    Ok(report.losses())
}
