//! The definition of a new instance, made from the one in a snapshot: the same guest, and nobody's
//! twin.

use super::domain::{is_disk, target};
use super::xml::Element;
use crate::domain::plan::Plan;
use std::path::PathBuf;

/// Says which snapshot a domain was made from, and where its disks go.
const ORIGIN: &str = "heptad:origin";
const NAMESPACE: &str = "urn:heptad:origin";

/// What is new.
pub struct Birth<'a> {
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
pub fn newborn(definition: &mut Element, birth: &mut Birth<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    definition.unset("id");
    definition.child_or_new("name").set_text(birth.name);
    definition.child_or_new("uuid").set_text(birth.uuid.clone());
    // libvirt draws a new one: a guest sees by it that it was copied.
    if let Some(generation) = definition.child_mut("genid") {
        generation.children.clear();
    }
    definition.drop_children(|part| part.name == "seclabel" && part.get("type") == Some("static"));
    smbios(definition, &birth.uuid);
    mark(definition, birth);
    if let Some(plan) = birth.plan {
        resize(definition, plan);
    }
    if let (Some(path), Some(os)) = (&birth.nvram, definition.child_mut("os")) {
        let nvram = os.child_or_new("nvram");
        nvram.set_text(path.display().to_string());
        // A path as its text and a source of its own exclude one another.
        nvram.unset("type");
    } else if let Some(os) = definition.child_mut("os") {
        os.drop_children(|part| part.name == "nvram");
    }
    let Some(devices) = definition.child_mut("devices") else { return notes };
    disks(devices, birth, &mut notes);
    drop_host(devices, &mut notes);
    for device in devices.elements_mut() {
        match device.name.as_str() {
            "interface" => network(device, (birth.draw)()),
            "graphics" => display(device),
            "serial" | "console" | "parallel" => port(device),
            "channel" => channel(device),
            "vsock" => {
                device.children.clear();
                device.set("model", "virtio");
                device
                    .children
                    .push(super::xml::Node::Element(Element::new("cid").with("auto", "yes")));
            }
            "tpm" => notes.push(
                "its TPM is new and empty: what was sealed by the old one (BitLocker) needs its \
                 recovery key"
                    .into(),
            ),
            _ => {}
        }
    }
    notes
}

/// The snapshot and target that a domain was made for.
pub fn origin(definition: &Element) -> Option<(&str, &str)> {
    let origin = definition.child("metadata")?.child(ORIGIN)?;
    Some((origin.get("snapshot")?, origin.get("target")?))
}

fn mark(definition: &mut Element, birth: &Birth<'_>) {
    let metadata = definition.child_or_new("metadata");
    metadata.drop_children(|part| part.name == ORIGIN);
    let (snapshot, target) = &birth.origin;
    let origin = Element::new(ORIGIN)
        .with("xmlns:heptad", NAMESPACE)
        .with("snapshot", snapshot)
        .with("target", target);
    metadata.children.push(super::xml::Node::Element(origin));
}

/// What the firmware tells the guest: its UUID must be the domain's, or libvirt refuses it.
fn smbios(definition: &mut Element, uuid: &str) {
    for info in definition.elements_mut().filter(|part| part.name == "sysinfo") {
        for part in info.elements_mut() {
            part.drop_children(|entry| entry.get("name") == Some("serial"));
            for entry in part.elements_mut().filter(|entry| entry.get("name") == Some("uuid")) {
                entry.set_text(uuid);
            }
        }
    }
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

fn disks(devices: &mut Element, birth: &Birth<'_>, notes: &mut Vec<String>) {
    devices.drop_children(|device| {
        let ours = birth.disks.iter().any(|(name, _)| *name == target(device));
        is_disk(device) && !ours && device.child("shareable").is_none()
    });
    for device in devices.elements_mut().filter(|device| is_disk(device)) {
        let name = target(device);
        let Some((_, path)) = birth.disks.iter().find(|(known, _)| *known == name) else {
            notes.push(format!("its disk {name} is shared with the original"));
            continue;
        };
        device.set("type", "file");
        device.drop_children(|part| {
            matches!(part.name.as_str(), "source" | "backingStore" | "mirror" | "transient")
        });
        let source = Element::new("source").with("file", path.display().to_string());
        device.children.push(super::xml::Node::Element(source));
    }
}

/// Devices of the host that only one guest can have.
fn drop_host(devices: &mut Element, notes: &mut Vec<String>) {
    let is_host = |device: &Element| {
        let kind = device.get("type").unwrap_or_default();
        let file = device.child("source").and_then(|source| source.child("path"));
        match device.name.as_str() {
            "hostdev" | "redirdev" | "lease" => true,
            "interface" => kind == "hostdev" || kind == "vdpa",
            "memory" => file.is_some(),
            "serial" | "parallel" => kind == "dev",
            _ => false,
        }
    };
    let left: Vec<String> =
        devices.elements().filter(|device| is_host(device)).map(|d| d.name.clone()).collect();
    devices.drop_children(is_host);
    if !left.is_empty() {
        notes.push(format!("devices of the host were left with the original: {}", left.join(", ")));
    }
}

/// 52:54:00 is the prefix that QEMU's guests have (libvirt, virDomainNetGenerateMAC).
fn network(device: &mut Element, [a, b, c]: [u8; 3]) {
    device.child_or_new("mac").set("address", format!("52:54:00:{a:02x}:{b:02x}:{c:02x}"));
    device.drop_children(|part| part.name == "target");
    if let Some(source) = device.child_mut("source") {
        source.unset("portid");
    }
    if let Some(parameters) =
        device.child_mut("virtualport").and_then(|v| v.child_mut("parameters"))
    {
        parameters.unset("interfaceid");
    }
}

fn display(device: &mut Element) {
    if !matches!(device.get("type"), Some("vnc" | "spice" | "rdp")) {
        return;
    }
    device.unset("tlsPort");
    device.unset("websocket");
    device.unset("socket");
    device.set("port", "-1");
    device.set("autoport", "yes");
    device.drop_children(|part| part.name == "listen" && part.get("type") == Some("socket"));
}

/// A file, a socket or a pipe of the host would be written by both.
fn port(device: &mut Element) {
    device.drop_children(|part| matches!(part.name.as_str(), "source" | "log" | "protocol"));
    device.unset("tty");
    device.set("type", "pty");
}

/// libvirt gives each domain's channel a socket of its own, if none is named.
fn channel(device: &mut Element) {
    if device.get("type") == Some("unix") {
        device.drop_children(|part| matches!(part.name.as_str(), "source" | "log"));
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
        let mut birth = Birth {
            name: "web-2",
            uuid: "new".into(),
            disks: vec![("vda".into(), "/new/vda.qcow2".into())],
            nvram: Some("/new/nvram".into()),
            plan,
            origin: ("id".into(), "/new".into()),
            draw: &mut || [1, 2, 0xff],
        };
        let notes = newborn(&mut definition, &mut birth);
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
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert_eq!(origin(&born), Some(("id", "/new")));
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
