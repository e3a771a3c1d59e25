//! What only some technologies can: each facet is a small trait that a backend lends, or does not.

use super::options::OptionFinding;
use super::order::{Image, Object, RestoreOrder, Restored, RollbackOrder, TakeOrder};
use crate::browse::OpenTree;
use crate::domain::name::ResourceName;
use crate::domain::snapshot::Handle;
use crate::fs::{Progress, StorageError};
use crate::store::identity::Probe;
use std::ffi::OsString;
use std::path::PathBuf;

/// Gives the live resource the content of a snapshot, at the same place.
pub trait InPlace {
    /// Who uses the live resource now: a sentence each, which names what to stop. While there is
    /// none, it may be rolled back.
    ///
    /// # Errors
    /// [`Fault::Permanent`] where this one cannot be rolled back.
    fn users(&self) -> Result<Vec<String>, StorageError>;

    /// Replaces the live content by that of a snapshot, at once or not at all, under the same name
    /// and at the same place; durable on return. Called again after a crash with the same order, it
    /// finishes what was begun. What was live before is gone; whoever calls has taken a snapshot.
    ///
    /// # Errors
    /// [`Fault::Busy`] when it is in use after all; [`Fault::Permanent`] where the place does not
    /// allow it. [`Fault::Cancelled`] where it is not wanted any more before its commit point: the
    /// live content is as it was, and nothing else is left. One that has passed it, perhaps before
    /// a crash, is finished.
    fn rollback(
        &self,
        order: &RollbackOrder<'_>,
        progress: &dyn Progress,
    ) -> Result<Probe, StorageError>;

    /// What a person still has to do afterwards, if anything: a sentence with the command.
    fn left_to_do(&self) -> Option<String> {
        None
    }
}

/// Saves a damaged resource as it is.
pub trait Rescue {
    /// Takes the live content byte for byte, though its own software cannot use it: a rollback is
    /// to mend it, and what is there goes no other way. `why` is what taking it failed for, and
    /// what the snapshot is suspect for, see [`crate::domain::suspicion::as_it_was`].
    ///
    /// # Errors
    /// What keeps from that too.
    fn take_damaged(
        &self,
        order: &TakeOrder<'_>,
        why: StorageError,
        progress: &dyn Progress,
    ) -> Result<Object, StorageError>;
}

/// Shows the files in a snapshot.
pub trait FileTree {
    /// Opens the content of a whole snapshot. It must be reached through no symbolic link, and
    /// nothing may be written by way of it.
    fn tree(&self, handle: &Handle) -> Result<OpenTree, StorageError>;
}

/// The resource is a disk, or an instance that has disks.
pub trait Disks {
    /// The image that it is, if it is a disk that an instance can be given.
    fn image(&self) -> Option<Image>;

    /// Whether the instance could be given that disk now, or has it already, as far as a look
    /// tells; asked before the order is accepted.
    ///
    /// # Errors
    /// What attaching it would fail for.
    fn may_attach(&self, disk: &Image) -> Result<(), StorageError>;

    /// Whether the instance has that disk now.
    fn has(&self, disk: &Image) -> Result<bool, StorageError>;

    /// Gives an instance one more disk, at once and for its next starts. One that it has already is
    /// success. Returns what the guest calls it, `vdb` for example.
    fn attach(&self, disk: &Image) -> Result<String, StorageError>;

    /// Takes a disk away from an instance; `false` where it does not have it.
    fn detach(&self, disk: &Image) -> Result<bool, StorageError>;
}

/// Knows more of a new resource than that it appears at a path.
pub trait Creation {
    /// Whether something like that can be made of a snapshot, as far as a quick look tells; asked
    /// before the order is accepted, and to agree with what restoring it would say. Where it
    /// would go is not looked at.
    ///
    /// # Errors
    /// [`Fault::Permanent`] for a size or plan that is too small, or what has no use here.
    fn fits(&self, order: &RestoreOrder<'_>) -> Result<(), StorageError> {
        order.is_plain()
    }

    /// What an earlier attempt at the same order made, if that is whole and can be told for its
    /// own: heptad stopped before all was known.
    ///
    /// # Errors
    /// What keeps from looking.
    fn made(&self, _order: &RestoreOrder<'_>) -> Result<Option<Restored>, StorageError> {
        Ok(None)
    }

    /// Where a new resource goes when nobody says where, see [`beside`]. `None` where it has to be
    /// said.
    fn beside(&self, name: &ResourceName) -> Option<PathBuf>;
}

/// Knows more of the live resource than probing it tells. For `heptad check`, which waits some
/// seconds.
pub trait Inspection {
    /// Whether a snapshot could be taken of the live resource as it is now, as far as a quick look
    /// tells.
    ///
    /// # Errors
    /// What a snapshot would fail for.
    fn usable(&self) -> Result<(), StorageError>;

    /// What of the live resource is not as one might think, though it can be protected. What cannot
    /// be looked at is passed over.
    fn oddities(&self) -> Vec<OptionFinding> {
        Vec::new()
    }
}

/// Beside the live one; a file with the same ending.
pub fn beside(roots: &[PathBuf], name: &ResourceName) -> Option<PathBuf> {
    let live = roots.first()?;
    let mut new = OsString::from(name.as_str());
    if let Some(ending) = live.extension().filter(|_| !live.is_dir()) {
        new.push(".");
        new.push(ending);
    }
    live.parent().map(|above| above.join(new))
}
