//! The btrfs backend: read-only snapshots of a subvolume and of those nested in it, by the
//! kernel's own requests, beside their manifests on the same file system.
//!
//! It must not know other backends, and nothing here may keep a descriptor between two jobs.
//! Needs `CAP_SYS_ADMIN`; without it `probe` says so.

mod carry;
mod content;
mod detail;
mod lineage;
mod live;
mod measure;
mod place;
mod recognise;
mod restore;
mod rollback;
mod seal;
mod settings;
mod shown;
mod store;
mod store_root;
mod stored;
mod swap_file;
mod take;
mod unseen;

pub(super) use recognise::recognise;

use super::facets::{Creation, FileTree, InPlace, Inspection};
use super::options::Reader;
use super::options::{Context, OptionFinding};
use super::{
    Backend, Capabilities, Object, RestoreOrder, Restored, RollbackOrder, TakeOrder, Territory,
};
use crate::browse::OpenTree;
use crate::domain::name::ResourceName;
use crate::domain::operation::Fault;
use crate::domain::snapshot::{Content, Handle};
use crate::domain::survey::{Found, Mark, Survey};
use crate::domain::told::Told;
use crate::domain::usage::TotalUsage;
use crate::domain::usage::Usage;
use crate::fs::usage::Unmeasurable;
use crate::fs::{Doing, Progress, StorageError, subvolume};
use crate::host::drop_in::DropIn;
use crate::host::sys;
use crate::store::identity::Probe;
use crate::store::manifest;
use lineage::Sources;
use live::{Live, Nested};
use place::Place;
use rustix::fs::AtFlags;
use rustix::io::Errno;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use store::{Entry, Store};
use stored::Stored;
use unseen::Unseen;

pub(super) use settings::OPTIONS;

/// How many acts share a commit best; measured, see `tests/bench/btrfs_take.rs`.
const IN_FLIGHT: usize = 64;

/// One resource: a subvolume at a path.
#[derive(Debug)]
pub(super) struct Btrfs {
    resource: ResourceName,
    path: PathBuf,
    /// Where snapshots go; none: at the top of the file system.
    store: Option<PathBuf>,
    nested: NestedMode,
    /// Held while the highest sequence number is read and raised.
    counting: Mutex<()>,
    sources: Sources,
}

/// What becomes of subvolumes nested in the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NestedMode {
    /// They are part of each snapshot.
    Include,
    /// They are not, and the snapshot says so.
    Note,
    /// They are not, because they are protected on their own.
    Separate,
}

const NESTED_MODES: &[(&str, NestedMode)] = &[
    ("include", NestedMode::Include),
    ("note", NestedMode::Note),
    ("separate", NestedMode::Separate),
];

/// Checks the options. Touches no file system.
pub(super) fn build(
    options: &serde_json::Map<String, serde_json::Value>,
    context: &Context,
) -> Result<Arc<dyn Backend>, Vec<OptionFinding>> {
    let mut reader = Reader::new(options, OPTIONS);
    let path = reader.required_path("path");
    let store = reader.path("store");
    let nested = reader.choice("nested", NESTED_MODES).unwrap_or(NestedMode::Include);
    if let (Some(path), Some(store)) = (&path, &store)
        && store.starts_with(path)
    {
        let problem = format!("lies in {}: snapshots would contain snapshots", path.display());
        reader.find("store", problem, "choose a directory outside, or leave it out");
    }
    let resource = context.resource.clone();
    let built = path.map(|path| Btrfs {
        resource,
        path,
        store,
        nested,
        counting: Mutex::default(),
        sources: Sources::default(),
    });
    reader.finish(built).map(|built| Arc::new(built) as Arc<dyn Backend>)
}

impl Btrfs {
    fn open_store(&self, place: &Place) -> Result<Option<Store>, StorageError> {
        Store::open(place, self.store.as_deref(), &self.resource)
    }

    /// The store, for verbs that must not take a missing one for an empty one. Without the live
    /// resource nothing shows that this is the file system that the snapshots lie on.
    fn sure_store(&self, place: &Place) -> Result<Option<Store>, StorageError> {
        match self.open_store(place)? {
            Some(store) => Ok(Some(store)),
            None => Live::open(&self.path, place).map(|_| None),
        }
    }

    /// The snapshot that a handle means, whatever its state.
    fn stored(&self, place: &Place, handle: &Handle) -> Result<Stored, StorageError> {
        expect_place(place, handle)?;
        let Some(store) = self.sure_store(place)? else { return Err(self.missing(handle)) };
        match store.look(handle.seq)? {
            Entry::Ours(stored) => stored.must_be(handle, store.fsid).map(|()| *stored),
            Entry::Nothing | Entry::Remains(_) | Entry::Foreign => Err(self.missing(handle)),
        }
    }

    fn missing(&self, handle: &Handle) -> StorageError {
        let doing = format!("opening snapshot {} of {}", handle.seq, self.resource);
        StorageError::new(Fault::Absent, doing, "it is not there")
    }

    /// A configured store must not lie in what is snapshotted, by whatever path.
    fn refuse_own_store(
        &self,
        place: &Place,
        live: &Live,
        nested: &[Nested],
    ) -> Result<(), StorageError> {
        let Some(path) = &self.store else { return Ok(()) };
        let doing = || format!("looking at the store {}", path.display());
        let store = store_root::open_configured(path, place)?;
        let holder = sys::btrfs_subvolume(&store).doing(doing)?.id;
        if holder != live.root.info.id && nested.iter().all(|nested| nested.id != holder) {
            return Ok(());
        }
        let detail = "it lies in the resource: snapshots would contain snapshots; choose another";
        Err(StorageError::new(Fault::Permanent, doing(), detail))
    }
}

/// # Errors
/// [`Fault::Absent`] when the snapshot was made on another file system than is mounted now.
fn expect_place(place: &Place, handle: &Handle) -> Result<(), StorageError> {
    let here = place.fsid.to_string();
    match handle.object.split_once(':') {
        Some((fsid, _)) if fsid != here => Err(StorageError::new(
            Fault::Absent,
            format!("looking for snapshot {}", handle.seq),
            format!("its file system {fsid} is not mounted; at its place is {here}"),
        )),
        _ => Ok(()),
    }
}

impl Backend for Btrfs {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            instant: true,
            in_flight: IN_FLIGHT,
            drop_ins: &[DropIn::Rollback, DropIn::Mount],
            usage_is_cheap: true,
            ..Capabilities::default()
        }
    }

    fn pool(&self) -> String {
        match place::mount_of(&self.path) {
            Ok(mount) => format!("fs {}", mount.device),
            Err(_) => format!("path {}", self.path.display()),
        }
    }

    fn territory(&self) -> Territory {
        Territory {
            key: "path",
            roots: vec![self.path.clone()],
            name: None,
            left_out: Vec::new(),
            open_below: self.nested == NestedMode::Separate,
            store: self.store.clone(),
        }
    }

    fn probe(&self) -> Result<Probe, StorageError> {
        let place = Place::of(&self.path)?;
        rollback::expect_current(self, &place)?;
        let live = Live::open(&self.path, &place)?;
        measure::privileged(&live.root)?;
        Ok(Probe { identity: live.identity })
    }

    fn take(&self, order: &TakeOrder<'_>, progress: &dyn Progress) -> Result<Object, StorageError> {
        // Once it has begun it is done.
        progress.wanted()?;
        take::take(self, order)
    }

    fn list(&self) -> Result<Survey, StorageError> {
        let place = Place::of(&self.path)?;
        let live = Live::open(&self.path, &place);
        let identity = match &live {
            Ok(live) => Some(live.identity.clone()),
            Err(error) if error.fault == Fault::Absent => None,
            Err(_) => return live.map(|_| Survey::default()),
        };
        let mut survey = Survey { identity, ..Survey::default() };
        let Some(store) = self.open_store(&place)? else {
            // Nothing was ever taken here, or this is not the file system that it was taken on.
            return live.map(|_| survey);
        };
        survey.high_water = store.high_water()?;
        for seq in store.seqs()? {
            match store.look(seq)? {
                Entry::Ours(stored) => {
                    survey.found.push(found(&store, &stored)?);
                }
                Entry::Remains(_) => store.sweep(seq),
                Entry::Nothing | Entry::Foreign => {}
            }
        }
        Ok(survey)
    }

    fn verify(&self, handle: &Handle, _progress: &dyn Progress) -> Result<Content, StorageError> {
        let stored = self.stored(&Place::of(&self.path)?, handle)?.whole()?;
        let data = stored.data.as_ref().ok_or_else(|| self.missing(handle))?;
        measure::content(&stored, data)
    }

    fn destroy(&self, handle: &Handle) -> Result<(), StorageError> {
        let place = Place::of(&self.path)?;
        expect_place(&place, handle)?;
        let Some(store) = self.sure_store(&place)? else { return Ok(()) };
        let doing = || format!("destroying {}", store.path_of(handle.seq).display());
        match store.look(handle.seq)? {
            Entry::Nothing => {}
            Entry::Foreign => {
                let detail = "what lies there is not heptad's, or another resource's";
                return Err(StorageError::new(Fault::Identity, doing(), detail));
            }
            Entry::Remains(dir) => {
                place.writable()?;
                stored::clear_dir(&dir)?;
            }
            Entry::Ours(stored) => {
                stored.must_be(handle, store.fsid)?;
                place.writable()?;
                stored.clear()?;
            }
        }
        match subvolume::remove(&store.dir, handle.seq.to_string(), AtFlags::REMOVEDIR) {
            Ok(()) => {}
            // Somebody put something else there; it stays, without a manifest.
            Err(Errno::NOTEMPTY) => {
                let dir = subvolume::open_below(&store.dir, handle.seq.to_string()).doing(doing)?;
                subvolume::sync(&dir).doing(doing)?;
            }
            Err(error) => return Err(error).doing(doing),
        }
        // Also when it is gone already: nothing says that its end was durable.
        subvolume::sync(&store.dir).doing(doing)
    }

    fn restore(
        &self,
        order: &RestoreOrder<'_>,
        progress: &dyn Progress,
    ) -> Result<Restored, StorageError> {
        order.is_plain()?;
        let (handle, place) = (order.handle, Place::of(&self.path)?);
        let stored = self.stored(&place, handle)?.whole()?;
        let data = stored.data.as_ref().ok_or_else(|| self.missing(handle))?;
        let unseen = Unseen::find(&self.path, order.target, &place)?;
        let target = match &unseen {
            Some(unseen) => unseen.target(handle.id)?,
            None => restore::Target::open(order.target, handle.id, &place)?,
        };
        progress.report(0, None);
        target.fill(&stored, data, progress)?;
        let notes = unseen.map(|unseen| unseen.notes()).unwrap_or_default();
        Ok(Restored { notes, ..Restored::at(order.target) })
    }

    fn mark(&self, handle: &Handle, mark: &Mark) -> Result<(), StorageError> {
        let place = Place::of(&self.path)?;
        let stored = self.stored(&place, handle)?;
        place.writable()?;
        manifest::write_mark(&subvolume::path_of(&stored.dir), mark)
    }

    fn usage(&self, handle: &Handle) -> Result<Usage, StorageError> {
        measure::usage(&self.stored(&Place::of(&self.path)?, handle)?)
    }

    fn occupied(&self) -> Result<Option<TotalUsage>, StorageError> {
        let place = Place::of(&self.path)?;
        let Some(store) = self.sure_store(&place)? else { return Ok(None) };
        Unmeasurable::settle(measure::occupied(&store, || Live::open(&self.path, &place)))
    }

    fn inspection(&self) -> Option<&dyn Inspection> {
        Some(self)
    }

    fn creation(&self) -> Option<&dyn Creation> {
        Some(self)
    }

    fn in_place(&self) -> Option<&dyn InPlace> {
        Some(self)
    }

    fn files(&self) -> Option<&dyn FileTree> {
        Some(self)
    }
}

impl Inspection for Btrfs {
    fn usable(&self) -> Result<(), StorageError> {
        self.probe().map(drop)
    }

    fn oddities(&self) -> Vec<OptionFinding> {
        // What stands against a look is for probing to say.
        content::oddities(self).unwrap_or_default()
    }
}

impl Creation for Btrfs {
    /// The root of all files has nothing beside it.
    fn beside(&self, name: &ResourceName) -> Option<PathBuf> {
        Some(self.path.parent().unwrap_or(Path::new("/mnt")).join(name.as_str()))
    }
}

impl InPlace for Btrfs {
    fn users(&self) -> Result<Vec<String>, StorageError> {
        rollback::users(self)
    }

    fn rollback(
        &self,
        order: &RollbackOrder<'_>,
        progress: &dyn Progress,
    ) -> Result<Probe, StorageError> {
        progress.report(0, None);
        rollback::rollback(self, order, progress)
    }

    fn left_to_do(&self) -> Option<String> {
        rollback::left_to_do(self)
    }
}

impl FileTree for Btrfs {
    fn tree(&self, handle: &Handle) -> Result<OpenTree, StorageError> {
        let place = Place::of(&self.path)?;
        let stored = self.stored(&place, handle)?.whole()?;
        stored.into_tree(&place.mount.source).ok_or_else(|| self.missing(handle))
    }
}

fn found(store: &Store, stored: &Stored) -> Result<Found, StorageError> {
    Ok(Found {
        card: stored.manifest.card(stored.object(store.fsid))?,
        state: stored.wholeness(),
        mark: stored.manifest.mark(&subvolume::path_of(&stored.dir))?,
        content: None,
        notes: stored.manifest.notes.clone(),
        told: Told::default(),
    })
}
