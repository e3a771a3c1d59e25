//! Letting a running qemu copy its own disks, as of one moment, into the growing snapshot: a push
//! backup. It works on any file system and leaves no overlay: what the guest overwrites meanwhile
//! is copied first.

use super::detail::DISKS;
use super::domain::{Disk, Format, is_disk, target};
use super::folder::Folder;
use super::freeze::{FreezeReport, Notes};
use super::settings::Settings;
use super::subject::{Guest, Live};
use super::virsh::Virsh;
use super::xml::Element;
use super::{Libvirt, image};
use crate::domain::operation::Fault;
use crate::fs::{Doing, Progress, StorageError};
use crate::store::{Growing, Store};
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Others may pass, and see nothing: qemu runs as a user of its own.
const PASSABLE: u32 = 0o711;
const PRIVATE: u32 = 0o700;
/// Between two looks at the job.
const REST: Duration = Duration::from_millis(200);

/// A copy that a qemu is at.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Copying {
    uri: String,
    domain: String,
    /// The first file that it writes.
    file: String,
}

/// Holds the guest until the copy has begun; returns when it is done. `meanwhile` is done while the
/// guest is held.
pub(super) fn push(
    libvirt: &Libvirt,
    growing: &Growing<'_>,
    dir: &Path,
    (live, guest): (&Live, &Guest),
    (meanwhile, progress): (&mut dyn FnMut() -> Result<(), StorageError>, &dyn Progress),
) -> Result<FreezeReport, StorageError> {
    let settings = &libvirt.settings;
    let doing = format!("copying the disks of domain {}", guest.uuid);
    let folders = Folders::open(&libvirt.store, growing)?;
    open_up(libvirt, &folders, growing, guest.user)?;
    let mut files = Vec::new();
    for disk in &live.disks {
        let size = image::facts(&disk.file, disk.format)?.size;
        let file = place(dir, disk);
        image::make(&file, disk.format, size)?;
        if let Some((uid, gid)) = guest.user {
            folders.disks.dress(file.file_name().unwrap_or_default(), uid, gid, 0o600)?;
        }
        files.push((file, disk.format));
    }
    let order = order(settings, guest, &files)?;
    libvirt.copying.make()?;
    libvirt.copying.write(&Copying {
        uri: settings.virsh.uri.clone(),
        domain: guest.uuid.clone(),
        file: files.first().map(|(file, _)| file.display().to_string()).unwrap_or_default(),
    })?;
    let hold = settings.holder.hold(&guest.uuid, false)?;
    let args = ["backup-begin", "--reuse-external", "--domain", &guest.uuid, "/dev/stdin"];
    let begun = settings.virsh.feed(&args, &order.print(), &doing).and_then(|_| meanwhile());
    let held = hold.release();
    let done = begun.and_then(|()| wait(settings, &guest.uuid, &doing, progress));
    if done.is_err() || held.is_err() {
        recover(&libvirt.copying)?;
    }
    done?;
    libvirt.copying.clear()?;
    folders.close_again(&files)?;
    held
}

fn order(
    settings: &Settings,
    guest: &Guest,
    files: &[(PathBuf, Format)],
) -> Result<Element, StorageError> {
    let mut disks = Element::new("disks");
    let definition = settings.virsh.definition(&guest.uuid, false)?;
    let devices = definition.child("devices").into_iter().flat_map(|devices| devices.elements());
    for name in devices.filter(|element| is_disk(element)).map(target) {
        let ours = guest.targets.iter().position(|target| *target == name);
        let disk = Element::new("disk").with("name", name);
        disks = disks.holding(match ours.and_then(|at| files.get(at)) {
            None => disk.with("backup", "no"),
            Some((file, format)) => disk
                .with("backup", "yes")
                .with("type", "file")
                .holding(Element::new("driver").with("type", format.word()))
                .holding(Element::new("target").with("file", file.display().to_string())),
        });
    }
    Ok(Element::new("domainbackup").with("mode", "push").holding(disks))
}

/// Waits for the end of the copy.
fn wait(
    settings: &Settings,
    domain: &str,
    doing: &str,
    progress: &dyn Progress,
) -> Result<(), StorageError> {
    let until = Instant::now() + settings.deadline;
    let fail = |fault, why: String| Err(StorageError::new(fault, doing, why));
    loop {
        progress.wanted()?;
        let now = settings.virsh.call(&["domjobinfo", "--domain", domain], doing)?;
        if field(&now, "Job type").is_none_or(|kind| kind == "None") {
            break;
        }
        if Instant::now() >= until {
            let seconds = settings.deadline.as_secs();
            return fail(Fault::Transient, format!("not done after {seconds} s: raise deadline"));
        }
        std::thread::park_timeout(REST);
    }
    let args = ["domjobinfo", "--completed", "--keep-completed", "--anystats", "--domain", domain];
    let ended = settings.virsh.call(&args, doing)?;
    match (field(&ended, "Job type"), field(&ended, "Operation")) {
        (Some("Completed"), Some("Backup")) => Ok(()),
        (kind, _) => {
            let why = field(&ended, "Error message").or(kind).unwrap_or("unknown");
            let full = why.contains("No space left");
            let fault = if full { Fault::NoSpace } else { Fault::Transient };
            fail(fault, format!("qemu did not complete the copy: {why}"))
        }
    }
}

/// The value of `Name:   value`.
fn field<'a>(said: &'a str, name: &str) -> Option<&'a str> {
    said.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

/// Ends a copy that nobody waits for.
pub(super) fn recover(copying: &Notes) -> Result<(), StorageError> {
    let Some(note) = copying.read::<Copying>()? else { return Ok(()) };
    let virsh = Virsh { uri: note.uri.clone() };
    let doing = format!("ending the copy of domain {}", note.domain);
    match virsh.call(&["backup-dumpxml", "--domain", &note.domain], &doing) {
        Ok(job) if is_ours(&job, &note.file) => {
            virsh.call(&["domjobabort", "--domain", &note.domain], &doing)?;
        }
        // Somebody else's, or none, or there is no such guest.
        Ok(_) => {}
        Err(error) if matches!(error.fault, Fault::Permanent | Fault::Absent | Fault::Busy) => {}
        Err(error) => return Err(error),
    }
    copying.clear()
}

fn is_ours(job: &str, file: &str) -> bool {
    let Ok(job) = Element::parse(job) else { return false };
    let disks = job.child("disks").into_iter().flat_map(|disks| disks.elements());
    let targets = disks.filter_map(|disk| disk.child("target")?.get("file"));
    targets.into_iter().any(|target| target == file)
}

/// Where qemu writes, and what is above it in the store, from the top on.
struct Folders {
    store: Folder,
    resource: Folder,
    snapshot: Folder,
    disks: Folder,
}

impl Folders {
    fn open(store: &Store, growing: &Growing<'_>) -> Result<Self, StorageError> {
        let snapshot = growing.dir.try_clone();
        let snapshot = snapshot.doing(|| format!("opening {}", growing.path.display()))?;
        let snapshot = Folder::at(snapshot, &growing.path);
        let disks = snapshot.below(OsStr::new(DISKS))?;
        let (store, resource) = (Self::named(store.root())?, Self::named(store.dir())?);
        Ok(Self { store, resource, snapshot, disks })
    }

    fn named(path: &Path) -> Result<Folder, StorageError> {
        let dir = std::fs::File::open(path).doing(|| format!("opening {}", path.display()))?;
        Ok(Folder::at(dir.into(), path))
    }

    /// The copies are ours from here on. The store itself stays passable: other guests' copies may
    /// be under way in it.
    fn close_again(&self, files: &[(PathBuf, Format)]) -> Result<(), StorageError> {
        let us = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
        for (file, _) in files {
            self.disks.dress(file.file_name().unwrap_or_default(), us.0, us.1, 0o600)?;
        }
        [&self.disks, &self.snapshot, &self.resource].iter().try_for_each(|f| f.set_mode(PRIVATE))
    }
}

/// Lets the user of the guest's process through to the growing images. heptad's own state directory
/// is opened as well, each time anew: whoever starts the daemon closes it (`StateDirectoryMode`).
///
/// # Errors
/// [`Fault::Permanent`] where a directory above keeps it out.
fn open_up(
    libvirt: &Libvirt,
    folders: &Folders,
    growing: &Growing<'_>,
    user: Option<(u32, u32)>,
) -> Result<(), StorageError> {
    let Some((uid, gid)) = user.filter(|(uid, _)| *uid != 0) else { return Ok(()) };
    let Folders { store, resource, snapshot, disks } = folders;
    for folder in [store, resource, snapshot, disks] {
        folder.set_mode(PASSABLE)?;
    }
    let state = &libvirt.settings.holder.state;
    for above in libvirt.store.root().ancestors().skip(1) {
        let meta = std::fs::metadata(above).doing(|| format!("looking at {}", above.display()))?;
        let bit = match (meta.uid() == uid, meta.gid() == gid) {
            (true, _) => 0o100,
            (false, true) => 0o010,
            (false, false) => 0o001,
        };
        if meta.mode() & bit == 0 && above.starts_with(state) {
            Folders::named(above)?.set_mode(PASSABLE)?;
        } else if meta.mode() & bit == 0 {
            let above = above.display();
            let why = format!(
                "qemu, which copies them, runs as user {uid} and may not pass {above}: name a store \
                 elsewhere, best on the file system of the images, or let others pass (chmod o+x \
                 {above})"
            );
            let doing = format!("opening {} to qemu", growing.path.display());
            return Err(StorageError::new(Fault::Permanent, doing, why));
        }
    }
    Ok(())
}

/// Where the copy of a disk goes.
pub(super) fn place(dir: &Path, disk: &Disk) -> PathBuf {
    dir.join(format!("{}.{}", disk.target, disk.format.word()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_ended_only_if_it_writes_our_file() {
        let job = "<domainbackup><disks><disk name='vda'><target file='/s/1.partial/vda'/></disk>\
                   <disk name='vdb' backup='no'/></disks></domainbackup>";
        assert!(is_ours(job, "/s/1.partial/vda"));
        assert!(!is_ours(job, "/s/2.partial/vda"));
        assert!(!is_ours("nothing", "/s/1.partial/vda"));
        assert_eq!(field("Job type:         None  \nOperation: Backup", "Job type"), Some("None"));
    }
}
