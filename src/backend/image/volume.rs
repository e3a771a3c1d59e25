//! Which file system a disk or partition has, by its magic numbers.

use super::block::Stretch;
use super::ext::Ext;
use super::fat::Fat;
use super::files::Files;
use super::ntfs::Windows;

/// What a stretch of a disk holds.
pub enum Content {
    Files(Box<dyn Files>),
    /// A sentence that says why its files are not shown.
    Closed(String),
    /// Nothing that is known: a partition table, perhaps.
    Unknown,
}

/// Where each file system has its magic number: ext from Documentation/filesystems/ext4, XFS and
/// btrfs from their on-disk formats, the others from their first sector.
const CLOSED: &[(u64, &[u8], &str)] = &[
    (0, b"XFSB", "an XFS file system"),
    (0x1_0040, b"_BHRfS_M", "a btrfs file system"),
    (512, b"LABELONE", "an LVM physical volume"),
    (0, b"LUKS\xba\xbe", "an encrypted LUKS volume"),
    (4_086, b"SWAPSPACE2", "swap space"),
    (0, b"-FVE-FS-", "an encrypted BitLocker volume"),
    (0x1018, b"F2FS", "an F2FS file system"),
];

pub fn look(part: &Stretch) -> Content {
    let has = |at: u64, magic: &[u8]| {
        let mut found = vec![0; magic.len()];
        part.read_at(at, &mut found).is_ok() && found == magic
    };
    let open = |kind: &str, opened: Result<Box<dyn Files>, String>| match opened {
        Ok(files) => Content::Files(files),
        Err(why) => Content::Closed(format!("{kind} that cannot be read: {why}")),
    };
    if has(1_080, &[0x53, 0xef]) {
        let ext = Ext::open(part).map(|ext| Box::new(ext) as Box<dyn Files>);
        return open("an ext file system", ext);
    }
    if has(3, b"NTFS    ") {
        let ntfs = Windows::open(part).map(|ntfs| Box::new(ntfs) as Box<dyn Files>);
        return open("an NTFS file system", ntfs);
    }
    if has(510, &[0x55, 0xaa]) && [54, 82].iter().any(|at| has(*at, b"FAT")) {
        let fat = Fat::open(part).map(|fat| Box::new(fat) as Box<dyn Files>);
        return open("a FAT file system", fat);
    }
    match CLOSED.iter().find(|(at, magic, _)| has(*at, magic)) {
        Some((.., kind)) => Content::Closed(format!(
            "{kind}: heptad shows the files of ext2, ext3, ext4, FAT and NTFS only. Make a new disk \
             of this snapshot (heptactl create) and look into it in an instance"
        )),
        None => Content::Unknown,
    }
}
