//! Where the pieces of files lie.

use super::super::StorageError;
use super::super::tree::open_file;
use super::Unmeasurable;
use super::search::{self, SearchError};
use crate::domain::operation::Fault;
use crate::host::sys::{self, Extent, Form, TreeKey, TreeReader};
use rustix::io::Errno;
use std::os::fd::AsFd;

const EXTENT_DATA: u32 = 108;
const READING: &str = "asking where files lie";

/// Hears of each piece: where it begins, and its length.
pub(super) type Hear<'a> = dyn FnMut(u64, u64) -> Result<(), Unmeasurable> + 'a;

/// The pieces of a file by its reference.
pub(super) fn extents(file: impl AsFd, visit: &mut dyn FnMut(Extent)) -> Result<(), Unmeasurable> {
    let open = open_file(file).map_err(|error| Unmeasurable::by(READING, error.into()))?;
    match sys::extents(&open, visit) {
        Err(error) => Err(Unmeasurable::by(READING, error)),
        Ok(()) => Ok(()),
    }
}

/// Bytes of a file that no other refers to. `None` where the file system does not tell, and where
/// some of them are compressed: it tells only how long they are when decompressed.
pub fn unshared(file: impl AsFd) -> Result<Option<u64>, StorageError> {
    let mut bytes = Some(0_u64);
    let mut add = |Extent { length, form, shared, .. }: Extent| match form {
        Form::Plain if !shared => bytes = bytes.map(|sum| sum.saturating_add(length)),
        Form::Encoded if !shared => bytes = None,
        _ => {}
    };
    let told = extents(file, &mut add);
    Ok(Unmeasurable::settle(told)?.and(bytes))
}

/// Reads the trees of subvolumes.
pub(super) struct SubvolumePieces(TreeReader);

impl SubvolumePieces {
    #[allow(clippy::new_without_default, reason = "it is large, and nobody needs a default one")]
    pub(super) fn new() -> Self {
        Self(TreeReader::new())
    }

    /// All pieces of all files of the subvolume with this id.
    pub(super) fn of_all(
        &mut self,
        fs: impl AsFd,
        id: u64,
        hear: &mut Hear<'_>,
    ) -> Result<(), Unmeasurable> {
        self.read(fs, id, (0, u64::MAX), hear)
    }

    /// Those of one file, by its number, in the subvolume that `dir` lies in.
    pub(super) fn of_one(
        &mut self,
        dir: impl AsFd,
        ino: u64,
        hear: &mut Hear<'_>,
    ) -> Result<(), Unmeasurable> {
        self.read(dir, 0, (ino, ino), hear)
    }

    fn read(
        &mut self,
        fs: impl AsFd,
        tree: u64,
        (first, last): (u64, u64),
        hear: &mut Hear<'_>,
    ) -> Result<(), Unmeasurable> {
        let at = |object, offset| TreeKey { object, item_type: EXTENT_DATA, offset };
        let (mut from, to) = (at(first, 0), at(last, u64::MAX));
        loop {
            let (count, page) = match self.0.read(&fs, tree, (from, to)) {
                // The subvolume was deleted meanwhile.
                Err(error) if error.raw_os_error() == Some(Errno::NOENT.raw_os_error()) => {
                    return Ok(());
                }
                page => page.map_err(|error| Unmeasurable::by(READING, error))?,
            };
            let items = search::items(count, page).map_err(odd)?;
            let Some(end) = items.last() else { return Ok(()) };
            from = TreeKey { object: end.object, item_type: end.item_type, offset: end.offset };
            for item in items.iter().filter(|item| item.item_type == EXTENT_DATA) {
                if let Some((start, length)) = search::extent(*item).map_err(odd)? {
                    hear(start, length)?;
                }
            }
            let Some(next) = after(from).filter(|next| *next <= to) else { return Ok(()) };
            from = next;
        }
    }
}

/// The next possible key.
fn after(key: TreeKey) -> Option<TreeKey> {
    if let Some(offset) = key.offset.checked_add(1) {
        return Some(TreeKey { offset, ..key });
    }
    if key.item_type < u32::from(u8::MAX) {
        return Some(TreeKey { item_type: key.item_type + 1, offset: 0, ..key });
    }
    let object = key.object.checked_add(1)?;
    Some(TreeKey { object, item_type: 0, offset: 0 })
}

fn odd(error: SearchError) -> Unmeasurable {
    StorageError::new(Fault::Permanent, READING, error.to_string()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_key_is_the_very_next() {
        let key = |object, item_type, offset| TreeKey { object, item_type, offset };
        let check = |from, want| assert_eq!(after(from), want, "{from:?}");
        check(key(7, 108, 0), Some(key(7, 108, 1)));
        check(key(7, 108, u64::MAX), Some(key(7, 109, 0)));
        check(key(7, 255, u64::MAX), Some(key(8, 0, 0)));
        check(key(u64::MAX, 255, u64::MAX), None);
    }
}
