//! Copying a snapshot to another one: further names of the same files, as nobody writes to either.

use super::detail::{DISKS, Detail};
use crate::domain::operation::Fault;
use crate::domain::snapshot::Part;
use crate::fs::{Doing, StorageError};
use crate::store::{Filled, Growing, Item, Seal};

/// The source was verified a moment ago.
pub(super) fn keep(
    growing: &Growing<'_>,
    source: &Item,
    part: Part,
) -> Result<Filled, StorageError> {
    let doing = || format!("copying snapshot {}", source.seq);
    let Some(mut detail) = Detail::of(&source.manifest) else {
        let why = "its manifest does not say what it holds";
        return Err(StorageError::new(Fault::Permanent, doing(), why));
    };
    let mut notes = vec![format!("the same images as in snapshot {}", source.seq)];
    if part == Part::SystemDisk && detail.domain.is_some() {
        detail.disks.truncate(1);
        detail.beside.clear();
        detail.domain = None;
        notes = vec![format!("the same image as in snapshot {}: its system disk", source.seq)];
    }
    for disk in &detail.disks {
        let to = growing.path.join(DISKS).join(disk.file());
        std::fs::hard_link(disk.path(&source.path), to).doing(doing)?;
    }
    for (name, _) in &detail.beside {
        std::fs::hard_link(source.path.join(name), growing.path.join(name)).doing(doing)?;
    }
    notes.extend(source.manifest.notes.iter().cloned());
    Filled::new(detail, notes)
}
