//! Attributes for a copy whose bytes came by other ways than the copier: a database's, an image's.

use super::dress::Lost;
use super::flags::Flags;
use super::open::open_file;
use super::report::Report;
use super::xattr;
use std::os::fd::{AsFd, BorrowedFd};

/// Gives an empty file that takes another one's place what chattr(1) set on that, as far as it has
/// to be there before the first byte.
pub fn begin_like(live: impl AsFd, made: impl AsFd) -> rustix::io::Result<()> {
    Flags::of(live.as_fd()).begin(made.as_fd(), false)
}

/// Gives it, once it is filled, all else of that but owner, mode and times.
pub fn end_like(live: impl AsFd, made: impl AsFd) -> rustix::io::Result<()> {
    xattr::copy(live.as_fd(), made.as_fd())?;
    // What a new file cannot be given is as lost here as in any copy.
    Flags::of(live.as_fd()).end(made.as_fd(), false).map(drop)
}

/// Gives a stored copy of one file all of its original but owner, mode and times: extended
/// attributes, access lists among them, and a note of what chattr(1) set. Both are references.
/// Returns sentences on what is lost.
pub fn resemble(original: BorrowedFd<'_>, copy: BorrowedFd<'_>) -> rustix::io::Result<Vec<String>> {
    let mut report = Report::default();
    let attributes = xattr::copy(original, copy)?;
    report.lost(b"", &Lost { owner: false, attributes });
    let flags = Flags::of(open_file(original)?.as_fd());
    report.unflagged(b"", &flags.note(open_file(copy)?.as_fd())?);
    Ok(report.losses())
}
