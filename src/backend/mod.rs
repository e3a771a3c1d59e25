//! The port to the technologies that hold snapshots, and a folder for each of them.
//!
//! This room knows file systems, stores, images, the domain's types and the host's services. It must not know the catalogue, the
//! configuration's layout, the API, nor one backend another. Whatever a backend makes carries its
//! own manifest, so that the catalogue is expendable.

mod btrfs;
mod exec;
pub mod fake;
mod files;
mod libvirt;
pub mod options;
mod order;
mod postgres;
pub mod recognise;
pub mod registry;
mod sqlite;

/// What lets guests go when heptad and its helpers were killed and nobody starts them again.
pub use libvirt::let_go_all as libvirt_let_go;
/// The helper process of the `libvirt` backend, for the program that is started as one.
pub use libvirt::serve as libvirt_helper;
/// The helper process of the `sqlite` backend, for the program that is started as one.
pub use sqlite::serve as sqlite_helper;

pub use order::{Image, Object, RestoreOrder, Restored, RollbackOrder, TakeOrder};

use crate::domain::name::ResourceName;
use crate::domain::operation::Fault;
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
/// crash at any instruction.
pub trait Backend: Debug + Send + Sync {
    fn capabilities(&self) -> Capabilities;

    /// The kind that the resource is by its options; `None` where it may be declared as any.
    fn kind(&self) -> Option<Kind> {
        None
    }

    /// What acts on this resource share (a file system, a server): a stuck pool delays only
    /// itself. Must not touch the pool itself, or it would hang with it.
    fn pool(&self) -> String;

    /// What some verbs need to be allowed beyond what heptad's unit allows, if heptad is root. Must
    /// not touch the resource.
    fn drop_ins(&self) -> &'static [DropIn] {
        &[]
    }

    /// Where the resource lives and where its snapshots go, for the check that none is inside
    /// another.
    fn territory(&self) -> Territory;

    /// What of the live resource, as it lies there now, is not as one might think, though it can be
    /// protected. Asked by `heptad check`; may touch the resource, and what cannot be looked at is
    /// passed over.
    fn oddities(&self) -> Vec<options::OptionFinding> {
        Vec::new()
    }

    /// Whether a snapshot could be taken of the live resource as it is now, as far as a quick look
    /// tells. Asked by `heptad check`, which waits some seconds.
    ///
    /// # Errors
    /// What a snapshot would fail for.
    fn inspect(&self) -> Result<(), StorageError> {
        self.probe().map(drop)
    }

    /// Looks at the live resource: present, usable, and is it still the same one?
    ///
    /// # Errors
    /// [`Fault::Absent`] when it is not there: not mounted, renamed, its pool gone.
    fn probe(&self) -> Result<Probe, StorageError>;

    /// Takes a snapshot under `order.card`. There is exactly one commit point; what has not passed
    /// it is never listed as whole. On return it is durable against a power cut. A snapshot that
    /// exists whole under the same sequence number and id is returned as it is. Whoever can tells
    /// `progress` meanwhile; whatever takes long asks it.
    ///
    /// # Errors
    /// [`Fault::Cancelled`] where it is not wanted any more before its commit point. A guest or a
    /// file system that was held goes on; what was begun may be left, as of any taking that fails.
    fn take_telling(
        &self,
        order: &TakeOrder<'_>,
        progress: &dyn Progress,
    ) -> Result<Object, StorageError>;

    /// The same with nobody to tell.
    fn take(&self, order: &TakeOrder<'_>) -> Result<Object, StorageError> {
        self.take_telling(order, &())
    }

    /// Saves the live content byte for byte, though it is damaged: a rollback is to mend it, and what
    /// is there goes no other way. `why` is what [`Backend::take_telling`] failed for, and what the
    /// snapshot is suspect for, see [`crate::domain::suspicion::as_it_was`].
    ///
    /// # Errors
    /// `why` where this technology cannot.
    fn take_damaged(
        &self,
        _order: &TakeOrder<'_>,
        why: StorageError,
        _progress: &dyn Progress,
    ) -> Result<Object, StorageError> {
        Err(why)
    }

    /// Everything that bears this resource's marker, whole or partial. Works while the live
    /// resource is absent, as long as the store can be reached. A listing that might be cut short
    /// is an error, never a shorter list.
    fn list(&self) -> Result<Survey, StorageError>;

    /// Measures the content of a snapshot and sees that it can be read. Whatever takes long asks
    /// `progress` whether that is wanted still.
    fn verify_asking(
        &self,
        handle: &Handle,
        progress: &dyn Progress,
    ) -> Result<Content, StorageError>;

    /// The same, to the end.
    fn verify(&self, handle: &Handle) -> Result<Content, StorageError> {
        self.verify_asking(handle, &())
    }

    /// Destroys exactly this snapshot, whole or partial: marker, id and object identity are read
    /// from the object again right before. Durable on return; one that is gone already is success.
    ///
    /// # Errors
    /// [`Fault::Identity`] when something else is in its place; that is left alone.
    fn destroy(&self, handle: &Handle) -> Result<(), StorageError>;

    /// Makes a new copy at `target`, which must not exist, to be written to where the original was.
    /// It appears there whole or not at all and is durable on return. The remains of an interrupted
    /// attempt at the same target by the same snapshot are cleared away first.
    ///
    /// # Errors
    /// [`Fault::Permanent`] for a size, plan or port that this technology has no use for.
    /// [`Fault::Cancelled`] where it is not wanted any more: nothing is left then, nor of an earlier
    /// attempt, also where it never was.
    fn restore(
        &self,
        order: &RestoreOrder<'_>,
        progress: &dyn Progress,
    ) -> Result<Restored, StorageError>;

    /// Whether something like that can be made of a snapshot, as far as a quick look tells; asked
    /// before the order is accepted, and to agree with what [`Backend::restore`] would say. Where it
    /// would go is not looked at.
    ///
    /// # Errors
    /// [`Fault::Permanent`] for a size or plan that is too small, or what has no use here.
    fn fits(&self, order: &RestoreOrder<'_>) -> Result<(), StorageError> {
        order.is_plain()
    }

    /// What an earlier attempt at the same order made, if that is whole and can be told for its own:
    /// heptad stopped before all was known.
    ///
    /// # Errors
    /// What keeps from looking.
    fn made(&self, _order: &RestoreOrder<'_>) -> Result<Option<Restored>, StorageError> {
        Ok(None)
    }

    /// Where a new resource goes when nobody says where: beside the live one, a file with the same
    /// ending. `None` where it has to be said.
    fn beside(&self, name: &ResourceName) -> Option<PathBuf> {
        let live = self.territory().roots.into_iter().next()?;
        let mut new = std::ffi::OsString::from(name.as_str());
        if let Some(ending) = live.extension().filter(|_| !live.is_dir()) {
            new.push(".");
            new.push(ending);
        }
        live.parent().map(|above| above.join(new))
    }

    /// Who uses the live resource now: a sentence each, which names what to stop. While there is
    /// none, it may be rolled back.
    ///
    /// # Errors
    /// [`Fault::Permanent`] where nothing can be rolled back.
    fn users(&self) -> Result<Vec<String>, StorageError> {
        Err(no_rollback())
    }

    /// Replaces the live content by that of a snapshot, at once or not at all, under the same name
    /// and at the same place; durable on return. Called again after a crash with the same order, it
    /// finishes what was begun. What was live before is gone; whoever calls has taken a snapshot.
    ///
    /// # Errors
    /// [`Fault::Busy`] when it is in use after all; [`Fault::Permanent`] where the technology or the
    /// place does not allow it. [`Fault::Cancelled`] where it is not wanted any more before its commit
    /// point: the live content is as it was, and nothing else is left. One that has passed it,
    /// perhaps before a crash, is finished.
    fn rollback(
        &self,
        _order: &RollbackOrder<'_>,
        _progress: &dyn Progress,
    ) -> Result<Probe, StorageError> {
        Err(no_rollback())
    }

    /// What a person still has to do after a rollback, if anything: a sentence with the command.
    fn left_to_do(&self) -> Option<String> {
        None
    }

    /// The image that this resource is, if it is a disk that an instance can be given.
    fn image(&self) -> Option<Image> {
        None
    }

    /// Gives an instance one more disk, at once and for its next starts. One that it has already is
    /// success. Returns what the guest calls it, `vdb` for example.
    fn attach(&self, _disk: &Image) -> Result<String, StorageError> {
        Err(StorageError::new(Fault::Permanent, "attaching a disk", "this is not an instance"))
    }

    /// Takes a disk away from an instance; `false` where it does not have it.
    fn detach(&self, _disk: &Image) -> Result<bool, StorageError> {
        Err(StorageError::new(Fault::Permanent, "detaching a disk", "this is not an instance"))
    }

    /// Opens the content of a whole snapshot for looking into its files. It must be reached
    /// through no symbolic link, and nothing may be written by way of it.
    ///
    /// # Errors
    /// [`Fault::Permanent`] where the technology has no files to show.
    fn tree(&self, handle: &Handle) -> Result<crate::browse::OpenTree, StorageError> {
        let doing = format!("looking into snapshot {}", handle.seq);
        Err(StorageError::new(Fault::Permanent, doing, "this backend cannot show files"))
    }

    /// Durably replaces the mark beside a snapshot.
    fn mark(&self, handle: &Handle, mark: &Mark) -> Result<(), StorageError>;

    /// What everything that bears this resource's marker occupies together, beside the live
    /// resource; `None` where that cannot be told. Asked once a day, and once more after snapshots
    /// came or went: it may take minutes. Without snapshots it is 0.
    ///
    /// # Errors
    /// What may be better next time. [`Fault::Absent`] while the live resource is not there and
    /// might share blocks.
    fn occupied(&self) -> Result<Option<TotalUsage>, StorageError> {
        Ok(None)
    }

    /// What a snapshot occupies; `None` where the technology cannot tell.
    fn usage(&self, handle: &Handle) -> Result<Usage, StorageError>;

    /// Whether [`Backend::usage`] costs no more than a listing. Then it is asked at every sweep;
    /// else once a day.
    fn usage_is_cheap(&self) -> bool {
        false
    }
}

fn no_rollback() -> StorageError {
    let why = "this backend cannot; make a new resource from the snapshot: heptactl create";
    StorageError::new(Fault::Permanent, "rolling back in place", why)
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
