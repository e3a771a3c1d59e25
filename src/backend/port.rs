//! The port's core: what every technology can. What only some can is in [`super::facets`].

use super::facets::{Creation, Disks, FileTree, InPlace, Inspection, Rescue};
use super::order::{Object, RestoreOrder, Restored, TakeOrder};
use crate::domain::resource::Kind;
use crate::domain::snapshot::{Content, Handle};
use crate::domain::survey::{Mark, Survey};
use crate::domain::usage::{TotalUsage, Usage};
use crate::fs::{Progress, StorageError};
use crate::host::drop_in::DropIn;
use crate::store::identity::Probe;
use std::fmt::Debug;
use std::path::PathBuf;

/// One resource's access to its technology. An instance is bound to one resource, so no verb
/// carries it. All verbs block, are called from worker threads, and may be called again after a
/// crash at any instruction. Whatever takes long tells `progress` how far it is, if it can, and
/// asks it whether the outcome is wanted still.
pub trait Backend: Debug + Send + Sync {
    /// Must not touch the resource.
    fn capabilities(&self) -> Capabilities;

    /// What acts on this resource share (a file system, a server): a stuck pool delays only
    /// itself. Must not touch the pool itself, or it would hang with it.
    fn pool(&self) -> String;

    /// Where the resource lives and where its snapshots go, for the check that none is inside
    /// another.
    fn territory(&self) -> Territory;

    /// Looks at the live resource: present, usable, and is it still the same one?
    ///
    /// # Errors
    /// [`Fault::Absent`] when it is not there: not mounted, renamed, its pool gone.
    ///
    /// [`Fault::Absent`]: crate::domain::operation::Fault::Absent
    fn probe(&self) -> Result<Probe, StorageError>;

    /// Takes a snapshot under `order.card`. There is exactly one commit point; what has not passed
    /// it is never listed as whole. On return it is durable against a power cut. A snapshot that
    /// exists whole under the same sequence number and id is returned as it is.
    ///
    /// # Errors
    /// [`Fault::Cancelled`] where it is not wanted any more before its commit point. A guest or a
    /// file system that was held goes on; what was begun may be left, as of any taking that fails.
    ///
    /// [`Fault::Cancelled`]: crate::domain::operation::Fault::Cancelled
    fn take(&self, order: &TakeOrder<'_>, progress: &dyn Progress) -> Result<Object, StorageError>;

    /// Everything that bears this resource's marker, whole or partial. Works while the live
    /// resource is absent, as long as the store can be reached. A listing that might be cut short
    /// is an error, never a shorter list.
    fn list(&self) -> Result<Survey, StorageError>;

    /// Measures the content of a snapshot and sees that it can be read.
    fn verify(&self, handle: &Handle, progress: &dyn Progress) -> Result<Content, StorageError>;

    /// Destroys exactly this snapshot, whole or partial: marker, id and object identity are read
    /// from the object again right before. Durable on return; one that is gone already is success.
    ///
    /// # Errors
    /// [`Fault::Identity`] when something else is in its place; that is left alone.
    ///
    /// [`Fault::Identity`]: crate::domain::operation::Fault::Identity
    fn destroy(&self, handle: &Handle) -> Result<(), StorageError>;

    /// Makes a new copy at `target`, which must not exist, to be written to where the original was.
    /// It appears there whole or not at all and is durable on return. The remains of an interrupted
    /// attempt at the same target by the same snapshot are cleared away first.
    ///
    /// # Errors
    /// [`Fault::Permanent`] for a size, plan or port that this technology has no use for.
    /// [`Fault::Cancelled`] where it is not wanted any more: nothing is left then, nor of an
    /// earlier attempt, also where it never was.
    ///
    /// [`Fault::Permanent`]: crate::domain::operation::Fault::Permanent
    /// [`Fault::Cancelled`]: crate::domain::operation::Fault::Cancelled
    fn restore(
        &self,
        order: &RestoreOrder<'_>,
        progress: &dyn Progress,
    ) -> Result<Restored, StorageError>;

    /// Durably replaces the mark beside a snapshot.
    fn mark(&self, handle: &Handle, mark: &Mark) -> Result<(), StorageError>;

    /// What a snapshot occupies; `None` where the technology cannot tell.
    fn usage(&self, handle: &Handle) -> Result<Usage, StorageError>;

    /// What everything that bears this resource's marker occupies together, beside the live
    /// resource; `None` where that cannot be told. Asked once a day, and once more after snapshots
    /// came or went: it may take minutes. Without snapshots it is 0.
    ///
    /// # Errors
    /// What may be better next time. [`Fault::Absent`] while the live resource is not there and
    /// might share blocks.
    ///
    /// [`Fault::Absent`]: crate::domain::operation::Fault::Absent
    fn occupied(&self) -> Result<Option<TotalUsage>, StorageError> {
        Ok(None)
    }

    fn in_place(&self) -> Option<&dyn InPlace> {
        None
    }

    fn rescue(&self) -> Option<&dyn Rescue> {
        None
    }

    fn files(&self) -> Option<&dyn FileTree> {
        None
    }

    fn disks(&self) -> Option<&dyn Disks> {
        None
    }

    fn creation(&self) -> Option<&dyn Creation> {
        None
    }

    fn inspection(&self) -> Option<&dyn Inspection> {
        None
    }
}

/// Facts about a technology; no promises, no policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Taking costs the same whatever the size.
    pub instant: bool,
    /// How many acts on one pool may usefully be in flight together; at least 1.
    pub in_flight: usize,
    /// What is made from a snapshot is used by its name, as an instance or its disk is, so heptad
    /// has to know it whether or not it is snapshotted daily.
    pub by_name: bool,
    /// The kind that the resource is by its options; `None` where it may be declared as any.
    pub kind: Option<Kind>,
    /// What some verbs need to be allowed beyond what heptad's unit allows, if heptad is root.
    pub drop_ins: &'static [DropIn],
    /// [`Backend::usage`] costs no more than a listing. Then it is asked at every sweep; else once
    /// a day.
    pub usage_is_cheap: bool,
}

impl Default for Capabilities {
    /// Of a technology that copies.
    fn default() -> Self {
        Self {
            instant: false,
            in_flight: 2,
            by_name: false,
            kind: None,
            drop_ins: &[],
            usage_is_cheap: false,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Territory {
    /// The option that says where the resource is.
    pub key: &'static str,
    /// The live resource's paths.
    pub roots: Vec<PathBuf>,
    /// What it is called where it is known by no path, the same for whoever has the same one.
    pub name: Option<String>,
    /// Paths below the roots that snapshots leave out on purpose.
    pub left_out: Vec<PathBuf>,
    /// Whether what lies below the roots may be a resource of its own, as btrfs subvolumes may.
    pub open_below: bool,
    /// Where snapshots are stored, if that is a path.
    pub store: Option<PathBuf>,
}
