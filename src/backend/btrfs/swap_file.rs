//! Files that the system swaps to: the kernel takes no snapshot of a subvolume that has one.

use super::live::{Live, Nested};
use crate::domain::operation::Fault;
use crate::fs::{Doing, StorageError};
use crate::host::{kernel_users, sys};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Each with the UUID of the subvolume that it lies in.
pub(super) struct SwapFiles(Vec<(uuid::Uuid, PathBuf)>);

impl SwapFiles {
    pub(super) fn look() -> Result<Self, StorageError> {
        let files = kernel_users::swaps().doing(|| "looking for swap files".into())?;
        let place = |file: PathBuf| {
            // One on another file system, or whose name is gone, is in no subvolume here.
            let info = sys::btrfs_subvolume(File::open(&file).ok()?).ok()?;
            Some((uuid::Uuid::from_bytes(info.uuid), file))
        };
        Ok(Self(files.into_iter().filter_map(place).collect()))
    }

    fn within(&self, subvolume: uuid::Uuid) -> Vec<&Path> {
        let inside = self.0.iter().filter(|(uuid, _)| *uuid == subvolume);
        inside.map(|(_, file)| file.as_path()).collect()
    }

    /// What of the resource itself stands against a snapshot.
    pub(super) fn obstacle(&self, live: &Live) -> Option<(String, String)> {
        let files = self.within(live.root.uuid());
        let first = files.first()?.display();
        let problem =
            format!("the system swaps to {first}, and btrfs takes no snapshot of such a subvolume");
        let hint = format!(
            "swapoff {first}, and make the swap file anew in a subvolume of its own (btrfs subvolume \
             create; btrfs filesystem mkswapfile)"
        );
        Some((problem, hint))
    }

    /// # Errors
    /// [`Fault::Permanent`] with the file and the way out.
    pub(super) fn refuse(&self, live: &Live) -> Result<(), StorageError> {
        match self.obstacle(live) {
            None => Ok(()),
            Some((problem, hint)) => Err(StorageError::new(
                Fault::Permanent,
                "taking the snapshot",
                format!("{problem}; {hint}"),
            )),
        }
    }

    /// The nested subvolumes that no snapshot can have, with the first swap file in each.
    pub(super) fn hampered(&self, nested: &[Nested]) -> Vec<(PathBuf, PathBuf)> {
        let first = |one: &Nested| self.within(one.uuid).first().map(|file| file.to_path_buf());
        nested.iter().filter_map(|one| Some((one.path.clone(), first(one)?))).collect()
    }
}

/// Whether the nested subvolume at a path has nothing but what the system swaps to.
pub(super) fn is_alone(
    live: &Live,
    nested: &[Nested],
    path: &Path,
    file: &Path,
) -> Result<bool, StorageError> {
    let mut below = nested.iter().filter(|one| one.path.starts_with(path));
    let (Some(one), None) = (below.next(), below.next()) else { return Ok(false) };
    let doing = || format!("looking into {}", path.display());
    let open = live.open_nested(one)?;
    for entry in rustix::fs::Dir::read_from(&open.dir).doing(doing)? {
        let entry = entry.doing(doing)?;
        let name = entry.file_name().to_bytes();
        let is_file = file.file_name().is_some_and(|file| file.as_encoded_bytes() == name);
        if !is_file && !matches!(name, b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}
