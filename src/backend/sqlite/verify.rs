//! Checking a stored copy again.

use super::detail::{Detail, database};
use super::protocol::Act;
use super::settings::Settings;
use super::{DATA, owner, run};
use crate::domain::operation::Fault;
use crate::domain::snapshot::Content;
use crate::fs::tree::Meta;
use crate::fs::{Doing, Progress, StorageError};
use crate::store::{Item, Seal, differing, remember};
use rustix::io::Errno;

/// # Errors
/// [`Fault::Permanent`] where the copy is not what was stored, or no sound database; the listing
/// remembers that.
pub(super) fn verify(
    settings: &Settings,
    item: &Item,
    progress: &dyn Progress,
) -> Result<Content, StorageError> {
    remember(&item.path, compare(settings, item, progress))
}

fn compare(
    settings: &Settings,
    item: &Item,
    progress: &dyn Progress,
) -> Result<Content, StorageError> {
    let doing = || format!("verifying {}", item.path.display());
    let differs = |what: &str| Err(StorageError::new(Fault::Identity, doing(), what));
    let Some(detail) = Detail::of(&item.manifest) else {
        return differs("its manifest does not say what it holds");
    };
    let copy = match database(&item.path).and_then(Meta::of) {
        Err(Errno::NOENT) => return differs("its database is gone"),
        copy => copy.doing(doing)?,
    };
    if !detail.matches(&item.path)? {
        return differs("its database has changed");
    }
    if detail.damaged {
        return Ok(detail.content());
    }
    let user = owner::of_copy(settings, &copy)?;
    let act = Act::Check { dir: item.path.join(DATA) };
    let answer = run::ask(settings, user, act, progress).map_err(differing)?;
    if (answer.used_bytes, answer.empty) != (detail.used_bytes, detail.empty) {
        return differs("its manifest says something else than its database");
    }
    Ok(detail.content())
}
