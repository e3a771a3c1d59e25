//! XFS: the default of RHEL and its like.
//!
//! By the crate rust-fs-xfs, which checks the checksums and owners of all that is not a file's own
//! bytes and replays the log in memory. Of the others, lamxfs knows no times and owners of files,
//! xfs-core has no log, and xfs-fuse is a program only. Files are read past the crate: it would
//! read the whole list of their pieces for each read, and the log never has a file's bytes.

mod device;
mod log;

use super::block::Stretch;
use super::files::{Answer, Files, Found, Names, Stat, split};
use device::{Device, Log};
use fs_xfs::extent::Extent;
use fs_xfs::inode::{FileType as Kind, Format, Inode};
use fs_xfs::{Error, Filesystem};
use fuser::{Errno, FileType};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub(super) struct Xfs {
    fs: Filesystem,
    part: Stretch,
    /// The directory that was looked into last: most look-ups are for what is in it.
    above: RefCell<Option<(Vec<u8>, Raw)>>,
    /// The file that was read last.
    last: RefCell<Option<Opened>>,
}

/// A file: its path, and where its bytes are.
type Opened = (Vec<u8>, Inode, Vec<Extent>);

/// An inode, and as it is on the disk: with its list of pieces.
type Raw = (Inode, Vec<u8>);

/// Pieces of a file: so many that memory may not suffice for more.
const MOST: u64 = 4 << 20;
/// Bytes of names in a directory, for the same reason.
const NAMES: u64 = 128 << 20;
/// Where in a directory its names end.
const NAMES_END: u64 = 32 << 30;

pub(super) fn open(part: &Stretch) -> Result<Found, String> {
    let replayed = catch_unwind(AssertUnwindSafe(|| mount(part, Log::Replayed)));
    let broken = |_| Err(Error::CorruptLog("its reader broke off".into()));
    let fault = match replayed.unwrap_or_else(broken) {
        Ok(xfs) => {
            let remark = xfs.unfinished();
            return Ok(Found { files: Box::new(xfs), all: None, remark });
        }
        Err(fault) => fault,
    };
    // As it is on the disk, without what its log has.
    let files = mount(part, Log::Ignored).map_err(|_| fault.to_string())?;
    let remark = format!(
        "The log of this XFS could not be replayed ({fault}). Its files are shown as they are without \
         it: what was changed in the last seconds or minutes may be missing, and files that were in \
         use may be inconsistent. Make a new disk of this snapshot (heptactl create) and mount it in \
         an instance, which has all of it"
    );
    Ok(Found { files: Box::new(files), all: None, remark: Some(remark) })
}

fn mount(part: &Stretch, log: Log) -> Result<Xfs, Error> {
    let (device, limits) = Device::new(part, log)?;
    // No cache of its own: it asks for what it needs, and the kernel keeps the image.
    let fs = Filesystem::mount_with_cache(device, 0)?;
    limits.lift();
    Ok(Xfs { fs, part: part.clone(), above: RefCell::new(None), last: RefCell::new(None) })
}

impl Xfs {
    /// A sentence about what its log began only; also where that cannot be told.
    fn unfinished(&self) -> Option<String> {
        let open = self.fs.was_replayed()
            && log::unfinished(&self.part, self.fs.superblock()).unwrap_or(true);
        open.then(|| {
            "This XFS may have been cut off while a file was given pieces of another or exchanged \
             some (reflink): such a file may have a hole or its old bytes there. Make a new disk of this \
             snapshot (heptactl create) and mount it in an instance, which finishes that"
                .into()
        })
    }

    fn inode(&self, number: u64) -> Answer<Raw> {
        let found = self.fs.read_inode_raw(number).map_err(failed)?;
        if found.0.nextents > MOST { Err(Errno::EOPNOTSUPP) } else { Ok(found) }
    }

    fn child(&self, dir: &Raw, name: &[u8]) -> Answer<Raw> {
        let found = self.fs.lookup(&dir.0, &dir.1, name).map_err(failed)?;
        self.inode(found.ino)
    }

    fn find(&self, path: &[u8]) -> Answer<Raw> {
        let root = || self.inode(self.fs.superblock().rootino);
        if path.is_empty() {
            return root();
        }
        let (above, name) = split(path);
        let mut known = self.above.borrow_mut();
        if known.as_ref().is_none_or(|(known, _)| known != above) {
            let names = above.split(|byte| *byte == b'/').filter(|name| !name.is_empty());
            let dir = names.fold(root(), |dir, name| self.child(&dir?, name))?;
            *known = Some((above.to_vec(), dir));
        }
        let Some((_, dir)) = known.as_ref() else { return Err(Errno::EIO) };
        self.child(dir, name)
    }

    /// Whether a directory is small enough to be listed.
    fn bounded(&self, (inode, raw): &Raw) -> Answer<()> {
        if inode.format == Format::Local {
            return Ok(());
        }
        let block = u64::from(self.fs.superblock().blocksize);
        let extents = self.fs.data_extents(inode, raw).map_err(failed)?;
        let names = extents.iter().take_while(|extent| extent.startoff < NAMES_END / block);
        let blocks = names.fold(0, |sum: u64, extent| sum.saturating_add(extent.blockcount));
        if blocks > NAMES / block { Err(Errno::EOPNOTSUPP) } else { Ok(()) }
    }

    fn fill(&self, extents: &[Extent], offset: u64, bytes: &mut [u8]) -> Answer<()> {
        let superblock = self.fs.superblock();
        let block = u64::from(superblock.blocksize);
        let end = offset + bytes.len() as u64;
        let first = extents.partition_point(|extent| extent.end_offset() <= offset / block);
        for extent in &extents[first..] {
            let (starts, ends) = (extent.startoff * block, extent.end_offset() * block);
            if starts >= end {
                break;
            }
            // What is reserved only may hold what others had there.
            if extent.unwritten {
                continue;
            }
            let (from, to) = (offset.max(starts), end.min(ends));
            let place = |at: u64| usize::try_from(at - offset).unwrap_or(usize::MAX);
            let into = bytes.get_mut(place(from)..place(to)).ok_or(Errno::EIO)?;
            let at = superblock.fsblock_offset(extent.startblock).checked_add(from - starts);
            self.part.read_at(at.ok_or(Errno::EIO)?, into).map_err(|_| Errno::EIO)?;
        }
        Ok(())
    }
}

impl Files for Xfs {
    fn stat(&self, path: &[u8]) -> Answer<Stat> {
        let (inode, _) = self.find(path)?;
        Ok(Stat {
            kind: kind(inode.file_type().ok_or(Errno::EIO)?),
            size: inode.size,
            mode: inode.permissions() & 0o7777,
            uid: inode.uid,
            gid: inode.gid,
            mtime: (inode.mtime.sec, inode.mtime.nsec),
        })
    }

    fn list(&self, path: &[u8]) -> Answer<Names> {
        let dir = self.find(path)?;
        if !dir.0.is_dir() {
            return Err(Errno::ENOTDIR);
        }
        self.bounded(&dir)?;
        let entries = self.fs.read_dir(&dir.0, &dir.1).map_err(failed)?;
        let known = |entry: fs_xfs::dir::DirEntry| {
            // Not every XFS has kinds in its directories.
            let found = || self.inode(entry.ino).ok().and_then(|(inode, _)| inode.file_type());
            let found = entry.ftype.or_else(found);
            (entry.name, found.map_or(FileType::RegularFile, kind))
        };
        Ok(entries.into_iter().map(known).collect())
    }

    fn link(&self, path: &[u8]) -> Answer<Vec<u8>> {
        let (inode, raw) = self.find(path)?;
        if !inode.is_symlink() {
            return Err(Errno::EINVAL);
        }
        self.fs.read_link(&inode, &raw).map_err(failed)
    }

    fn read(&self, path: &[u8], offset: u64, size: usize) -> Answer<Vec<u8>> {
        let mut last = self.last.borrow_mut();
        if last.as_ref().is_none_or(|(known, ..)| known != path) {
            let (inode, raw) = self.find(path)?;
            if !inode.is_regular_file() {
                return Err(if inode.is_dir() { Errno::EISDIR } else { Errno::EINVAL });
            }
            let extents = self.fs.data_extents(&inode, &raw).map_err(failed)?;
            *last = Some((path.to_vec(), inode, extents));
        }
        let Some((_, inode, extents)) = last.as_ref() else { return Err(Errno::EIO) };
        let count = inode.size.saturating_sub(offset).min(size as u64);
        let mut bytes = vec![0; usize::try_from(count).unwrap_or(size)];
        self.fill(extents, offset, &mut bytes)?;
        Ok(bytes)
    }
}

fn failed(error: Error) -> Errno {
    match error {
        Error::NotFound => Errno::ENOENT,
        Error::NotADirectory => Errno::ENOTDIR,
        Error::UnsupportedFeature(_) | Error::RealtimeDeviceAbsent { .. } => Errno::EOPNOTSUPP,
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
