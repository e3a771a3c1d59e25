//! A domain by its name, and an image that QEMU made.

use super::super::recognise::{Answer, Recognised, Seen};
use super::WORD;
use super::image::QCOW2;
use super::settings::URI;
use super::virsh::Virsh;
use crate::domain::resource::Kind;
use crate::fs::Doing;

pub(crate) fn recognise(seen: &Seen<'_>) -> Answer {
    match seen {
        Seen::Domain(name) => {
            Virsh { uri: URI.into() }.uuid(name)?;
            let options = [("domain", *name)];
            Ok(Some(Recognised::new(WORD, Kind::Instance, "a guest of libvirt", &options)))
        }
        Seen::Entry { path, .. } => {
            let head = seen.head(QCOW2.len()).doing(|| format!("looking at {path}"))?;
            let options = [("image", *path), ("format", "qcow2")];
            let image = || Recognised::new(WORD, Kind::Disk, "a disk image (qcow2)", &options);
            Ok((head == QCOW2).then(image))
        }
    }
}
