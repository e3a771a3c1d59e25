//! Reading in snapshots for clients: beside the keeper's work and never on its threads, a bounded
//! number at once, so that a pool that is stuck holds up only those who ask for it.

use super::bindings::{Bindings, Bound};
use super::create::no_image;
use super::leases::Lease;
use crate::api::service::{Handover, OpenFile, Target};
use crate::backend::{Backend, Image, RestoreOrder};
use crate::browse::{self, Bounds, Detached, OpenTree};
use crate::domain::name::ResourceName;
use crate::domain::new_resource::NewResource;
use crate::domain::operation::Fault;
use crate::domain::snapshot::Handle;
use crate::domain::tree::{BrowseError, Differences, Listing, TreePath};
use crate::fs::StorageError;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Error, ErrorKind, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;

/// Most readers at once, of one pool and in all. A reader that is stuck in the kernel counts until
/// the kernel lets it go.
const OF_A_POOL: usize = 8;
const IN_ALL: usize = 48;

/// How long one comparison may go on; less than the server waits for an answer.
const COMPARING: Duration = Duration::from_secs(20);

/// Bytes of a file that are read at once, and how many such pieces may wait for the client.
const PIECE: usize = 256 << 10;
const AHEAD: usize = 4;

#[derive(Debug)]
pub(super) struct Readers {
    bindings: Arc<Bindings>,
    busy: Arc<Mutex<BTreeMap<String, usize>>>,
}

/// A place among the readers of a pool, until dropped.
#[derive(Debug)]
struct Place {
    busy: Arc<Mutex<BTreeMap<String, usize>>>,
    pool: String,
}

/// All that one reader of one snapshot holds, until its thread is done.
#[derive(Debug)]
struct Ticket {
    binding: Arc<Bound>,
    handle: Handle,
    _lease: Lease,
    _place: Place,
}

impl Readers {
    pub(super) fn new(bindings: Arc<Bindings>) -> Self {
        Self { bindings, busy: Arc::default() }
    }

    pub(super) async fn list(
        &self,
        of: Target,
        path: TreePath,
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<Listing, BrowseError> {
        let ticket = self.admit(&of)?;
        let work = move || browse::list(&ticket.open()?, &path, after.as_deref(), limit);
        spawn_blocking(work).await.unwrap_or_else(|_| Err(bug()))
    }

    /// The thread that reads ahead ends with the file, or when nobody takes its pieces any more.
    pub(super) async fn file(&self, of: Target, path: TreePath) -> Result<OpenFile, BrowseError> {
        let ticket = self.admit(&of)?;
        let (told, head) = oneshot::channel();
        let (pieces, bytes) = mpsc::channel(AHEAD);
        spawn_blocking(move || {
            let opened = ticket.open().and_then(|tree| {
                let opened = browse::open(&tree, &path)?;
                Ok((opened, tree))
            });
            match opened {
                Ok(((file, entry), _tree)) => {
                    let size = entry.size;
                    if told.send(Ok(entry)).is_ok() {
                        pump(file, size, &pieces);
                    }
                }
                // Whoever asked may have gone.
                Err(why) => drop(told.send(Err(why))),
            }
        });
        let entry = head.await.map_err(|_| bug())??;
        Ok(OpenFile { entry, bytes })
    }

    pub(super) async fn compare(
        &self,
        old: Target,
        new: Target,
        path: TreePath,
        after: Option<TreePath>,
        limit: usize,
    ) -> Result<Differences, BrowseError> {
        let tickets = (self.admit(&old)?, self.admit(&new)?);
        let gone = Gone::default();
        let nobody_waits = Arc::clone(&gone.0);
        let end = Instant::now() + COMPARING;
        let work = move || {
            let (old, new) = (tickets.0.open()?, tickets.1.open()?);
            let stop = || nobody_waits.load(Ordering::Relaxed) || Instant::now() >= end;
            let bounds = Bounds { limit, stop: &stop };
            browse::compare(&old, &new, &path, after.as_ref(), &bounds)
        };
        spawn_blocking(work).await.unwrap_or_else(|_| Err(bug()))
    }

    /// The snapshot counts as read until the handover is dropped, and from then on while it is
    /// mounted.
    pub(super) async fn mount(&self, of: Target) -> Result<Handover, BrowseError> {
        let ticket = self.admit(&of)?;
        let bindings = Arc::clone(&self.bindings);
        let work = move || {
            let Detached { mount, shows } = browse::detach(ticket.open()?)?;
            let noted = bindings.mounted().note(&of.resource, of.handle.seq, shows);
            let failed = |error: Error| {
                BrowseError::Unreadable(format!("that it is mounted cannot be noted: {error}"))
            };
            let on_its_way = noted.map_err(failed)?;
            Ok(Handover { mount, held: Box::new((ticket, on_its_way)) })
        };
        spawn_blocking(work).await.unwrap_or_else(|_| Err(bug()))
    }

    /// Why nothing like that can be made of a snapshot. What cannot be looked at now is no reason.
    pub(super) async fn fits(&self, of: Target, draft: NewResource) -> Result<(), String> {
        let Ok(ticket) = self.admit(&of) else { return Ok(()) };
        let work = move || {
            let same = RestoreOrder::copy(&ticket.handle, &draft.name, Path::new("/"));
            let (plan, size, port) = (draft.plan.as_ref(), draft.size, draft.port);
            match ticket.binding.backend.fits(&RestoreOrder { plan, size, port, ..same }) {
                Err(error) if error.fault == Fault::Permanent => Err(error.detail),
                _ => Ok(()),
            }
        };
        spawn_blocking(work).await.unwrap_or(Ok(()))
    }

    /// Why an instance cannot be given a disk now. What cannot be looked at now is no reason.
    pub(super) async fn may_attach(
        &self,
        instance: ResourceName,
        disk: ResourceName,
    ) -> Result<(), String> {
        let look = |backend: &dyn Backend, image: &Image| backend.may_attach(image);
        self.look_at_disk(&instance, &disk, look).await
    }

    /// Why a disk cannot be taken from an instance now.
    pub(super) async fn may_detach(
        &self,
        instance: ResourceName,
        disk: ResourceName,
    ) -> Result<(), String> {
        let name = instance.clone();
        let look = move |backend: &dyn Backend, image: &Image| match backend.has_disk(image)? {
            true => Ok(()),
            false => {
                let why = format!("{name} does not have disk {}", image.name);
                Err(StorageError::new(Fault::Absent, "detaching a disk", why))
            }
        };
        self.look_at_disk(&instance, &disk, look).await
    }

    async fn look_at_disk(
        &self,
        instance: &ResourceName,
        disk: &ResourceName,
        look: impl FnOnce(&dyn Backend, &Image) -> Result<(), StorageError> + Send + 'static,
    ) -> Result<(), String> {
        let Some(binding) = self.bindings.of(instance) else { return Ok(()) };
        let Some(of_disk) = self.bindings.of(disk) else { return Ok(()) };
        let image = of_disk.backend.image().ok_or_else(|| no_image(disk))?;
        let Ok(place) = self.place(binding.backend.pool()) else { return Ok(()) };
        let work = move || {
            let _place = place;
            match look(binding.backend.as_ref(), &image) {
                Err(error) if matches!(error.fault, Fault::Permanent | Fault::Absent) => {
                    Err(error.detail)
                }
                _ => Ok(()),
            }
        };
        spawn_blocking(work).await.unwrap_or(Ok(()))
    }

    fn admit(&self, of: &Target) -> Result<Ticket, BrowseError> {
        let binding = self.bindings.of(&of.resource).ok_or(BrowseError::NoBackend)?;
        let place = self.place(binding.backend.pool())?;
        let lease = self.bindings.leases().read(&of.resource, of.handle.seq);
        let lease = lease.ok_or(BrowseError::Going)?;
        Ok(Ticket { binding, handle: of.handle.clone(), _lease: lease, _place: place })
    }

    fn place(&self, pool: String) -> Result<Place, BrowseError> {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let here = busy.get(&pool).copied().unwrap_or(0);
        if here >= OF_A_POOL || busy.values().sum::<usize>() >= IN_ALL {
            return Err(BrowseError::Crowded);
        }
        busy.insert(pool.clone(), here + 1);
        Ok(Place { busy: Arc::clone(&self.busy), pool })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        match busy.get_mut(&self.pool) {
            Some(here) if *here > 1 => *here -= 1,
            _ => {
                busy.remove(&self.pool);
            }
        }
    }
}

impl Ticket {
    fn open(&self) -> Result<OpenTree, BrowseError> {
        self.binding.backend.tree(&self.handle).map_err(unshown)
    }
}

/// Becomes true when the one who asked waits no longer.
#[derive(Default)]
struct Gone(Arc<AtomicBool>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends exactly `size` bytes; a file that turns out to be shorter ends in an error.
fn pump(file: File, size: u64, pieces: &mpsc::Sender<std::io::Result<Vec<u8>>>) {
    let mut left = size;
    while left > 0 {
        let wanted = PIECE.min(usize::try_from(left).unwrap_or(PIECE));
        let mut piece = Vec::with_capacity(wanted);
        let read = (&file).take(wanted as u64).read_to_end(&mut piece);
        let piece = match read {
            Ok(read) if read == wanted => Ok(piece),
            Ok(_) => Err(Error::new(ErrorKind::UnexpectedEof, "the file is shorter than it was")),
            Err(error) => Err(error),
        };
        let failed = piece.is_err();
        if pieces.blocking_send(piece).is_err() || failed {
            return;
        }
        left -= wanted as u64;
    }
}

fn unshown(error: StorageError) -> BrowseError {
    let text = error.to_string();
    match error.fault {
        Fault::Permanent => BrowseError::Never(text),
        Fault::Identity => BrowseError::Changed(text),
        _ => BrowseError::Unreadable(text),
    }
}

fn bug() -> BrowseError {
    BrowseError::Unreadable("a bug in heptad stopped it".into())
}
