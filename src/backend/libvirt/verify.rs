//! Seeing that the stored images are what they were.

use super::detail::Detail;
use super::image;
use super::settings::Settings;
use crate::domain::operation::Fault;
use crate::domain::snapshot::Content;
use crate::fs::{Doing, Progress, StorageError};
use crate::store::{Item, Seal, differing, remember};

/// Compares how they look, and checks the tables of those that have some. The guest's bytes are not
/// read: on terabytes that would take longer than the day.
///
/// # Errors
/// [`Fault::Permanent`] where they have changed or are damaged; the listing remembers that.
pub(super) fn verify(
    settings: &Settings,
    item: &Item,
    progress: &dyn Progress,
) -> Result<Content, StorageError> {
    remember(&item.path, compare(settings, item, progress)).map(|detail| detail.content())
}

/// As [`verify`], and what is known of the snapshot.
pub(super) fn whole(
    settings: &Settings,
    item: &Item,
    progress: &dyn Progress,
) -> Result<Detail, StorageError> {
    verify(settings, item, progress)?;
    let doing = || format!("reading {}", item.path.display());
    Detail::of(&item.manifest)
        .ok_or(std::io::ErrorKind::InvalidData)
        .map_err(std::io::Error::from)
        .doing(doing)
}

fn compare(
    settings: &Settings,
    item: &Item,
    progress: &dyn Progress,
) -> Result<Detail, StorageError> {
    let doing = || format!("verifying {}", item.path.display());
    let differs = |what: &str| Err(StorageError::new(Fault::Identity, doing(), what));
    let Some(detail) = Detail::of(&item.manifest) else {
        return differs("its manifest does not say what it holds");
    };
    if !detail.matches(&item.path)? {
        return differs("it has changed since it was taken, or a part of it is gone");
    }
    for disk in &detail.disks {
        image::check(&disk.path(&item.path), disk.format, settings.deadline, progress)
            .map_err(differing)?;
    }
    Ok(detail)
}
