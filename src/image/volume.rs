//! Which file system a disk or partition has, by its magic numbers.

use super::block::Stretch;
use super::btrfs;
use super::ext::Ext;
use super::fat::Fat;
use super::files::Found;
use super::lvm::{Members, Volume, is_member};
use super::ntfs::Windows;
use super::xfs;

/// What a stretch of a disk holds.
pub(super) enum Content {
    Files(Found),
    /// Logical volumes, by their names.
    Volumes(Vec<Volume>),
    /// A sentence that says why its files are not shown.
    Closed(String),
    /// Nothing that is known: a partition table, perhaps.
    Unknown,
}

/// Where each file system has its magic number: ext from Documentation/filesystems/ext4, the others
/// from their first sector.
const CLOSED: &[(u64, &[u8], &str)] = &[
    (0, b"LUKS\xba\xbe", "an encrypted LUKS volume"),
    (4_086, b"SWAPSPACE2", "swap space"),
    (0, b"-FVE-FS-", "an encrypted BitLocker volume"),
    (0x1018, b"F2FS", "an F2FS file system"),
];

const WAY_OUT: &str =
    "Make a new disk of this snapshot (heptactl create) and look into it in an instance";

pub(super) fn look(part: &Stretch, members: &Members) -> Content {
    let has = |at: u64, magic: &[u8]| {
        let mut found = vec![0; magic.len()];
        part.read_at(at, &mut found).is_ok() && found == magic
    };
    let open = |kind: &str, opened: Result<Found, String>| match opened {
        Ok(found) => Content::Files(found),
        Err(why) => Content::Closed(format!("{kind} that cannot be read: {why}. {WAY_OUT}")),
    };
    if has(1_080, &[0x53, 0xef]) {
        return open("an ext file system", Ext::open(part).map(Found::plain));
    }
    if has(3, b"NTFS    ") {
        return open("an NTFS file system", Windows::open(part).map(Found::plain));
    }
    if has(510, &[0x55, 0xaa]) && [54, 82].iter().any(|at| has(*at, b"FAT")) {
        return open("a FAT file system", Fat::open(part).map(Found::plain));
    }
    if has(0, b"XFSB") {
        return open("an XFS file system", xfs::open(part));
    }
    if is_member(part) {
        return match members.volumes(part) {
            Ok(volumes) => Content::Volumes(volumes),
            Err(why) => Content::Closed(format!("an LVM physical volume: {why}")),
        };
    }
    // Not every mkfs wipes what an earlier one left here.
    if has(0x1_0040, b"_BHRfS_M") {
        return open("a btrfs file system", btrfs::open(part));
    }
    match CLOSED.iter().find(|(at, magic, _)| has(*at, magic)) {
        Some((.., kind)) => Content::Closed(format!(
            "{kind}: heptad shows the files of ext2, ext3, ext4, XFS, btrfs, FAT and NTFS only. {WAY_OUT}"
        )),
        None => Content::Unknown,
    }
}
