//! What a new resource made from a snapshot shall be, and whether it can be that.

use super::denied::Denied;
use super::name::ResourceName;
use super::plan::Plan;
use super::resource::Kind;
use super::snapshot::Card;
use super::tag::Tags;
use jiff::civil::Time;
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewResource {
    pub name: ResourceName,
    /// Where; none: where its backend puts it.
    pub path: Option<String>,
    /// None: the size that it had.
    pub plan: Option<Plan>,
    /// Of a disk, or of an instance's system disk, in bytes; none: as it was, or as the plan says.
    pub size: Option<u64>,
    /// Where a database's server listens; none: where nothing does.
    pub port: Option<u16>,
    /// When its automatic snapshots are taken; none: not at all.
    pub time: Option<Time>,
    /// Beside those of the snapshot.
    pub tags: Tags,
    /// The resources that an instance's attached disks become, by what it calls them.
    pub disks: BTreeMap<String, ResourceName>,
}

impl NewResource {
    /// The same again, somewhere else.
    pub fn at(name: ResourceName, path: impl Into<String>) -> Self {
        Self { path: Some(path.into()), ..Self::named(name) }
    }

    pub fn named(name: ResourceName) -> Self {
        let (tags, disks) = (Tags::new(), BTreeMap::new());
        Self { name, path: None, plan: None, size: None, port: None, time: None, tags, disks }
    }

    /// Whether something like this can be made from that snapshot, as far as its card tells.
    pub fn judge(&self, card: &Card) -> Result<(), Denied> {
        let kind = card.kind;
        let useless = |what| Err(Denied::NoUse { what, kind });
        match kind {
            Kind::Disk if self.plan.is_some() => return useless("plan"),
            Kind::Disk | Kind::Instance if self.port.is_some() => return useless("port"),
            Kind::Database if self.size.is_some() => return useless("size"),
            _ => {}
        }
        match (&self.plan, &card.plan) {
            (Some(wanted), Some(had)) if !wanted.holds(had) => {
                Err(Denied::SmallerPlan { wanted: wanted.clone(), had: had.clone() })
            }
            _ => Ok(()),
        }
    }
}
