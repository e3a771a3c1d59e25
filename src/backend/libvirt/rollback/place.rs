//! One image and the copy that takes its place: how far that has come, and the steps of it.

use super::super::folder::Folder;
use crate::domain::operation::Fault;
use crate::fs::StorageError;
use crate::store::users;
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// So many copies that somebody wrote to one rollback leaves; more of them tell of something else.
const KEPT: usize = 100;

/// One image that gives way to another.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Rename {
    pub new: PathBuf,
    pub live: PathBuf,
    /// Which files they were when the journal was written.
    pub made: String,
    pub replaced: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The image is as it was, and the copy is beside it.
    Waiting,
    /// The image was written or replaced since, or the copy is gone.
    Spoilt,
    /// The image is as it was, and somebody has written to the copy while it stood in its place.
    Written,
    /// Something else is where the copy should be.
    Foreign,
    /// The copy is in place, and the image is aside.
    Exchanged,
    /// The copy is in place, and the image is gone.
    Done,
}

#[derive(Debug)]
pub(super) struct Place<'a> {
    pub rename: &'a Rename,
    pub state: State,
    /// Reached once: what is looked at is what is replaced.
    folder: Folder,
}

impl<'a> Place<'a> {
    pub(super) fn look(rename: &'a Rename) -> Result<Self, StorageError> {
        let Rename { new, live, made, replaced } = rename;
        let (folder, live) = Folder::around(live)?;
        let there = folder.fingerprint(live)?;
        let aside = match folder.fingerprint(name(new)) {
            Err(error) if error.fault == Fault::Absent => None,
            aside => Some(aside?),
        };
        let is_aside = |what: &str| aside.as_deref().is_some_and(|it| object(it) == object(what));
        let state = if object(&there) == object(made) {
            if is_aside(replaced) { State::Exchanged } else { State::Done }
        } else if aside.is_some() && !is_aside(made) {
            State::Foreign
        } else if there != *replaced || aside.is_none() {
            State::Spoilt
        } else if aside.as_ref() != Some(made) {
            State::Written
        } else {
            State::Waiting
        };
        Ok(Self { rename, state, folder })
    }

    /// Whether the image has yet to give way.
    pub(super) fn is_left(&self) -> bool {
        matches!(self.state, State::Waiting | State::Spoilt | State::Written | State::Foreign)
    }

    /// Puts the copy in place, and the image aside where the file system can do that at once.
    pub(super) fn put(&mut self) -> Result<(), StorageError> {
        let (new, live) = (name(&self.rename.new), name(&self.rename.live));
        self.state = if self.folder.exchange(new, live)? {
            State::Exchanged
        } else {
            self.folder.rename(new, live)?;
            State::Done
        };
        Ok(())
    }

    /// Puts the image that is aside in place again.
    pub(super) fn put_back(&mut self) -> Result<(), StorageError> {
        self.folder.exchange(name(&self.rename.new), name(&self.rename.live))?;
        self.state = State::Waiting;
        self.sync()
    }

    /// Removes what is aside, image or copy; a copy that somebody has written to, while it stood in
    /// the image's place, is nowhere else, and only gets another name, which is returned.
    pub(super) fn clear(&self) -> Result<Option<PathBuf>, StorageError> {
        // Elsewhere nothing is aside that was ours.
        if matches!(self.state, State::Done | State::Foreign) {
            return Ok(None);
        }
        let (new, made) = (name(&self.rename.new), &self.rename.made);
        let is_copy = self.state != State::Exchanged;
        // What cannot be looked at does not go unseen.
        let there = match self.folder.fingerprint(new) {
            Err(error) if error.fault == Fault::Absent => None,
            there => Some(there?),
        };
        let kept = match there {
            Some(there) if is_copy && there != *made => Some(self.keep(new)?),
            _ => {
                self.folder.remove(new)?;
                None
            }
        };
        self.sync()?;
        Ok(kept)
    }

    /// Under a name that is free: one rollback may be tried again and again.
    fn keep(&self, new: &OsStr) -> Result<PathBuf, StorageError> {
        for number in 1..=KEPT {
            let mut kept = new.to_owned();
            kept.push("-written");
            if number > 1 {
                kept.push(format!("-{number}"));
            }
            if self.folder.rename_to_free(new, &kept)? {
                return Ok(self.rename.new.with_file_name(kept));
            }
        }
        let doing = format!("putting {} aside", self.rename.new.display());
        let why =
            format!("there are {KEPT} beside it already: take what is missed, then remove them");
        Err(StorageError::new(Fault::Permanent, doing, why))
    }

    /// Who has the image open that is aside.
    pub(super) fn users_aside(&self) -> Result<Vec<String>, StorageError> {
        let Rename { new, live, .. } = self.rename;
        // Whoever is told of its name aside will not find it.
        let [new_name, live] = [new, live].map(|path| path.display().to_string());
        let users = users::users(new)?.into_iter();
        Ok(users.map(|user| user.replace(&new_name, &live)).collect())
    }

    /// A sentence where the image that is aside was written to after it was compared.
    pub(super) fn late_writer(&self) -> Result<Option<String>, StorageError> {
        let Rename { new, live, replaced, .. } = self.rename;
        let is_as_it_was = self.folder.fingerprint(name(new))? == *replaced;
        Ok((!is_as_it_was).then(|| format!("{} was written to in the last moment", live.display())))
    }

    pub(super) fn sync(&self) -> Result<(), StorageError> {
        self.folder.sync()
    }
}

fn name(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}

/// Device and number of a fingerprint.
fn object(fingerprint: &str) -> Option<&str> {
    fingerprint.split(' ').next()
}
