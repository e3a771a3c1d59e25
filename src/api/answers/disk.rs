//! The disks of instances, and the sizes of disks.

use super::View;
use crate::api::wire;
use crate::domain::account::Account;
use crate::domain::plan::Plan;
use crate::domain::resource::Kind;
use crate::domain::told::Disk;
use std::sync::Arc;

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

    /// The instances that have this disk, as last seen.
    pub(super) fn attached_to(&self, account: &Account) -> Vec<wire::AttachedTo> {
        let file = account.disks().first().map(|disk| disk.file.as_str()).unwrap_or_default();
        if account.resource.kind != Kind::Disk || file.is_empty() {
            return Vec::new();
        }
        let is_instance =
            |other: &&Arc<Account>| other.declared && other.resource.kind == Kind::Instance;
        let has = |instance: &Arc<Account>| {
            let disk = instance.disks().iter().find(|disk| disk.file == file)?;
            let instance = instance.name().to_string();
            Some(wire::AttachedTo { instance, name: disk.name.clone() })
        };
        self.ledger.accounts.values().filter(is_instance).filter_map(has).collect()
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
