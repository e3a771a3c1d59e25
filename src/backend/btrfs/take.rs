//! Taking a snapshot, of the live resource or of another snapshot.
//!
//! The commit point is the snapshot request for `data`. It commits the file system, and with it
//! everything that was prepared: directory, manifest, nested snapshots, the sequence number. So no
//! step before needs a commit of its own, and many takes share one. Only the manifest's bytes must
//! be handed over first: a commit does not write file data that is still only in memory.

use super::content;
use super::detail::{Detail, NestedPart, PathText};
use super::live::{Live, Nested};
use super::rollback;
use super::store::{Entry, Store};
use super::stored::{self, BACKEND, DATA, NESTED, Stored, part_path};
use super::{Btrfs, place::Place};
use crate::backend::{Object, TakeOrder};
use crate::domain::operation::Fault;
use crate::domain::snapshot::{Card, Handle};
use crate::domain::survey::Wholeness;
use crate::fs::subvolume::{self, Subvolume};
use crate::fs::{Doing, StorageError};
use crate::host::sys;
use crate::store::manifest::{MANIFEST, Manifest};
use rustix::fs::{AtFlags, Mode, OFlags};
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::PoisonError;

/// How often a snapshot is begun while nested subvolumes come and go.
const ATTEMPTS: usize = 4;

pub(super) fn take(this: &Btrfs, order: &TakeOrder<'_>) -> Result<Object, StorageError> {
    let place = Place::of(&this.path)?;
    let handle = &order.card.handle;
    let store = this.open_store(&place)?;
    if let Some(store) = &store
        && let Entry::Ours(there) = store.look(handle.seq)?
        && there.manifest.id == handle.id
        && there.wholeness() == Wholeness::Whole
    {
        return Ok(Object::known_as(there.object(store.fsid), &there.manifest));
    }
    place.writable()?;
    if let Some(store) = &store
        && let Err(error) = rollback::remove_left(&this.path, &place, store)
    {
        tracing::warn!(%error, "what a rollback has left is still there: {error}");
    }
    let mut passing = None;
    for _ in 0..ATTEMPTS {
        let source = match order.source {
            Some(source) => Source::of_stored(this, &place, source)?,
            None => match Source::of_live(this, &place, store.as_ref()) {
                // One may have gone while it was looked at.
                Err(error) if error.fault == Fault::Transient => {
                    passing = Some(error);
                    continue;
                }
                source => source?,
            },
        };
        if let Some(object) = attempt(this, &place, &source, order)? {
            return Ok(object);
        }
    }
    Err(passing.unwrap_or_else(|| {
        let why = "subvolumes in it come and go all the time; stop what makes and removes them";
        StorageError::new(Fault::Transient, "taking the snapshot", why)
    }))
}

/// None where a nested subvolume went after it was listed.
fn attempt(
    this: &Btrfs,
    place: &Place,
    source: &Source,
    order: &TakeOrder<'_>,
) -> Result<Option<Object>, StorageError> {
    let handle = &order.card.handle;
    let store = Store::create(place, this.store.as_deref(), &this.resource)?;
    {
        let _alone = this.counting.lock().unwrap_or_else(PoisonError::into_inner);
        store.raise_high_water(handle.seq)?;
    }
    let dir = make_room(&store, handle)?;
    match fill(&dir, source, &this.manifest(order.card, source)) {
        Ok(()) => find(&store, handle).map(Some),
        Err(error) => {
            // Better nothing than a partial one; if this fails too, the next survey finds it.
            let _ = clear(&store, handle);
            if source.is_as_listed() { Err(error) } else { Ok(None) }
        }
    }
}

impl Btrfs {
    fn manifest(&self, card: &Card, source: &Source) -> Manifest {
        let mut manifest = Manifest::new(&self.resource, BACKEND, card);
        manifest.detail = source.detail.to_value();
        manifest.notes.clone_from(&source.notes);
        manifest.incomplete.clone_from(&source.incomplete);
        manifest
    }
}

/// What is to be copied: subvolumes that can be opened, and what the manifest shall say.
enum Base {
    Live(Box<Live>, Vec<Nested>),
    Stored(Box<Stored>, Subvolume),
}

struct Source {
    base: Base,
    detail: Detail,
    notes: Vec<String>,
    incomplete: Option<String>,
}

impl Source {
    fn of_live(this: &Btrfs, place: &Place, store: Option<&Store>) -> Result<Self, StorageError> {
        let mut live = Live::open(&this.path, place)?;
        let content::Chosen { nested, notes, incomplete } =
            content::choose(this, &mut live, place, store)?;
        let part = |nested: &Nested| NestedPart {
            path: PathText::from(nested.path.as_path()),
            source: nested.uuid,
            read_only: nested.read_only,
        };
        let detail = Detail {
            identity: live.identity.clone(),
            source: live.root.uuid(),
            top: live.is_top(),
            read_only: live.root.info.read_only,
            nested: nested.iter().map(part).collect(),
        };
        let base = Base::Live(Box::new(live), nested);
        Ok(Self { base, detail, notes, incomplete })
    }

    fn of_stored(this: &Btrfs, place: &Place, handle: &Handle) -> Result<Self, StorageError> {
        let mut stored = this.stored(place, handle)?.whole()?;
        let Some(data) = stored.data.take() else {
            return Err(this.missing(handle));
        };
        let mut detail = stored.detail.clone();
        detail.source = data.uuid();
        for (part, nested) in detail.nested.iter_mut().zip(stored.nested.iter().flatten()) {
            part.source = nested.uuid();
        }
        let notes = stored.manifest.notes.clone();
        let incomplete = stored.manifest.incomplete.clone();
        Ok(Self { base: Base::Stored(Box::new(stored), data), detail, notes, incomplete })
    }

    fn data(&self) -> &Subvolume {
        match &self.base {
            Base::Live(live, _) => &live.root,
            Base::Stored(_, data) => data,
        }
    }

    /// Whether all that is to be copied is still there.
    fn is_as_listed(&self) -> bool {
        match &self.base {
            Base::Live(live, nested) => {
                nested.iter().all(|nested| live.open_nested(nested).is_ok())
            }
            Base::Stored(..) => true,
        }
    }

    /// Snapshots the n-th nested subvolume into `dir`.
    fn snapshot_part(&self, at: usize, dir: &OwnedFd) -> Result<(), StorageError> {
        let name = at.to_string();
        let snapshot = |source: &Subvolume| {
            let result = sys::btrfs_snapshot(dir, &source.dir, OsStr::new(&name), true);
            result.doing(|| format!("taking the snapshot {}", part_path(at).display()))
        };
        match &self.base {
            Base::Live(live, nested) => match nested.get(at) {
                Some(nested) => snapshot(&live.open_nested(nested)?),
                None => Ok(()),
            },
            Base::Stored(stored, _) => {
                stored.nested.get(at).and_then(Option::as_ref).map_or(Ok(()), snapshot)
            }
        }
    }
}

/// A directory for this snapshot, with nothing in it.
fn make_room(store: &Store, handle: &Handle) -> Result<OwnedFd, StorageError> {
    clear(store, handle)?;
    let doing = || format!("making {}", store.path_of(handle.seq).display());
    let name = handle.seq.to_string();
    rustix::fs::mkdirat(&store.dir, &name, Mode::RWXU).doing(doing)?;
    subvolume::open_below(&store.dir, &name).doing(doing)
}

/// Removes what an interrupted taking of the same snapshot left.
fn clear(store: &Store, handle: &Handle) -> Result<(), StorageError> {
    let doing = || format!("clearing {}", store.path_of(handle.seq).display());
    let refuse = |detail: &str| Err(StorageError::new(Fault::Identity, doing(), detail));
    match store.look(handle.seq)? {
        Entry::Nothing => return Ok(()),
        Entry::Remains(dir) => stored::clear_dir(&dir)?,
        Entry::Foreign => return refuse("what lies there is not heptad's, or another resource's"),
        Entry::Ours(there) if there.manifest.id != handle.id => {
            return refuse("another snapshot has this sequence number");
        }
        Entry::Ours(there) if there.wholeness() == Wholeness::Partial => there.clear()?,
        Entry::Ours(_) => return refuse("this snapshot is there, but was changed"),
    }
    subvolume::remove(&store.dir, handle.seq.to_string(), AtFlags::REMOVEDIR).doing(doing)
}

fn fill(dir: &OwnedFd, source: &Source, manifest: &Manifest) -> Result<(), StorageError> {
    manifest.write_unsynced(&subvolume::path_of(dir))?;
    settle(dir)?;
    if !source.detail.nested.is_empty() {
        subvolume::make_dir(dir, NESTED).doing(|| format!("making {NESTED}"))?;
        let parts = subvolume::open_below(dir, NESTED).doing(|| format!("opening {NESTED}"))?;
        for at in 0..source.detail.nested.len() {
            source.snapshot_part(at, &parts)?;
        }
    }
    let result = sys::btrfs_snapshot(dir, &source.data().dir, OsStr::new(DATA), true);
    result.doing(|| "taking the snapshot".into())
}

/// Hands the manifest's bytes to the transaction that the snapshot will commit.
fn settle(dir: &OwnedFd) -> Result<(), StorageError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(dir, MANIFEST, flags, Mode::empty());
    let file = file.doing(|| format!("opening {MANIFEST}"))?;
    sys::settle(file.as_fd()).doing(|| format!("writing {MANIFEST} out"))
}

fn find(store: &Store, handle: &Handle) -> Result<Object, StorageError> {
    let doing = || format!("looking at the new snapshot {}", store.path_of(handle.seq).display());
    match store.look(handle.seq)? {
        Entry::Ours(there) if there.wholeness() == Wholeness::Whole => {
            Ok(Object::known_as(there.object(store.fsid), &there.manifest))
        }
        found => {
            let detail = format!("it is not as it was made: {found:?}");
            Err(StorageError::new(Fault::Transient, doing(), detail))
        }
    }
}
