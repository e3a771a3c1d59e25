//! The bytes of a file.

use super::volume::{Place, Volume, number};
use fs_btrfs::compression::{Compression, MAX_COMPRESSED, ShortDecode, decompress};
use fs_btrfs::fs::EXTENT_DATA_KEY;
use fs_btrfs::inode::Inode;
use fs_btrfs::{Error, Result};

/// A stretch of a file.
pub(super) struct Extent {
    start: u64,
    length: u64,
    holds: Holds,
}

enum Holds {
    Zeros,
    /// In the tree itself.
    Inline {
        bytes: Vec<u8>,
        packed: Compression,
    },
    /// On the disk, from a place on.
    Plain(u64),
    /// On the disk; `from` counts in what is unpacked.
    Packed {
        at: u64,
        size: u64,
        unpacked: u64,
        from: u64,
        packed: Compression,
    },
}

/// In the item of an extent (struct btrfs_file_extent_item).
mod field {
    pub(super) const UNPACKED: usize = 8;
    pub(super) const COMPRESSION: usize = 16;
    pub(super) const ENCRYPTION: usize = 17;
    pub(super) const ENCODING: usize = 18;
    pub(super) const KIND: usize = 20;
    pub(super) const INLINE: usize = 21;
    pub(super) const AT: usize = 21;
    pub(super) const SIZE: usize = 29;
    pub(super) const FROM: usize = 37;
    pub(super) const LENGTH: usize = 45;
}

const INLINE: u8 = 0;
const REGULAR: u8 = 1;
/// Reserved, and not written to.
const RESERVED: u8 = 2;

fn bad(why: &str) -> Error {
    Error::BadSuperblock(why.into())
}

/// All stretches of a file, in order.
pub(super) fn extents(volume: &Volume, place: Place) -> Result<Vec<Extent>> {
    let mut found: Vec<Extent> = Vec::new();
    volume.each(place, EXTENT_DATA_KEY, &mut |start, item| {
        let extent = parse(start, item)?;
        if found.last().is_some_and(|last| last.start + last.length > extent.start) {
            return Err(bad("stretches of a file overlap"));
        }
        found.push(extent);
        Ok(())
    })?;
    Ok(found)
}

fn parse(start: u64, item: &[u8]) -> Result<Extent> {
    let head = item.get(..field::INLINE).ok_or_else(|| bad("an extent is too short"))?;
    let packed = Compression::from_byte(head[field::COMPRESSION])?;
    if head[field::ENCRYPTION] != 0 || head[field::ENCODING] != 0 || head[field::ENCODING + 1] != 0
    {
        return Err(Error::UnsupportedFeature("an encrypted file".into()));
    }
    let unpacked = number(item, field::UNPACKED)?;
    let (length, holds) = match head[field::KIND] {
        INLINE => (unpacked, Holds::Inline { bytes: item[field::INLINE..].to_vec(), packed }),
        kind @ (REGULAR | RESERVED) => {
            let at = number(item, field::AT)?;
            let from = number(item, field::FROM)?;
            let holds = match packed {
                _ if at == 0 || kind == RESERVED => Holds::Zeros,
                Compression::None => {
                    Holds::Plain(at.checked_add(from).ok_or(Error::UnmappedLogical(at))?)
                }
                packed => {
                    let size = number(item, field::SIZE)?;
                    Holds::Packed { at, size, unpacked, from, packed }
                }
            };
            (number(item, field::LENGTH)?, holds)
        }
        _ => return Err(bad("an extent of an unknown kind")),
    };
    start.checked_add(length).ok_or_else(|| bad("an extent beyond all ends"))?;
    Ok(Extent { start, length, holds })
}

/// Up to `size` bytes of a file; what no stretch covers is zeros.
pub(super) fn read(
    volume: &Volume,
    inode: &Inode,
    extents: &[Extent],
    offset: u64,
    size: usize,
) -> Result<Vec<u8>> {
    let end = offset.saturating_add(size as u64).min(inode.size);
    let count = usize::try_from(end.saturating_sub(offset)).unwrap_or(0);
    let mut bytes = vec![0; count];
    let first = extents.partition_point(|extent| extent.start + extent.length <= offset);
    for extent in extents[first..].iter().take_while(|extent| extent.start < end) {
        let from = offset.max(extent.start);
        let to = end.min(extent.start + extent.length);
        let place = |at: u64| usize::try_from(at - offset).unwrap_or(count).min(count);
        let last = extent.start + extent.length >= inode.size;
        fill(volume, extent, from - extent.start, last, &mut bytes[place(from)..place(to)])?;
    }
    Ok(bytes)
}

/// Bytes of a stretch from `skip` on; the last one of a file may be packed short.
fn fill(volume: &Volume, extent: &Extent, skip: u64, last: bool, into: &mut [u8]) -> Result<()> {
    let sector = usize::try_from(volume.sector()).unwrap_or(4_096);
    let short = if last { ShortDecode::Pad } else { ShortDecode::Refuse };
    let unpack = |packed, bytes: &[u8], size: u64, short| {
        decompress(packed, bytes, usize::try_from(size).unwrap_or(usize::MAX), sector, short)
    };
    let copy = |from: &[u8], skip: u64, into: &mut [u8]| {
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let part = skip.checked_add(into.len()).and_then(|end| from.get(skip..end));
        into.copy_from_slice(part.ok_or_else(|| bad("an extent is shorter than it says"))?);
        Ok(())
    };
    match &extent.holds {
        Holds::Zeros => Ok(()),
        Holds::Inline { bytes, packed: Compression::None } => copy(bytes, skip, into),
        Holds::Inline { bytes, packed } => {
            copy(&unpack(*packed, bytes, extent.length, ShortDecode::Pad)?, skip, into)
        }
        Holds::Plain(at) => volume.read(at + skip, 0, into),
        Holds::Packed { at, size, unpacked, from, packed } => {
            if *size > MAX_COMPRESSED {
                return Err(bad("a packed extent is larger than any"));
            }
            let mut bytes = vec![0; usize::try_from(*size).unwrap_or(0)];
            volume.read(*at, 0, &mut bytes)?;
            let plain = unpack(*packed, &bytes, *unpacked, short)?;
            let skip = from.checked_add(skip).ok_or_else(|| bad("an extent beyond all ends"))?;
            copy(&plain, skip, into)
        }
    }
}
