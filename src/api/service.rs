//! What the daemon offers to this room, and all that this room knows of it.

use super::wire::{Check, Finding, Progress, Protected, Reloaded, UnderWay};
use crate::domain::alarm::Alarm;
use crate::domain::denied::Denied;
use crate::domain::fee::{Tariff, UsageDay};
use crate::domain::id::OperationId;
use crate::domain::key::Key;
use crate::domain::ledger::Ledger;
use crate::domain::name::ResourceName;
use crate::domain::new_resource::NewResource;
use crate::domain::operation::Operation;
use crate::domain::plan::{Blueprint, Offer};
use crate::domain::protect::{Unprotectable, Wish};
use crate::domain::request::Request;
use crate::domain::slot_record::SlotRecord;
use crate::domain::snapshot::{Handle, Seq};
use crate::domain::tree::{BrowseError, Differences, Entry, Listing, TreePath};
use crate::domain::view::Moment;
use jiff::Timestamp;
use jiff::civil::Date;
use std::any::Any;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// An answer that takes a while.
pub type Soon<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The facts after one turn of the driver. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Published {
    /// Grows with every turn that changed something, within one life of the daemon.
    pub generation: u64,
    pub ledger: Arc<Ledger>,
    /// As of the turn; this room puts the present in its `now`.
    pub moment: Moment,
    /// Alarms that the ledger does not show, such as a catalogue that cannot be written.
    pub alarms: Vec<Alarm>,
}

/// The daemon, as seen from the socket. Tests use a stub.
pub trait Service: Send + Sync + 'static {
    /// Hands a request to the keeper. `uid` is the peer's as the kernel says. When the answer
    /// comes, it is durable and the published ledger shows it.
    fn submit(
        &self,
        uid: u32,
        key: Option<Key>,
        request: Request,
    ) -> Soon<'_, Result<Operation, Denied>>;

    /// The newest facts; the receiver wakes at each turn.
    fn published(&self) -> watch::Receiver<Published>;

    /// Has what was amiss looked at again, as it may be mended by now; `false` where nothing is.
    fn look_again(&self) -> bool {
        false
    }

    /// The words of what a resource's technology can beside taking and restoring.
    fn facets(&self, _resource: &ResourceName) -> Vec<&'static str> {
        Vec::new()
    }

    /// The daemon's clock, which a demo or a test drives.
    fn now(&self) -> Timestamp;

    /// Slots with `from <= due < until`, oldest first, from the catalogue: also those that left
    /// memory. Must be current up to the last published turn.
    fn slots(
        &self,
        resource: ResourceName,
        from: Timestamp,
        until: Timestamp,
    ) -> Soon<'_, Result<Vec<SlotRecord>, Unreadable>>;

    /// Operations from the catalogue, newest first.
    fn operations(&self, filter: OperationFilter) -> Soon<'_, Result<Vec<Operation>, Unreadable>>;

    /// Usage of the UTC days in `[from, until)` from the catalogue, and what it costs.
    fn usage(&self, from: Date, until: Date) -> Soon<'_, Result<Metered, Unreadable>>;

    /// Why nothing like that can be made of a snapshot, as far as a quick look at it tells.
    fn fits(&self, of: Target, draft: NewResource) -> Soon<'_, Result<(), String>>;

    /// Why an instance cannot be given a disk, as far as a look at both now tells.
    fn may_attach(
        &self,
        instance: ResourceName,
        disk: ResourceName,
    ) -> Soon<'_, Result<(), String>>;

    /// Why a disk cannot be taken from an instance, told likewise.
    fn may_detach(
        &self,
        instance: ResourceName,
        disk: ResourceName,
    ) -> Soon<'_, Result<(), String>>;

    /// What the configuration in force offers to choose from.
    fn offers(&self) -> Offers;

    /// Looks at what somebody wants protected, declares it, and puts that in force. The same key
    /// with the same wish is answered as before.
    fn protect(&self, key: Option<Key>, wish: Wish) -> Soon<'_, Result<Protected, Unprotectable>>;

    /// Loads the configuration whole, or keeps the old one and says why.
    fn reload(&self) -> Soon<'_, Result<Reloaded, Vec<Finding>>>;

    /// Looks at the configuration files as they are now, without loading them.
    fn check(&self) -> Soon<'_, Check>;

    /// What is at a path of a snapshot, with a page of it if it is a directory: up to `limit` names
    /// after `after`.
    fn list_files(
        &self,
        of: Target,
        path: TreePath,
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Soon<'_, Result<Listing, BrowseError>>;

    /// A regular file of a snapshot. The snapshot is not destroyed while its bytes are awaited.
    fn open_file(&self, of: Target, path: TreePath) -> Soon<'_, Result<OpenFile, BrowseError>>;

    /// What differs at a path and below it, up to `limit`, going on after `after`. Ends early
    /// rather than late.
    fn compare_files(
        &self,
        old: Target,
        new: Target,
        path: TreePath,
        after: Option<TreePath>,
        limit: usize,
    ) -> Soon<'_, Result<Differences, BrowseError>>;

    /// All files of a snapshot as a mount that whoever asked attaches where they wish.
    fn mount_files(&self, of: Target) -> Soon<'_, Result<Handover, BrowseError>>;

    /// Where snapshots are mounted at this moment.
    fn mounted(&self) -> Result<Vec<Mounted>, BrowseError>;

    /// How far a running operation is, if its backend tells.
    fn progress(&self, operation: OperationId) -> Option<Progress>;

    /// The same of all that run and whose backends tell.
    fn under_way(&self) -> Vec<UnderWay>;
}

/// The snapshot that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub resource: ResourceName,
    pub handle: Handle,
}

/// A file whose bytes are on their way: exactly as many as its entry says, or an error.
#[derive(Debug)]
pub struct OpenFile {
    pub entry: Entry,
    pub bytes: mpsc::Receiver<std::io::Result<Vec<u8>>>,
}

/// A mount that is in nobody's tree yet.
pub struct Handover {
    pub mount: OwnedFd,
    /// The snapshot is not destroyed until this is dropped; nor afterwards, while it is mounted.
    pub held: Box<dyn Any + Send + Sync>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounted {
    pub resource: ResourceName,
    pub seq: Seq,
    /// As this process sees it.
    pub point: PathBuf,
    /// What is mounted below it, in the order of mounting: nested volumes of the snapshot.
    pub below: Vec<PathBuf>,
}

/// Usage with its price.
#[derive(Clone, Debug, PartialEq)]
pub struct Metered {
    pub tariff: Tariff,
    pub days: Vec<UsageDay>,
}

/// What can be chosen for a new instance or database.
#[derive(Clone, Debug, PartialEq)]
pub struct Offers {
    /// Of the prices.
    pub currency: String,
    pub plans: Vec<Offer>,
    pub blueprints: Vec<Blueprint>,
}

/// Which operations are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationFilter {
    /// Only this one.
    pub id: Option<OperationId>,
    pub resource: Option<ResourceName>,
    /// Only open ones, or only finished ones.
    pub open: Option<bool>,
    /// Only older ones.
    pub before: Option<OperationId>,
    pub limit: usize,
}

/// The catalogue cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the catalogue cannot be read: {0}")]
pub struct Unreadable(pub String);
