//! The definition of a new instance, made from the one in a snapshot: the same guest, and nobody's
//! twin.

use super::domain::{is_disk, target};
use super::exclusive_devices;
use super::xml::{Element, Node};
use crate::domain::plan::Plan;
use std::path::PathBuf;

/// Says which snapshot a domain was made from, and where its disks go.
const ORIGIN: &str = "heptad:origin";
const PREFIX: &str = "heptad";
const NAMESPACE: &str = "urn:heptad:origin";
/// Its attribute that is there until the disks have their place: the UUID of the domain that it was
/// made for. A copy of the definition is another domain.
const UNFINISHED: &str = "unfinished";
/// The prefix that QEMU's guests have (libvirt, virDomainNetGenerateMAC).
const CARD: &str = "52:54:00";

/// What is new.
pub(super) struct NewDomain<'a> {
    pub name: &'a str,
    pub uuid: String,
    /// Images by the names of their disks.
    pub disks: Vec<(String, PathBuf)>,
    pub nvram: Option<PathBuf>,
    pub plan: Option<&'a Plan>,
    /// The snapshot's id, and the directory of the disks.
    pub origin: (String, String),
    /// Draws the last three bytes of an address of a network card.
    pub draw: &'a mut dyn FnMut() -> [u8; 3],
}

/// Returns sentences for a person: what was left behind.
pub(super) fn derive(definition: &mut Element, new: &mut NewDomain<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    definition.unset("id");
    definition.child_or_new("name").set_text(new.name);
    definition.child_or_new("uuid").set_text(new.uuid.clone());
    // libvirt draws a new one: a guest sees by it that it was copied.
    if let Some(generation) = definition.child_mut("genid") {
        generation.children.clear();
    }
    definition.drop_children(|part| part.name == "seclabel" && part.get("type") == Some("static"));
    mark(definition, new);
    if let Some(plan) = new.plan {
        resize(definition, plan);
    }
    if let (Some(path), Some(os)) = (&new.nvram, definition.child_mut("os")) {
        let nvram = os.child_or_new("nvram");
        nvram.set_text(path.display().to_string());
        // A path as its text and a source of its own exclude one another.
        nvram.unset("type");
    } else if let Some(os) = definition.child_mut("os") {
        os.drop_children(|part| part.name == "nvram");
    }
    if let Some(devices) = definition.child_mut("devices") {
        disks(devices, new, &mut notes);
    }
    notes.extend(exclusive_devices::cut(definition, new.name));
    for device in definition.child_mut("devices").into_iter().flat_map(Element::elements_mut) {
        match device.name.as_str() {
            "interface" => {
                let [a, b, c] = (new.draw)();
                let address = format!("{CARD}:{a:02x}:{b:02x}:{c:02x}");
                device.child_or_new("mac").set("address", address);
            }
            "tpm" => {
                // libvirt gives each domain a state of its own, if none is named.
                if let Some(backend) = device.child_mut("backend") {
                    backend.drop_children(|part| part.name == "source");
                }
                notes.push(
                    "its TPM is new and empty: what was sealed by the old one (BitLocker) needs its \
                     recovery key"
                        .into(),
                );
            }
            _ => {}
        }
    }
    notes
}

/// What was drawn for the addresses of its network cards, in their order.
pub(super) fn addresses(definition: &Element) -> Vec<[u8; 3]> {
    let devices = definition.child("devices").into_iter().flat_map(Element::elements);
    let cards = devices.filter(|device| device.name == "interface");
    let drawn = cards.map(|card| {
        let address = card.child("mac").and_then(|mac| mac.get("address")).unwrap_or_default();
        let bytes = address.split(':').skip(3).map(|byte| u8::from_str_radix(byte, 16).ok());
        bytes.collect::<Option<Vec<_>>>().and_then(|bytes| bytes.try_into().ok())
    });
    drawn.map(Option::unwrap_or_default).collect()
}

/// The snapshot and target that a domain was made for.
pub(super) fn origin(definition: &Element) -> Option<(&str, &str)> {
    let origin = definition.child("metadata")?.child(ORIGIN)?;
    Some((origin.get("snapshot")?, origin.get("target")?))
}

/// Whether the domain's disks have never had their place.
pub(super) fn is_unfinished(definition: &Element, uuid: &str) -> bool {
    let origin = definition.child("metadata").and_then(|metadata| metadata.child(ORIGIN));
    origin.and_then(|origin| origin.get(UNFINISHED)) == Some(uuid)
}

/// The mark of one that is finished, as libvirt wants it: without its prefix.
pub(super) struct Mark {
    pub uri: &'static str,
    pub key: &'static str,
    pub text: String,
}

pub(super) fn finished((snapshot, target): &(String, String)) -> Mark {
    let origin = Element::new("origin").with("snapshot", snapshot).with("target", target);
    Mark { uri: NAMESPACE, key: PREFIX, text: origin.print() }
}

fn mark(definition: &mut Element, new: &NewDomain<'_>) {
    let metadata = definition.child_or_new("metadata");
    metadata.drop_children(|part| part.name == ORIGIN);
    let (snapshot, target) = &new.origin;
    let origin = Element::new(ORIGIN)
        .with(&format!("xmlns:{PREFIX}"), NAMESPACE)
        .with("snapshot", snapshot)
        .with("target", target)
        .with(UNFINISHED, &new.uuid);
    metadata.children.push(Node::Element(origin));
}

fn resize(definition: &mut Element, plan: &Plan) {
    let vcpu = definition.child_or_new("vcpu");
    let same = vcpu.text() == plan.vcpus.to_string();
    vcpu.unset("current");
    vcpu.unset("cpuset");
    vcpu.set_text(plan.vcpus.to_string());
    definition
        .drop_children(|part| matches!(part.name.as_str(), "vcpus" | "cputune" | "maxMemory"));
    if let Some(cpu) = definition.child_mut("cpu") {
        // Sockets, cores and cells must make up the number of processors and the memory.
        cpu.drop_children(|part| part.name == "numa" || (!same && part.name == "topology"));
    }
    for name in ["memory", "currentMemory"] {
        let memory = definition.child_or_new(name);
        memory.set("unit", "KiB");
        memory.set_text((plan.memory / 1024).to_string());
    }
}

fn disks(devices: &mut Element, new: &NewDomain<'_>, notes: &mut Vec<String>) {
    let is_left = |device: &Element| {
        let ours = new.disks.iter().any(|(name, _)| *name == target(device));
        is_disk(device) && !ours && device.child("shareable").is_none()
    };
    let left: Vec<String> = devices.elements().filter(|disk| is_left(disk)).map(target).collect();
    devices.drop_children(is_left);
    if !left.is_empty() {
        let (left, name) = (left.join(", "), new.name);
        notes.push(format!(
            "disks that the snapshot does not have were left with the original: {left}; to give it \
             others: virsh attach-disk {name}"
        ));
    }
    for device in devices.elements_mut().filter(|device| is_disk(device)) {
        let name = target(device);
        let Some((_, path)) = new.disks.iter().find(|(known, _)| *known == name) else {
            notes.push(format!("its disk {name} is shared with the original"));
            continue;
        };
        device.set("type", "file");
        device.drop_children(|part| {
            matches!(part.name.as_str(), "source" | "backingStore" | "mirror" | "transient")
        });
        let source = Element::new("source").with("file", path.display().to_string());
        device.children.push(Node::Element(source));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: &str = "<domain type='kvm' id='3'><name>web</name><uuid>old</uuid><genid>old</genid>
        <memory unit='GiB'>1</memory><vcpu current='1'>2</vcpu><cpu><topology sockets='2'/></cpu>
        <sysinfo type='smbios'><system><entry name='uuid'>old</entry><entry name='serial'>S</entry>
        </system></sysinfo><os><nvram>/var/nvram/web</nvram></os>
        <devices><disk type='file' device='disk'><source file='/old/a'/><target dev='vda'/>
          <backingStore/></disk>
        <disk type='file' device='cdrom'><source file='/iso'/><target dev='sda'/></disk>
        <disk type='block' device='disk'><source dev='/dev/x'/><target dev='vdz'/></disk>
        <interface type='network'><mac address='52:54:00:00:00:01'/><target dev='vnet3'/></interface>
        <hostdev/><serial type='file'><source path='/log'/><target port='0'/></serial>
        <channel type='unix'><source path='/socket'/><target type='virtio' name='agent'/></channel>
        <graphics type='vnc' port='5901' autoport='no' passwd='p'/></devices></domain>";

    fn born(plan: Option<&Plan>) -> (Element, Vec<String>) {
        let mut definition = Element::parse(WEB).unwrap();
        let mut new = NewDomain {
            name: "web-2",
            uuid: "new".into(),
            disks: vec![("vda".into(), "/new/vda.qcow2".into())],
            nvram: Some("/new/nvram".into()),
            plan,
            origin: ("id".into(), "/new".into()),
            draw: &mut || [1, 2, 0xff],
        };
        let notes = derive(&mut definition, &mut new);
        (definition, notes)
    }

    #[test]
    fn nothing_of_the_originals_identity_is_carried_over() {
        let (born, notes) = born(None);
        let text = born.print();
        for old in
            ["old", "/old/a", "00:00:01", "vnet3", "/log", "/socket", "5901", "hostdev", "vdz"]
        {
            assert!(!text.contains(old), "{old} in {text}");
        }
        for new in ["web-2", "52:54:00:01:02:ff", "/new/vda.qcow2", "/new/nvram", "/iso", "passwd"]
        {
            assert!(text.contains(new), "{new} not in {text}");
        }
        assert_eq!(born.child("vcpu").unwrap().text(), "2");
        let said = ["vdz", "serial and asset", "hostdev", "serial file /log"];
        for said in said {
            assert!(notes.iter().any(|note| note.contains(said)), "{said} not in {notes:?}");
        }
        assert_eq!(origin(&born), Some(("id", "/new")));
        assert_eq!(addresses(&born), [[1, 2, 0xff]]);
        assert!(is_unfinished(&born, "new") && !is_unfinished(&born, "another"));
    }

    #[test]
    fn a_plan_sets_processors_and_memory() {
        let plan =
            Plan { name: "large".parse().unwrap(), vcpus: 4, memory: 2 << 30, disk: 40 << 30 };
        let (born, _) = born(Some(&plan));
        assert_eq!(born.child("vcpu").unwrap(), &{
            let mut vcpu = Element::new("vcpu");
            vcpu.set_text("4");
            vcpu
        });
        assert_eq!(born.child("memory").unwrap().text(), (2 << 20).to_string());
        assert_eq!(born.child("cpu").unwrap().child("topology"), None);
    }
}
