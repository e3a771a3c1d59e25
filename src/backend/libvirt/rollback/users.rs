//! Who stands in the way of a rollback.

use super::super::domain::Domain;
use super::super::settings::{Settings, Subject};
use super::super::subject::user_of;
use super::super::virsh::{State, Virsh};
use crate::domain::operation::Fault;
use crate::fs::StorageError;
use crate::store::users;

/// Who uses the live resource: its guest, or whoever else has an image open.
pub(crate) fn users(settings: &Settings) -> Result<Vec<String>, StorageError> {
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
        users.extend(users::users(&image)?);
    }
    Ok(users)
}

fn guest_is_up(virsh: &Virsh, uuid: &str) -> Result<Option<String>, StorageError> {
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
fn saved(virsh: &Virsh, uuid: &str) -> Result<Option<String>, StorageError> {
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

/// # Errors
/// [`Fault::Busy`] with who uses it.
pub(super) fn expect_none(settings: &Settings) -> Result<(), StorageError> {
    let users = users(settings)?;
    if users.is_empty() {
        return Ok(());
    }
    Err(StorageError::new(Fault::Busy, "rolling back", users.join("; ")))
}
