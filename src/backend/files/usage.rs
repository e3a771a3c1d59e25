//! What a snapshot occupies.

use super::super::tree::{Kind, walk};
use super::super::{BackendError, Doing, Usage};
use super::detail::data;
use super::shelf::Item;
use std::collections::HashMap;

const BLOCK: u64 = 512;

/// `stored` counts logical bytes; `exclusive` the blocks of what has no name in another snapshot.
/// Blocks that a reflink shares with the live file or a snapshot are counted as exclusive too: the
/// file system does not tell cheaply, so this is the most that would become free.
pub fn usage(item: &Item) -> Result<Usage, BackendError> {
    let root = data(&item.path).doing(|| format!("measuring {}", item.path.display()))?;
    let (mut stored, mut exclusive) = (0, 0);
    // Names found here of files with several: all of them here means that no other snapshot has one.
    let mut names: HashMap<u64, u32> = HashMap::new();
    walk(&root, &mut |_, meta| {
        if meta.kind == Kind::File {
            stored += meta.size;
        }
        let found = if meta.kind == Kind::Dir || meta.nlink == 1 {
            meta.nlink
        } else {
            let found = names.entry(meta.ino).or_default();
            *found += 1;
            *found
        };
        if found == meta.nlink {
            exclusive += meta.blocks * BLOCK;
        }
        Ok(())
    })?;
    Ok(Usage { stored: Some(stored), exclusive: Some(exclusive) })
}
