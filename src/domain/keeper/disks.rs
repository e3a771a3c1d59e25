//! The attached disks of an instance that is made from a snapshot: each becomes a resource.

use super::super::denied::Denied;
use super::super::new_resource::NewResource;
use super::Keeper;
use crate::domain::name::{ENROLLED_NAME_LIMIT, ResourceName};
use crate::domain::resource::Kind;
use crate::domain::snapshot::Snapshot;
use std::collections::BTreeMap;

impl Keeper {
    /// The draft with a name for each attached disk: the one that was chosen, or `NEW-vdb`.
    ///
    /// # Errors
    /// A disk that is not there, or a name that is taken.
    pub(super) fn with_named_disks(
        &self,
        original: &Snapshot,
        draft: &NewResource,
    ) -> Result<NewResource, Denied> {
        let attached = attached(original);
        if let Some(disk) = draft.disks.keys().find(|disk| !attached.contains(disk)).cloned() {
            let (snapshot, has) = (original.label(), attached.into_iter().cloned().collect());
            return Err(Denied::NoSuchDisk { snapshot, disk, has });
        }
        let mut disks: BTreeMap<String, ResourceName> = BTreeMap::new();
        for disk in attached {
            let fits = |name: &ResourceName| name.as_str().len() <= ENROLLED_NAME_LIMIT;
            let made = || format!("{}-{disk}", draft.name).parse().ok().filter(fits);
            let name = draft.disks.get(disk).cloned().or_else(made);
            let name = name.ok_or_else(|| Denied::DiskUnnamed { disk: disk.clone() })?;
            can_be_declared(&name)?;
            let same = |other: &ResourceName| other.as_str().eq_ignore_ascii_case(name.as_str());
            let twice = same(&draft.name) || disks.values().any(same);
            if twice || self.ledger.resource_names().any(same) {
                return Err(Denied::DiskNameTaken { disk: disk.clone(), name });
            }
            disks.insert(disk.clone(), name);
        }
        Ok(NewResource { disks, ..draft.clone() })
    }
}

/// # Errors
/// A name that is too long for the file that declares it.
pub(super) fn can_be_declared(name: &ResourceName) -> Result<(), Denied> {
    match name.as_str().len() <= ENROLLED_NAME_LIMIT {
        true => Ok(()),
        false => Err(Denied::LongName { name: name.clone() }),
    }
}

/// The system disk is the first.
fn attached(original: &Snapshot) -> Vec<&String> {
    if original.card.kind != Kind::Instance {
        return Vec::new();
    }
    let attached = original.facts.told.disks.iter().skip(1);
    attached.filter(|disk| !disk.file.is_empty()).map(|disk| &disk.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Reading;
    use crate::domain::ledger::Ledger;
    use crate::domain::sample::Builder;
    use crate::domain::snapshot::Seq;
    use crate::domain::told::Disk;
    use jiff::{SignedDuration, Timestamp};
    use std::sync::Arc;

    /// What the disks are called of a `new` instance made of one with `vda`, `vdb` and `vdc`.
    fn named(new: &str, chosen: &[(&str, &str)], taken: &str) -> Result<String, Denied> {
        let account = Builder::daily().complete(1..=1).account();
        let mut snapshot = Arc::unwrap_or_clone(account.snapshots[&Seq(1)].clone());
        snapshot.card.kind = Kind::Instance;
        let disk = |name: &str| Disk { name: name.into(), file: "/a".into(), size: 1 };
        snapshot.facts.told.disks = ["vda", "vdb", "vdc"].map(disk).into();
        let mut other = account.clone();
        other.resource.name = taken.parse().unwrap();
        let mut ledger = Ledger::default();
        ledger.accounts.insert(other.name().clone(), Arc::new(other));
        let zero = SignedDuration::ZERO;
        let reading = Reading {
            wall: Timestamp::UNIX_EPOCH,
            boot: zero,
            synchronised: true,
            elapsed: zero,
            slept: zero,
        };
        let keeper = Keeper::new(ledger, Timestamp::UNIX_EPOCH, reading, 1);
        let mut draft = NewResource::named(new.parse().unwrap());
        let chosen = chosen.iter().map(|(disk, name)| ((*disk).into(), name.parse().unwrap()));
        draft.disks = chosen.collect();
        let names = keeper.with_named_disks(&snapshot, &draft)?.disks.into_iter();
        Ok(names.map(|(disk, name)| format!("{disk}={name}")).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn each_attached_disk_gets_a_name_that_nobody_has() {
        let check = |new: &str, chosen: &[(&str, &str)], taken: &str, want: &str| {
            assert_eq!(named(new, chosen, taken).unwrap(), want);
        };
        check("web-2", &[], "web", "vdb=web-2-vdb vdc=web-2-vdc");
        check("web-2", &[("vdc", "data-2")], "web", "vdb=web-2-vdb vdc=data-2");
        check("web-2", &[("vdb", "data-2")], "web-2-vdb", "vdb=data-2 vdc=web-2-vdc");
        let taken = |new: &str, chosen: &[(&str, &str)], taken: &str, want: &str| {
            let denied = named(new, chosen, taken).unwrap_err();
            let Denied::DiskNameTaken { disk, .. } = &denied else { panic!("{denied:?}") };
            assert_eq!(disk, want, "{denied:?}");
        };
        taken("web-2", &[], "web-2-VDB", "vdb");
        taken("web-2", &[("vdc", "web")], "web", "vdc");
        taken("web-2", &[("vdb", "web-2")], "web", "vdb");
        taken("web-2", &[("vdb", "data"), ("vdc", "Data")], "web", "vdc");
        taken("web-2", &[("vdb", "web-2-vdc")], "web", "vdc");
        let unknown = named("web-2", &[("vda", "data")], "web").unwrap_err();
        let has = vec!["vdb".to_owned(), "vdc".to_owned()];
        let Denied::NoSuchDisk { disk, has: got, .. } = unknown else { panic!("{unknown:?}") };
        assert_eq!((disk.as_str(), got), ("vda", has));
        let unnamed = |new: &str| matches!(named(new, &[], "web"), Err(Denied::DiskUnnamed { .. }));
        let long = "w".repeat(ENROLLED_NAME_LIMIT);
        assert!(unnamed(&long) && unnamed(&long[3..]) && !unnamed(&long[4..]));
        let longer = "d".repeat(ENROLLED_NAME_LIMIT + 1);
        let chosen = named("web-2", &[("vdb", &longer)], "web");
        assert!(matches!(chosen, Err(Denied::LongName { .. })), "{chosen:?}");
        let chosen = [("vdb", "data-b"), ("vdc", "data-c")];
        check(&long, &chosen, "web", "vdb=data-b vdc=data-c");
    }
}
