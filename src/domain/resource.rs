//! What heptad protects, as the configuration declares it.

use super::name::ResourceName;
use super::plan::Plan;
use super::policy::Policy;
use super::tag::Tags;
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    pub name: ResourceName,
    pub kind: Kind,
    pub backend: Binding,
    /// The wish of the configuration; overrides come on top.
    pub policy: Policy,
    pub tags: Tags,
    /// Its size; a new resource made from it is at least as large.
    pub plan: Option<Plan>,
    /// What it was made from: `debian-12`, `postgres-15`.
    pub blueprint: Option<String>,
    /// A command made it, and a file of heptad's own declares it.
    pub enrolled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Instance,
    Disk,
    Database,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Instance, Kind::Disk, Kind::Database];

    pub fn word(self) -> &'static str {
        match self {
            Kind::Instance => "instance",
            Kind::Disk => "disk",
            Kind::Database => "database",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// The technology and its options, opaque here: only that backend reads them. Remembered, so that
/// the snapshots of a resource that left the configuration can still be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    pub kind: String,
    /// A JSON object.
    pub options: String,
}
