//! A live tree or file that gives way to a new one under the same name.
//!
//! The new one grows under a hidden name beside it. Which object takes which one's place is noted
//! in the store; then the two exchange their names, which is the commit point. Now that nobody
//! reaches the old one by its name, it is judged once more: if it holds what no snapshot does, the
//! names are exchanged back. Then it goes. Each state in between is told from the note and from who
//! has the hidden name.
//!
//! From the first exchange on somebody may have written to the new one, and that is nowhere else:
//! it is removed only where it is as it was before, and put aside otherwise.

mod aside;
mod note;
mod print;

use super::movable::{NO_EXCHANGE, doing, expect_store_apart, named};
use super::{Store, remove};
use super::{identity, users};
use crate::domain::operation::Fault;
use crate::fs::tree::{open_dir, open_nosymlink, peek};
use crate::fs::{Doing, StorageError};
use note::{Note, Step};
use rustix::fs::RenameFlags;
use rustix::io::Errno;
use std::cell::Cell;
use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// What a backend does to it.
pub trait Replacement {
    /// Makes the new content as a new `name` in `dir`. What is left there of a failure is removed.
    fn stage(&self, dir: &OwnedFd, name: &CStr) -> Result<(), StorageError>;

    /// Who uses what lies at a path, a sentence each: at that of the live one or, right after the
    /// exchange, at the one that the old one has then.
    fn users(&self, at: &Path) -> Result<Vec<String>, StorageError> {
        users::users(at)
    }

    /// Called right before the exchange of names, perhaps once more after a crash.
    ///
    /// # Errors
    /// [`Fault::Busy`] when something would be lost that is stored nowhere; [`Fault::Cancelled`]
    /// when it is not wanted any more, as after it nothing asks.
    fn ready(&self) -> Result<(), StorageError> {
        Ok(())
    }

    /// Called right after the exchange, also when it was interrupted there.
    ///
    /// # Errors
    /// [`Fault::Busy`] when what was live holds something that is stored nowhere.
    fn judge(&self, _old: &Aside<'_>) -> Result<(), StorageError> {
        Ok(())
    }

    /// Whether the new one, which is live, can give its name back to what lies at `old`: nobody
    /// uses it, and nothing that lies beside it belongs to it. What cannot be told does: afterwards
    /// all that lies beside the live one is the old one's, and nobody moves it.
    fn may_go_back(&self, live: &Path, _old: &Path) -> Result<bool, StorageError> {
        self.users(live).map(|users| users.is_empty())
    }

    /// Somebody has written to the new one, which gets the name `kept` next: what belongs to it and
    /// lies elsewhere goes along. Called again after a crash.
    fn part_with(&self, _new: &Aside<'_>, _kept: &CStr) -> Result<(), StorageError> {
        Ok(())
    }

    /// Takes back what else `stage` and `ready` have done, here or before a crash. What is live is
    /// the old one.
    fn undo(&self) -> Result<(), StorageError> {
        Ok(())
    }

    /// Moves what shall stay from the old one to the new one and removes what the old one has
    /// elsewhere, right before it goes; also after a crash in the middle of it.
    fn carry(&self, _old: &Aside<'_>, _new: &OwnedFd) -> Result<(), StorageError> {
        Ok(())
    }
}

/// What was live.
pub struct Aside<'a> {
    pub reference: &'a OwnedFd,
    pub path: &'a Path,
}

pub struct Swap<'a> {
    store: &'a Store,
    path: &'a Path,
    token: Uuid,
    /// The directory that both lie in.
    dir: OwnedFd,
    name: CString,
    hidden: CString,
    hidden_path: PathBuf,
    /// What was live could not be removed, and that is noted.
    is_left: Cell<bool>,
}

impl<'a> Swap<'a> {
    /// The path must be one that can be given to another object: [`replaceable`] or [`movable`].
    ///
    /// # Errors
    /// [`Fault::Permanent`] for a path that names nothing in a directory.
    pub fn open(store: &'a Store, path: &'a Path, token: Uuid) -> Result<Self, StorageError> {
        let doing = || doing(path);
        expect_store_apart(store, path)?;
        let (above, name) = named(path)?;
        let dir = open_dir(&open_nosymlink(above)?).doing(doing)?;
        let c_name = |bytes: &[u8]| CString::new(bytes).map_err(std::io::Error::from);
        let name = c_name(name.as_bytes()).doing(doing)?;
        let hidden = format!(".heptad-rollback-{token}");
        let hidden_path = above.join(&hidden);
        let hidden = c_name(hidden.as_bytes()).doing(doing)?;
        let is_left = Cell::new(false);
        Ok(Self { store, path, token, dir, name, hidden, hidden_path, is_left })
    }

    pub fn hidden_path(&self) -> &Path {
        &self.hidden_path
    }

    /// Does what is left to do of it: all, or nothing if it is done.
    pub fn run(&self, replacement: &dyn Replacement) -> Result<(), StorageError> {
        let (note, aside) = (self.note()?, self.object(&self.hidden)?);
        let live = self.object(&self.name)?;
        match (&note, &aside) {
            (Some(note), Some(aside)) if *aside == note.old => self.resume(note, replacement),
            // Only its end may not be durable.
            (Some(note), None) if live.as_ref() != Some(&note.old) => self.sync(),
            (Some(note), Some(aside)) if *aside == note.new && live.as_ref() == Some(&note.old) => {
                match self.is_as_made(note, replacement) {
                    true => {
                        // What comes to lie beside the live one is the old one's until they swap.
                        self.step(Step::Staged)?;
                        self.exchange(replacement)
                    }
                    false => self.anew(replacement),
                }
            }
            (Some(note), Some(aside)) if *aside != note.new => Err(self.foreign()),
            _ => self.anew(replacement),
        }
    }

    fn anew(&self, replacement: &dyn Replacement) -> Result<(), StorageError> {
        self.stage(replacement)?;
        self.exchange(replacement)
    }

    pub fn path(&self) -> &Path {
        self.path
    }

    /// The directory that both lie in, and their names there.
    pub fn dir(&self) -> &OwnedFd {
        &self.dir
    }

    pub fn name(&self) -> &CStr {
        &self.name
    }

    pub fn hidden(&self) -> &CStr {
        &self.hidden
    }

    fn stage(&self, replacement: &dyn Replacement) -> Result<(), StorageError> {
        // Whatever an interrupted attempt left, before anything can refuse: nobody else clears it.
        self.clear(replacement)?;
        // Else all would be copied in vain.
        self.refuse(&replacement.users(self.path)?)?;
        let staged = replacement.stage(&self.dir, &self.hidden).and_then(|()| {
            rustix::fs::syncfs(&self.dir).doing(|| doing(self.path))?;
            self.write_note()
        });
        if staged.is_err() {
            // The first error is the one to tell; a second try clears what this leaves.
            let _ = self.clear(replacement);
        }
        staged
    }

    /// While what is live is the old one. The note goes before what it is about: with nothing aside
    /// it would tell of a swap that is done.
    fn clear(&self, replacement: &dyn Replacement) -> Result<(), StorageError> {
        self.rescue(replacement)?;
        replacement.undo()?;
        note::remove(self.store)?;
        self.discard()
    }

    fn exchange(&self, replacement: &dyn Replacement) -> Result<(), StorageError> {
        if let Err(error) = self.swap_unused(replacement) {
            let staged = self.note()?.map(|note| note.new);
            if staged.is_some() && self.object(&self.hidden)? == staged {
                return Err(self.give_up(replacement, error));
            }
            return Err(error);
        }
        self.finish(replacement)
    }

    /// Lets the two exchange their names, unless somebody uses the live one: what he wrote from now
    /// on would be lost. He may come between the look and the exchange, so there is a look after
    /// it.
    fn swap_unused(&self, replacement: &dyn Replacement) -> Result<(), StorageError> {
        let exposed = self.exposed()?;
        self.refuse(&replacement.users(self.path)?)?;
        replacement.ready()?;
        // Not before: until then nobody can have written to the new one.
        self.step(exposed)?;
        if let Err(error) = self.swap_names() {
            // Else its time of change tells the same.
            let _ = self.step(Step::Staged);
            return Err(error);
        }
        let Err(error) = self.judge(replacement) else { return Ok(()) };
        if !replacement.may_go_back(self.path, &self.hidden_path).unwrap_or(false) {
            // Nor shall he lose anything who uses the new one already.
            return Err(self.told_with_place(error));
        }
        self.swap_names()?;
        Err(error)
    }

    fn judge(&self, replacement: &dyn Replacement) -> Result<(), StorageError> {
        self.refuse(&replacement.users(&self.hidden_path)?)?;
        let reference = self.reference(&self.hidden)?;
        replacement.judge(&Aside { reference: &reference, path: &self.hidden_path })
    }

    /// The names are exchanged, by an attempt that was interrupted. They stay so whatever is found:
    /// the new one may have been written to since.
    fn resume(&self, note: &Note, replacement: &dyn Replacement) -> Result<(), StorageError> {
        if note.step != Step::Judged {
            self.judge(replacement).map_err(|error| self.told_with_place(error))?;
        }
        self.finish(replacement)
    }

    fn refuse(&self, users: &[String]) -> Result<(), StorageError> {
        if users.is_empty() {
            return Ok(());
        }
        let (path, hidden) = (self.path.display(), self.hidden_path.display());
        // Whoever is told of the other name will not find it.
        let users = users.join("; ").replace(&hidden.to_string(), &path.to_string());
        Err(StorageError::new(Fault::Busy, doing(self.path), format!("it is in use: {users}")))
    }

    fn swap_names(&self) -> Result<(), StorageError> {
        let flags = RenameFlags::EXCHANGE;
        let swapped =
            rustix::fs::renameat_with(&self.dir, &self.hidden, &self.dir, &self.name, flags);
        swapped.map_err(|error| match error {
            Errno::INVAL | Errno::NOSYS => {
                StorageError::new(Fault::Permanent, doing(self.path), NO_EXCHANGE)
            }
            other => StorageError::io(doing(self.path), &other.into()),
        })
    }

    /// After the exchange, which need not be durable yet, and the judgement.
    fn finish(&self, replacement: &dyn Replacement) -> Result<(), StorageError> {
        self.clear_away(replacement).map_err(|error| self.told_with_place(error))
    }

    fn told_with_place(&self, error: StorageError) -> StorageError {
        let what = if self.is_left.get() {
            "heptad tries that again with each snapshot that it takes"
        } else {
            "remove it when nothing of it is missed"
        };
        let detail = format!(
            "{}; the snapshot's content is in place, what was there before is left at {}: {what}",
            error.detail,
            self.hidden_path.display()
        );
        StorageError { detail, ..error }
    }

    fn clear_away(&self, replacement: &dyn Replacement) -> Result<(), StorageError> {
        self.sync()?;
        // From here on it is no longer what it was.
        self.step(Step::Judged)?;
        let (old, new) = (self.reference(&self.hidden)?, self.reference(&self.name)?);
        replacement.carry(&Aside { reference: &old, path: &self.hidden_path }, &new)?;
        let object = identity::place(&old, self.path)?;
        drop(old);
        if let Err(error) = self.discard() {
            // All of it that shall stay has been carried over.
            self.store.note_left(self.token, &self.hidden_path, &object)?;
            self.is_left.set(true);
            return Err(error);
        }
        self.sync()
    }

    fn reference(&self, name: &CStr) -> Result<OwnedFd, StorageError> {
        peek(&self.dir, name).doing(|| doing(self.path)).map(|(reference, _)| reference)
    }

    /// Removes what has the hidden name.
    fn discard(&self) -> Result<(), StorageError> {
        remove(&self.dir, &self.hidden)
    }

    fn sync(&self) -> Result<(), StorageError> {
        rustix::fs::fsync(&self.dir).doing(|| doing(self.path))
    }

    /// What has a name, told apart from whatever had it before.
    fn object(&self, name: &CString) -> Result<Option<String>, StorageError> {
        match peek(&self.dir, name) {
            Ok((reference, _)) => identity::place(&reference, self.path).map(Some),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error).doing(|| doing(self.path)),
        }
    }

    /// Of this very rollback, if it got so far.
    fn note(&self) -> Result<Option<Note>, StorageError> {
        note::read(self.store, self.token)
    }

    fn write_note(&self) -> Result<(), StorageError> {
        let gone = || StorageError::new(Fault::Transient, doing(self.path), "it was moved away");
        let new = self.object(&self.hidden)?.ok_or_else(gone)?;
        let old = self.object(&self.name)?.ok_or_else(gone)?;
        note::write(self.store, self.token, &Note { new, old, step: Step::Staged })
    }

    /// Notes how far it is, where there is a note.
    fn step(&self, step: Step) -> Result<(), StorageError> {
        match self.note()?.filter(|note| note.step != step) {
            Some(note) => note::write(self.store, self.token, &Note { step, ..note }),
            None => Ok(()),
        }
    }

    fn foreign(&self) -> StorageError {
        let hidden = self.hidden_path.display();
        let why = format!("{hidden} is something else than before; move it away");
        StorageError::new(Fault::Identity, doing(self.path), why)
    }
}

#[cfg(test)]
mod tests;
