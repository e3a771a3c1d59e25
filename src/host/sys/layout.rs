//! How the kernel lays out what its requests read and fill: `linux/btrfs.h` and `linux/fiemap.h`.

use nix::errno::Errno;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

pub(super) const MAGIC: u8 = 0x94;
pub(super) const SUBVOL_RDONLY: u64 = 1 << 1;
pub(super) const SUBVOL_SPEC_BY_ID: u64 = 1 << 4;
/// In the flags of a root item, unlike in those of a request.
pub(super) const ROOT_SUBVOL_RDONLY: u64 = 1;
pub(super) const FIEMAP_FLAG_SYNC: u32 = 1;
pub(super) const EXTENT_LAST: u32 = 1;
/// Unknown, not yet allocated, or inline.
pub(super) const EXTENT_PLACELESS: u32 = 0x2 | 0x4 | 0x200;
/// Compressed, say.
pub(super) const EXTENT_ENCODED: u32 = 0x8;
pub(super) const EXTENT_INLINE: u32 = 0x200;
pub(super) const EXTENT_SHARED: u32 = 0x2000;
pub(super) const FS_INFO_REST: usize = 992;
pub(super) const INO_LOOKUP_USER_PATH: usize = 4080 - 256;
pub(super) const SEARCH_HEAD: usize = 112;
pub(super) const SEARCH_BUFFER: usize = 4096;
/// More than the largest item has, which is smaller than the largest node.
pub(super) const TREE_PAGE: usize = 1 << 16;
const FIEMAP_PAGE: usize = 128;

#[repr(C)]
pub(super) struct FsInfo {
    pub max_id: u64,
    pub num_devices: u64,
    pub fsid: [u8; 16],
    pub rest: [u8; FS_INFO_REST],
}

#[repr(C)]
pub(super) struct VolArgsV2 {
    pub fd: i64,
    pub transid: u64,
    pub flags: u64,
    pub unused: [u64; 4],
    pub name: [u8; 4040],
}

impl VolArgsV2 {
    pub(super) fn named(name: &OsStr) -> Result<Self, Errno> {
        let bytes = name.as_bytes();
        if bytes.len() > 255 {
            return Err(Errno::ENAMETOOLONG);
        }
        if bytes.contains(&b'/') || bytes.contains(&0) {
            return Err(Errno::EINVAL);
        }
        let mut args = Self { fd: 0, transid: 0, flags: 0, unused: [0; 4], name: [0; 4040] };
        args.name[..bytes.len()].copy_from_slice(bytes);
        Ok(args)
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Timespec {
    sec: u64,
    nsec: u32,
}

#[repr(C)]
pub(super) struct GetSubvolInfo {
    pub treeid: u64,
    name: [u8; 256],
    parent_id: u64,
    dirid: u64,
    generation: u64,
    pub flags: u64,
    pub uuid: [u8; 16],
    pub parent_uuid: [u8; 16],
    pub received_uuid: [u8; 16],
    pub ctransid: u64,
    pub otransid: u64,
    stransid: u64,
    rtransid: u64,
    times: [Timespec; 4],
    reserved: [u64; 8],
}

impl GetSubvolInfo {
    pub(super) const ZERO: Self = Self {
        treeid: 0,
        name: [0; 256],
        parent_id: 0,
        dirid: 0,
        generation: 0,
        flags: 0,
        uuid: [0; 16],
        parent_uuid: [0; 16],
        received_uuid: [0; 16],
        ctransid: 0,
        otransid: 0,
        stransid: 0,
        rtransid: 0,
        times: [Timespec { sec: 0, nsec: 0 }; 4],
        reserved: [0; 8],
    };
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Rootref {
    pub treeid: u64,
    pub dirid: u64,
}

#[repr(C)]
pub(super) struct GetSubvolRootref {
    pub min_treeid: u64,
    pub rootref: [Rootref; 255],
    pub num_items: u8,
    pub align: [u8; 7],
}

#[repr(C)]
pub(super) struct InoLookupUser {
    pub dirid: u64,
    pub treeid: u64,
    pub name: [u8; 256],
    pub path: [u8; INO_LOOKUP_USER_PATH],
}

#[repr(C)]
pub(super) struct SearchArgs<const N: usize> {
    tree_id: u64,
    objectid: [u64; 2],
    offset: [u64; 2],
    transid: [u64; 2],
    item_type: [u32; 2],
    pub nr_items: u32,
    unused: [u32; 9],
    buf_size: u64,
    pub buf: [u8; N],
}

impl<const N: usize> Default for SearchArgs<N> {
    fn default() -> Self {
        Self {
            tree_id: 0,
            objectid: [0; 2],
            offset: [0; 2],
            transid: [0, u64::MAX],
            item_type: [0; 2],
            nr_items: u32::MAX,
            unused: [0; 9],
            buf_size: N as u64,
            buf: [0; N],
        }
    }
}

impl<const N: usize> SearchArgs<N> {
    pub(super) fn new(key: SearchKey) -> Self {
        let at = |offset| TreeKey { object: key.object, item_type: key.item_type, offset };
        let mut args = Self::default();
        args.ask(key.tree, at(key.offsets.0), at(key.offsets.1));
        args
    }

    pub(super) fn ask(&mut self, tree: u64, from: TreeKey, to: TreeKey) {
        self.tree_id = tree;
        self.objectid = [from.object, to.object];
        self.item_type = [from.item_type, to.item_type];
        self.offset = [from.offset, to.offset];
        self.nr_items = u32::MAX;
    }
}

#[repr(C)]
pub(super) struct Fiemap {
    pub start: u64,
    pub length: u64,
    pub flags: u32,
    pub mapped: u32,
    pub extent_count: u32,
    pub reserved: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct FiemapExtent {
    pub logical: u64,
    pub physical: u64,
    pub length: u64,
    reserved: [u64; 2],
    pub flags: u32,
    reserved_too: [u32; 3],
}

#[repr(C)]
pub(super) struct FiemapPage {
    pub head: Fiemap,
    pub extents: [FiemapExtent; FIEMAP_PAGE],
}

impl FiemapPage {
    /// From the beginning of the file, with all places free.
    pub(super) const EMPTY: Self = Self {
        head: Fiemap {
            start: 0,
            length: u64::MAX,
            flags: 0,
            mapped: 0,
            extent_count: FIEMAP_PAGE as u32,
            reserved: 0,
        },
        extents: [FiemapExtent {
            logical: 0,
            physical: 0,
            length: 0,
            reserved: [0; 2],
            flags: 0,
            reserved_too: [0; 3],
        }; FIEMAP_PAGE],
    };
}

const _: () = {
    assert!(size_of::<FsInfo>() == 1024);
    assert!(size_of::<VolArgsV2>() == 4096);
    assert!(size_of::<GetSubvolInfo>() == 504);
    assert!(size_of::<GetSubvolRootref>() == 4096);
    assert!(size_of::<InoLookupUser>() == 4096);
    assert!(size_of::<SearchArgs<SEARCH_BUFFER>>() == SEARCH_HEAD + SEARCH_BUFFER);
    assert!(size_of::<SearchArgs<TREE_PAGE>>() == SEARCH_HEAD + TREE_PAGE);
    assert!(size_of::<Fiemap>() == 32);
    assert!(size_of::<FiemapExtent>() == 56);
};

/// Which items of a tree to search: one object's items of one type, any offset.
#[derive(Clone, Copy, Debug)]
pub struct SearchKey {
    pub tree: u64,
    pub object: u64,
    pub item_type: u32,
    pub offsets: (u64, u64),
}

/// A place in a tree of btrfs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TreeKey {
    pub object: u64,
    pub item_type: u32,
    pub offset: u64,
}
