//! btrfs: the default of openSUSE and Fedora.
//!
//! Trees and their checksums, items and packed extents are read by the crate rust-fs-btrfs. Of the
//! others, btrfs-fs needs tokio's threads and walks a whole tree for one file, and lambutter knows
//! no times of files. This one looks up all pieces of a file for each read of some of it, so the
//! way from a path to its bytes is here.

mod data;
mod volume;

use super::block::Stretch;
use super::files::{Answer, Files, Found, Names, Stat, split};
use data::Extent;
use fs_btrfs::inode::{FileType as Kind, Inode};
use fs_btrfs::subvol::EMPTY_SUBVOL_DIR_OBJECTID;
use fuser::{Errno, FileType};
use std::cell::RefCell;
use std::rc::Rc;
use volume::{Place, Volume};

/// One subvolume, and what is below it.
pub(super) struct Btrfs {
    volume: Rc<Volume>,
    top: Place,
    /// The directory that was looked into last: most look-ups are for what is in it.
    above: RefCell<Option<(Vec<u8>, Place)>>,
    /// The file that was read last.
    last: RefCell<Option<Opened>>,
}

/// A file: its path, and where its bytes are.
type Opened = (Vec<u8>, Inode, Vec<Extent>);

/// More are in no path that Linux lets through.
const DEEPEST: usize = 4_096;

pub(super) fn open(part: &Stretch) -> Result<Found, String> {
    let (volume, logged) = Volume::open(part).map_err(|error| error.to_string())?;
    let volume = Rc::new(volume);
    let top = volume.top().map_err(|error| error.to_string())?;
    let default = volume.default_place().map_err(|error| error.to_string())?;
    let below = |top: Place| Btrfs {
        volume: Rc::clone(&volume),
        top,
        above: RefCell::new(None),
        last: RefCell::new(None),
    };
    // Where nobody chose a subvolume, that is all of them.
    let all = (default != top).then(|| Box::new(below(top)) as Box<dyn Files>);
    let remark = logged.then(|| {
        "What programs had made durable (fsync) since the last commit of this btrfs, usually within \
         the last 30 seconds, is not shown; all else is, as of that commit. It is there when a new \
         disk of this snapshot (heptactl create) is mounted in an instance"
            .into()
    });
    Ok(Found { files: Box::new(below(default)), all, remark })
}

impl Btrfs {
    fn find(&self, path: &[u8]) -> Answer<Place> {
        if path.is_empty() {
            return Ok(self.top);
        }
        let (above, name) = split(path);
        let known = self.above.borrow().as_ref().filter(|(known, _)| known == above).map(|it| it.1);
        let dir = match known {
            Some(dir) => dir,
            None => self.walk(above)?,
        };
        *self.above.borrow_mut() = Some((above.to_vec(), dir));
        self.volume.child(dir, name).map_err(failed)
    }

    fn walk(&self, path: &[u8]) -> Answer<Place> {
        let names = path.split(|byte| *byte == b'/').filter(|name| !name.is_empty());
        let step = |dir: Answer<Place>, name| self.volume.child(dir?, name).map_err(failed);
        names.take(DEEPEST).fold(Ok(self.top), step)
    }
}

impl Files for Btrfs {
    fn stat(&self, path: &[u8]) -> Answer<Stat> {
        let place = self.find(path)?;
        if place.inode == EMPTY_SUBVOL_DIR_OBJECTID {
            return Ok(Stat { mode: 0o755, ..Stat::directory() });
        }
        let inode = self.volume.inode(place).map_err(failed)?;
        Ok(Stat {
            kind: kind(inode.file_type().ok_or(Errno::EIO)?),
            size: inode.size,
            mode: u16::try_from(inode.permissions() & 0o7777).unwrap_or(0),
            uid: inode.uid,
            gid: inode.gid,
            mtime: (inode.mtime.sec, inode.mtime.nsec),
        })
    }

    fn list(&self, path: &[u8]) -> Answer<Names> {
        let place = self.find(path)?;
        let entries = self.volume.entries(place).map_err(failed)?;
        // A subvolume's entry says that it is a directory, too.
        let kind = |found: Option<Kind>| kind(found.unwrap_or(Kind::Regular));
        Ok(entries.into_iter().map(|(name, found)| (name, kind(found))).collect())
    }

    fn link(&self, path: &[u8]) -> Answer<Vec<u8>> {
        let place = self.find(path)?;
        let inode = self.volume.inode(place).map_err(failed)?;
        if !inode.is_symlink() {
            return Err(Errno::EINVAL);
        }
        let size = usize::try_from(inode.size).unwrap_or(usize::MAX).min(DEEPEST);
        let extents = data::extents(&self.volume, place).map_err(failed)?;
        data::read(&self.volume, &inode, &extents, 0, size).map_err(failed)
    }

    fn read(&self, path: &[u8], offset: u64, size: usize) -> Answer<Vec<u8>> {
        let mut last = self.last.borrow_mut();
        if last.as_ref().is_none_or(|(known, ..)| known != path) {
            let place = self.find(path)?;
            let inode = self.volume.inode(place).map_err(failed)?;
            if !inode.is_regular_file() {
                return Err(if inode.is_dir() { Errno::EISDIR } else { Errno::EINVAL });
            }
            let extents = data::extents(&self.volume, place).map_err(failed)?;
            *last = Some((path.to_vec(), inode, extents));
        }
        let Some((_, inode, extents)) = last.as_ref() else { return Err(Errno::EIO) };
        data::read(&self.volume, inode, extents, offset, size).map_err(failed)
    }
}

fn failed(error: fs_btrfs::Error) -> Errno {
    match error {
        fs_btrfs::Error::NotFound => Errno::ENOENT,
        fs_btrfs::Error::NotADirectory => Errno::ENOTDIR,
        fs_btrfs::Error::UnsupportedFeature(_) | fs_btrfs::Error::UnsupportedProfile(_) => {
            Errno::EOPNOTSUPP
        }
        // Damaged, or made to look so.
        _ => Errno::EIO,
    }
}

fn kind(kind: Kind) -> FileType {
    match kind {
        Kind::Regular => FileType::RegularFile,
        Kind::Directory => FileType::Directory,
        Kind::Symlink => FileType::Symlink,
        Kind::CharDevice => FileType::CharDevice,
        Kind::BlockDevice => FileType::BlockDevice,
        Kind::Fifo => FileType::NamedPipe,
        Kind::Socket => FileType::Socket,
    }
}
