//! Looking into what lies in a store.

use super::{Item, Seal, Store, state};
use crate::domain::operation::Fault;
use crate::domain::snapshot::Handle;
use crate::domain::survey::Wholeness;
use crate::fs::tree::below;
use crate::fs::{Doing, StorageError};
use rustix::fs::{Mode, OFlags};
use std::os::fd::OwnedFd;

impl Store {
    /// The whole snapshot of this handle and what is known of it, if it still looks as it did.
    ///
    /// # Errors
    /// [`Fault::Identity`] where it was changed since it was taken.
    pub fn untouched<D: Seal>(&self, handle: &Handle) -> Result<(Item, D), StorageError> {
        let item = self.whole(handle)?;
        if let (Wholeness::Whole, Some(detail)) = (state::<D>(&item)?, D::of(&item.manifest)) {
            return Ok((item, detail));
        }
        let why = "it was changed since it was taken; its content is unknown";
        Err(StorageError::new(Fault::Identity, format!("opening {}", item.path.display()), why))
    }

    /// A reference to a part of a snapshot. The store is where a person said; from there on nothing
    /// may be a link.
    pub fn part(&self, item: &Item, part: &str) -> Result<OwnedFd, StorageError> {
        let doing = || format!("opening {}", item.path.display());
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let store = rustix::fs::open(self.root(), flags, Mode::empty()).doing(doing)?;
        let path = format!("{}/{}/{part}", self.resource(), item.seq);
        below(&store, path.as_bytes()).map(|(part, _)| part).doing(doing)
    }
}
