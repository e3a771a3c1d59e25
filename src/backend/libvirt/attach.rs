//! Giving an instance one more disk, and taking it away again, while it runs or not.

use super::super::Image;
use super::domain::{Domain, Format, is_disk, target};
use super::image;
use super::settings::{Settings, Subject};
use super::virsh::{State, TIMEOUT, Virsh};
use super::xml::Element;
use crate::domain::name::ResourceName;
use crate::domain::operation::Fault;
use crate::fs::StorageError;
use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Characters of a serial number that reach the guest (VIRTIO_BLK_ID_BYTES).
const SERIAL: usize = 20;
/// Between two looks at whether the guest has let go.
const REST: Duration = Duration::from_millis(100);

/// An instance and its two definitions: as it runs, and as it will start next.
struct Machine<'a> {
    virsh: &'a Virsh,
    name: &'a str,
    uuid: String,
    now: Option<Element>,
    next: Element,
}

impl<'a> Machine<'a> {
    fn open(settings: &'a Settings, doing: &str) -> Result<Self, StorageError> {
        let Subject::Instance(name) = &settings.subject else {
            return Err(StorageError::new(Fault::Permanent, doing, "this is not an instance"));
        };
        let virsh = &settings.virsh;
        let uuid = virsh.uuid(name)?;
        let now = match virsh.state(&uuid)? {
            State::Off => None,
            _ => Some(virsh.definition(&uuid, false)?),
        };
        let next = virsh.definition(&uuid, true)?;
        Ok(Self { virsh, name, uuid, now, next })
    }

    fn definitions(&self) -> impl Iterator<Item = &Element> {
        self.now.iter().chain([&self.next])
    }

    /// What one of the two calls the disk, if one has it.
    fn knows(&self, disk: &Image) -> Option<String> {
        self.definitions().find_map(|definition| has(definition, &disk.path))
    }
}

pub(super) fn may_attach(settings: &Settings, disk: &Image) -> Result<(), StorageError> {
    let doing = format!("attaching disk {}", disk.name);
    look(&Machine::open(settings, &doing)?, disk, &doing).map(drop)
}

pub(super) fn has_disk(settings: &Settings, disk: &Image) -> Result<bool, StorageError> {
    let doing = format!("detaching disk {}", disk.name);
    Ok(Machine::open(settings, &doing)?.knows(disk).is_some())
}

/// What the machine calls the disk, if it has it; an error where it cannot be given it.
fn look(machine: &Machine<'_>, disk: &Image, doing: &str) -> Result<Option<String>, StorageError> {
    let refuse = |why: String| Err(StorageError::new(Fault::Permanent, doing, why));
    let Some((_, format)) = Format::ALL.iter().find(|(word, _)| *word == disk.format) else {
        return refuse(format!("its format is {}; qcow2 and raw can be attached", disk.format));
    };
    // That it is there, and of that format.
    image::facts(&disk.path, *format)?;
    let known = machine.knows(disk);
    if known.is_none()
        && let Some(other) = owner(machine, &disk.path)?
    {
        return refuse(format!("domain {other} has disk {}; detach it there first", disk.name));
    }
    Ok(known)
}

/// Returns what the guest calls it.
pub(super) fn attach(settings: &Settings, disk: &Image) -> Result<String, StorageError> {
    let doing = format!("attaching disk {}", disk.name);
    let machine = Machine::open(settings, &doing)?;
    let target = look(&machine, disk, &doing)?.unwrap_or_else(|| free_target(&machine));
    let device = device(&machine, disk, &target).print();
    if machine.now.as_ref().is_some_and(|now| has(now, &disk.path).is_none()) {
        let args = ["attach-device", "--live", "--domain", &machine.uuid, "/dev/stdin"];
        machine
            .virsh
            .feed(&args, &device, &doing)
            .map_err(|error| with_a_way_out(error, &machine))?;
    }
    if has(&machine.next, &disk.path).is_none() {
        let args = ["attach-device", "--config", "--domain", &machine.uuid, "/dev/stdin"];
        machine.virsh.feed(&args, &device, &doing)?;
    }
    Ok(target)
}

/// A guest of today's kind has as many slots for disks that come while it runs as it was given.
fn with_a_way_out(error: StorageError, machine: &Machine<'_>) -> StorageError {
    if !error.detail.contains("No more available PCI slots") {
        return error;
    }
    let detail = format!(
        "{} has no free slot for one more disk while it runs: shut it down and attach the disk then, or \
         give it another pcie-root-port (virsh edit {0})",
        machine.name
    );
    StorageError { detail, ..error }
}

/// Whether it had the disk.
pub(super) fn detach(settings: &Settings, disk: &Image) -> Result<bool, StorageError> {
    let doing = format!("detaching disk {}", disk.name);
    let machine = Machine::open(settings, &doing)?;
    let had = machine.knows(disk).is_some();
    let call = |how: &str, target: &str| {
        machine.virsh.call(&["detach-disk", how, "--domain", &machine.uuid, target], &doing)
    };
    if let Some(now) = &machine.now
        && let Some(target) = has(now, &disk.path)
    {
        call("--live", &target)?;
        let until = Instant::now() + TIMEOUT;
        while has(&machine.virsh.definition(&machine.uuid, false)?, &disk.path).is_some() {
            if Instant::now() >= until {
                let (name, seconds) = (machine.name, TIMEOUT.as_secs());
                let why = format!(
                    "the guest of {name} did not let go of {target} within {seconds} s: unmount it \
                     inside, then try again"
                );
                return Err(StorageError::new(Fault::Busy, &doing, why));
            }
            std::thread::park_timeout(REST);
        }
    }
    // Last: as long as the guest has it, it is the instance's.
    if let Some(target) = has(&machine.next, &disk.path) {
        call("--config", &target)?;
    }
    Ok(had)
}

/// What a definition calls the disk whose image this is.
fn has(definition: &Element, image: &Path) -> Option<String> {
    let wanted = std::fs::metadata(image).map(|meta| (meta.dev(), meta.ino())).ok();
    let is_it = |file: &str| {
        Path::new(file) == image
            || std::fs::metadata(file)
                .map(|meta| (meta.dev(), meta.ino()))
                .ok()
                .is_some_and(|found| Some(found) == wanted)
    };
    let devices = definition.child("devices").into_iter().flat_map(|devices| devices.elements());
    let mut disks = devices.filter(|device| device.name == "disk");
    disks
        .find(|disk| {
            let source = disk.child("source");
            source.and_then(|source| source.get("file").or(source.get("dev"))).is_some_and(is_it)
        })
        .map(target)
}

/// The name of another domain, running or not, that has the image.
fn owner(machine: &Machine<'_>, image: &Path) -> Result<Option<String>, StorageError> {
    let all = machine.virsh.call(&["list", "--all", "--uuid"], "listing domains")?;
    for uuid in all.split_whitespace().filter(|uuid| *uuid != machine.uuid) {
        for next in [false, true] {
            match machine.virsh.definition(uuid, next) {
                Ok(definition) if has(&definition, image).is_some() => {
                    let name = definition.child("name").map(Element::text);
                    return Ok(Some(name.unwrap_or_else(|| uuid.to_owned())));
                }
                // Gone meanwhile.
                Err(error) if error.fault == Fault::Absent => {}
                found => drop(found?),
            }
        }
    }
    Ok(None)
}

/// On the bus of the system disk, if disks come and go there.
fn bus(machine: &Machine<'_>) -> (&'static str, &'static str) {
    let system =
        Domain::read(&machine.next, &[]).ok().and_then(|domain| domain.disks.into_iter().next());
    let named =
        |disk: &&Element| system.as_ref().is_some_and(|system| target(disk) == system.target);
    let devices = machine.next.child("devices").into_iter().flat_map(|devices| devices.elements());
    let disk = devices.filter(|device| is_disk(device)).find(named);
    match disk.and_then(|disk| disk.child("target")?.get("bus")) {
        Some("scsi") => ("scsi", "sd"),
        _ => ("virtio", "vd"),
    }
}

fn free_target(machine: &Machine<'_>) -> String {
    let devices = machine.definitions().filter_map(|definition| definition.child("devices"));
    let disks = devices.flat_map(|devices| devices.elements()).filter(|d| d.name == "disk");
    let taken: HashSet<String> = disks.map(target).collect();
    let (_, prefix) = bus(machine);
    let letters = || 'a'..='z';
    let one = letters().map(|letter| format!("{prefix}{letter}"));
    let two = letters().flat_map(|a| letters().map(move |b| format!("{prefix}{a}{b}")));
    let free = one.chain(two).find(|name| !taken.contains(name));
    // libvirt refuses what is taken after all.
    free.unwrap_or_else(|| format!("{prefix}zz"))
}

fn device(machine: &Machine<'_>, disk: &Image, target: &str) -> Element {
    let mut number = Element::new("serial");
    number.set_text(serial(&disk.name));
    Element::new("disk")
        .with("type", "file")
        .with("device", "disk")
        .holding(Element::new("driver").with("name", "qemu").with("type", &disk.format))
        .holding(Element::new("source").with("file", disk.path.display().to_string()))
        .holding(Element::new("target").with("dev", target).with("bus", bus(machine).0))
        .holding(number)
}

/// By which the guest finds it whatever it is called: `/dev/disk/by-id/virtio-NAME`. The same name
/// gives the same number.
fn serial(name: &ResourceName) -> String {
    let name = name.as_str();
    if name.len() <= SERIAL {
        return name.to_owned();
    }
    // FNV-1a, 64 bits.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{}{hash:016x}", &name[..SERIAL - 16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_is_the_name_or_stands_for_it() {
        let check = |name: &str, want: &str| {
            let serial = serial(&name.parse().unwrap());
            assert!(serial.len() <= SERIAL);
            assert_eq!(serial, want);
        };
        check("archive", "archive");
        check("a-name-of-20-letters", "a-name-of-20-letters");
        check("a-name-of-more-than-20-letters", "a-na1bd376a3a5586c99");
    }

    #[test]
    fn a_disk_is_known_by_its_image_and_a_free_name_is_found() {
        let definition = |disks: &str| {
            Element::parse(&format!("<domain><devices>{disks}</devices></domain>")).unwrap()
        };
        let disk = |file: &str, dev: &str| {
            format!(
                "<disk type='file'><source file='{file}'/><target dev='{dev}' bus='virtio'/></disk>"
            )
        };
        let virsh = Virsh { uri: "test:///default".into() };
        let now = definition(&(disk("/no/a", "vda") + &disk("/no/b", "vdb")));
        assert_eq!(has(&now, Path::new("/no/b")), Some("vdb".into()));
        assert_eq!(has(&now, Path::new("/no/c")), None);
        let next = definition(&(disk("/no/a", "vda") + &disk("/no/c", "vdc")));
        let machine =
            Machine { virsh: &virsh, name: "web", uuid: "u".into(), now: Some(now), next };
        assert_eq!(free_target(&machine), "vdd");
    }
}
