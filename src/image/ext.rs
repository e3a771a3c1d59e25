//! ext2, ext3 and ext4, by the crate ext4-view. A file of ext2 or ext3 with a hole so large that a
//! whole indirect block is missing is refused by it (1.0.0) with an error; never read wrongly.

use super::block::Stretch;
use super::files::{Answer, Files, Names, Stat};
use ext4_view::{Ext4, Ext4Error, File, FileType as Found, PathBuf};
use fuser::{Errno, FileType};
use std::cell::RefCell;

pub(super) struct Ext {
    fs: Ext4,
    /// The file that was read last: most are read from one end to the other.
    last: RefCell<Option<(Vec<u8>, File)>>,
}

impl Ext {
    pub(super) fn open(part: &Stretch) -> Result<Self, String> {
        let fs = Ext4::load(Box::new(part.clone())).map_err(|error| error.to_string())?;
        Ok(Self { fs, last: RefCell::new(None) })
    }
}

impl Files for Ext {
    fn stat(&self, path: &[u8]) -> Answer<Stat> {
        let meta = self.fs.symlink_metadata(&absolute(path)?).map_err(failed)?;
        let mtime = meta.modified();
        Ok(Stat {
            kind: kind(meta.file_type()),
            size: meta.len(),
            mode: meta.mode() & 0o7777,
            uid: meta.uid(),
            gid: meta.gid(),
            mtime: (mtime.seconds(), mtime.nanoseconds()),
        })
    }

    fn list(&self, path: &[u8]) -> Answer<Names> {
        let mut found = Vec::new();
        for entry in self.fs.read_dir(&absolute(path)?).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let name: &[u8] = name.as_ref();
            if !matches!(name, b"." | b"..") {
                found.push((name.to_vec(), kind(entry.file_type().map_err(failed)?)));
            }
        }
        Ok(found)
    }

    fn link(&self, path: &[u8]) -> Answer<Vec<u8>> {
        let target = self.fs.read_link(&absolute(path)?).map_err(failed)?;
        let target: &[u8] = target.as_ref();
        Ok(target.to_vec())
    }

    fn read(&self, path: &[u8], offset: u64, size: usize) -> Answer<Vec<u8>> {
        let read = self.read_on(path, offset, size);
        if read.is_err() {
            *self.last.borrow_mut() = None;
        }
        read
    }
}

impl Ext {
    fn read_on(&self, path: &[u8], offset: u64, size: usize) -> Answer<Vec<u8>> {
        let mut last = self.last.borrow_mut();
        if last.as_ref().is_none_or(|(known, _)| known != path) {
            *last = Some((path.to_vec(), self.fs.open(&absolute(path)?).map_err(failed)?));
        }
        let Some((_, file)) = last.as_mut() else { return Err(Errno::EIO) };
        // A seek counts blocks from the first one on.
        if file.position() != offset {
            file.seek_to(offset).map_err(failed)?;
        }
        let mut bytes = vec![0; size];
        let mut filled = 0;
        while filled < size {
            match file.read_bytes(&mut bytes[filled..]).map_err(failed)? {
                0 => break,
                more => filled += more,
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }
}

fn absolute(path: &[u8]) -> Answer<PathBuf> {
    let whole = [b"/", path].concat();
    PathBuf::try_from(whole.as_slice()).map_err(|_| Errno::ENAMETOOLONG)
}

fn failed(error: Ext4Error) -> Errno {
    match error {
        Ext4Error::NotFound => Errno::ENOENT,
        Ext4Error::NotADirectory => Errno::ENOTDIR,
        Ext4Error::IsADirectory => Errno::EISDIR,
        Ext4Error::NotASymlink => Errno::EINVAL,
        Ext4Error::Encrypted => Errno::EACCES,
        // Damaged, or made to look so.
        _ => Errno::EIO,
    }
}

fn kind(kind: Found) -> FileType {
    match kind {
        Found::BlockDevice => FileType::BlockDevice,
        Found::CharacterDevice => FileType::CharDevice,
        Found::Directory => FileType::Directory,
        Found::Fifo => FileType::NamedPipe,
        Found::Socket => FileType::Socket,
        Found::Symlink => FileType::Symlink,
        _ => FileType::RegularFile,
    }
}
