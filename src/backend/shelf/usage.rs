//! What a snapshot's tree occupies.

use super::super::tree::{Kind, walk};
use super::super::{BackendError, Usage};
use std::collections::HashMap;
use std::os::fd::AsFd;

const BLOCK: u64 = 512;

/// Bytes of a tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blocks {
    /// Logical bytes of all files.
    pub stored: u64,
    /// The blocks of what has no name outside of the tree. Those that a reflink shares with the
    /// live file or a snapshot are counted too: the file system does not tell cheaply, so this is
    /// the most that would become free.
    pub exclusive: u64,
}

impl Blocks {
    /// Blocks may be more than what lies in them; nobody is asked to pay for that.
    pub fn usage(self) -> Usage {
        Usage { stored: Some(self.stored), exclusive: Some(self.exclusive.min(self.stored)) }
    }
}

/// Measures the tree behind a reference.
pub fn blocks(root: impl AsFd) -> Result<Blocks, BackendError> {
    let mut blocks = Blocks::default();
    // Names found here of files with several: all of them here means that no other snapshot has one.
    let mut names: HashMap<u64, u32> = HashMap::new();
    walk(root, &mut |_, meta| {
        if meta.kind == Kind::File {
            blocks.stored += meta.size;
        }
        let found = if meta.kind == Kind::Dir || meta.nlink == 1 {
            meta.nlink
        } else {
            let found = names.entry(meta.ino).or_default();
            *found += 1;
            *found
        };
        if found == meta.nlink {
            blocks.exclusive += meta.blocks * BLOCK;
        }
        Ok(())
    })?;
    Ok(blocks)
}
