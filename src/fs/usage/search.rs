//! Reading what a search in the trees of btrfs answered. Pure, and suspicious: every length is
//! checked against the buffer, and a buffer that ends early is an error, never a shorter list.
//!
//! Layouts from the kernel's `linux/btrfs_tree.h`; item contents are little-endian.

/// Bytes of `struct btrfs_ioctl_search_header`.
const HEADER: usize = 32;
/// Where `bytes_used` lies in `struct btrfs_root_item`: after an inode item and four numbers.
const ROOT_BYTES_USED: usize = 160 + 4 * 8;
const QGROUP_REFERENCED: usize = 8;
const QGROUP_EXCLUSIVE: usize = 24;
const STATUS_FLAGS: usize = 16;
const STATUS_ON: u64 = 1;
/// A rescan is running, or the numbers are known to be wrong.
const STATUS_UNSURE: u64 = 1 << 1 | 1 << 2;

/// In `struct btrfs_file_extent_item`.
const EXTENT_KIND: usize = 20;
const EXTENT_INLINE: u8 = 0;
const EXTENT_START: usize = 21;

/// An answer that does not keep to the kernel's layout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SearchError {
    #[error("the kernel announced {announced} items, the answer ends inside item {at}")]
    Truncated { announced: u32, at: u32 },
    #[error("an item has {has} bytes, at least {needs} were expected")]
    Short { has: usize, needs: usize },
}

/// One item found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    pub object: u64,
    pub item_type: u32,
    pub offset: u64,
    pub data: &'a [u8],
}

/// Cuts a buffer into the items that the kernel says are in it.
pub fn items(count: u32, buffer: &[u8]) -> Result<Vec<Item<'_>>, SearchError> {
    let mut found = Vec::new();
    let mut rest = buffer;
    for at in 0..count {
        let (item, after) = cut(rest).ok_or(SearchError::Truncated { announced: count, at })?;
        found.push(item);
        rest = after;
    }
    Ok(found)
}

fn cut(buffer: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let (header, rest) = buffer.split_at_checked(HEADER)?;
    let number = |at: usize| Some(u32::from_ne_bytes(header.get(at..at + 4)?.try_into().ok()?));
    let long = |at: usize| Some(u64::from_ne_bytes(header.get(at..at + 8)?.try_into().ok()?));
    let (data, after) = rest.split_at_checked(usize::try_from(number(28)?).ok()?)?;
    Some((Item { object: long(8)?, item_type: number(24)?, offset: long(16)?, data }, after))
}

/// Bytes of metadata in a tree, from its root item.
pub fn root_bytes_used(item: Item<'_>) -> Result<u64, SearchError> {
    number(item, ROOT_BYTES_USED)
}

/// What a directory's item leads to: its key comes first.
pub fn dir_item_target(item: Item<'_>) -> Result<u64, SearchError> {
    number(item, 0)
}

/// Referenced and exclusive bytes, from a qgroup's info item.
pub fn qgroup(item: Item<'_>) -> Result<(u64, u64), SearchError> {
    Ok((number(item, QGROUP_REFERENCED)?, number(item, QGROUP_EXCLUSIVE)?))
}

/// Whether quotas are on and their numbers can be relied upon, from the quota tree's status item.
pub fn quota_is_sure(item: Item<'_>) -> Result<bool, SearchError> {
    let flags = number(item, STATUS_FLAGS)?;
    Ok(flags & STATUS_ON != 0 && flags & STATUS_UNSURE == 0)
}

/// Where the content of a piece of a file lies, and how many bytes it has there: the whole of what
/// was written at once, however little of it the file still shows, compressed or not. `None` for a
/// hole, and for content so small that it lies in the tree.
pub fn extent(item: Item<'_>) -> Result<Option<(u64, u64)>, SearchError> {
    let short = SearchError::Short { has: item.data.len(), needs: EXTENT_KIND + 1 };
    if *item.data.get(EXTENT_KIND).ok_or(short)? == EXTENT_INLINE {
        return Ok(None);
    }
    let (start, length) = (number(item, EXTENT_START)?, number(item, EXTENT_START + 8)?);
    Ok((start != 0).then_some((start, length)))
}

fn number(item: Item<'_>, at: usize) -> Result<u64, SearchError> {
    let short = SearchError::Short { has: item.data.len(), needs: at + 8 };
    let bytes = item.data.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
    bytes.map(u64::from_le_bytes).ok_or(short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn item(item_type: u32, data: &[u8]) -> Item<'_> {
        Item { object: 0, item_type, offset: 0, data }
    }

    fn buffer(items: &[(u32, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (item_type, data) in items {
            bytes.extend([0; 24]);
            bytes.extend(item_type.to_ne_bytes());
            bytes.extend(u32::try_from(data.len()).unwrap().to_ne_bytes());
            bytes.extend(*data);
        }
        bytes
    }

    #[test]
    fn items_come_out_as_they_went_in() {
        let made = buffer(&[(132, b"abc"), (240, b""), (242, &[7; 40])]);
        let found = items(3, &made).unwrap();
        let types: Vec<(u32, usize)> = found.iter().map(|i| (i.item_type, i.data.len())).collect();
        assert_eq!(types, [(132, 3), (240, 0), (242, 40)]);
        assert_eq!(items(0, &[]).unwrap(), []);
    }

    #[test]
    fn a_buffer_that_ends_early_is_an_error_and_never_a_shorter_list() {
        let whole = buffer(&[(132, b"abc"), (242, &[7; 40])]);
        for length in 0..whole.len() {
            assert!(items(2, &whole[..length]).is_err(), "{length} of {} bytes", whole.len());
        }
        let mut lying = buffer(&[(132, b"abc")]);
        lying[28..32].copy_from_slice(&u32::MAX.to_ne_bytes());
        assert_eq!(items(1, &lying), Err(SearchError::Truncated { announced: 1, at: 0 }));
    }

    #[test]
    fn numbers_are_read_where_the_layout_has_them() {
        let mut root = vec![0; 439];
        root[192..200].copy_from_slice(&16384_u64.to_le_bytes());
        assert_eq!(root_bytes_used(item(132, &root)), Ok(16384));
        let info: Vec<u8> = [9_u64, 1, 2, 3, 4].iter().flat_map(|n| n.to_le_bytes()).collect();
        assert_eq!(qgroup(item(242, &info)), Ok((1, 3)));
        let check = |flags: u64, want: bool| {
            let status: Vec<u8> = [1, 2, flags, 0].iter().flat_map(|n| n.to_le_bytes()).collect();
            let sure = quota_is_sure(item(240, &status));
            assert_eq!(sure, Ok(want), "{flags:b}");
        };
        check(0b001, true);
        check(0b000, false);
        check(0b011, false);
        check(0b101, false);
        check(0b1001, true);
    }

    #[test]
    fn a_piece_of_a_file_is_as_large_as_what_it_is_cut_from() {
        let check = |kind: u8, start: u64, want| {
            let mut piece = vec![0; 20];
            piece.push(kind);
            // The whole, where it begins in it, and how much of it is shown.
            piece.extend([start, 1 << 20, 4096, 8192].iter().flat_map(|n| n.to_le_bytes()));
            assert_eq!(extent(item(108, &piece)), Ok(want), "{kind} {start}");
        };
        check(1, 1 << 30, Some((1 << 30, 1 << 20)));
        check(2, 1 << 30, Some((1 << 30, 1 << 20)));
        check(1, 0, None);
        check(0, 1 << 30, None);
        assert!(extent(item(108, &[1; 36])).is_err());
    }

    #[test]
    fn an_item_that_is_too_short_is_an_error() {
        let short = item(132, &[0; 24]);
        assert_eq!(root_bytes_used(short), Err(SearchError::Short { has: 24, needs: 200 }));
        assert_eq!(qgroup(short), Err(SearchError::Short { has: 24, needs: 32 }));
        assert!(quota_is_sure(short).is_ok());
        assert!(quota_is_sure(item(240, &[])).is_err());
    }

    proptest! {
        #[test]
        fn no_buffer_makes_it_panic(count: u32, bytes: Vec<u8>) {
            for item in items(count, &bytes).unwrap_or_default() {
                let _ = (root_bytes_used(item), qgroup(item), quota_is_sure(item), extent(item));
            }
        }
    }
}
