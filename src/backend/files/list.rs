//! The listing: every snapshot with one cheap look at each.

use super::super::BackendError;
use super::super::manifest::read_mark;
use super::super::shelf::{Item, Shelf, Stage};
use super::detail::Detail;
use super::settings::Settings;
use super::{identity, verify};
use crate::domain::event::{Found, Survey, Wholeness};

pub fn list(settings: &Settings, shelf: &Shelf) -> Result<Survey, BackendError> {
    let (items, high_water) = shelf.items()?;
    let found = items.iter().map(found).collect::<Result<_, _>>()?;
    // Absent, or not to be read at the moment: that is for probing to say.
    let identity = identity::probe(&settings.path).ok().map(|probe| probe.identity);
    Ok(Survey { identity, found, high_water })
}

fn found(item: &Item) -> Result<Found, BackendError> {
    let detail = Detail::of(&item.manifest);
    let state = match (item.stage, &detail) {
        (Stage::Partial | Stage::Destroying, _) => Wholeness::Partial,
        (Stage::Whole, None) => Wholeness::Tampered,
        (Stage::Whole, Some(detail)) => {
            if detail.matches(&item.path)? && !verify::was_found_tampered(&item.path)? {
                Wholeness::Whole
            } else {
                Wholeness::Tampered
            }
        }
    };
    Ok(Found {
        card: item.manifest.card(item.manifest.id.to_string())?,
        state,
        mark: read_mark(&item.path)?,
        content: detail.map(|detail| detail.content()),
        notes: item.manifest.notes.clone(),
    })
}
