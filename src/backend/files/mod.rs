//! The backend for a directory tree, or one file, on any file system; works without root.
//!
//! A snapshot is a plain copy under `<store>/<RESOURCE>/<SEQ>/`: the tree itself is `data`, beside
//! it lie `manifest.json` and `index`, one line per entry. Blocks are shared where the file system
//! can (reflink), unchanged files are further names of the previous snapshot's copies, the rest is
//! copied. The work grows in `<SEQ>.partial`; its rename to `<SEQ>` is the commit point.
//!
//! The object's identity is the manifest's id and no inode number: a store may be moved to a larger
//! disk with `cp -a` or `rsync -aH`, and its snapshots are as good there.
//!
//! This room knows the port and the trees; it must not know other backends or the catalogue.

mod contents;
mod detail;
mod grounds;
mod index;
mod past;
mod pool;
mod recognise;
mod restore;
mod rollback;
mod settings;
mod strangers;
mod take;
mod verify;

use super::facets::{FileTree, InPlace, Inspection};
use super::options::OptionFinding;
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

pub(super) use recognise::recognise;
pub(super) use settings::{OPTIONS, build};

/// The name in the configuration and in manifests.
const WORD: &str = "files";
/// The copy of the tree or file.
const DATA: &str = "data";
/// The list of its entries.
const INDEX: &str = "index";

#[derive(Debug)]
pub(super) struct Files {
    settings: Settings,
    store: Store,
}

impl Backend for Files {
    fn capabilities(&self) -> Capabilities {
        Capabilities { drop_ins: &[DropIn::Rollback, DropIn::Mount], ..Capabilities::default() }
    }

    fn pool(&self) -> String {
        pool::name(&self.settings, self.store.root())
    }

    fn territory(&self) -> Territory {
        let root = &self.settings.path;
        let excluded = self.settings.exclude.iter();
        let mut left_out: Vec<_> = excluded.map(|path| root.join(path)).collect();
        let store = self.store.root().to_owned();
        // The copy never enters its own store.
        if store.starts_with(root) {
            left_out.push(store.clone());
        }
        Territory {
            key: "path",
            roots: vec![root.clone()],
            left_out,
            store: Some(store),
            ..Territory::default()
        }
    }

    fn probe(&self) -> Result<Probe, StorageError> {
        identity::probe(&self.settings.path)
    }

    fn take(&self, order: &TakeOrder<'_>, progress: &dyn Progress) -> Result<Object, StorageError> {
        take::take(&self.settings, &self.store, order, progress)
    }

    fn list(&self) -> Result<Survey, StorageError> {
        store::list::<Detail>(&self.store, &self.settings.path)
    }

    /// Compares the stored tree with its index: each entry's kind, mode, owner, size and time of
    /// modification. The bytes themselves are not read again: on a disk of terabytes that would
    /// take longer than the day.
    fn verify(&self, handle: &Handle, _progress: &dyn Progress) -> Result<Content, StorageError> {
        verify::verify(&self.store.whole(handle)?)
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
        let notes = restore::restore(&item, order.target, progress)?;
        Ok(Restored { notes, ..Restored::at(order.target) })
    }

    fn mark(&self, handle: &Handle, mark: &Mark) -> Result<(), StorageError> {
        write_mark(&self.store.whole(handle)?.path, mark)
    }

    fn usage(&self, handle: &Handle) -> Result<Usage, StorageError> {
        let item = self.store.whole(handle)?;
        let root = detail::data(&item.path);
        let root = root.doing(|| format!("measuring {}", item.path.display()))?;
        Ok(store::blocks(&root)?.usage())
    }

    fn occupied(&self) -> Result<Option<TotalUsage>, StorageError> {
        let live = || Ok(vec![open_nosymlink(&self.settings.path)?]);
        store::occupied(&self.store, live, &self.territory().left_out)
    }

    fn inspection(&self) -> Option<&dyn Inspection> {
        Some(self)
    }

    fn in_place(&self) -> Option<&dyn InPlace> {
        Some(self)
    }

    fn files(&self) -> Option<&dyn FileTree> {
        Some(self)
    }
}

impl Inspection for Files {
    fn usable(&self) -> Result<(), StorageError> {
        self.probe().map(drop)
    }

    fn oddities(&self) -> Vec<OptionFinding> {
        strangers::oddities(&self.settings.path, &self.territory().left_out)
    }
}

impl InPlace for Files {
    fn users(&self) -> Result<Vec<String>, StorageError> {
        rollback::users(&self.settings, &self.store)
    }

    fn rollback(
        &self,
        order: &RollbackOrder<'_>,
        progress: &dyn Progress,
    ) -> Result<Probe, StorageError> {
        rollback::rollback(&self.settings, &self.store, order, progress)
    }
}

impl FileTree for Files {
    fn tree(&self, handle: &Handle) -> Result<OpenTree, StorageError> {
        let (item, _) = self.store.untouched::<Detail>(handle)?;
        Ok(OpenTree::new(self.store.part(&item, DATA)?))
    }
}
