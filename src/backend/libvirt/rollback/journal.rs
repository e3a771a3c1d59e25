//! What is left to be put in place, written down before the first image gives way.

use super::super::super::BackendError;
use super::super::super::in_use;
use super::super::folder::Folder;
use super::super::hold::Notes;
use super::super::virsh::{State, Virsh};
use crate::domain::operation::Fault;
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// What is left to be put in place.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Journal {
    /// Of the order.
    pub token: uuid::Uuid,
    pub uri: String,
    /// The domain's UUID; none for a disk.
    pub domain: Option<String>,
    /// None once all is done: then it remembers whose order that was.
    pub renames: Vec<Rename>,
}

/// One image that gives way to another.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rename {
    pub new: PathBuf,
    pub live: PathBuf,
    /// Which files they were when the journal was written.
    pub made: String,
    pub replaced: String,
}

const DOING: &str = "completing a rollback that was interrupted";

/// Puts in place whatever a journal says. Returns whose it was, if there was one.
///
/// # Errors
/// [`Fault::Busy`] where its domain was started in between, or an image is in use;
/// [`Fault::Identity`] where an image is no longer the one that was to give way, or its copy is
/// not the one that was made: what was written since is stored nowhere, so nothing is replaced.
pub fn finish(rolling: &Notes) -> Result<Option<uuid::Uuid>, BackendError> {
    let Some(journal) = rolling.read::<Journal>()? else { return Ok(None) };
    let token = journal.token;
    if journal.renames.is_empty() {
        return Ok(Some(token));
    }
    expect_off(&journal)?;
    let mut places = Vec::new();
    for rename in &journal.renames {
        // Reached once: what is looked at is what is replaced.
        let (folder, live) = Folder::around(&rename.live)?;
        let left = is_left(rename, &folder, live, rolling)?;
        places.push((folder, rename, left));
    }
    for (folder, rename, _) in places.iter().filter(|(.., left)| *left) {
        folder.rename(name(&rename.new), name(&rename.live))?;
    }
    for (folder, ..) in &places {
        folder.sync()?;
    }
    rolling.write(&Journal { renames: Vec::new(), ..journal })?;
    Ok(Some(token))
}

fn name(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}

fn expect_off(journal: &Journal) -> Result<(), BackendError> {
    let Some(uuid) = &journal.domain else { return Ok(()) };
    match (Virsh { uri: journal.uri.clone() }).state(uuid) {
        Ok(State::Off) => Ok(()),
        Ok(_) => {
            let why = format!("domain {uuid} runs with half of its disks replaced: stop it");
            Err(BackendError::new(Fault::Busy, DOING, why))
        }
        // Its images are still where they were.
        Err(error) if error.fault == Fault::Absent => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether an image still has to give way.
fn is_left(
    rename: &Rename,
    folder: &Folder,
    name_of_live: &OsStr,
    rolling: &Notes,
) -> Result<bool, BackendError> {
    let Rename { new, live, made, replaced } = rename;
    let there = folder.fingerprint(name_of_live)?;
    if object(&there) == object(made) {
        // Done before the interruption.
        return Ok(false);
    }
    let refuse = |what: &Path, how: &str| {
        let (what, journal) = (what.display(), rolling.path.display());
        let why = format!(
            "{what} was {how} since, so it stays; remove {journal} to give the rollback up, and roll \
             back anew"
        );
        Err(BackendError::new(Fault::Identity, DOING, why))
    };
    if there != *replaced {
        return refuse(live, "written or replaced");
    }
    if object(&folder.fingerprint(name(new))?) != object(made) {
        return refuse(new, "exchanged");
    }
    let users = in_use::users(live)?;
    if users.is_empty() {
        return Ok(true);
    }
    Err(BackendError::new(Fault::Busy, DOING, users.join("; ")))
}

/// Device and number of a fingerprint.
fn object(fingerprint: &str) -> Option<&str> {
    fingerprint.split(' ').next()
}
