//! Putting a snapshot's disks in the place of the live ones.
//!
//! All copies are made first, beside the live images. Then a journal is written, which is the commit
//! point, and one rename after the other puts them in place. Whoever finds the journal finishes it:
//! no instance is left with some disks of then and some of now.

use super::super::in_use;
use super::super::manifest::sync_dir;
use super::super::shelf::Item;
use super::super::{BackendError, Doing, Probe, Progress, RollbackOrder};
use super::detail::{Detail, NVRAM};
use super::domain::{Disk, Domain};
use super::hold::Notes;
use super::image::fingerprint;
use super::settings::{Settings, Subject};
use super::subject::user_of;
use super::virsh::{State, Virsh};
use super::{Libvirt, image, verify};
use crate::domain::operation::Fault;
use serde::{Deserialize, Serialize};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// What is left to be put in place.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Journal {
    /// Of the order.
    token: uuid::Uuid,
    uri: String,
    /// The domain's UUID; none for a disk.
    domain: Option<String>,
    /// None once all is done: then it remembers whose order that was.
    renames: Vec<Rename>,
}

/// One image that gives way to another.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Rename {
    new: PathBuf,
    live: PathBuf,
    /// Which files they were when the journal was written.
    made: String,
    replaced: String,
}

/// Who uses the live resource: its guest, or whoever else has an image open.
pub fn users(settings: &Settings) -> Result<Vec<String>, BackendError> {
    let virsh = &settings.virsh;
    let (guest, images) = match &settings.subject {
        Subject::Instance(name) => {
            let uuid = virsh.uuid(name)?;
            let domain = Domain::read(&virsh.definition(&uuid, true)?, &settings.leave_out)?;
            (Some(uuid), domain.disks.into_iter().map(|disk| disk.file).collect())
        }
        Subject::Disk(path, _) => {
            (user_of(virsh, path)?.map(|guest| guest.uuid), vec![path.clone()])
        }
    };
    let found = guest.map(|uuid| guest_is_up(virsh, &uuid)).transpose()?.flatten();
    if let Some(guest) = found {
        return Ok(vec![guest]);
    }
    let mut users = Vec::new();
    for image in images {
        users.extend(in_use::users(&image)?);
    }
    Ok(users)
}

fn guest_is_up(virsh: &Virsh, uuid: &str) -> Result<Option<String>, BackendError> {
    let state = virsh.state(uuid)?;
    if state == State::Off {
        return saved(virsh, uuid);
    }
    let doing = format!("asking for the name of domain {uuid}");
    let name = virsh.call(&["domname", "--domain", uuid], &doing)?;
    let (name, doing) = (name.trim(), if state == State::Still { "paused" } else { "running" });
    let uri = &virsh.uri;
    Ok(Some(format!("domain {name} is {doing}: virsh --connect '{uri}' shutdown {name}")))
}

/// A guest that is off, and whose memory libvirt kept: it would go on over other disks.
fn saved(virsh: &Virsh, uuid: &str) -> Result<Option<String>, BackendError> {
    let doing = format!("asking how domain {uuid} was stopped");
    let info = virsh.call(&["dominfo", "--domain", uuid], &doing)?;
    let value = |key: &str| info.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
    if value("Managed save:") != Some("yes") {
        return Ok(None);
    }
    let (name, uri) = (value("Name:").unwrap_or(uuid), &virsh.uri);
    Ok(Some(format!(
        "the memory of domain {name} is saved, and it would go on with other disks: start it and shut \
         it down, or virsh --connect '{uri}' managedsave-remove {name}"
    )))
}

pub fn rollback(
    libvirt: &Libvirt,
    order: &RollbackOrder<'_>,
    progress: &dyn Progress,
) -> Result<Probe, BackendError> {
    let item = libvirt.shelf.whole(order.handle)?;
    // Another one than this, perhaps: then this one comes on top.
    if finish(&libvirt.rolling)? != Some(order.token) {
        let detail = verify::whole(&libvirt.settings, &item)?;
        let (domain, places) = places(libvirt, &item, &detail)?;
        expect_idle(&libvirt.settings)?;
        let renames = stage(order, &places, progress)?;
        // Again, as copying may have taken long.
        let ready = expect_idle(&libvirt.settings).and_then(|()| libvirt.rolling.make());
        if let Err(error) = ready {
            discard(&renames);
            return Err(error);
        }
        let uri = libvirt.settings.virsh.uri.clone();
        let rename = |(new, live): &(PathBuf, PathBuf)| {
            let (made, replaced) = (fingerprint(new)?, fingerprint(live)?);
            Ok(Rename { new: new.clone(), live: live.clone(), made, replaced })
        };
        let renames = renames.iter().map(rename).collect::<Result<Vec<_>, BackendError>>()?;
        libvirt.rolling.write(&Journal { token: order.token, uri, domain, renames })?;
        finish(&libvirt.rolling)?;
    }
    Ok(Probe { identity: libvirt.identity()? })
}

fn expect_idle(settings: &Settings) -> Result<(), BackendError> {
    let users = users(settings)?;
    if users.is_empty() {
        return Ok(());
    }
    Err(BackendError::new(Fault::Busy, "rolling back", users.join("; ")))
}

/// Which stored file goes where, and the domain whose they are.
type Places = (Option<String>, Vec<(PathBuf, PathBuf)>);

fn places(libvirt: &Libvirt, item: &Item, detail: &Detail) -> Result<Places, BackendError> {
    let doing = || format!("rolling back to snapshot {}", item.seq);
    let refuse = |why: String| Err(BackendError::new(Fault::Permanent, doing(), why));
    let settings = &libvirt.settings;
    let (uuid, disks, nvram) = match &settings.subject {
        Subject::Instance(name) => {
            let uuid = settings.virsh.uuid(name)?;
            let definition = settings.virsh.definition(&uuid, true)?;
            let domain = Domain::read(&definition, &settings.leave_out)?;
            (Some(uuid), domain.disks, domain.nvram)
        }
        Subject::Disk(path, format) => {
            let target = super::detail::ONLY.to_owned();
            let disk = Disk { target, file: path.clone(), format: *format, readonly: false };
            (None, vec![disk], None)
        }
    };
    let mut places = Vec::new();
    for stored in &detail.disks {
        let Some(disk) = disks.iter().find(|disk| disk.target == stored.target) else {
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
        let live = std::fs::canonicalize(&disk.file);
        let live = live.doing(|| format!("looking at {}", disk.file.display()))?;
        places.push((stored.path(&item.path), live));
    }
    let has_nvram = detail.beside.iter().any(|(name, _)| name == NVRAM);
    if let Some(path) = nvram.filter(|path| has_nvram && path.exists()) {
        places.push((item.path.join(NVRAM), path));
    }
    Ok((uuid, places))
}

/// Makes all copies, durably, each beside what it will replace.
fn stage(
    order: &RollbackOrder<'_>,
    places: &[(PathBuf, PathBuf)],
    progress: &dyn Progress,
) -> Result<Vec<(PathBuf, PathBuf)>, BackendError> {
    let name = |at: usize| format!(".heptad-{}-{at}", order.token.simple());
    let staged = |at: usize, live: &Path| live.with_file_name(name(at));
    let renames: Vec<(PathBuf, PathBuf)> =
        places.iter().enumerate().map(|(at, (_, live))| (staged(at, live), live.clone())).collect();
    discard(&renames);
    let mut done = 0;
    for ((stored, live), (new, _)) in places.iter().zip(&renames) {
        let mut tell = |bytes| {
            done += bytes;
            progress.report(done, None);
        };
        if let Err(error) = copy(stored, live, new, &mut tell) {
            discard(&renames);
            return Err(error);
        }
    }
    Ok(renames)
}

fn copy(
    stored: &Path,
    live: &Path,
    new: &Path,
    tell: &mut dyn FnMut(u64),
) -> Result<(), BackendError> {
    let doing = || format!("making {}", new.display());
    let was = std::fs::metadata(live).doing(doing)?;
    image::share_or_copy(&image::open(stored)?, new, tell)?;
    chown(new, Some(was.uid()), Some(was.gid())).doing(doing)?;
    std::fs::set_permissions(new, PermissionsExt::from_mode(was.mode() & 0o7777)).doing(doing)?;
    std::fs::File::open(new).and_then(|file| file.sync_all()).doing(doing)?;
    new.parent().map_or(Ok(()), sync_dir)
}

fn discard(renames: &[(PathBuf, PathBuf)]) {
    for (new, _) in renames {
        // What cannot be removed is in the way of making it, and is told then.
        let _ = std::fs::remove_file(new);
    }
}

/// Puts in place whatever a journal says. Returns whose it was, if there was one.
///
/// # Errors
/// [`Fault::Busy`] where its domain was started in between, or an image is in use;
/// [`Fault::Identity`] where an image is no longer the one that was to give way: what was written
/// since is stored nowhere, so nothing is replaced.
pub fn finish(rolling: &Notes) -> Result<Option<uuid::Uuid>, BackendError> {
    let Some(journal) = rolling.read::<Journal>()? else { return Ok(None) };
    let (doing, token) = ("completing a rollback that was interrupted", journal.token);
    if let Some(uuid) = journal.domain.as_ref().filter(|_| !journal.renames.is_empty()) {
        let virsh = Virsh { uri: journal.uri.clone() };
        match virsh.state(uuid) {
            Ok(State::Off) => {}
            Ok(_) => {
                let why = format!("domain {uuid} runs with half of its disks replaced: stop it");
                return Err(BackendError::new(Fault::Busy, doing, why));
            }
            // Its images are still where they were.
            Err(error) if error.fault == Fault::Absent => {}
            Err(error) => return Err(error),
        }
    }
    let mut left = Vec::new();
    for rename in &journal.renames {
        if is_left(rename, rolling)? {
            left.push(rename);
        }
    }
    for Rename { new, live, .. } in left {
        std::fs::rename(new, live).doing(|| format!("replacing {}", live.display()))?;
    }
    for parent in journal.renames.iter().filter_map(|rename| rename.live.parent()) {
        sync_dir(parent)?;
    }
    if !journal.renames.is_empty() {
        rolling.write(&Journal { renames: Vec::new(), ..journal })?;
    }
    Ok(Some(token))
}

/// Whether an image still has to give way.
fn is_left(rename: &Rename, rolling: &Notes) -> Result<bool, BackendError> {
    let Rename { live, made, replaced, .. } = rename;
    let (doing, there) = ("completing a rollback that was interrupted", fingerprint(live)?);
    if object(&there) == object(made) {
        // Done before the interruption.
        return Ok(false);
    }
    if there != *replaced {
        let (live, journal) = (live.display(), rolling.path.display());
        let why = format!(
            "{live} was written or replaced since, so it stays; remove {journal} to give the rollback \
             up, and roll back anew"
        );
        return Err(BackendError::new(Fault::Identity, doing, why));
    }
    let users = in_use::users(live)?;
    if users.is_empty() {
        return Ok(true);
    }
    Err(BackendError::new(Fault::Busy, doing, users.join("; ")))
}

/// Device and number of a fingerprint.
fn object(fingerprint: &str) -> Option<&str> {
    fingerprint.split(' ').next()
}
