//! What a backend has of one resource, as it was seen.

use super::snapshot::{Card, Content, Seq};
use super::tag::Tags;
use super::told::{Disk, Engine, Told};

/// What a backend has of one resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// The resource's own identity; none while it is absent.
    pub identity: Option<String>,
    /// Why there is none, and what to do.
    pub absence: Option<String>,
    pub elsewhere: Option<Elsewhere>,
    /// What it is of, where it is a database.
    pub engine: Option<Engine>,
    /// Its disks as they are now, as [`Told`] has them.
    pub disks: Vec<Disk>,
    pub found: Vec<Found>,
    /// The highest sequence number that the backend remembers.
    pub high_water: Seq,
}

/// Its store was changed, and snapshots of it lie in the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// The directory that they lie in.
    pub before: String,
    /// The one where they are looked for.
    pub now: String,
}

/// One object that bears heptad's marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub card: Card,
    pub state: Wholeness,
    pub mark: Mark,
    pub content: Option<Content>,
    pub notes: Vec<String>,
    pub told: Told,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wholeness {
    Whole,
    /// It never passed its commit point, or its destruction was interrupted.
    Partial,
    /// It was made writable or changed.
    Tampered,
}

/// What is written beside a snapshot after it was made, so that it survives the catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Why it is suspect.
    pub doubt: Option<String>,
    /// A person looked at a suspect one and accepted it.
    pub accepted: bool,
    pub trashed: bool,
    /// All its tags, where they are no longer those that it was taken with.
    pub tags: Option<Tags>,
}
