//! Taking a snapshot: of the live resource, or of one of its snapshots.

use super::super::{Object, TakeOrder};
use super::copy::{self, Story};
use super::detail::{DEFINITION, DISKS, Detail, NVRAM, Original, Stored, look};
use super::domain::Disk;
use super::subject::Live;
use super::{Libvirt, image, keep, verify};
use crate::domain::operation::Fault;
use crate::domain::snapshot::Part;
use crate::fs::growth::{Growth, allocated, telling};
use crate::fs::{Doing, Progress, StorageError};
use crate::store::{Filled, Growing, Taking};
use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

pub(super) fn take(
    libvirt: &Libvirt,
    order: &TakeOrder<'_>,
    progress: &dyn Progress,
) -> Result<Object, StorageError> {
    let part = order.card.part;
    let taking = Taking { store: &libvirt.store, card: order.card, progress };
    let manifest = match order.source {
        None => taking.live(
            || {
                libvirt.recover()?;
                Live::look(&libvirt.settings, part)
            },
            |live, growing| {
                make_disks(growing)?;
                copy_live(libvirt, growing, live, (part, progress))
            },
        ),
        Some(source) => taking.kept(
            source,
            |item| verify::verify(&libvirt.settings, item, progress),
            |item, growing| {
                make_disks(growing)?;
                keep::keep(growing, item, part)
            },
        ),
    }?;
    Ok(Object::of(&manifest))
}

fn make_disks(growing: &Growing<'_>) -> Result<(), StorageError> {
    let disks = growing.path.join(DISKS);
    DirBuilder::new().mode(0o700).create(&disks).doing(|| format!("making {}", disks.display()))
}

fn copy_live(
    libvirt: &Libvirt,
    growing: &Growing<'_>,
    live: Live,
    (part, progress): (Part, &dyn Progress),
) -> Result<Filled, StorageError> {
    let from: Vec<PathBuf> = live.disks.iter().map(|disk| disk.file.clone()).collect();
    let into = growing.path.join(DISKS);
    let whole = |over: &_| Some(from.iter().map(|disk| allocated(disk, over)).sum());
    let growth = Growth { now: &|over| allocated(&into, over), whole: &whole };
    let copied =
        telling(progress, &growth, || copy::copy(libvirt, growing, live, (part, progress)));
    let (live, story) = copied?;
    let mut beside = Vec::new();
    if let Some((_, definition)) = &live.instance {
        let path = growing.path.join(DEFINITION);
        write(&path, definition.print().as_bytes())?;
        beside.push((DEFINITION.to_owned(), look(&path).doing(looking)?));
        let nvram = growing.path.join(NVRAM);
        if nvram.exists() {
            beside.push((NVRAM.to_owned(), look(&nvram).doing(looking)?));
        }
    }
    let stored = live.disks.iter().map(|disk| stored(libvirt, growing, disk, progress));
    let disks = stored.collect::<Result<Vec<_>, _>>()?;
    let original = live
        .instance
        .as_ref()
        .map(|(domain, _)| Original { name: domain.name.clone(), uuid: domain.uuid.clone() });
    let Story { frozen_ms, paused_ms, seen, notes } = story;
    let detail = Detail { domain: original, disks, beside, seen, frozen_ms, paused_ms };
    Filled::new(detail, notes)
}

fn looking() -> String {
    "looking at the copy".into()
}

fn write(path: &Path, text: &[u8]) -> Result<(), StorageError> {
    use std::io::Write;
    let mut file = image::create(path)?;
    file.write_all(text).doing(|| format!("writing {}", path.display()))
}

/// Sees that a copied image is sound, and measures it.
fn stored(
    libvirt: &Libvirt,
    growing: &Growing<'_>,
    disk: &Disk,
    progress: &dyn Progress,
) -> Result<Stored, StorageError> {
    let file = growing.path.join(DISKS).join(format!("{}.{}", disk.target, disk.format.word()));
    let deadline = libvirt.settings.deadline;
    let mut facts = image::facts(&file, disk.format)?;
    if facts.dirty {
        image::mend(&file, disk.format, deadline, progress)?;
        facts = image::facts(&file, disk.format)?;
    }
    if facts.backing.is_some() {
        let why = "it has become the difference to another image: try again";
        let doing = format!("copying image {}", disk.file.display());
        return Err(StorageError::new(Fault::Busy, doing, why));
    }
    let used = image::check(&file, disk.format, deadline, progress)?;
    let original = std::fs::metadata(&disk.file);
    let original = original.doing(|| format!("looking at {}", disk.file.display()))?;
    Ok(Stored {
        target: disk.target.clone(),
        format: disk.format,
        source: disk.file.clone(),
        size: facts.size,
        used,
        uid: original.uid(),
        gid: original.gid(),
        mode: original.mode() & 0o777,
        look: look(&file).doing(looking)?,
    })
}
