//! Trees, and the way through them from a directory to what is in it.

use super::super::block::Stretch;
use fs_btrfs::btree::{Tree, TreeBlock, TreeGeometry};
use fs_btrfs::chunk::DiskKey;
use fs_btrfs::dir::{DIR_INDEX_KEY, DIR_ITEM_KEY, name_hash, parse_dir_items};
use fs_btrfs::fs::{FS_TREE_OBJECTID, ROOT_ITEM_KEY, root_item};
use fs_btrfs::inode::{FileType, INODE_ITEM_KEY, Inode};
use fs_btrfs::subvol::EMPTY_SUBVOL_DIR_OBJECTID;
use fs_btrfs::superblock::{ChecksumType, SUPER_OFFSETS};
use fs_btrfs::{Error, Filesystem, Result, super_write};
use fs_core::BlockRead;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The directory of the tree of trees, with the name of the default subvolume.
const ROOT_TREE_DIR: u64 = 6;
const ROOT_REF_KEY: u8 = 156;
/// In a reference to a subvolume: the directory it is in, and its name's place.
const REF_DIRECTORY: usize = 0;
const REF_NAME: usize = 18;
/// Blocks of trees that are kept, of 64 KiB at most.
const KEPT: usize = 512;
/// Names in a directory, or pieces of a file: so many that memory may not suffice for more.
const MOST: usize = 4 << 20;

/// An inode, and the tree it is in. Each subvolume counts its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    subvolume: u64,
    pub tree: u64,
    pub inode: u64,
}

pub(super) struct Volume {
    part: Unlogged,
    fs: Filesystem,
    kept: RefCell<HashMap<u64, TreeBlock>>,
}

impl Volume {
    /// Opens it, and says whether it has a log.
    pub(super) fn open(part: &Stretch) -> Result<(Self, bool)> {
        let part = Unlogged { part: part.clone(), logged: Arc::default() };
        let fs = Filesystem::mount(Arc::new(part.clone()))?;
        let logged = part.logged.load(Ordering::Relaxed);
        Ok((Self { part, fs, kept: RefCell::default() }, logged))
    }

    pub(super) fn sector(&self) -> u64 {
        u64::from(self.fs.superblock().sectorsize)
    }

    /// Bytes at an address in the file system, of copy `mirror`.
    pub(super) fn read(&self, logical: u64, mirror: usize, bytes: &mut [u8]) -> Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            let at = logical.checked_add(done as u64).ok_or(Error::UnmappedLogical(logical))?;
            let mapping = self.fs.chunk_map().map_mirror(at, mirror)?;
            let left = bytes.len() - done;
            let count = usize::try_from(mapping.len).unwrap_or(left).min(left);
            if count == 0 {
                return Err(Error::UnmappedLogical(at));
            }
            self.part.read_at(mapping.physical, &mut bytes[done..done + count])?;
            done += count;
        }
        Ok(())
    }

    pub(super) fn mirrors(&self, logical: u64) -> Result<usize> {
        self.fs.chunk_map().mirrors_at(logical)
    }

    /// Does something with the trees, whose blocks are kept for the next.
    pub(super) fn walk<T>(&self, walk: impl FnOnce(&Tree<'_>) -> Result<T>) -> Result<T> {
        let read = |logical: u64, bytes: &mut [u8]| self.read(logical, 0, bytes);
        let mirrors = |logical: u64| self.mirrors(logical);
        let other = |logical: u64, mirror, bytes: &mut [u8]| self.read(logical, mirror, bytes);
        let get = |logical: u64| self.kept.borrow().get(&logical).cloned();
        let put = |logical: u64, block: &TreeBlock| {
            let mut kept = self.kept.borrow_mut();
            if kept.len() >= KEPT {
                kept.clear();
            }
            kept.insert(logical, block.clone());
        };
        let geometry = TreeGeometry::from_superblock(self.fs.superblock());
        let tree = Tree::new(geometry, &read).with_redundancy(&mirrors, &other);
        walk(&tree.with_cache(&get, &put))
    }

    fn item(&self, tree: u64, objectid: u64, key_type: u8, offset: u64) -> Result<Option<Vec<u8>>> {
        let key = DiskKey { objectid, key_type, offset };
        self.walk(|trees| Ok(trees.search(tree, &key)?.map(|item| item.data)))
    }

    /// The topmost subvolume, with all others somewhere below it.
    pub(super) fn top(&self) -> Result<Place> {
        self.subvolume(FS_TREE_OBJECTID)?.ok_or(Error::NotFound)
    }

    /// The subvolume that is mounted where nobody says which.
    pub(super) fn default_place(&self) -> Result<Place> {
        let root = self.fs.superblock().root;
        let item = self.item(root, ROOT_TREE_DIR, DIR_ITEM_KEY, name_hash(b"default"))?;
        let entries = parse_dir_items(&item.unwrap_or_default())?;
        let entry = entries.iter().find(|entry| entry.name == b"default");
        let id = entry.map_or(FS_TREE_OBJECTID, |entry| entry.ino);
        self.subvolume(id)?.ok_or(Error::NotFound)
    }

    fn subvolume(&self, id: u64) -> Result<Option<Place>> {
        let root = self.fs.superblock().root;
        let items = self.walk(|trees| trees.find_all(root, id, ROOT_ITEM_KEY))?;
        let Some(item) = items.last() else { return Ok(None) };
        let tree = number(&item.data, root_item::BYTENR)?;
        Ok(Some(Place { subvolume: id, tree, inode: number(&item.data, root_item::ROOT_DIRID)? }))
    }

    pub(super) fn inode(&self, place: Place) -> Result<Inode> {
        let item = self.item(place.tree, place.inode, INODE_ITEM_KEY, 0)?;
        Inode::parse(&item.ok_or(Error::NotFound)?, place.inode)
    }

    fn directory(&self, place: Place) -> Result<()> {
        if self.inode(place)?.is_dir() { Ok(()) } else { Err(Error::NotADirectory) }
    }

    /// All items of a kind that something has, in order; the number is the last part of their keys.
    pub(super) fn each(
        &self,
        place: Place,
        key_type: u8,
        visit: &mut dyn FnMut(u64, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut count = 0;
        let first = DiskKey { objectid: place.inode, key_type, offset: 0 };
        let mut one = |key: &DiskKey, item: &[u8]| {
            if (key.objectid, key.key_type) != (place.inode, key_type) {
                return Ok(false);
            }
            count += 1;
            if count > MOST {
                return Err(Error::UnsupportedFeature(format!("more than {MOST} of a kind")));
            }
            visit(key.offset, item).map(|()| true)
        };
        self.walk(|trees| trees.for_each_from(place.tree, &first, &mut one))
    }

    /// What is in a directory, in the order in which it came there.
    pub(super) fn entries(&self, place: Place) -> Result<Vec<(Vec<u8>, Option<FileType>)>> {
        let mut found = Vec::new();
        if place.inode == EMPTY_SUBVOL_DIR_OBJECTID {
            return Ok(found);
        }
        self.directory(place)?;
        self.each(place, DIR_INDEX_KEY, &mut |_, item| {
            found.extend(parse_dir_items(item)?.into_iter().map(|entry| (entry.name, entry.ftype)));
            Ok(())
        })?;
        Ok(found)
    }

    pub(super) fn child(&self, dir: Place, name: &[u8]) -> Result<Place> {
        if dir.inode == EMPTY_SUBVOL_DIR_OBJECTID {
            return Err(Error::NotFound);
        }
        let Some(item) = self.item(dir.tree, dir.inode, DIR_ITEM_KEY, name_hash(name))? else {
            self.directory(dir)?;
            return Err(Error::NotFound);
        };
        let entry = parse_dir_items(&item)?.into_iter().find(|entry| entry.name == name);
        let entry = entry.ok_or(Error::NotFound)?;
        if entry.is_inode() {
            return Ok(Place { inode: entry.ino, ..dir });
        }
        // The copy of a subvolume's entry in a snapshot of its parent leads nowhere: Linux shows an
        // empty directory there.
        let root = self.fs.superblock().root;
        let link = self.item(root, dir.subvolume, ROOT_REF_KEY, entry.ino)?.unwrap_or_default();
        let here = number(&link, REF_DIRECTORY).is_ok_and(|inode| inode == dir.inode)
            && link.get(REF_NAME..) == Some(name);
        let below = if here { self.subvolume(entry.ino)? } else { None };
        Ok(below.unwrap_or(Place { inode: EMPTY_SUBVOL_DIR_OBJECTID, ..dir }))
    }
}

/// A number in an item.
pub(super) fn number(item: &[u8], at: usize) -> Result<u64> {
    let bytes = item.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
    let short = || Error::BadSuperblock("an item is too short".into());
    bytes.map(u64::from_le_bytes).ok_or_else(short)
}

/// The device without its log of what was synced since the last commit: without it, it is as it was
/// then, which is a state that it really had. The crate reads none that has one.
#[derive(Clone)]
struct Unlogged {
    part: Stretch,
    logged: Arc<AtomicBool>,
}

/// In a superblock (struct btrfs_super_block).
const LOG_ROOT: std::ops::Range<usize> = 96..104;
const CHECKSUM_TYPE: usize = 196;
const LOG_LEVEL: usize = 200;

impl Unlogged {
    fn clear(&self, superblock: &mut [u8]) {
        let raw = u16::from_le_bytes([superblock[CHECKSUM_TYPE], superblock[CHECKSUM_TYPE + 1]]);
        let Ok(checksum) = ChecksumType::from_raw(raw) else { return };
        let proven = checksum.verify(&superblock[fs_btrfs::superblock::CSUM_SIZE..], superblock);
        if proven && superblock[LOG_ROOT].iter().any(|byte| *byte != 0) {
            superblock[LOG_ROOT].fill(0);
            superblock[LOG_LEVEL] = 0;
            super_write::stamp_checksum(superblock, checksum);
            self.logged.store(true, Ordering::Relaxed);
        }
    }
}

impl BlockRead for Unlogged {
    fn read_at(&self, at: u64, bytes: &mut [u8]) -> fs_core::Result<()> {
        BlockRead::read_at(&self.part, at, bytes)?;
        if SUPER_OFFSETS.contains(&at) && bytes.len() == fs_btrfs::superblock::SUPER_INFO_SIZE {
            self.clear(bytes);
        }
        Ok(())
    }

    fn size_bytes(&self) -> u64 {
        self.part.length()
    }
}
