//! Writing the files of a copy that make it a cluster of its own.

use super::assemble::give;
use super::detail::Detail;
use crate::fs::Doing;
use crate::fs::StorageError;
use crate::fs::tree::remove_tree;
use rustix::fs::{Mode, OFlags};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::path::Path;

/// Settings that name something in the original's data directory by its path name the same of this
/// one: it must neither need the original nor write into it.
pub(super) fn at_home(text: &[u8], old: &Path, new: &Path) -> Vec<u8> {
    let [old, new] = [old, new].map(quoted);
    ["/", "'"].iter().fold(text.to_owned(), |text, end| {
        let (from, to) = (format!("'{old}{end}"), format!("'{new}{end}"));
        replaced(&text, from.as_bytes(), to.as_bytes())
    })
}

fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let (mut new, mut at) = (Vec::with_capacity(text.len()), 0);
    while at < text.len() {
        if text[at..].starts_with(from) {
            new.extend_from_slice(to);
            at += from.len();
        } else {
            new.push(text[at]);
            at += 1;
        }
    }
    new
}

/// For a setting in single quotes.
pub(super) fn quoted(path: &Path) -> String {
    path.display().to_string().replace('\'', "''")
}

/// Replaces a file of the cluster.
pub(super) fn write(
    data: &OwnedFd,
    file: &str,
    text: &[u8],
    detail: &Detail,
) -> Result<(), StorageError> {
    let doing = || format!("writing {file}");
    remove_tree(data.as_fd(), &super::copy::name(file)?)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(data, file, flags, Mode::RUSR | Mode::WUSR).doing(doing)?;
    std::fs::File::from(opened).write_all(text).doing(doing)?;
    give(data, file, detail).doing(doing)
}
