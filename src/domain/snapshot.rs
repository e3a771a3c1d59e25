//! A point-in-time image of a resource, as heptad remembers it.

use super::name::{ResourceName, SnapshotName};
use super::plan::Plan;
use super::resource::Kind;
use super::slot::Slot;
use super::tag::Tags;
use super::told::Told;
use jiff::{SignedDuration, Timestamp};
use std::fmt;
use uuid::Uuid;

/// A resource's snapshot counter. Never reused; order is by it alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

impl Seq {
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What a backend needs to find one snapshot again, and to be sure that it is this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handle {
    pub seq: Seq,
    /// Written into the manifest; compared before anything is destroyed.
    pub id: Uuid,
    /// The backend's own identity of the object (a subvolume UUID); empty before it exists.
    pub object: String,
}

/// Where a snapshot comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    Automatic,
    Manual,
    Copied,
}

impl Origin {
    pub const ALL: [Origin; 3] = [Origin::Automatic, Origin::Manual, Origin::Copied];
}

/// How much of a resource is in a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    #[default]
    Whole,
    /// Only the disk that an instance starts from: a snapshot of a disk.
    SystemDisk,
}

impl Part {
    pub const ALL: [Part; 2] = [Part::Whole, Part::SystemDisk];

    /// The stable word for manifest, API and catalogue.
    pub fn word(self) -> &'static str {
        match self {
            Part::Whole => "whole",
            Part::SystemDisk => "system-disk",
        }
    }
}

/// A snapshot's identity card: what its manifest says from the moment it exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    pub handle: Handle,
    pub origin: Origin,
    /// Manual and copied snapshots have one, automatic ones never.
    pub name: Option<SnapshotName>,
    /// Automatic snapshots have one.
    pub slot: Option<Slot>,
    /// The automatic snapshot that this one was kept from.
    pub kept_from: Option<Seq>,
    /// When the content was frozen; for a kept one, when the original's was.
    pub taken_at: Timestamp,
    pub tags: Tags,
    /// What is made from it: an instance, a disk or a database.
    pub kind: Kind,
    pub part: Part,
    /// The size that the resource had by the configuration, if that names a plan.
    pub plan: Option<Plan>,
    /// What the resource was made from by the configuration.
    pub blueprint: Option<String>,
}

/// A snapshot with what has become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub resource: ResourceName,
    pub card: Card,
    pub health: Health,
    pub fate: Fate,
    pub facts: Facts,
}

/// What the backend measured and remarked when the snapshot was made or last seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub content: Option<Content>,
    /// Logical and exclusive bytes, where the backend can tell.
    pub stored: Option<u64>,
    pub exclusive: Option<u64>,
    /// Sentences for a person: how it was copied, what is not in it.
    pub notes: Vec<String>,
    /// A person accepted it although it was suspect.
    pub accepted: bool,
    /// All its tags, where they are no longer those that it was taken with. The mark beside it says
    /// the same.
    pub retagged: Option<Tags>,
    pub told: Told,
}

/// A cheap measure of how much is inside; each backend fills what it can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Content {
    pub empty: bool,
    pub entries: Option<u64>,
    pub bytes: Option<u64>,
}

/// May it be trusted?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Its intent is recorded, its object not yet complete.
    Taking,
    Complete,
    /// Kept, but does not count and stops rotation until acknowledged; the text says why.
    Suspect(String),
    /// The backend no longer has it, though heptad did not delete it.
    Missing,
    /// It was made writable or changed behind heptad's back.
    Tampered,
}

impl Health {
    /// The stable word for API and catalogue.
    pub fn word(&self) -> &'static str {
        match self {
            Health::Taking => "taking",
            Health::Complete => "complete",
            Health::Suspect(_) => "suspect",
            Health::Missing => "missing",
            Health::Tampered => "tampered",
        }
    }

    /// Whether the content is what was taken, if not what was wished.
    pub fn is_readable(&self) -> bool {
        matches!(self, Health::Complete | Health::Suspect(_))
    }
}

/// Shall it stay?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Live,
    /// In the trash until heptad has run for this long (see [`super::clock::Reading::elapsed`]).
    Trashed {
        until: SignedDuration,
        why: Thrown,
    },
    /// A durable intent to destroy it is recorded.
    Doomed {
        /// Its time in the trash is over, and who threw it there: what held then holds for every
        /// try.
        from_trash: Option<Thrown>,
    },
}

impl Fate {
    pub fn is_doomed(self) -> bool {
        matches!(self, Fate::Doomed { .. })
    }
}

/// Who threw a snapshot away, and whether the mark beside it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thrown {
    /// A person. If the mark beside it says something else, this is what was known before.
    Asked,
    /// A person, and there was no room for the mark, which is written later.
    Unmarked,
    /// Rotation, because fewer are to stay than before.
    Rotated,
}

impl Snapshot {
    pub fn seq(&self) -> Seq {
        self.card.handle.seq
    }

    /// Its tags as they are now.
    pub fn tags(&self) -> &Tags {
        self.facts.retagged.as_ref().unwrap_or(&self.card.tags)
    }

    /// Whether it is one of those that rotation counts.
    pub fn counts(&self) -> bool {
        self.card.origin == Origin::Automatic
            && self.health == Health::Complete
            && self.fate == Fate::Live
    }

    /// Whether rotation may have chosen it, whatever is to become of it.
    pub fn is_rotatable(&self) -> bool {
        self.card.origin == Origin::Automatic && self.health == Health::Complete
    }

    /// Whether it was taken for a slot, whatever has become of it.
    pub fn is_of(&self, slot: Slot) -> bool {
        self.card.slot == Some(slot) && self.health != Health::Taking
    }

    /// Whether a person may use it: make something new from it, keep it.
    pub fn usable(&self) -> bool {
        matches!(self.health, Health::Complete | Health::Suspect(_)) && self.fate == Fate::Live
    }

    /// `RESOURCE@SLOT`, or the name.
    pub fn label(&self) -> String {
        match (&self.card.name, &self.card.slot) {
            (Some(name), _) => name.to_string(),
            (None, Some(slot)) => format!("{}@{slot}", self.resource),
            (None, None) => format!("{}@#{}", self.resource, self.seq()),
        }
    }

    /// The only legal moves of health; the ledger asserts them.
    pub fn may_become(&self, next: &Health) -> bool {
        use Health::{Complete, Missing, Suspect, Taking, Tampered};
        match (&self.health, next) {
            (Taking, Complete | Suspect(_)) => true,
            (Complete | Suspect(_), Missing | Tampered | Suspect(_) | Complete) => true,
            // It came back: a disk was plugged in again, the flag was set again.
            (Missing | Tampered, Complete | Suspect(_) | Missing | Tampered) => true,
            (a, b) => a == b,
        }
    }
}

/// How a person refers to a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    Named(SnapshotName),
    Latest(ResourceName),
    Slot(ResourceName, Slot),
}

/// A text that refers to no snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a snapshot: write its name, RESOURCE@DATE or RESOURCE@latest ({why})")]
pub struct SelectorError {
    text: String,
    why: String,
}

impl std::str::FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let refuse = |why: String| SelectorError { text: text.into(), why };
        match text.split_once('@') {
            None => text.parse().map(Selector::Named).map_err(|e| refuse(e.to_string())),
            Some((resource, which)) => {
                let resource = resource.parse().map_err(|e| refuse(format!("the resource {e}")))?;
                if which == "latest" {
                    return Ok(Selector::Latest(resource));
                }
                let slot = which.parse::<Slot>().map_err(|e| refuse(e.to_string()))?;
                Ok(Selector::Slot(resource, slot))
            }
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Selector::Named(name) => write!(f, "{name}"),
            Selector::Latest(resource) => write!(f, "{resource}@latest"),
            Selector::Slot(resource, slot) => write!(f, "{resource}@{slot}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_reads_back_as_it_prints() {
        for text in
            ["before-upgrade", "web-1@latest", "web-1@2026-11-22", "db@2026-11-22T10:00:00Z"]
        {
            assert_eq!(text.parse::<Selector>().unwrap().to_string(), text);
        }
        for text in ["", "a", "web-1@", "@latest", "web-1@yesterday", "web 1@latest"] {
            assert!(text.parse::<Selector>().is_err(), "{text:?}");
        }
    }
}
