//! The live resource as it is now: which disks, and what their guest is doing.

use super::domain::{Disk, Domain, Format};
use super::image;
use super::settings::{Settings, Subject};
use super::virsh::{State, Virsh};
use super::xml::Element;
use crate::domain::operation::Fault;
use crate::domain::snapshot::Part;
use crate::fs::{Doing, StorageError};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What is to be copied.
pub(super) struct Live {
    pub disks: Vec<Disk>,
    /// The guest that has them, if one has.
    pub guest: Option<Guest>,
    /// The instance that is protected, with its definition.
    pub instance: Option<(Domain, Element)>,
}

/// A domain whose process may write to the disks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Guest {
    pub uuid: String,
    pub state: State,
    /// The number of its run.
    pub run: String,
    /// User and group of its process.
    pub user: Option<(u32, u32)>,
    /// What it calls each of the disks.
    pub targets: Vec<String>,
}

impl Live {
    /// # Errors
    /// [`Fault::Absent`] where libvirt does not know the domain, or the image is not there.
    pub(super) fn look(settings: &Settings, part: Part) -> Result<Self, StorageError> {
        match &settings.subject {
            Subject::Instance(name) => instance(settings, name, part),
            Subject::Disk(path, format) => disk(settings, path, *format),
        }
    }

    /// Whether the guest is still doing the same as when it was looked at.
    pub(super) fn is_same(&self, settings: &Settings) -> Result<bool, StorageError> {
        match (&self.guest, &settings.subject) {
            (Some(guest), _) => {
                let virsh = &settings.virsh;
                let now = (virsh.state(&guest.uuid)?, virsh.run_number(&guest.uuid)?);
                Ok(now == (guest.state, guest.run.clone()))
            }
            (None, Subject::Disk(path, _)) => Ok(user_of(&settings.virsh, path)?.is_none()),
            (None, Subject::Instance(_)) => Ok(true),
        }
    }
}

fn instance(settings: &Settings, name: &str, part: Part) -> Result<Live, StorageError> {
    let virsh = &settings.virsh;
    let uuid = virsh.uuid(name)?;
    let run = virsh.run_number(&uuid)?;
    let state = virsh.state(&uuid)?;
    // What is attached only until the next start is part of what runs.
    let definition = virsh.definition(&uuid, state == State::Off)?;
    let domain = Domain::read(&definition, &settings.leave_out)?;
    let mut disks = domain.disks.clone();
    if part == Part::SystemDisk {
        disks.truncate(1);
    }
    let doing = || format!("looking at domain {name}");
    if disks.is_empty() {
        return Err(StorageError::new(
            Fault::Permanent,
            doing(),
            "it has no disk in an image file",
        ));
    }
    let mut names = std::collections::HashSet::new();
    if !disks.iter().all(|disk| names.insert(&disk.target)) {
        return Err(StorageError::new(Fault::Permanent, doing(), "two disks have one name"));
    }
    let targets = disks.iter().map(|disk| disk.target.clone()).collect();
    let guest = Guest { uuid, state, run, user: domain.user, targets };
    let kept = match state {
        State::Off => definition,
        _ => lasting(&virsh.definition(&guest.uuid, true)?, &definition),
    };
    let instance = (part == Part::Whole).then_some((domain, kept));
    Ok(Live { disks, guest: Some(guest), instance })
}

/// The definition of the next start, with the disks that are attached only now.
fn lasting(next: &Element, now: &Element) -> Element {
    use super::domain::{is_disk, target};
    use super::xml::Node;
    let mut lasting = next.clone();
    let devices = lasting.child_or_new("devices");
    let known: Vec<String> = devices.elements().filter(|e| is_disk(e)).map(target).collect();
    for disk in now.child("devices").iter().flat_map(|devices| devices.elements()) {
        if is_disk(disk) && !known.contains(&target(disk)) {
            let mut disk = disk.clone();
            disk.drop_children(|part| matches!(part.name.as_str(), "alias" | "address"));
            devices.children.push(Node::Element(disk));
        }
    }
    lasting
}

fn disk(settings: &Settings, path: &Path, format: Format) -> Result<Live, StorageError> {
    drop(image::open(path)?);
    let guest = user_of(&settings.virsh, path)?;
    let disks = vec![Disk::alone(path, format)];
    Ok(Live { disks, guest, instance: None })
}

/// The running domain that has an image open.
pub(super) fn user_of(virsh: &Virsh, path: &Path) -> Result<Option<Guest>, StorageError> {
    let doing = || format!("looking for the guest that uses {}", path.display());
    let wanted = std::fs::metadata(path).doing(doing)?;
    let said = virsh.call(&["domstats", "--block", "--nowait", "--list-active"], &doing())?;
    let Some((name, target)) = find_user(&said, |used| {
        let same =
            |meta: std::fs::Metadata| (meta.dev(), meta.ino()) == (wanted.dev(), wanted.ino());
        std::fs::metadata(used).is_ok_and(same)
    }) else {
        return Ok(None);
    };
    let uuid = virsh.uuid(&name)?;
    let (state, run) = (virsh.state(&uuid)?, virsh.run_number(&uuid)?);
    let user = super::domain::user(&virsh.definition(&uuid, false)?);
    Ok(Some(Guest { uuid, state, run, user, targets: vec![target] }))
}

/// Domain and disk in what `virsh domstats --block` prints.
fn find_user(said: &str, is_it: impl Fn(&str) -> bool) -> Option<(String, String)> {
    let (mut domain, mut disk) = (None, None);
    for line in said.lines() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix("Domain: '").and_then(|name| name.strip_suffix('\''))
        {
            domain = Some(name.to_owned());
        } else if let Some((key, value)) = line.split_once('=') {
            if key.starts_with("block.") && key.ends_with(".name") {
                disk = Some(value.to_owned());
            } else if key.starts_with("block.") && key.ends_with(".path") && is_it(value) {
                return domain.zip(disk);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_of_an_image_is_found_among_all_guests() {
        let said = "Domain: 'a'\n  block.count=1\n  block.0.name=vda\n  block.0.path=/a\n\n\
                    Domain: 'it's b'\n  block.0.name=vda\n  block.0.path=/x=y\n  block.1.name=vdb\n  \
                    block.1.path=/b\n";
        let check = |path: &str, want: Option<(&str, &str)>| {
            let found = find_user(said, |used| used == path);
            let found = found.as_ref().map(|(domain, disk)| (domain.as_str(), disk.as_str()));
            assert_eq!(found, want, "{path}");
        };
        check("/a", Some(("a", "vda")));
        check("/b", Some(("it's b", "vdb")));
        check("/x=y", Some(("it's b", "vda")));
        check("/c", None);
    }
}
