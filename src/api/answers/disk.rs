//! The disks of instances, and the sizes of disks.

use super::View;
use crate::api::wire;
use crate::domain::plan::Plan;
use crate::domain::resource::Kind;
use crate::domain::told::Disk;

impl View<'_> {
    /// Those beside the system disk, with the resources that they are.
    pub(super) fn attached(&self, disks: &[Disk]) -> Vec<wire::AttachedDisk> {
        let attached = disks.iter().skip(1).map(|disk| wire::AttachedDisk {
            name: disk.name.clone(),
            resource: self.disk_at(&disk.file),
            size_bytes: disk.size,
        });
        attached.collect()
    }

    fn disk_at(&self, file: &str) -> Option<String> {
        let mut declared = self.ledger.accounts.values().filter(|account| account.declared);
        let found = declared.find(|account| {
            !file.is_empty() && {
                let is_it = account.disks.first().is_some_and(|disk| disk.file == file);
                account.resource.kind == Kind::Disk && is_it
            }
        });
        found.map(|account| account.name().to_string())
    }
}

pub(super) fn size(kind: Kind, disks: &[Disk], plan: Option<&Plan>) -> Option<u64> {
    let planned = plan.filter(|_| kind != Kind::Disk).map(|plan| plan.disk);
    disks.first().map(|disk| disk.size).or(planned)
}
