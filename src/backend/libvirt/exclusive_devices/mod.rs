//! What ties a definition to its host or to its original: what only one guest can have at a time.
//!
//! It is left with the original, or the new guest gets its own; either is told, with the way back.
//! (libvirt, "Domain XML format".)

use super::xml::Element;

/// What becomes of a device.
#[derive(Debug, PartialEq, Eq)]
enum Disposition {
    /// Both can have it.
    Stays,
    /// It stays with the original.
    Left(String),
    /// The new one has its own.
    Own(String),
    /// Both use the same.
    Shared(String),
}

/// Ends of a character device that are nobody's but the guest's, or its display's.
const FREE: [&str; 7] = ["pty", "null", "vc", "spicevmc", "spiceport", "qemu-vdagent", "dbus"];
/// Where libvirt has sockets of its own; the names of domains are part of them.
const LIBVIRTS: [&str; 2] = ["/var/lib/libvirt/qemu/", "/run/libvirt/qemu/"];
/// How names begin that libvirt gives to network cards by itself.
const GENERATED: [&str; 4] = ["vnet", "macvtap", "macvlan", "vif"];
/// Attributes that say what a device is, or is connected to.
const TELLING: [&str; 9] =
    ["type", "name", "path", "file", "dev", "dir", "socket", "host", "service"];

/// Cuts them all in the definition of the new guest of this name. Returns sentences for a person.
pub(super) fn cut(definition: &mut Element, name: &str) -> Vec<String> {
    let mut notes = words(definition, name);
    notes.extend(firmware(definition, name));
    let Some(devices) = definition.child_mut("devices") else { return notes };
    let (mut left, mut own, mut shared) = (Vec::new(), Vec::new(), Vec::new());
    for device in devices.elements_mut() {
        match fate(device) {
            Disposition::Stays => {}
            Disposition::Left(what) => {
                left.push(what);
                // It goes below.
                device.name.clear();
            }
            Disposition::Own(what) => own.push(what),
            Disposition::Shared(what) => shared.push(what),
        }
    }
    devices.drop_children(|device| device.name.is_empty());
    let mut tell = |what: Vec<String>, before: &str, after: String| {
        if !what.is_empty() {
            notes.push(format!("{before}: {}{after}", what.join(", ")));
        }
    };
    let edit = format!("; to give it others: virsh edit {name}");
    tell(left, "left with the original, as only one guest can have it", edit);
    let edit = format!("; virsh dumpxml {name} shows it, virsh edit {name} changes it");
    tell(own, "it has its own in the place of the original's", edit);
    tell(shared, "it uses the same as the original", String::new());
    notes
}

/// What the original says to its hypervisor past libvirt may name anything.
fn words(definition: &mut Element, name: &str) -> Vec<String> {
    let prefix = |element: &Element| element.name.split_once(':').map(|(p, _)| p.to_owned());
    let said: Vec<String> = definition
        .elements()
        .filter(|part| prefix(part).is_some())
        .map(|part| part.name.clone())
        .collect();
    for space in definition.elements().filter_map(prefix).collect::<Vec<_>>() {
        definition.unset(&format!("xmlns:{space}"));
    }
    definition.drop_children(|part| prefix(part).is_some());
    if said.is_empty() {
        return Vec::new();
    }
    let said = said.join(", ");
    vec![format!(
        "what the original says to its hypervisor past libvirt was left out, as it may name files, \
         ports and devices that only one guest can have: {said}; to say it again: virsh edit {name}"
    )]
}

/// What the firmware tells the guest. Its UUID must be the domain's, or libvirt refuses it.
fn firmware(definition: &mut Element, name: &str) -> Vec<String> {
    let uuid = definition.child("uuid").map(Element::text).unwrap_or_default();
    definition.drop_children(|part| part.name == "hwuuid");
    let is_number = |entry: &Element| matches!(entry.get("name"), Some("serial" | "asset"));
    let mut numbers = 0;
    for info in definition.elements_mut().filter(|part| part.name == "sysinfo") {
        for part in info.elements_mut() {
            numbers += part.elements().filter(|entry| is_number(entry)).count();
            part.drop_children(is_number);
            for entry in part.elements_mut().filter(|entry| entry.get("name") == Some("uuid")) {
                entry.set_text(uuid.clone());
            }
        }
    }
    if numbers == 0 {
        return Vec::new();
    }
    vec![format!(
        "the serial and asset numbers that the original's firmware shows were left out; to give it \
         some: virsh edit {name}, sysinfo"
    )]
}

/// A device's kind, and what it is or is connected to.
fn called(device: &Element) -> String {
    let source = device.child("source");
    let parts = std::iter::once(device).chain(source);
    let said = parts.flat_map(|part| TELLING.iter().filter_map(|name| part.get(name)));
    let said: Vec<&str> = std::iter::once(device.name.as_str()).chain(said).collect();
    said.join(" ")
}

fn fate(device: &mut Element) -> Disposition {
    let kind = device.get("type").unwrap_or_default().to_owned();
    let left = Disposition::Left(called(device));
    let of_source = |name: &str| device.child("source").is_some_and(|s| s.get(name).is_some());
    let backend = device.child("backend");
    let backend = |name: &str| backend.and_then(|backend| backend.get(name)).unwrap_or_default();
    match device.name.as_str() {
        "hostdev" | "lease" | "shmem" | "pstore" => left,
        "redirdev" if kind != "spicevmc" => left,
        "memory" if device.child("source").is_some_and(|s| s.child("path").is_some()) => left,
        "smartcard" if kind != "spicevmc" => left,
        "rng" if backend("model") == "egd" => left,
        "input" if matches!(kind.as_str(), "passthrough" | "evdev") => left,
        "tpm" if matches!(backend("type"), "passthrough" | "external") => left,
        "filesystem" if of_source("socket") => left,
        "filesystem" => Disposition::Shared(called(device)),
        "interface" => network(device, &kind, left),
        "serial" | "console" | "parallel" => port(device, &kind),
        "channel" => channel(device, &kind, left),
        "graphics" => display(device, &kind),
        "audio" if kind == "file" => {
            let was = called(device);
            device.unset("path");
            device.set("type", "none");
            Disposition::Own(was)
        }
        "disk" if device.get("device") == Some("floppy") && device.child("source").is_some() => {
            let was = called(device);
            device.drop_children(|part| part.name == "source");
            Disposition::Own(format!("{was} (now empty)"))
        }
        "vsock" => {
            device.children.clear();
            device.set("model", "virtio");
            device.child_or_new("cid").set("auto", "yes");
            Disposition::Stays
        }
        _ => Disposition::Stays,
    }
}

fn network(device: &mut Element, kind: &str, left: Disposition) -> Disposition {
    let is_passt = device.child("backend").is_some_and(|b| b.get("type") == Some("passt"));
    match kind {
        "hostdev" | "vdpa" | "server" | "client" | "udp" => return left,
        "vhostuser" if !is_passt => return left,
        _ => {}
    }
    let mut own = Vec::new();
    let target = device.child("target").and_then(|target| target.get("dev"));
    let chosen = |name: &&str| !GENERATED.iter().any(|before| name.starts_with(before));
    own.extend(target.filter(chosen).map(|name| format!("name {name}")));
    device.drop_children(|part| part.name == "target");
    if device.child("portForward").is_some() {
        own.push("forwarded ports".into());
        device.drop_children(|part| part.name == "portForward");
    }
    if is_passt && let Some(backend) = device.child_mut("backend") {
        own.extend(backend.get("logFile").map(|path| format!("log {path}")));
        backend.unset("logFile");
        backend.unset("socket");
    }
    if let Some(source) = device.child_mut("source") {
        source.unset("portid");
        if is_passt {
            ["type", "path", "mode"].iter().for_each(|name| source.unset(name));
        }
    }
    let parameters = device.child_mut("virtualport").and_then(|port| port.child_mut("parameters"));
    if let Some(parameters) = parameters {
        ["interfaceid", "instanceid"].iter().for_each(|name| parameters.unset(name));
    }
    match own.is_empty() {
        true => Disposition::Stays,
        false => Disposition::Own(format!("network card {kind} ({})", own.join(", "))),
    }
}

/// A file, a socket or a pipe of the host would be written by both.
fn port(device: &mut Element, kind: &str) -> Disposition {
    let was = called(device);
    let is_free = FREE.contains(&kind);
    let logged = device.child("log").is_some();
    device.unset("tty");
    if kind == "pty" || !is_free {
        device.drop_children(|part| matches!(part.name.as_str(), "source" | "protocol"));
        device.set("type", "pty");
    }
    device.drop_children(|part| part.name == "log");
    match (is_free, logged) {
        (true, false) => Disposition::Stays,
        (true, true) => Disposition::Own(format!("{was} (now without its log)")),
        (false, _) => Disposition::Own(format!("{was} (now a terminal)")),
    }
}

/// libvirt gives each domain's channel a socket of its own, if none is named.
fn channel(device: &mut Element, kind: &str, left: Disposition) -> Disposition {
    if FREE.contains(&kind) && device.child("log").is_none() {
        return Disposition::Stays;
    }
    let target = device.child("target");
    if target.is_some_and(|target| target.get("type") == Some("guestfwd")) {
        return left;
    }
    let name = target.and_then(|target| target.get("name")).unwrap_or_default();
    let was = format!("{} ({name})", called(device));
    let source = device.child("source");
    let path = source.and_then(|source| source.get("path"));
    let libvirts = path.is_none_or(|path| LIBVIRTS.iter().any(|dir| path.starts_with(dir)));
    let binds = source.is_none_or(|source| source.get("mode") != Some("connect"));
    let same = kind == "unix" && libvirts && binds && device.child("log").is_none();
    if !FREE.contains(&kind) {
        device.drop_children(|part| matches!(part.name.as_str(), "source" | "protocol"));
        device.set("type", "unix");
    }
    device.drop_children(|part| part.name == "log");
    if same { Disposition::Stays } else { Disposition::Own(was) }
}

fn display(device: &mut Element, kind: &str) -> Disposition {
    let is_socket = |part: &Element| part.name == "listen" && part.get("type") == Some("socket");
    let mut chosen: Vec<String> = ["port", "tlsPort", "websocket", "socket", "address"]
        .iter()
        .filter_map(|name| device.get(name).filter(|value| *value != "-1").map(str::to_owned))
        .collect();
    chosen.extend(
        device
            .elements()
            .filter(|p| is_socket(p))
            .filter_map(|p| p.get("socket"))
            .map(str::to_owned),
    );
    match kind {
        "vnc" | "spice" | "rdp" => {
            ["tlsPort", "websocket", "socket"].iter().for_each(|name| device.unset(name));
            device.set("port", "-1");
            device.set("autoport", "yes");
            device.drop_children(is_socket);
        }
        "dbus" => device.unset("address"),
        _ => return Disposition::Stays,
    }
    match chosen.is_empty() {
        true => Disposition::Stays,
        false => Disposition::Own(format!("display {kind} ({})", chosen.join(", "))),
    }
}

#[cfg(test)]
mod tests;
