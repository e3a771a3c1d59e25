//! What an interrupted attempt may have left with libvirt: a domain whose disks did not appear.

use super::super::derive::{addresses, is_unfinished, origin};
use super::super::virsh::State;
use super::super::xml::Element;
use super::Work;
use crate::domain::operation::Fault;
use crate::fs::StorageError;

/// Devices that libvirt never adds by itself.
const OURS: [&str; 3] = ["disk", "interface", "hostdev"];

impl Work<'_> {
    /// Sees that no domain has the name. The remains of an interrupted attempt are cleared: a
    /// domain that bears the mark of this order, which is taken away once its disks have appeared,
    /// and is in all as this order makes it.
    ///
    /// # Errors
    /// [`Fault::Permanent`] where it is somebody else's, or was touched since.
    pub(super) fn free_name(&self, snapshot: &Element) -> Result<(), StorageError> {
        let (virsh, name) = (&self.libvirt.settings.virsh, self.order.name.as_str());
        let uuid = match virsh.uuid(name) {
            Err(error) if error.fault == Fault::Absent => return Ok(()),
            found => found?,
        };
        let found = virsh.definition(&uuid, true)?;
        let (id, target) = self.origin();
        if origin(&found) != Some((&id, &target)) || !is_unfinished(&found, &uuid) {
            return self.refuse(format!(
                "libvirt has a domain of this name already ({uuid}): choose another name, or virsh \
                 domrename it"
            ));
        }
        let is_off = virsh.state(&uuid)? == State::Off;
        if !is_off || !self.is_untouched(&found, snapshot, &uuid) {
            let why = if is_off { "was changed since" } else { "is running" };
            return self.refuse(format!(
                "domain {name} ({uuid}) was left by an attempt that was interrupted, and {why}: if \
                 nobody needs it, virsh undefine --keep-nvram {name}, else virsh domrename it"
            ));
        }
        let doing = format!("clearing the remains of domain {name}");
        virsh.call(&["undefine", "--keep-nvram", "--domain", &uuid], &doing).map(|_| ())
    }

    /// Whether libvirt has the domain as this order defines it, but for what libvirt itself adds.
    fn is_untouched(&self, found: &Element, snapshot: &Element, uuid: &str) -> bool {
        let mut drawn = addresses(found).into_iter();
        let (ours, _) = self.born(snapshot.clone(), uuid, &mut || drawn.next().unwrap_or_default());
        let count = |definition: &Element| {
            let devices = definition.child("devices");
            OURS.map(|name| {
                devices.map_or(0, |all| all.elements().filter(|device| device.name == name).count())
            })
        };
        count(found) == count(&ours) && found.has_all_of(&ours)
    }
}
