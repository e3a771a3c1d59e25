//! What a domain's definition says about its disks and its size.

use super::xml::Element;
use crate::domain::operation::Fault;
use crate::fs::StorageError;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The format of an image, as the configuration says; nothing is ever probed: the first bytes of a
/// raw image are the guest's, and could pass for anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    Qcow2,
    Raw,
}

impl Format {
    pub(super) const ALL: [(&'static str, Format); 2] =
        [("qcow2", Format::Qcow2), ("raw", Format::Raw)];

    pub(super) fn word(self) -> &'static str {
        match self {
            Format::Qcow2 => "qcow2",
            Format::Raw => "raw",
        }
    }
}

/// One disk of a domain that lies in an image file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Disk {
    /// What the definition calls it: `vda`.
    pub target: String,
    pub file: PathBuf,
    pub format: Format,
    pub readonly: bool,
}

impl Disk {
    /// A disk that is a resource.
    pub(super) fn alone(file: &Path, format: Format) -> Self {
        Self { target: ONLY.into(), file: file.to_owned(), format, readonly: false }
    }
}

/// What snapshots need of a definition.
#[derive(Clone, Debug)]
pub(super) struct Domain {
    pub name: String,
    pub uuid: String,
    /// The system disk first, then the others in the definition's order.
    pub disks: Vec<Disk>,
    /// The firmware's variables, of a guest that boots by UEFI.
    pub nvram: Option<PathBuf>,
    /// User and group of its process, while there is one.
    pub user: Option<(u32, u32)>,
}

impl Domain {
    /// # Errors
    /// [`Fault::Permanent`] for a disk that cannot be in a snapshot and is not in `left_out`.
    pub(super) fn read(definition: &Element, left_out: &[String]) -> Result<Self, StorageError> {
        let text = |name: &str| definition.child(name).map(Element::text).unwrap_or_default();
        let (name, uuid) = (text("name"), text("uuid"));
        let devices = definition.child("devices");
        let mut found = Vec::new();
        for element in devices.iter().flat_map(|devices| devices.elements()) {
            if !is_disk(element) {
                continue;
            }
            let target = target(element);
            if left_out.contains(&target) {
                continue;
            }
            let disk = disk(element, target).map_err(|why| {
                StorageError::new(Fault::Permanent, format!("reading domain {name}"), why)
            })?;
            found.push((boot_order(element), disk));
        }
        // A stable sort: where no order of booting is given, the first disk is the system's.
        found.sort_by_key(|(order, _)| *order);
        let disks: Vec<Disk> = found.into_iter().map(|(_, disk)| disk).collect();
        let nvram = definition.child("os").and_then(|os| os.child("nvram"));
        let nvram = nvram.map(Element::text).filter(|path| path.starts_with('/'));
        let dac = definition
            .elements()
            .find(|element| element.name == "seclabel" && element.get("model") == Some("dac"));
        let user = dac.and_then(|dac| dac.child("label")).and_then(|label| owner(&label.text()));
        Ok(Self { name, uuid, disks, nvram: nvram.map(PathBuf::from), user })
    }
}

/// Whether it is a disk whose content is the guest's.
pub(super) fn is_disk(element: &Element) -> bool {
    let device = element.get("device").unwrap_or("disk");
    element.name == "disk" && matches!(device, "disk" | "lun")
}

pub(super) fn target(disk: &Element) -> String {
    disk.child("target").and_then(|target| target.get("dev")).unwrap_or_default().to_owned()
}

fn boot_order(disk: &Element) -> u32 {
    let order = disk.child("boot").and_then(|boot| boot.get("order")?.parse().ok());
    order.unwrap_or(u32::MAX)
}

/// User and group of a running domain's process.
pub(super) fn user(definition: &Element) -> Option<(u32, u32)> {
    let is_dac = |part: &&Element| part.name == "seclabel" && part.get("model") == Some("dac");
    let label = definition.elements().find(is_dac)?.child("label")?;
    owner(&label.text())
}

/// `+64055:+64055`.
fn owner(label: &str) -> Option<(u32, u32)> {
    let (user, group) = label.split_once(':')?;
    Some((user.trim_start_matches('+').parse().ok()?, group.trim_start_matches('+').parse().ok()?))
}

fn disk(element: &Element, target: String) -> Result<Disk, String> {
    let way_out = format!("leave it out with leave_out = [\"{target}\"]");
    let source = element.child("source");
    let file = source.and_then(|source| source.get("file"));
    let (Some("file"), Some(file)) = (element.get("type"), file) else {
        let kind = element.get("type").unwrap_or("unknown");
        return Err(format!(
            "its disk {target} is of type {kind} and lies in no image file: {way_out}, and protect \
             it by another backend"
        ));
    };
    if source.and_then(|source| source.child("encryption")).is_some() {
        return Err(format!("its disk {target} is encrypted by qemu: {way_out}"));
    }
    let driver = element.child("driver").and_then(|driver| driver.get("type"));
    // libvirt takes a disk without a format for raw.
    let format = Format::ALL.iter().find(|(word, _)| *word == driver.unwrap_or("raw"));
    let Some((_, format)) = format else {
        let driver = driver.unwrap_or_default();
        return Err(format!(
            "its disk {target} is in format {driver}; only qcow2 and raw are snapshotted: {way_out}"
        ));
    };
    let plain = !target.is_empty() && target.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !plain || !file.starts_with('/') {
        return Err(format!("its disk {target:?} has no plain name or path"));
    }
    let readonly = element.child("readonly").is_some();
    Ok(Disk { target, file: file.into(), format: *format, readonly })
}

/// What the image of a resource that is a disk is called.
pub(super) const ONLY: &str = "disk";

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: &str =
        "<domain id='7'><name>web</name><uuid>u</uuid><os><nvram>/n</nvram></os><devices>
        <disk type='file' device='cdrom'><target dev='sda'/></disk>
        <disk type='file'><source file='/b'/><target dev='vdb'/></disk>
        <disk type='file' device='disk'><driver type='qcow2'/><source file='/a'/><target dev='vda'/>
          <boot order='1'/></disk></devices>
        <seclabel model='dac'><label>+64055:+103</label></seclabel></domain>";

    #[test]
    fn the_disk_that_boots_is_first_and_formats_are_as_configured() {
        let domain = Domain::read(&Element::parse(WEB).unwrap(), &[]).unwrap();
        let disks: Vec<_> =
            domain.disks.iter().map(|disk| (disk.target.as_str(), disk.format)).collect();
        assert_eq!(disks, [("vda", Format::Qcow2), ("vdb", Format::Raw)]);
        assert_eq!((domain.nvram, domain.user), (Some("/n".into()), Some((64055, 103))));
    }

    #[test]
    fn a_disk_that_is_no_image_is_refused_by_name_unless_it_is_left_out() {
        let check = |disk: &str, want: &str| {
            let text = format!("<domain><name>web</name><devices>{disk}</devices></domain>");
            let tree = Element::parse(&text).unwrap();
            let error = Domain::read(&tree, &[]).unwrap_err().to_string();
            assert!(error.contains(want) && error.contains("vdc"), "{error}");
            let left_out = Domain::read(&tree, &["vdc".into()]).unwrap();
            assert_eq!(left_out.disks, []);
        };
        let target = "<target dev='vdc'/>";
        check(&format!("<disk type='block'><source dev='/dev/x'/>{target}</disk>"), "type block");
        check(&format!("<disk type='network'>{target}</disk>"), "type network");
        let vmdk = "<driver type='vmdk'/><source file='/a'/>";
        check(&format!("<disk type='file'>{vmdk}{target}</disk>"), "format vmdk");
    }
}
