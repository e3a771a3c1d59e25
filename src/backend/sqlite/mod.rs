//! The backend for one SQLite database file of somebody else's.
//!
//! A snapshot is one self-contained database, `<store>/<RESOURCE>/<SEQ>/data/database`, made by
//! SQLite's online backup: whatever was in a write-ahead log is in it, and it needs no log. It has
//! passed a check by SQLite before it is whole.
//!
//! A database file is a program of sorts: a journal beside it makes SQLite write, and names other
//! files. So whatever parses one runs in a process of its own, the helper, as the file's owner; the
//! daemon only moves files. The helper is this same program, started as `heptad helper sqlite`: it
//! opens the directories that it is told, becomes the owner for good, and only then looks at a
//! database. The owner could not reach the store by its path, and needs not: directories are held
//! open. What kills the helper (a page of shared memory that a full disk cannot hold is SIGBUS)
//! does not kill the daemon.
//!
//! This room knows the port, the store and the trees; it must not know other backends or the
//! catalogue.

mod check;
mod copy;
mod damaged;
mod denied;
mod detail;
mod elsewhere;
mod explain;
mod helper;
mod keep;
mod locks;
mod memory;
mod open;
mod owner;
mod pages;
mod protocol;
mod recognise;
mod restore;
mod rollback;
mod run;
mod seal;
mod settings;
mod sides;
mod take;
mod verify;

use super::facets::{FileTree, InPlace, Inspection, Rescue};
use super::{
    Backend, Capabilities, Object, RestoreOrder, Restored, RollbackOrder, TakeOrder, Territory,
};
use crate::browse::OpenTree;
use crate::domain::snapshot::{Content, Handle};
use crate::domain::survey::{Mark, Survey};
use crate::domain::usage::TotalUsage;
use crate::domain::usage::Usage;
use crate::fs::tree::open_nosymlink;
use crate::fs::{Doing, Progress, StorageError};
use crate::host::drop_in::DropIn;
use crate::store::identity;
use crate::store::identity::Probe;
use crate::store::manifest::write_mark;
use crate::store::{self, Store};
use detail::Detail;
use settings::Settings;

pub(super) use helper::serve;
pub(super) use recognise::recognise;
pub(super) use settings::{OPTIONS, build};

/// The name in the configuration and in manifests.
const WORD: &str = "sqlite";
/// The directory of a snapshot that the database's owner may enter.
const DATA: &str = "data";
/// The copy in it.
const DATABASE: &str = "database";

#[derive(Debug)]
pub(super) struct Sqlite {
    settings: Settings,
    store: Store,
}

impl Backend for Sqlite {
    fn capabilities(&self) -> Capabilities {
        // To work as the owner of the database, and to see who has it open.
        let drop_ins: &[DropIn] = match self.settings.as_owner {
            true => &[DropIn::Databases],
            false => &[DropIn::Rollback],
        };
        Capabilities { drop_ins, ..Capabilities::default() }
    }

    fn pool(&self) -> String {
        format!("{WORD}:{}", self.store.root().display())
    }

    fn territory(&self) -> Territory {
        Territory {
            key: "path",
            roots: vec![self.settings.path.clone()],
            name: None,
            left_out: Vec::new(),
            open_below: false,
            store: Some(self.store.root().to_owned()),
        }
    }

    fn probe(&self) -> Result<Probe, StorageError> {
        owner::open(&self.settings.path)?;
        identity::probe(&self.settings.path)
    }

    fn take(&self, order: &TakeOrder<'_>, progress: &dyn Progress) -> Result<Object, StorageError> {
        take::take(&self.settings, &self.store, order, progress)
    }

    fn list(&self) -> Result<Survey, StorageError> {
        let survey = store::list::<Detail>(&self.store, &self.settings.path)?;
        Ok(Survey { engine: Some(detail::engine()), ..survey })
    }

    /// Sees that the copy looks as it did and lets SQLite check it, as thoroughly as configured.
    fn verify(&self, handle: &Handle, progress: &dyn Progress) -> Result<Content, StorageError> {
        verify::verify(&self.settings, &self.store.whole(handle)?, progress)
    }

    fn destroy(&self, handle: &Handle) -> Result<(), StorageError> {
        self.store.destroy(handle)
    }

    fn restore(
        &self,
        order: &RestoreOrder<'_>,
        progress: &dyn Progress,
    ) -> Result<Restored, StorageError> {
        order.is_plain()?;
        let item = self.store.whole(order.handle)?;
        restore::restore(&self.settings, &item, order.target, progress)?;
        Ok(Restored::at(order.target))
    }

    fn mark(&self, handle: &Handle, mark: &Mark) -> Result<(), StorageError> {
        write_mark(&self.store.whole(handle)?.path, mark)
    }

    fn usage(&self, handle: &Handle) -> Result<Usage, StorageError> {
        let item = self.store.whole(handle)?;
        let file = detail::database(&item.path);
        let file = file.doing(|| format!("measuring {}", item.path.display()))?;
        Ok(store::blocks(&file)?.usage())
    }

    fn occupied(&self) -> Result<Option<TotalUsage>, StorageError> {
        let live = || Ok(vec![open_nosymlink(&self.settings.path)?]);
        store::occupied(&self.store, live, &[])
    }

    fn inspection(&self) -> Option<&dyn Inspection> {
        Some(self)
    }

    fn rescue(&self) -> Option<&dyn Rescue> {
        Some(self)
    }

    fn in_place(&self) -> Option<&dyn InPlace> {
        Some(self)
    }

    fn files(&self) -> Option<&dyn FileTree> {
        Some(self)
    }
}

impl Inspection for Sqlite {
    /// An empty file is an empty database.
    fn usable(&self) -> Result<(), StorageError> {
        self.probe()?;
        recognise::expect(&self.settings.path)
    }
}

impl Rescue for Sqlite {
    fn take_damaged(
        &self,
        order: &TakeOrder<'_>,
        why: StorageError,
        progress: &dyn Progress,
    ) -> Result<Object, StorageError> {
        damaged::take(&self.settings, &self.store, order, &why, progress)
    }
}

impl InPlace for Sqlite {
    fn users(&self) -> Result<Vec<String>, StorageError> {
        owner::open(&self.settings.path)?;
        rollback::users(&self.settings.path)
    }

    fn rollback(
        &self,
        order: &RollbackOrder<'_>,
        progress: &dyn Progress,
    ) -> Result<Probe, StorageError> {
        rollback::rollback(&self.settings, &self.store, order, progress)?;
        self.probe()
    }
}

impl FileTree for Sqlite {
    /// The single file.
    fn tree(&self, handle: &Handle) -> Result<OpenTree, StorageError> {
        let (item, _) = self.store.untouched::<Detail>(handle)?;
        Ok(OpenTree::new(self.store.part(&item, &format!("{DATA}/{DATABASE}"))?))
    }
}
