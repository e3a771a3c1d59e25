//! The backend for a whole PostgreSQL cluster, from version 13 on.
//!
//! A snapshot is a copy of the data directory and its tablespaces, and the part of the write-ahead
//! log that makes one state of them, under `<store>/<RESOURCE>/<SEQ>/`: `data`, `tablespaces/OID`,
//! `wal`, `backup_label`, and `config` for configuration files that lie elsewhere, with all that
//! they include. It needs no archive. Where the data directory is a btrfs subvolume beside its
//! store, or blocks can be shared with the store, taking costs the same whatever the size;
//! elsewhere `pg_basebackup` copies.
//!
//! Everything about the cluster is done as the data directory's owner. Backup mode and the slot
//! that holds the log belong to one session, so that they end with heptad, however it ends.
//!
//! This room knows the port, the store and the trees; it must not know other backends or the
//! catalogue.

mod as_owner;
mod assemble;
mod base;
mod checksum;
mod cluster;
mod conf;
mod config;
mod configure;
mod copy;
mod detail;
mod ground;
mod keep;
mod list;
mod mains;
mod moved;
mod offline;
mod online;
mod outside;
mod places;
mod ports;
mod proof;
mod prove;
mod recognise;
mod restore;
mod rewrite;
mod rollback;
mod session;
mod settings;
mod source;
mod take;
mod tools;
mod verify;
mod wal;

use super::facets::{Creation, FileTree, InPlace, Inspection, beside};
use super::options::OptionFinding;
use super::{
    Backend, Capabilities, Object, RestoreOrder, Restored, RollbackOrder, TakeOrder, Territory,
};
use crate::browse::OpenTree;
use crate::domain::name::ResourceName;
use crate::domain::snapshot::{Content, Handle};
use crate::domain::survey::{Mark, Survey};
use crate::domain::usage::TotalUsage;
use crate::domain::usage::Usage;
use crate::fs::tree::open_nosymlink;
use crate::fs::{Doing, Progress, StorageError};
use crate::host::drop_in::DropIn;
use crate::store::identity::Probe;
use crate::store::manifest::write_mark;
use crate::store::{self, Store, blocks};
use cluster::Cluster;
use cluster::Place;
use detail::Detail;
use settings::Settings;
use std::path::PathBuf;
use std::sync::Mutex;

pub(super) use recognise::recognise;
pub(super) use settings::{OPTIONS, build};

/// The name in the configuration and in manifests.
const WORD: &str = "postgres";
/// Where PostgreSQL listens unless told otherwise.
const DEFAULT_PORT: u16 = 5432;

#[derive(Debug)]
pub(super) struct Postgres {
    settings: Settings,
    store: Store,
    /// Held while a copy is proven.
    proving: Mutex<()>,
}

impl Backend for Postgres {
    fn capabilities(&self) -> Capabilities {
        // To work as the owner of the data, and to see whether a server runs on it.
        let drop_ins = &[DropIn::Databases, DropIn::Mount];
        Capabilities { drop_ins, ..Capabilities::default() }
    }

    fn pool(&self) -> String {
        format!("{WORD}:{}", self.store.root().display())
    }

    fn territory(&self) -> Territory {
        Territory {
            key: "data",
            roots: vec![self.settings.data.clone()],
            name: None,
            left_out: Vec::new(),
            open_below: false,
            store: Some(self.store.root().to_owned()),
        }
    }

    fn probe(&self) -> Result<Probe, StorageError> {
        Ok(Probe { identity: list::identity(self)? })
    }

    fn take(&self, order: &TakeOrder<'_>, progress: &dyn Progress) -> Result<Object, StorageError> {
        if self.store.is_there()? {
            prove::sweep(self)?;
        }
        take::take(self, order, progress)
    }

    fn list(&self) -> Result<Survey, StorageError> {
        list::list(self)
    }

    /// Compares the stored files' sizes and times with those at the time of taking, has PostgreSQL
    /// check its control file and, where `pg_basebackup` left checksums, all bytes; and proves it
    /// by starting a server where that is due.
    fn verify(&self, handle: &Handle, progress: &dyn Progress) -> Result<Content, StorageError> {
        verify::verify(self, &self.store.whole(handle)?, progress)
    }

    fn destroy(&self, handle: &Handle) -> Result<(), StorageError> {
        self.store.destroy(handle)
    }

    fn restore(
        &self,
        order: &RestoreOrder<'_>,
        progress: &dyn Progress,
    ) -> Result<Restored, StorageError> {
        let (item, detail) = self.store.untouched::<Detail>(order.handle)?;
        restore::restore(&self.settings, &item, &detail, order, progress)
    }

    fn mark(&self, handle: &Handle, mark: &Mark) -> Result<(), StorageError> {
        write_mark(&self.store.whole(handle)?.path, mark)
    }

    fn usage(&self, handle: &Handle) -> Result<Usage, StorageError> {
        let item = self.store.whole(handle)?;
        let root = std::fs::File::open(&item.path);
        let root = root.doing(|| format!("measuring {}", item.path.display()))?;
        Ok(blocks(&root)?.usage())
    }

    fn occupied(&self) -> Result<Option<TotalUsage>, StorageError> {
        let live = || {
            let cluster = Cluster::open(&self.settings.data)?;
            let mut roots = vec![open_nosymlink(&self.settings.data)?];
            for space in cluster.tablespaces()? {
                if let Place::Outside(place) = space.place {
                    roots.push(cluster.open_own(&place)?);
                }
            }
            Ok(roots)
        };
        store::occupied(&self.store, live, &[])
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

impl Inspection for Postgres {
    fn usable(&self) -> Result<(), StorageError> {
        self.probe().map(drop)
    }

    fn oddities(&self) -> Vec<OptionFinding> {
        places::oddities(&self.settings.data)
    }
}

impl Creation for Postgres {
    fn fits(&self, order: &RestoreOrder<'_>) -> Result<(), StorageError> {
        RestoreOrder { port: None, ..*order }.is_plain()
    }

    fn beside(&self, name: &ResourceName) -> Option<PathBuf> {
        beside(&self.territory().roots, name)
    }
}

impl InPlace for Postgres {
    fn users(&self) -> Result<Vec<String>, StorageError> {
        rollback::users(self)
    }

    fn rollback(
        &self,
        order: &RollbackOrder<'_>,
        progress: &dyn Progress,
    ) -> Result<Probe, StorageError> {
        rollback::rollback(self, order, progress)?;
        self.probe()
    }
}

impl FileTree for Postgres {
    /// The data directory as it was copied; tablespaces elsewhere are links in it.
    fn tree(&self, handle: &Handle) -> Result<OpenTree, StorageError> {
        let (item, _) = self.store.untouched::<Detail>(handle)?;
        Ok(OpenTree::new(self.store.part(&item, "data")?))
    }
}
