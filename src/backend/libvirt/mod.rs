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
//! This room knows the port, the store and the reader of images; it must not know other backends or
//! the catalogue.

mod attach;
mod copy;
mod derive;
mod detail;
mod domain;
mod exclusive_devices;
mod folder;
mod freeze;
mod grow;
mod image;
mod keep;
mod push;
mod recognise;
mod restore;
mod rollback;
mod settings;
mod subject;
mod take;
mod verify;
mod virsh;
mod xml;

use super::facets::{Creation, Disks, FileTree, InPlace};
use super::{
    Backend, Capabilities, Image, Object, RestoreOrder, Restored, RollbackOrder, TakeOrder,
    Territory,
};
use crate::browse::OpenTree;
use crate::domain::name::ResourceName;
use crate::domain::resource::Kind;
use crate::domain::snapshot::{Content, Handle, Part};
use crate::domain::survey::{Mark, Survey};
use crate::domain::told;
use crate::domain::usage::TotalUsage;
use crate::domain::usage::Usage;
use crate::fs::{Doing, Progress, StorageError};
use crate::host::drop_in::DropIn;
use crate::image as image_files;
use crate::store::identity;
use crate::store::identity::Probe;
use crate::store::manifest::write_mark;
use crate::store::{self, Seal, Store, blocks};
use detail::Detail;
use domain::{Domain, Format};
use freeze::Notes;
use settings::{Settings, Subject};
use std::path::PathBuf;
use subject::Live;

pub(crate) use freeze::{let_go_all, serve};
pub(super) use recognise::recognise;
pub(super) use settings::{OPTIONS, build};

/// The name in the configuration and in manifests.
const WORD: &str = "libvirt";
/// What the identity of an instance begins with; then its UUID.
const DOMAIN: &str = "domain:";

#[derive(Debug)]
pub(super) struct Libvirt {
    settings: Settings,
    store: Store,
    /// Whoever works on the resource has its lock. An older heptad wrote down here which guest it
    /// held; now that is written down by guest.
    held: Notes,
    /// A copy that a qemu is at.
    copying: Notes,
    /// A rollback that is past its commit point.
    rolling: Notes,
}

impl Libvirt {
    /// Lets go, ends and completes whatever a killed heptad left under way.
    fn recover(&self) -> Result<(), StorageError> {
        freeze::recover(&self.held)?;
        push::recover(&self.copying)?;
        rollback::finish(&self.rolling).map(|_| ())
    }

    /// The disks of the live resource of this identity.
    fn disks(&self, identity: &str) -> Result<Vec<told::Disk>, StorageError> {
        let disks = match &self.settings.subject {
            Subject::Instance(_) => {
                let uuid = identity.trim_start_matches(DOMAIN);
                // As it runs, if it does: a disk may be its own until the next start only.
                let definition = self.settings.virsh.definition(uuid, false)?;
                Domain::read(&definition, &self.settings.leave_out)?.disks
            }
            Subject::Disk(path, format) => vec![domain::Disk::alone(path, *format)],
        };
        let seen = disks.into_iter().map(|disk| {
            let size = image::size(&disk.file, disk.format)?;
            Ok(told::Disk { name: disk.target, file: disk.file.display().to_string(), size })
        });
        seen.collect()
    }

    /// The image that the instance starts from, as libvirt says or as its newest snapshot does.
    fn system_image(&self) -> Option<PathBuf> {
        let Subject::Instance(name) = &self.settings.subject else { return None };
        let virsh = &self.settings.virsh;
        let definition = virsh.uuid(name).and_then(|uuid| virsh.definition(&uuid, true));
        let domain = definition.and_then(|found| Domain::read(&found, &self.settings.leave_out));
        if let Ok(domain) = domain {
            return domain.disks.into_iter().next().map(|disk| disk.file);
        }
        let (items, _) = self.store.items().ok()?;
        let detail = items.iter().rev().find_map(|item| Detail::of(&item.manifest))?;
        detail.disks.into_iter().next().map(|disk| disk.source)
    }

    fn identity(&self) -> Result<String, StorageError> {
        match &self.settings.subject {
            Subject::Instance(name) => Ok(format!("{DOMAIN}{}", self.settings.virsh.uuid(name)?)),
            // By directory and name, and no inode: rolling back puts another file there, as
            // converting and compressing an image do, and it is the same disk to its guest.
            Subject::Disk(path, _) => Ok(identity::probe(path)?.identity),
        }
    }
}

impl Backend for Libvirt {
    fn capabilities(&self) -> Capabilities {
        let kind = match self.settings.subject {
            Subject::Instance(_) => Kind::Instance,
            Subject::Disk(..) => Kind::Disk,
        };
        Capabilities {
            by_name: true,
            kind: Some(kind),
            drop_ins: &[DropIn::Rollback, DropIn::Images, DropIn::Mount],
            ..Capabilities::default()
        }
    }

    fn pool(&self) -> String {
        format!("{WORD}:{}", self.settings.virsh.uri)
    }

    fn territory(&self) -> Territory {
        let store = Some(self.store.root().to_owned());
        let ground = Territory { store, ..Territory::default() };
        match &self.settings.subject {
            Subject::Instance(domain) => {
                let name = format!("domain {domain} of {}", self.settings.virsh.uri);
                Territory { key: "domain", name: Some(name), ..ground }
            }
            Subject::Disk(path, _) => {
                Territory { key: "image", roots: vec![path.clone()], ..ground }
            }
        }
    }

    fn probe(&self) -> Result<Probe, StorageError> {
        Ok(Probe { identity: self.identity()? })
    }

    fn take(&self, order: &TakeOrder<'_>, progress: &dyn Progress) -> Result<Object, StorageError> {
        // Whatever is held meanwhile is nobody else's to let go.
        let _mine = self.held.lock(true)?;
        take::take(self, order, progress)
    }

    fn list(&self) -> Result<Survey, StorageError> {
        // As well as it can be done; whoever takes next insists.
        let notes = [&self.held, &self.copying, &self.rolling];
        if notes.iter().any(|notes| notes.path.exists())
            && let Ok(Some(_mine)) = self.held.lock_soon()
        {
            let _ = self.recover();
        }
        freeze::let_go_left(&self.settings.holder.state, &self.settings.virsh.uri);
        let survey = store::survey::<Detail>(&self.store, || self.identity().ok())?;
        // What cannot be looked at now is as it was seen before.
        let disks = survey.identity.as_ref().and_then(|identity| self.disks(identity).ok());
        let disks = disks.unwrap_or_default();
        Ok(Survey { disks, ..survey })
    }

    /// Sees that the images look as they did, and checks the tables of those that have some.
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
        restore::restore(self, order, progress)
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
            let disks = Live::look(&self.settings, Part::Whole)?.disks;
            disks.iter().map(|disk| Ok(image::open(&disk.file)?.into())).collect()
        };
        store::occupied(&self.store, live, &[])
    }

    fn creation(&self) -> Option<&dyn Creation> {
        Some(self)
    }

    fn in_place(&self) -> Option<&dyn InPlace> {
        Some(self)
    }

    fn disks(&self) -> Option<&dyn Disks> {
        Some(self)
    }

    fn files(&self) -> Option<&dyn FileTree> {
        Some(self)
    }
}

impl Creation for Libvirt {
    fn made(&self, order: &RestoreOrder<'_>) -> Result<Option<Restored>, StorageError> {
        restore::made(self, order)
    }

    fn fits(&self, order: &RestoreOrder<'_>) -> Result<(), StorageError> {
        restore::fits(&self.store, order)
    }

    /// A directory for the disks, beside the system disk's image or beside the directory that it
    /// has to itself.
    fn beside(&self, name: &ResourceName) -> Option<PathBuf> {
        let live = match &self.settings.subject {
            Subject::Disk(path, format) => {
                return Some(path.with_file_name(format!("{name}.{}", format.word())));
            }
            Subject::Instance(_) => self.system_image()?,
        };
        let dir = live.parent()?;
        let Subject::Instance(domain) = &self.settings.subject else { return None };
        let own = dir.file_name().is_some_and(|dir| dir.to_str() == Some(domain));
        Some(if own { dir.parent()? } else { dir }.join(name.as_str()))
    }
}

impl InPlace for Libvirt {
    fn users(&self) -> Result<Vec<String>, StorageError> {
        rollback::users(&self.settings)
    }

    fn rollback(
        &self,
        order: &RollbackOrder<'_>,
        progress: &dyn Progress,
    ) -> Result<Probe, StorageError> {
        let _mine = self.held.lock(true)?;
        rollback::rollback(self, order, progress)
    }
}

impl Disks for Libvirt {
    fn image(&self) -> Option<Image> {
        let Subject::Disk(path, format) = &self.settings.subject else { return None };
        let name = self.store.resource().clone();
        Some(Image { name, path: path.clone(), format: format.word().into() })
    }

    fn may_attach(&self, disk: &Image) -> Result<(), StorageError> {
        attach::may_attach(&self.settings, disk)
    }

    fn has(&self, disk: &Image) -> Result<bool, StorageError> {
        attach::has_disk(&self.settings, disk)
    }

    fn attach(&self, disk: &Image) -> Result<String, StorageError> {
        attach::attach(&self.settings, disk)
    }

    fn detach(&self, disk: &Image) -> Result<bool, StorageError> {
        attach::detach(&self.settings, disk)
    }
}

impl FileTree for Libvirt {
    /// The files in the images, a directory for each disk.
    fn tree(&self, handle: &Handle) -> Result<OpenTree, StorageError> {
        let (item, detail) = self.store.untouched::<Detail>(handle)?;
        let disks = detail.disks.iter().map(|disk| {
            let format = match disk.format {
                Format::Raw => image_files::Format::Raw,
                Format::Qcow2 => image_files::Format::Qcow2,
            };
            image_files::Disk { name: disk.target.clone(), path: disk.path(&item.path), format }
        });
        let helper = self.settings.holder.helper.as_deref();
        image_files::open(&disks.collect::<Vec<_>>(), helper)
    }
}
