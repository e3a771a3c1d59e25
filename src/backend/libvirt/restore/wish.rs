//! Whether what is wished for can be made of a snapshot: told at once when somebody asks, and again
//! when it is made.

use super::super::detail::{DEFINITION, Detail, Stored};
use super::super::xml::Element;
use crate::backend::RestoreOrder;
use crate::domain::operation::Fault;
use crate::domain::plan::{Plan, binary};
use crate::fs::{Doing, StorageError};
use crate::store::{Item, Seal, Store};

/// # Errors
/// [`Fault::Permanent`] for less than the snapshot needs, or what has no use.
pub(crate) fn fits(store: &Store, order: &RestoreOrder<'_>) -> Result<(), StorageError> {
    expect_no_port(order)?;
    let item = store.whole(order.handle)?;
    let Some(detail) = Detail::of(&item.manifest) else { return Ok(()) };
    let wish = Wish { order, item: &item, detail: &detail };
    if let Some(system) = detail.disks.first() {
        wish.size(system)?;
    }
    match detail.domain {
        Some(_) => wish.expect_room(&wish.definition()?),
        None => wish.expect_no_plan(),
    }
}

pub(super) fn expect_no_port(order: &RestoreOrder<'_>) -> Result<(), StorageError> {
    if order.port.is_none() {
        return Ok(());
    }
    let why = "a guest's services have their own ports; leave it out";
    Err(StorageError::new(Fault::Permanent, format!("making {}", order.name), why))
}

pub(super) struct Wish<'a> {
    pub order: &'a RestoreOrder<'a>,
    pub item: &'a Item,
    pub detail: &'a Detail,
}

impl Wish<'_> {
    pub(super) fn refuse<T>(&self, why: impl Into<String>) -> Result<T, StorageError> {
        Err(StorageError::new(Fault::Permanent, format!("making {}", self.order.name), why))
    }

    pub(super) fn expect_no_plan(&self) -> Result<(), StorageError> {
        match self.order.plan {
            Some(_) => self.refuse("a disk has a size and no plan; leave it out"),
            None => Ok(()),
        }
    }

    /// The new size of the system disk, if it is another.
    pub(super) fn size(&self, disk: &Stored) -> Result<Option<u64>, StorageError> {
        let had = self.item.manifest.plan.as_ref();
        let same = |plan: &Plan| had.is_some_and(|had| had.name == plan.name.to_string());
        let planned = self.order.plan.filter(|plan| !same(plan)).map(|plan| plan.disk);
        let what = if self.detail.domain.is_some() { "its system disk" } else { "the disk" };
        match self.order.size.or(planned) {
            Some(size) if size < disk.size => self.refuse(format!(
                "{what} has {}, and no disk is made smaller: {} would cut it; ask for more, or \
                 leave the size out",
                binary(disk.size),
                binary(size)
            )),
            Some(size) if size % 512 != 0 => {
                self.refuse("a disk's size is a multiple of 512 bytes")
            }
            size => Ok(size.filter(|size| *size > disk.size)),
        }
    }

    pub(super) fn definition(&self) -> Result<Element, StorageError> {
        let path = self.item.path.join(DEFINITION);
        let doing = || format!("reading {}", path.display());
        let text = std::fs::read_to_string(&path).doing(doing)?;
        Element::parse(&text)
            .map_err(|error| StorageError::new(Fault::Permanent, doing(), error.to_string()))
    }

    /// Sees that the plan is not smaller than what the guest had.
    pub(super) fn expect_room(&self, definition: &Element) -> Result<(), StorageError> {
        let Some(plan) = self.order.plan else { return Ok(()) };
        let vcpus = definition.child("vcpu").and_then(|vcpu| vcpu.text().parse::<u32>().ok());
        let memory = definition.child("memory").and_then(bytes);
        let had = self.item.manifest.plan.as_ref();
        if had.is_some_and(|had| had.name == plan.name.to_string()) {
            return Ok(());
        }
        if vcpus.is_some_and(|had| had > plan.vcpus) || memory.is_some_and(|had| had > plan.memory)
        {
            let (vcpus, memory) = (vcpus.unwrap_or_default(), binary(memory.unwrap_or_default()));
            return self.refuse(format!(
                "it had {vcpus} vCPUs and {memory} of memory, more than {plan}: take a larger plan"
            ));
        }
        Ok(())
    }
}

/// `<memory unit='KiB'>`; KiB without one (libvirt, "Memory Allocation").
fn bytes(memory: &Element) -> Option<u64> {
    let count: u64 = memory.text().parse().ok()?;
    let unit = match memory.get("unit").unwrap_or("KiB") {
        "b" | "bytes" => 1,
        "KB" => 1000,
        "k" | "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "M" | "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "G" | "GiB" => 1 << 30,
        _ => return None,
    };
    count.checked_mul(unit)
}
