//! Taking a snapshot: of the live resource, or of one of its snapshots.

use super::super::{Object, TakeOrder};
use super::copy::{self, Story};
use super::detail::{DEFINITION, DISKS, Detail, NVRAM, Original, Stored, look};
use super::domain::Disk;
use super::subject::Live;
use super::{Libvirt, WORD, image, keep, verify};
use crate::domain::operation::Fault;
use crate::domain::snapshot::Part;
use crate::fs::growth::{Growth, allocated, telling};
use crate::fs::{Doing, Progress, StorageError};
use crate::store::manifest::Manifest;
use crate::store::{Growing, Item};
use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

enum Source {
    Live(Live),
    Snapshot(Item),
}

pub fn take(
    libvirt: &Libvirt,
    order: &TakeOrder<'_>,
    progress: &dyn Progress,
) -> Result<Object, StorageError> {
    let (store, card) = (&libvirt.store, order.card);
    if let Some(done) = store.already(&card.handle)? {
        return Ok(Object::of(&done.manifest));
    }
    // Before anything is made: a source that is away leaves nothing behind.
    let source = match order.source {
        None => {
            libvirt.recover()?;
            Source::Live(Live::look(&libvirt.settings, card.part)?)
        }
        Some(source) => {
            let item = store.whole(source)?;
            // A copy of something changed would pass for the snapshot that it was.
            verify::verify(&libvirt.settings, &item, progress)?;
            Source::Snapshot(item)
        }
    };
    store.make()?;
    store.sweep()?;
    store.expect_free(card.handle.seq)?;
    store.raise(card.handle.seq)?;
    let mut manifest = Manifest::new(store.resource(), WORD, card);
    let growing = Growing::begin(store, &manifest)?;
    let disks = growing.path.join(DISKS);
    DirBuilder::new().mode(0o700).create(&disks).doing(|| format!("making {}", disks.display()))?;
    let (detail, notes) = match source {
        Source::Live(live) => copy_live(libvirt, &growing, live, (card.part, progress))?,
        Source::Snapshot(item) => {
            manifest.incomplete.clone_from(&item.manifest.incomplete);
            keep::keep(&growing, &item, card.part)?
        }
    };
    manifest.detail = serde_json::to_value(detail)
        .map_err(std::io::Error::from)
        .doing(|| "writing the manifest".into())?;
    manifest.notes = notes;
    progress.wanted()?;
    growing.commit(&manifest)?;
    Ok(Object::of(&manifest))
}

fn copy_live(
    libvirt: &Libvirt,
    growing: &Growing<'_>,
    live: Live,
    (part, progress): (Part, &dyn Progress),
) -> Result<(Detail, Vec<String>), StorageError> {
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
    Ok((Detail { domain: original, disks, beside, seen, frozen_ms, paused_ms }, notes))
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
