//! Something new from a snapshot: an instance with its disks in a directory, or a disk's image.
//!
//! This part knows libvirt, image files and the store. It must not know how snapshots are taken.

mod remains;
mod wish;

use super::super::{RestoreOrder, Restored};
use super::derive::{Mark, NewDomain, derive, finished, is_unfinished, origin};
use super::detail::{Detail, NVRAM, Stored};
use super::folder::{Folder, dress};
use super::virsh::Virsh;
use super::xml::Element;
use super::{Libvirt, grow, image, verify};
use crate::domain::operation::Fault;
use crate::fs::tree::Meta;
use crate::fs::{Doing, Progress, StorageError};
use crate::store::{Item, Seal, Target};
use serde_json::{Map, Value, json};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;
use uuid::Uuid;
use wish::Wish;

pub(super) use wish::fits;

/// # Errors
/// A permanent fault where the target or a domain of this name exists, or a size is smaller than
/// what it had. Then nothing is left.
pub(super) fn restore(
    libvirt: &Libvirt,
    order: &RestoreOrder<'_>,
    progress: &dyn Progress,
) -> Result<Restored, StorageError> {
    let item = libvirt.store.whole(order.handle)?;
    let making = format!("making {}", order.name);
    wish::expect_no_port(order)?;
    if let Some(made) = unfinished(libvirt, order)? {
        return Ok(made);
    }
    let target = Target::open(&item, order.target)?;
    let detail = verify::whole(&libvirt.settings, &item, progress)?;
    let folder = target.dir.try_clone().doing(|| making.clone())?;
    let folder = Rc::new(Folder::at(folder, order.target.parent().unwrap_or(Path::new("/"))));
    let mut work = Work {
        libvirt,
        order,
        item: &item,
        detail: &detail,
        folder,
        progress,
        done: 0,
        made: None,
    };
    let made = if detail.domain.is_some() { work.instance(&target) } else { work.disk(&target) };
    if made.is_err() {
        // The first error is the one to tell; a second try clears what this leaves.
        let _ = target.clear();
    }
    made
}

/// Others may pass, and see nothing.
const PASSABLE: u32 = 0o711;

struct Work<'a> {
    libvirt: &'a Libvirt,
    order: &'a RestoreOrder<'a>,
    item: &'a Item,
    detail: &'a Detail,
    /// Where it appears.
    folder: Rc<Folder>,
    progress: &'a dyn Progress,
    done: u64,
    /// What shall appear, once it is there.
    made: Option<Meta>,
}

impl Work<'_> {
    /// Gives what was made its place.
    fn shown(&self, target: &Target) -> Result<(), StorageError> {
        match &self.made {
            Some(made) => target.appear(made).map(drop),
            None => self.refuse("nothing was made"),
        }
    }

    fn refuse<T>(&self, why: impl Into<String>) -> Result<T, StorageError> {
        self.wish().refuse(why)
    }

    fn wish(&self) -> Wish<'_> {
        Wish { order: self.order, item: self.item, detail: self.detail }
    }

    fn disk(&mut self, target: &Target) -> Result<Restored, StorageError> {
        self.wish().expect_no_plan()?;
        let Some(disk) = self.detail.disks.first() else {
            return self.refuse("there is no disk in the snapshot");
        };
        let (size, folder) = (self.wish().size(disk)?, Rc::clone(&self.folder));
        let notes = self.place(disk, &folder, grows(target), size)?;
        self.progress.wanted()?;
        self.shown(target)?;
        let options = of_disk(self.order.target, disk);
        Ok(Restored { options, notes, ..Restored::default() })
    }

    /// Puts a copy of an image somewhere, larger if asked for.
    fn place(
        &mut self,
        disk: &Stored,
        folder: &Folder,
        name: &OsStr,
        size: Option<u64>,
    ) -> Result<Vec<String>, StorageError> {
        let from = image::open(&disk.path(&self.item.path))?;
        let (file, shown) = (folder.create(name)?, folder.path.join(name));
        let total: u64 = self.detail.disks.iter().map(|disk| disk.used).sum();
        let (progress, mut done) = (self.progress, self.done);
        let mut copy = || {
            let filled = image::fill(&from, &file, &mut |bytes| {
                done += bytes;
                progress.report(done, Some(total.max(done)));
                progress.is_wanted()
            });
            filled.map(|_| ()).doing(|| format!("copying to {}", shown.display()))
        };
        copy()?;
        let mut notes = Vec::new();
        if let Some(size) = size {
            image::resize(&file, &shown, disk.format, size)?;
            let mut again = || -> Result<(), StorageError> {
                file.set_len(0).doing(|| format!("clearing {}", shown.display()))?;
                copy()?;
                image::resize(&file, &shown, disk.format, size)
            };
            let image = grow::Image { file: &file, folder, name, progress };
            notes.push(grow::grow(&image, disk, size, &mut again)?);
        }
        self.done = done;
        self.made = Some(Meta::of(&file).doing(|| format!("looking at {}", shown.display()))?);
        // As the live one was: libvirt gives it to the guest's process when it starts.
        dress(&file, disk.uid, disk.gid, disk.mode | 0o600)
            .doing(|| format!("dressing {}", shown.display()))?;
        Ok(notes)
    }

    fn instance(&mut self, target: &Target) -> Result<Restored, StorageError> {
        let definition = self.wish().definition()?;
        self.free_name(&definition)?;
        let Some(system) = self.detail.disks.first() else {
            return self.refuse("there is no disk in the snapshot");
        };
        let size = self.wish().size(system)?;
        self.wish().expect_room(&definition)?;
        // The process of the guest passes, and sees nothing.
        let folder = self.folder.make(grows(target), PASSABLE)?;
        let mut notes = Vec::new();
        for (at, disk) in self.detail.disks.iter().enumerate() {
            let name = disk.file();
            notes.extend(self.place(disk, &folder, OsStr::new(&name), size.filter(|_| at == 0))?);
        }
        self.nvram(&folder)?;
        let uuid = Uuid::new_v4().to_string();
        let (born, left) = self.born(definition, &uuid, &mut || {
            let [a, b, c, ..] = *Uuid::new_v4().as_bytes();
            [a, b, c]
        });
        notes.extend(left);
        self.made = Some(Meta::of(&folder.dir).doing(|| format!("making {}", self.order.name))?);
        self.appear(&born, &uuid, target)?;
        Ok(known_as(self.libvirt, self.order, self.detail, notes))
    }

    /// The definition of the new one, and what it was left without.
    fn born(
        &self,
        mut definition: Element,
        uuid: &str,
        draw: &mut dyn FnMut() -> [u8; 3],
    ) -> (Element, Vec<String>) {
        let disk = |disk: &Stored| (disk.target.clone(), self.order.target.join(disk.file()));
        let mut new = NewDomain {
            name: self.order.name.as_str(),
            uuid: uuid.to_owned(),
            disks: self.detail.disks.iter().map(disk).collect(),
            nvram: self.has_nvram().then(|| self.order.target.join(NVRAM)),
            plan: self.order.plan,
            origin: self.origin(),
            draw,
        };
        let notes = derive(&mut definition, &mut new);
        (definition, notes)
    }

    fn origin(&self) -> (String, String) {
        (self.item.manifest.id.to_string(), self.order.target.display().to_string())
    }

    /// Defines it and gives its disks their place; neither without the other.
    fn appear(
        &self,
        definition: &Element,
        uuid: &str,
        target: &Target,
    ) -> Result<(), StorageError> {
        self.progress.wanted()?;
        let virsh = &self.libvirt.settings.virsh;
        let doing = format!("defining domain {}", self.order.name);
        virsh.feed(&["define", "/dev/stdin"], &definition.print(), &doing)?;
        let appeared = self.shown(target);
        if appeared.is_err() {
            // The first error is the one to tell; a second try finds what this leaves.
            let _ = virsh.call(&["undefine", "--keep-nvram", "--domain", uuid], &doing);
        }
        appeared?;
        // Whole it is in any case: without the mark it is taken for what it is by its disks.
        let _ = hand_over(virsh, &self.origin(), uuid, &doing);
        Ok(())
    }

    fn has_nvram(&self) -> bool {
        self.detail.beside.iter().any(|(name, _)| name == NVRAM)
    }

    fn nvram(&self, folder: &Folder) -> Result<(), StorageError> {
        if !self.has_nvram() {
            return Ok(());
        }
        let from = image::open(&self.item.path.join(NVRAM))?;
        let file = folder.create(OsStr::new(NVRAM))?;
        let filled = image::fill(&from, &file, &mut |_| true);
        filled.map(|_| ()).doing(|| format!("copying {NVRAM} of {}", self.order.name))
    }
}

/// From here on it is somebody's, and no other attempt takes it for its own remains.
fn hand_over(
    virsh: &Virsh,
    origin: &(String, String),
    uuid: &str,
    doing: &str,
) -> Result<(), StorageError> {
    let Mark { uri, key, text } = finished(origin);
    let args = ["metadata", "--config", "--domain", uuid, "--uri", uri, "--key", key];
    virsh.call(&[&args[..], &["--set", &text]].concat(), doing).map(drop)
}

/// What an earlier attempt at the same order has made whole: the domain that it defined, with its
/// disks in their place. They appear all at once, and after the domain, so where they are there it
/// was only not said of it.
///
/// # Errors
/// Where libvirt cannot be asked.
pub(super) fn made(
    libvirt: &Libvirt,
    order: &RestoreOrder<'_>,
) -> Result<Option<Restored>, StorageError> {
    let item = libvirt.store.whole(order.handle)?;
    let Some(detail) = Detail::of(&item.manifest).filter(|detail| detail.domain.is_some()) else {
        return Ok(None);
    };
    let virsh = &libvirt.settings.virsh;
    let uuid = match virsh.uuid(order.name.as_str()) {
        Err(error) if error.fault == Fault::Absent => return Ok(None),
        found => found?,
    };
    let definition = virsh.definition(&uuid, true)?;
    let ours = (item.manifest.id.to_string(), order.target.display().to_string());
    let is_ours = origin(&definition) == Some((&ours.0, &ours.1));
    let there = |disk: &Stored| order.target.join(disk.file()).is_file();
    if !is_ours || !detail.disks.iter().all(there) {
        return Ok(None);
    }
    if is_unfinished(&definition, &uuid) {
        hand_over(virsh, &ours, &uuid, &format!("completing domain {}", order.name))?;
    }
    Ok(Some(known_as(libvirt, order, &detail, Vec::new())))
}

/// The same where nobody was told of it yet: of what somebody was, nobody wants it twice.
fn unfinished(
    libvirt: &Libvirt,
    order: &RestoreOrder<'_>,
) -> Result<Option<Restored>, StorageError> {
    let virsh = &libvirt.settings.virsh;
    match virsh.uuid(order.name.as_str()) {
        Err(error) if error.fault == Fault::Absent => Ok(None),
        uuid => {
            let uuid = uuid?;
            let is_left = is_unfinished(&virsh.definition(&uuid, true)?, &uuid);
            if is_left { made(libvirt, order) } else { Ok(None) }
        }
    }
}

/// How a new instance and its disks are declared.
fn known_as(
    libvirt: &Libvirt,
    order: &RestoreOrder<'_>,
    detail: &Detail,
    mut notes: Vec<String>,
) -> Restored {
    let (name, uri) = (order.name, &libvirt.settings.virsh.uri);
    notes.push(format!("it is shut off: virsh --connect '{uri}' start {name}"));
    let options = [("domain".to_owned(), json!(name.as_str()))].into_iter().collect();
    let attached = detail.disks.iter().skip(1);
    let disk =
        |disk: &Stored| (disk.target.clone(), of_disk(&order.target.join(disk.file()), disk));
    Restored { options, notes, disks: attached.map(disk).collect() }
}

/// The options of a disk that is a resource.
fn of_disk(image: &Path, disk: &Stored) -> Map<String, Value> {
    let options = [
        ("image", json!(image.display().to_string())),
        ("format", json!(disk.format.word())),
        ("domain", Value::Null),
        ("leave_out", Value::Null),
    ];
    options.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The name under which it grows.
fn grows(target: &Target) -> &OsStr {
    OsStr::from_bytes(target.hidden.as_bytes())
}
