//! Copying the disks at one point in time, in the way that their guest and their file system allow.
//!
//! Running, on a file system that shares blocks: freeze, pause, share all, let go; the same time
//! whatever the size. Running elsewhere: freeze, let qemu begin to copy as of this moment, let go.
//! Not running: share or copy, and see that the guest did not begin to run meanwhile.

use super::detail::{DISKS, NVRAM};
use super::domain::Domain;
use super::freeze::{FreezeReport, Unfrozen};
use super::push::place;
use super::settings::Settings;
use super::subject::{Guest, Live};
use super::virsh::State;
use super::{Libvirt, image, push};
use crate::domain::operation::Fault;
use crate::domain::snapshot::Part;
use crate::fs::{Doing, Progress, StorageError};
use crate::store::Growing;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// File systems that share blocks between files: btrfs, XFS, bcachefs, OCFS2 (statfs(2)). Some of
/// them only if made so: then sharing fails, and the guest was paused for nothing.
const SHARING: [u64; 4] = [0x9123_683e, 0x5846_5342, 0xca45_1a4e, 0x7461_636f];
/// Times that a resource which does not keep still is looked at anew.
const TRIES: u32 = 3;

/// How it went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Story {
    pub frozen_ms: Option<u64>,
    pub paused_ms: Option<u64>,
    /// How the files were, where nobody could write to them.
    pub seen: Vec<String>,
    pub notes: Vec<String>,
}

/// Copies all disks into the growing snapshot. Returns the resource as it was copied.
pub(super) fn copy(
    libvirt: &Libvirt,
    growing: &Growing<'_>,
    mut live: Live,
    (part, progress): (Part, &dyn Progress),
) -> Result<(Live, Story), StorageError> {
    let dir = growing.path.join(DISKS);
    for _ in 0..TRIES {
        progress.wanted()?;
        let state = live.guest.as_ref().map_or(State::Off, |guest| guest.state);
        match state {
            State::Running => {
                let story = running(libvirt, growing, &dir, (&live, progress))?;
                return Ok((live, story));
            }
            State::Ending => return Err(restless(&live, "it is being shut down; try again later")),
            State::Off | State::Still => {
                // Another snapshot's hold, perhaps, which this waits for: then it is not the same.
                let _alone = alone(&libvirt.settings, &live)?;
                let before = written(&live)?;
                if live.is_same(&libvirt.settings)? {
                    let story = still(&libvirt.settings, growing, &dir, (&live, progress))?;
                    if live.is_same(&libvirt.settings)? && written(&live)? == before {
                        return Ok((live, Story { seen: before, ..story }));
                    }
                }
            }
        }
        clear(growing, &dir)?;
        live = Live::look(&libvirt.settings, part)?;
    }
    Err(restless(&live, "it was started or stopped while its disks were copied; try again"))
}

/// Keeps a guest that stands still from being held by anybody else, and from being let go.
fn alone(settings: &Settings, live: &Live) -> Result<Option<OwnedFd>, StorageError> {
    match &live.guest {
        Some(Guest { uuid, state: State::Still, .. }) => settings.holder.alone(uuid).map(Some),
        _ => Ok(None),
    }
}

/// How each file is: a guest may have come and gone, or another program.
fn written(live: &Live) -> Result<Vec<String>, StorageError> {
    let nvram = live.instance.as_ref().and_then(|(domain, _)| domain.nvram.as_deref());
    let nvram = nvram.filter(|path| path.exists());
    live.disks.iter().map(|disk| disk.file.as_path()).chain(nvram).map(image::seen).collect()
}

fn restless(live: &Live, why: &str) -> StorageError {
    let uuid = live.guest.as_ref().map_or("", |guest| guest.uuid.as_str());
    StorageError::new(Fault::Busy, format!("copying the disks of domain {uuid}"), why)
}

fn clear(growing: &Growing<'_>, dir: &Path) -> Result<(), StorageError> {
    let doing = || format!("clearing {}", dir.display());
    for entry in std::fs::read_dir(dir).doing(doing)? {
        std::fs::remove_file(entry.doing(doing)?.path()).doing(doing)?;
    }
    match std::fs::remove_file(growing.path.join(NVRAM)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StorageError::io(doing(), &error))
        }
        _ => Ok(()),
    }
}

fn running(
    libvirt: &Libvirt,
    growing: &Growing<'_>,
    dir: &Path,
    (live, progress): (&Live, &dyn Progress),
) -> Result<Story, StorageError> {
    let Some(guest) = &live.guest else { return Err(restless(live, "it has no guest")) };
    let files = open(live)?;
    let nvram = live.instance.as_ref().and_then(|(domain, _)| domain.nvram.clone());
    if may_share(&files, growing)? && !is_based(live)? {
        files.iter().for_each(image::settle);
        let hold = libvirt.settings.holder.hold(&guest.uuid, true)?;
        let shared = share(live, &files, dir)
            .and_then(|shared| copy_nvram(nvram.as_deref(), growing).map(|()| shared));
        // Whatever came of it, the guest goes first.
        let held = hold.release()?;
        if shared? {
            return Ok(story(&held, live, "the blocks of its disks are shared"));
        }
        clear(growing, dir)?;
    }
    let mut meanwhile = || copy_nvram(nvram.as_deref(), growing);
    let held = push::push(libvirt, growing, dir, (live, guest), (&mut meanwhile, progress))?;
    Ok(story(&held, live, "its disks were copied by qemu, as they were at that moment"))
}

fn open(live: &Live) -> Result<Vec<File>, StorageError> {
    live.disks.iter().map(|disk| image::open(&disk.file)).collect()
}

/// Whether one of the images is a difference to another: a copy of it alone would be worth nothing.
fn is_based(live: &Live) -> Result<bool, StorageError> {
    for disk in &live.disks {
        if image::facts(&disk.file, disk.format)?.backing.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn may_share(files: &[File], growing: &Growing<'_>) -> Result<bool, StorageError> {
    let looking = || "looking at the file system of the images".to_owned();
    let store = rustix::fs::fstat(&growing.dir).doing(looking)?;
    let kind = rustix::fs::fstatfs(&growing.dir).doing(looking)?.f_type;
    let kind = u64::from_ne_bytes(kind.to_ne_bytes());
    // btrfs gives each subvolume a device number of its own; there only trying tells.
    let is_same = |file: &File| file.metadata().is_ok_and(|meta| meta.dev() == store.st_dev);
    Ok(SHARING.contains(&kind) && (kind == SHARING[0] || files.iter().all(is_same)))
}

fn share(live: &Live, files: &[File], dir: &Path) -> Result<bool, StorageError> {
    for (disk, file) in live.disks.iter().zip(files) {
        if !image::share(file, &place(dir, disk))? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn copy_nvram(nvram: Option<&Path>, growing: &Growing<'_>) -> Result<(), StorageError> {
    let Some(path) = nvram else { return Ok(()) };
    match image::open(path) {
        Ok(file) => {
            image::share_or_copy(&file, &growing.path.join(NVRAM), &mut |_| true).map(|_| ())
        }
        // libvirt makes it at the first start.
        Err(error) if error.fault == Fault::Absent => Ok(()),
        Err(error) => Err(error),
    }
}

/// For a guest that is off or stands still by itself.
fn still(
    settings: &Settings,
    growing: &Growing<'_>,
    dir: &Path,
    (live, progress): (&Live, &dyn Progress),
) -> Result<Story, StorageError> {
    let mut all_shared = true;
    for disk in &live.disks {
        let to = place(dir, disk);
        if image::facts(&disk.file, disk.format)?.backing.is_some() {
            image::flatten(&disk.file, disk.format, &to, settings.deadline, progress)?;
            all_shared = false;
        } else {
            all_shared &= {
                let mut tell = |_| progress.is_wanted();
                image::share_or_copy(&image::open(&disk.file)?, &to, &mut tell)?
            };
        }
    }
    let domain: Option<&Domain> = live.instance.as_ref().map(|(domain, _)| domain);
    copy_nvram(domain.and_then(|domain| domain.nvram.as_deref()), growing)?;
    let how =
        if all_shared { "the blocks of its disks are shared" } else { "its disks were copied" };
    let state = match &live.guest {
        Some(Guest { state: State::Still, .. }) => {
            "crash-consistent: its guest was paused, by somebody else, and could not be asked"
        }
        Some(_) => "its guest was off",
        None => "no running guest used it",
    };
    Ok(Story { notes: vec![format!("{state}; {how}")], ..Story::default() })
}

fn story(held: &FreezeReport, live: &Live, how: &str) -> Story {
    let disks = match live.disks.len() {
        1 => "its disk".to_owned(),
        count => format!("all {count} disks"),
    };
    let mut notes = vec![match (held.frozen_ms, &held.unfrozen) {
        (Some(ms), _) => {
            format!(
                "its guest agent froze the file systems for {ms} ms: {disks} at one point in time"
            )
        }
        (None, Unfrozen::ByOthers) => format!(
            "crash-consistent, {disks} at one point in time: its file systems were frozen by somebody \
             else, and were left so"
        ),
        (None, Unfrozen::Why(why)) => format!(
            "crash-consistent, {disks} at one point in time: the guest agent did not answer ({why})"
        ),
    }];
    if let Some(ms) = held.paused_ms {
        notes.push(format!("its processors were paused for {ms} ms"));
    }
    notes.push(how.into());
    Story { frozen_ms: held.frozen_ms, paused_ms: held.paused_ms, notes, ..Story::default() }
}
