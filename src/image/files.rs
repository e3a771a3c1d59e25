//! What every file system in an image can be asked. Paths are bytes from its top, without a leading
//! `/`, and lead through no symbolic link: the kernel follows those itself.

use fuser::{Errno, FileType};

pub(super) type Answer<T> = Result<T, Errno>;

/// A directory: names and what they are.
pub(super) type Names = Vec<(Vec<u8>, FileType)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub kind: FileType,
    pub size: u64,
    /// Permission bits.
    pub mode: u16,
    pub uid: u32,
    pub gid: u32,
    /// Seconds since 1970, and nanoseconds.
    pub mtime: (i64, u32),
}

impl Stat {
    pub(super) fn directory() -> Self {
        Self { kind: FileType::Directory, size: 0, mode: 0o555, uid: 0, gid: 0, mtime: (0, 0) }
    }

    pub(super) fn file(size: u64) -> Self {
        Self { kind: FileType::RegularFile, size, mode: 0o444, ..Self::directory() }
    }
}

pub(super) trait Files {
    fn stat(&self, path: &[u8]) -> Answer<Stat>;

    /// Without `.` and `..`.
    fn list(&self, path: &[u8]) -> Answer<Names>;

    fn link(&self, path: &[u8]) -> Answer<Vec<u8>>;

    /// Up to `size` bytes; fewer only at the end.
    fn read(&self, path: &[u8], offset: u64, size: usize) -> Answer<Vec<u8>>;
}

/// The path of the directory that something is in, and its name there.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

/// The files of a file system, and what is to be shown beside them.
pub(super) struct Found {
    pub files: Box<dyn Files>,
    /// Those of all its subvolumes, where `files` are of one of them only.
    pub all: Option<Box<dyn Files>>,
    /// A sentence about what may be missing.
    pub remark: Option<String>,
}

impl Found {
    pub(super) fn plain(files: impl Files + 'static) -> Self {
        Self { files: Box::new(files), all: None, remark: None }
    }
}
