//! On the shelf: which object takes which one's place. Four lines at most: the token, the new object,
//! the old one, and `judged`.

use super::super::super::manifest::sync_dir;
use super::super::super::{BackendError, Doing};
use super::super::{Shelf, replace};
use crate::domain::operation::Fault;
use std::io::ErrorKind;
use uuid::Uuid;

const NOTE: &str = "rollback";
const JUDGED: &str = "judged";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub new: String,
    pub old: String,
    /// The old one may go.
    pub judged: bool,
}

/// The note of this token; that of another is none.
pub fn read(shelf: &Shelf, token: Uuid) -> Result<Option<Note>, BackendError> {
    let path = shelf.dir().join(NOTE);
    let doing = || format!("reading {}", path.display());
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text.doing(doing)?,
    };
    let mut lines = text.lines();
    if lines.next() != Some(&*token.to_string()) {
        return Ok(None);
    }
    match (lines.next(), lines.next()) {
        (Some(new), Some(old)) => {
            let judged = lines.next() == Some(JUDGED);
            Ok(Some(Note { new: new.into(), old: old.into(), judged }))
        }
        _ => Err(BackendError::new(Fault::Permanent, doing(), "it is cut short; remove it")),
    }
}

/// Durably replaces it.
pub fn write(shelf: &Shelf, token: Uuid, note: &Note) -> Result<(), BackendError> {
    let Note { new, old, judged } = note;
    let judged = if *judged { format!("{JUDGED}\n") } else { String::new() };
    replace(shelf.dir(), NOTE, format!("{token}\n{new}\n{old}\n{judged}").as_bytes())
}

/// Durably; one that is gone already is success.
pub fn remove(shelf: &Shelf) -> Result<(), BackendError> {
    let path = shelf.dir().join(NOTE);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(BackendError::io(format!("removing {}", path.display()), &error))
        }
        _ => sync_dir(shelf.dir()),
    }
}
