//! What may be asked of every backend, with the answer of those that do not lend the facet for it.

use super::facets::beside;
use super::options::OptionFinding;
use super::order::{Image, Object, RestoreOrder, Restored, RollbackOrder, TakeOrder};
use super::port::Backend;
use crate::browse::OpenTree;
use crate::domain::name::ResourceName;
use crate::domain::operation::Fault;
use crate::domain::snapshot::Handle;
use crate::fs::{Progress, StorageError};
use crate::store::identity::Probe;
use std::path::PathBuf;

impl dyn Backend + '_ {
    /// The words of the facets that this backend lends, as people are told them.
    pub fn facets(&self) -> Vec<&'static str> {
        let lent = [
            ("rollback", self.in_place().is_some()),
            ("rescue", self.rescue().is_some()),
            ("files", self.files().is_some()),
            ("disks", self.disks().is_some()),
        ];
        lent.into_iter().filter(|(_, is)| *is).map(|(word, _)| word).collect()
    }

    /// # Errors
    /// As [`super::facets::InPlace::users`].
    pub fn users(&self) -> Result<Vec<String>, StorageError> {
        self.in_place().ok_or_else(no_rollback)?.users()
    }

    /// # Errors
    /// As [`super::facets::InPlace::rollback`].
    pub fn rollback(
        &self,
        order: &RollbackOrder<'_>,
        progress: &dyn Progress,
    ) -> Result<Probe, StorageError> {
        self.in_place().ok_or_else(no_rollback)?.rollback(order, progress)
    }

    /// As [`super::facets::InPlace::left_to_do`].
    pub fn left_to_do(&self) -> Option<String> {
        self.in_place()?.left_to_do()
    }

    /// # Errors
    /// `why` where nothing more can be done for it.
    pub fn take_damaged(
        &self,
        order: &TakeOrder<'_>,
        why: StorageError,
        progress: &dyn Progress,
    ) -> Result<Object, StorageError> {
        match self.rescue() {
            Some(rescue) => rescue.take_damaged(order, why, progress),
            None => Err(why),
        }
    }

    /// # Errors
    /// [`Fault::Permanent`] where there are no files to show.
    pub fn tree(&self, handle: &Handle) -> Result<OpenTree, StorageError> {
        let cannot = || {
            let doing = format!("looking into snapshot {}", handle.seq);
            StorageError::new(Fault::Permanent, doing, "this backend cannot show files")
        };
        self.files().ok_or_else(cannot)?.tree(handle)
    }

    pub fn image(&self) -> Option<Image> {
        self.disks()?.image()
    }

    /// # Errors
    /// As [`super::facets::Disks::may_attach`].
    pub fn may_attach(&self, disk: &Image) -> Result<(), StorageError> {
        self.disks().ok_or_else(|| no_instance("attaching a disk"))?.may_attach(disk)
    }

    /// # Errors
    /// [`Fault::Permanent`] where nothing can be attached.
    pub fn has_disk(&self, disk: &Image) -> Result<bool, StorageError> {
        self.disks().ok_or_else(|| no_instance("detaching a disk"))?.has(disk)
    }

    /// # Errors
    /// [`Fault::Permanent`] where nothing can be attached.
    pub fn attach(&self, disk: &Image) -> Result<String, StorageError> {
        self.disks().ok_or_else(|| no_instance("attaching a disk"))?.attach(disk)
    }

    /// # Errors
    /// [`Fault::Permanent`] where nothing can be attached.
    pub fn detach(&self, disk: &Image) -> Result<bool, StorageError> {
        self.disks().ok_or_else(|| no_instance("detaching a disk"))?.detach(disk)
    }

    /// # Errors
    /// As [`super::facets::Creation::fits`].
    pub fn fits(&self, order: &RestoreOrder<'_>) -> Result<(), StorageError> {
        self.creation().map_or_else(|| order.is_plain(), |creation| creation.fits(order))
    }

    /// # Errors
    /// As [`super::facets::Creation::made`].
    pub fn made(&self, order: &RestoreOrder<'_>) -> Result<Option<Restored>, StorageError> {
        self.creation().map_or(Ok(None), |creation| creation.made(order))
    }

    /// As [`super::facets::Creation::beside`].
    pub fn beside(&self, name: &ResourceName) -> Option<PathBuf> {
        match self.creation() {
            Some(creation) => creation.beside(name),
            None => beside(&self.territory().roots, name),
        }
    }

    /// # Errors
    /// As [`super::facets::Inspection::usable`].
    pub fn usable(&self) -> Result<(), StorageError> {
        match self.inspection() {
            Some(inspection) => inspection.usable(),
            None => self.probe().map(drop),
        }
    }

    /// As [`super::facets::Inspection::oddities`].
    pub fn oddities(&self) -> Vec<OptionFinding> {
        self.inspection().map(|inspection| inspection.oddities()).unwrap_or_default()
    }
}

fn no_rollback() -> StorageError {
    let why = "this backend cannot; make a new resource from the snapshot: heptactl create";
    StorageError::new(Fault::Permanent, "rolling back in place", why)
}

fn no_instance(doing: &str) -> StorageError {
    StorageError::new(Fault::Permanent, doing, "this is not an instance")
}
