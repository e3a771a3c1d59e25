//! What goes wrong in an image, as the kernel's error numbers.

use fuser::Errno;
use std::io::ErrorKind;

pub(super) fn of_io(error: &std::io::Error) -> Errno {
    of_kind(error.kind())
}

pub(super) fn of_kind(kind: ErrorKind) -> Errno {
    match kind {
        ErrorKind::NotFound => Errno::ENOENT,
        ErrorKind::NotADirectory => Errno::ENOTDIR,
        ErrorKind::IsADirectory => Errno::EISDIR,
        ErrorKind::Unsupported => Errno::EOPNOTSUPP,
        ErrorKind::InvalidInput => Errno::EINVAL,
        // Damaged, or made to look so.
        _ => Errno::EIO,
    }
}
