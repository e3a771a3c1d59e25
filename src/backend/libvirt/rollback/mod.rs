//! Putting a snapshot's disks in the place of the live ones.
//!
//! All copies are made first, beside the live images. Then a journal is written, which is the
//! commit point, and one exchange of names after the other puts them in place. Whoever finds the
//! journal finishes it, or gives it up: no instance is left with some disks of then and some of
//! now.
//!
//! This part knows libvirt, image files and the store. It must not know how snapshots are taken.

mod journal;
mod place;
mod stage;
mod users;

pub(super) use journal::finish;
pub(super) use users::users;

use super::super::RollbackOrder;
use super::detail::{Detail, NVRAM};
use super::domain::{Disk, Domain};
use super::freeze::Notes;
use super::settings::{Settings, Subject};
use super::{Libvirt, image, verify};
use crate::domain::operation::Fault;
use crate::fs::{Doing, Progress, StorageError};
use crate::store::identity::Probe;
use crate::store::{Item, Seal};
use journal::Journal;
use place::Rename;
use std::path::{Path, PathBuf};
use uuid::Uuid;

pub(super) fn rollback(
    libvirt: &Libvirt,
    order: &RollbackOrder<'_>,
    progress: &dyn Progress,
) -> Result<Probe, StorageError> {
    let item = libvirt.store.whole(order.handle)?;
    // Another one than this, perhaps: then this one comes on top.
    if finish(&libvirt.rolling)? != Some(order.token) {
        let live = Live::look(&libvirt.settings)?;
        // Before anything can refuse: who stands in the way may do so for long.
        stage::sweep(order.token, &live.images())?;
        let detail = verify::whole(&libvirt.settings, &item, progress)?;
        let places = places(&live, &item, &detail)?;
        users::expect_none(&libvirt.settings)?;
        let staged = stage::stage(order.token, &places, progress)?;
        let begun = progress.wanted().and_then(|()| begin(libvirt, order, live.uuid, &staged));
        if begun.is_err() {
            withdraw(&libvirt.rolling, order.token)?;
            stage::discard(&staged);
        }
        begun?;
        finish(&libvirt.rolling)?;
    }
    Ok(Probe { identity: libvirt.identity()? })
}

/// Writes the journal.
fn begin(
    libvirt: &Libvirt,
    order: &RollbackOrder<'_>,
    domain: Option<String>,
    staged: &[(PathBuf, PathBuf)],
) -> Result<(), StorageError> {
    // Again, as copying may have taken long.
    users::expect_none(&libvirt.settings)?;
    let renames = staged.iter().map(rename).collect::<Result<Vec<_>, _>>()?;
    nothing_newer(libvirt, order, &renames)?;
    libvirt.rolling.make()?;
    let uri = libvirt.settings.virsh.uri.clone();
    libvirt.rolling.write(&Journal { token: order.token, uri, domain, renames })
}

/// A journal that could not be written may be there all the same, and what was told as failed would
/// be completed later.
fn withdraw(rolling: &Notes, token: Uuid) -> Result<(), StorageError> {
    match rolling.read::<Journal>()? {
        Some(journal) if journal.token == token => rolling.clear(),
        _ => Ok(()),
    }
}

fn rename((new, live): &(PathBuf, PathBuf)) -> Result<Rename, StorageError> {
    let (made, replaced) = (image::fingerprint(new)?, image::fingerprint(live)?);
    Ok(Rename { new: new.clone(), live: live.clone(), made, replaced })
}

/// The snapshot that was taken of the live images to be safe bears the token as its id, and knows
/// how each file was when it was copied. A guest that was on in between is seen by that. From here
/// on the journal knows them.
fn nothing_newer(
    libvirt: &Libvirt,
    order: &RollbackOrder<'_>,
    renames: &[Rename],
) -> Result<(), StorageError> {
    let (items, _) = libvirt.store.items()?;
    let Some(safety) = items.into_iter().find(|item| item.manifest.id == order.token) else {
        return Ok(());
    };
    let seen = Detail::of(&safety.manifest).map(|detail| detail.seen).unwrap_or_default();
    for Rename { live, .. } in renames {
        if !seen.contains(&image::seen(live)?) {
            let why = format!(
                "{} was written to or exchanged since snapshot {} was taken, which alone would hold \
                 that: leave its guest off, then ask again",
                live.display(),
                safety.seq
            );
            return Err(StorageError::new(Fault::Busy, "rolling back", why));
        }
    }
    Ok(())
}

/// What is there now.
struct Live {
    /// None for a disk.
    uuid: Option<String>,
    disks: Vec<Disk>,
    nvram: Option<PathBuf>,
}

impl Live {
    fn look(settings: &Settings) -> Result<Self, StorageError> {
        match &settings.subject {
            Subject::Instance(name) => {
                let uuid = settings.virsh.uuid(name)?;
                let definition = settings.virsh.definition(&uuid, true)?;
                let domain = Domain::read(&definition, &settings.leave_out)?;
                Ok(Self { uuid: Some(uuid), disks: domain.disks, nvram: domain.nvram })
            }
            Subject::Disk(path, format) => {
                let target = super::domain::ONLY.to_owned();
                let disk = Disk { target, file: path.clone(), format: *format, readonly: false };
                Ok(Self { uuid: None, disks: vec![disk], nvram: None })
            }
        }
    }

    /// Those that are there.
    fn images(&self) -> Vec<PathBuf> {
        let files = self.disks.iter().map(|disk| &disk.file).chain(&self.nvram);
        files.filter_map(|file| real(file).ok()).collect()
    }
}

/// Which stored file goes where.
fn places(
    live: &Live,
    item: &Item,
    detail: &Detail,
) -> Result<Vec<(PathBuf, PathBuf)>, StorageError> {
    let doing = || format!("rolling back to snapshot {}", item.seq);
    let refuse = |why: String| Err(StorageError::new(Fault::Permanent, doing(), why));
    let mut places = Vec::new();
    for stored in &detail.disks {
        let Some(disk) = live.disks.iter().find(|disk| disk.target == stored.target) else {
            let (target, source) = (&stored.target, stored.source.display());
            return refuse(format!(
                "its disk {target} ({source}) is not attached any more: attach it again as {target}, \
                 or make a new instance from the snapshot"
            ));
        };
        if disk.format != stored.format {
            let (now, then) = (disk.format.word(), stored.format.word());
            return refuse(format!(
                "its disk {} is {now} now and was {then}: make a new instance from the snapshot",
                stored.target
            ));
        }
        places.push((stored.path(&item.path), real(&disk.file)?));
    }
    let has_nvram = detail.beside.iter().any(|(name, _)| name == NVRAM);
    if let Some(path) = live.nvram.as_ref().filter(|path| has_nvram && path.exists()) {
        places.push((item.path.join(NVRAM), real(path)?));
    }
    Ok(places)
}

/// Where a file really is: what is reached from here on is reached through no link.
fn real(path: &Path) -> Result<PathBuf, StorageError> {
    std::fs::canonicalize(path).doing(|| format!("looking at {}", path.display()))
}
