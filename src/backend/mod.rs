//! The port to the technologies that hold snapshots, and one file for each of them.
//!
//! This room knows the domain's types and the host's services. It must not know the catalogue, the
//! configuration's layout, the API, nor one backend another. Whatever a backend makes carries its
//! own manifest, so that the catalogue is expendable.

pub mod browse;
mod btrfs;
mod exec;
pub mod fake;
mod files;
mod identity;
pub mod manifest;
mod options;
mod postgres;
pub mod registry;
mod shelf;
mod sqlite;
mod subvolume;
pub mod tree;

/// The helper process of the `sqlite` backend, for the program that is started as one.
pub use sqlite::serve as sqlite_helper;

use crate::domain::event::{Mark, Survey};
use crate::domain::operation::Fault;
use crate::domain::snapshot::{Card, Content, Handle};
use std::fmt::Debug;
use std::path::{Path, PathBuf};

/// One resource's access to its technology. An instance is bound to one resource, so no verb
/// carries it. All verbs block, are called from worker threads, and may be called again after a
/// crash at any instruction.
pub trait Backend: Debug + Send + Sync {
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
    fn probe(&self) -> Result<Probe, BackendError>;

    /// Takes a snapshot under `order.card`. There is exactly one commit point; what has not passed
    /// it is never listed as whole. On return it is durable against a power cut. A snapshot that
    /// exists whole under the same sequence number and id is returned as it is.
    fn take(&self, order: &TakeOrder<'_>) -> Result<Object, BackendError>;

    /// Everything that bears this resource's marker, whole or partial. Works while the live
    /// resource is absent, as long as the store can be reached. A listing that might be cut short
    /// is an error, never a shorter list.
    fn list(&self) -> Result<Survey, BackendError>;

    /// Measures the content of a snapshot and sees that it can be read.
    fn verify(&self, handle: &Handle) -> Result<Content, BackendError>;

    /// Destroys exactly this snapshot, whole or partial: marker, id and object identity are read
    /// from the object again right before. Durable on return; one that is gone already is success.
    ///
    /// # Errors
    /// [`Fault::Identity`] when something else is in its place; that is left alone.
    fn destroy(&self, handle: &Handle) -> Result<(), BackendError>;

    /// Makes a new, writable copy at `target`, which must not exist. It appears there whole or not
    /// at all and is durable on return. The remains of an interrupted attempt at the same target
    /// by the same snapshot are cleared away first.
    fn restore(
        &self,
        handle: &Handle,
        target: &Path,
        progress: &dyn Progress,
    ) -> Result<(), BackendError>;

    /// Opens the content of a whole snapshot for looking into its files. It must be reached
    /// through no symbolic link, and nothing may be written by way of it.
    ///
    /// # Errors
    /// [`Fault::Permanent`] where the technology has no files to show.
    fn tree(&self, handle: &Handle) -> Result<browse::OpenTree, BackendError> {
        let doing = format!("looking into snapshot {}", handle.seq);
        Err(BackendError::new(Fault::Permanent, doing, "this backend cannot show files"))
    }

    /// Durably replaces the mark beside a snapshot.
    fn mark(&self, handle: &Handle, mark: &Mark) -> Result<(), BackendError>;

    /// What a snapshot occupies; `None` where the technology cannot tell.
    fn usage(&self, handle: &Handle) -> Result<Usage, BackendError>;

    /// Whether [`Backend::usage`] costs no more than a listing. Then it is asked at every sweep;
    /// else once a day.
    fn usage_is_cheap(&self) -> bool {
        false
    }
}

/// Told how far a long act is. Called often; cheap.
pub trait Progress: Send + Sync {
    fn report(&self, done_bytes: u64, total_bytes: Option<u64>);
}

impl Progress for () {
    fn report(&self, _done: u64, _total: Option<u64>) {}
}

/// Facts about a technology; no promises, no policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Taking costs the same whatever the size.
    pub instant: bool,
    /// How many acts on one pool may usefully be in flight together; at least 1.
    pub in_flight: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Territory {
    /// The live resource's paths.
    pub roots: Vec<PathBuf>,
    /// Paths below the roots that snapshots leave out on purpose.
    pub left_out: Vec<PathBuf>,
    /// Whether what lies below the roots may be a resource of its own, as btrfs subvolumes may.
    pub open_below: bool,
    /// Where snapshots are stored, if that is a path.
    pub store: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Stable while the resource is the same one: UUIDs, never a path.
    pub identity: String,
}

/// What to take.
#[derive(Clone, Copy, Debug)]
pub struct TakeOrder<'a> {
    pub card: &'a Card,
    /// Copy this snapshot instead of the live resource.
    pub source: Option<&'a Handle>,
    /// The newest whole snapshot's sequence number, for backends that store only what changed.
    pub previous: Option<&'a Handle>,
}

/// A snapshot that exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object {
    /// The backend's identity of it, to be found in the listing again.
    pub object: String,
    /// Sentences for a person: how it was copied, what is not in it.
    pub notes: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Logical bytes.
    pub stored: Option<u64>,
    /// Bytes that would become free without it.
    pub exclusive: Option<u64>,
}

/// A verb that failed: what it was doing, what kind of fault, and the cause below.
#[derive(Debug, thiserror::Error)]
#[error("{doing}: {detail}")]
pub struct BackendError {
    /// What was being done to what, as a person would say it.
    pub doing: String,
    pub fault: Fault,
    pub detail: String,
}

impl BackendError {
    pub fn new(fault: Fault, doing: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { doing: doing.into(), fault, detail: detail.into() }
    }

    /// Classifies an operating system error.
    pub fn io(doing: impl Into<String>, error: &std::io::Error) -> Self {
        use rustix::io::Errno;
        let fault = match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => Fault::NoSpace,
            Some(Errno::BUSY | Errno::TXTBSY | Errno::AGAIN) => Fault::Busy,
            Some(Errno::NOENT | Errno::NOTDIR | Errno::NODEV | Errno::NXIO) => Fault::Absent,
            // No later try finds another answer: rights, kinds of things, names.
            Some(
                Errno::ACCESS
                | Errno::PERM
                | Errno::ROFS
                | Errno::OPNOTSUPP
                | Errno::INVAL
                | Errno::EXIST
                | Errno::ISDIR
                | Errno::LOOP
                | Errno::NAMETOOLONG,
            ) => Fault::Permanent,
            _ => Fault::Transient,
        };
        Self::new(fault, doing, error.to_string())
    }
}

/// Adds what was being done to an I/O error.
pub trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, BackendError>;
}

impl<T, E: Into<std::io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, BackendError> {
        self.map_err(|error| BackendError::io(what(), &error.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn an_error_of_the_system_has_the_fault_that_says_whether_to_try_again() {
        let check = |fault: Fault, errors: &[Errno]| {
            for error in errors {
                let found = BackendError::io("trying", &(*error).into());
                assert_eq!(found.fault, fault, "{found}");
            }
        };
        check(Fault::NoSpace, &[Errno::NOSPC, Errno::DQUOT, Errno::FBIG]);
        check(Fault::Busy, &[Errno::BUSY, Errno::TXTBSY, Errno::AGAIN]);
        check(Fault::Absent, &[Errno::NOENT, Errno::NOTDIR, Errno::NODEV, Errno::NXIO]);
        check(Fault::Permanent, &[Errno::ACCESS, Errno::PERM, Errno::ROFS]);
        check(Fault::Permanent, &[Errno::OPNOTSUPP, Errno::INVAL]);
        check(Fault::Permanent, &[Errno::EXIST, Errno::ISDIR, Errno::LOOP, Errno::NAMETOOLONG]);
        check(Fault::Transient, &[Errno::IO, Errno::INTR, Errno::STALE, Errno::NOMEM]);
    }
}
