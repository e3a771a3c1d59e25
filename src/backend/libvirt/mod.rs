//! The backend for guests of libvirt: an instance with all its disks, or one disk image.
//!
//! A snapshot is `<store>/<RESOURCE>/<SEQ>/`: `disks/vda.qcow2` for each disk, `domain.xml`, and
//! `nvram` for a guest that boots by UEFI. All disks are of one point in time. Where the images and
//! the store are on one file system that shares blocks, taking costs the same whatever their size;
//! elsewhere qemu copies them beside the running guest.
//!
//! libvirt is spoken to through its client, virsh; its definitions are read and written as XML
//! trees. What holds a guest still is a process of its own, see [`hold`].
//!
//! This room knows the port and the shelf; it must not know other backends or the catalogue.

mod copy;
mod detail;
mod domain;
mod grow;
mod hold;
mod image;
mod keep;
mod newborn;
mod push;
mod restore;
mod settings;
mod subject;
mod take;
mod verify;
mod virsh;
mod xml;

use super::identity;
use super::manifest::write_mark;
use super::shelf::{self, Shelf, blocks};
use super::{
    Backend, BackendError, Capabilities, Doing, Object, Probe, Progress, RestoreOrder, Restored,
    TakeOrder, Territory, Usage,
};
use crate::domain::event::{Mark, Survey};
use crate::domain::snapshot::{Content, Handle};
use detail::Detail;
use hold::Notes;
use settings::{Settings, Subject};

pub use hold::serve;
pub use settings::build;

/// The name in the configuration and in manifests.
const WORD: &str = "libvirt";

#[derive(Debug)]
pub struct Libvirt {
    settings: Settings,
    shelf: Shelf,
    /// A guest that is held.
    held: Notes,
    /// A copy that a qemu is at.
    copying: Notes,
}

impl Libvirt {
    /// Lets go and ends whatever a killed heptad left under way in the guest.
    fn recover(&self) -> Result<(), BackendError> {
        hold::recover(&self.held)?;
        push::recover(&self.copying)
    }

    fn identity(&self) -> Result<String, BackendError> {
        match &self.settings.subject {
            Subject::Instance(name) => Ok(format!("domain:{}", self.settings.virsh.uuid(name)?)),
            // By directory and name, and no inode: rolling back puts another file there, as
            // converting and compressing an image do, and it is the same disk to its guest.
            Subject::Disk(path, _) => Ok(identity::probe(path)?.identity),
        }
    }
}

impl Backend for Libvirt {
    fn capabilities(&self) -> Capabilities {
        Capabilities { instant: false, in_flight: 2, by_name: true }
    }

    fn pool(&self) -> String {
        format!("{WORD}:{}", self.settings.virsh.uri)
    }

    fn territory(&self) -> Territory {
        let roots = match &self.settings.subject {
            Subject::Instance(_) => Vec::new(),
            Subject::Disk(path, _) => vec![path.clone()],
        };
        let store = Some(self.shelf.store().to_owned());
        Territory { roots, left_out: Vec::new(), open_below: false, store }
    }

    fn probe(&self) -> Result<Probe, BackendError> {
        Ok(Probe { identity: self.identity()? })
    }

    fn take(&self, order: &TakeOrder<'_>) -> Result<Object, BackendError> {
        // Whatever is held meanwhile is nobody else's to let go.
        let _mine = self.held.lock(true)?;
        take::take(self, order)
    }

    fn list(&self) -> Result<Survey, BackendError> {
        // As well as it can be done; whoever takes next insists.
        if let Ok(Some(_mine)) = self.held.lock(false) {
            let _ = self.recover();
        }
        shelf::survey::<Detail>(&self.shelf, || self.identity().ok())
    }

    /// Sees that the images look as they did, and checks the tables of those that have some.
    fn verify(&self, handle: &Handle) -> Result<Content, BackendError> {
        verify::verify(&self.settings, &self.shelf.whole(handle)?)
    }

    fn destroy(&self, handle: &Handle) -> Result<(), BackendError> {
        self.shelf.destroy(handle)
    }

    fn restore(
        &self,
        order: &RestoreOrder<'_>,
        progress: &dyn Progress,
    ) -> Result<Restored, BackendError> {
        restore::restore(self, order, progress)
    }

    fn mark(&self, handle: &Handle, mark: &Mark) -> Result<(), BackendError> {
        write_mark(&self.shelf.whole(handle)?.path, mark)
    }

    fn usage(&self, handle: &Handle) -> Result<Usage, BackendError> {
        let item = self.shelf.whole(handle)?;
        let root = std::fs::File::open(&item.path);
        let root = root.doing(|| format!("measuring {}", item.path.display()))?;
        Ok(blocks(&root)?.usage())
    }
}
