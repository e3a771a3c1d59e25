//! What becomes of the new one where the old one stays: it goes, unless somebody has written to it
//! while everybody could reach it.

use super::note::{self, Note, Step};
use super::print::print;
use super::{Aside, Replacement, Swap};
use crate::domain::operation::Fault;
use crate::fs::tree::{Meta, Time, open_nosymlink};
use crate::fs::{Doing, StorageError};
use crate::store::movable::doing;
use rustix::fs::RenameFlags;
use rustix::io::Errno;
use std::ffi::CString;
use std::path::PathBuf;
use std::time::Duration;

/// So many copies that somebody wrote to one rollback leaves; more of them tell of something else.
const KEPT: usize = 100;
/// More than one tick of the clock that files get their times from.
const TICKS: Duration = Duration::from_millis(20);

impl Swap<'_> {
    /// How the new one is, to be noted before the first moment in which others can reach it.
    #[expect(clippy::disallowed_methods, reason = "no event tells of a tick of the clock")]
    pub(super) fn exposed(&self) -> Result<Step, StorageError> {
        let new = self.reference(&self.hidden)?;
        // The exchange must move its time of change, and file systems count in ticks of a clock.
        std::thread::sleep(TICKS);
        let changed = Meta::of(&new).doing(|| doing(self.path))?.ctime;
        Ok(Step::Exposed(print(&new)?, Some(changed)))
    }

    /// Whether nobody has written to the new one. In doubt somebody has.
    pub(super) fn is_as_made(&self, note: &Note, replacement: &dyn Replacement) -> bool {
        let is_same = |was: u64, changed: Option<Time>| -> Result<bool, StorageError> {
            let new = self.reference(&self.hidden)?;
            if print(&new)? != was {
                return Ok(false);
            }
            // Its name was never another, so nobody else has found it.
            if changed == Some(Meta::of(&new).doing(|| doing(self.path))?.ctime) {
                return Ok(true);
            }
            replacement.users(&self.hidden_path).map(|users| users.is_empty())
        };
        match note.step {
            Step::Staged => true,
            Step::Exposed(was, changed) => is_same(was, changed).unwrap_or(false),
            Step::Written | Step::Judged => false,
        }
    }

    /// Puts the new one aside if somebody has written to it; tells where it is then.
    pub(super) fn rescue(
        &self,
        replacement: &dyn Replacement,
    ) -> Result<Option<PathBuf>, StorageError> {
        let Some(note) = self.note()? else { return Ok(None) };
        if self.object(&self.hidden)?.as_ref() != Some(&note.new)
            || self.is_as_made(&note, replacement)
        {
            return Ok(None);
        }
        self.step(Step::Written)?;
        for number in 1..=KEPT {
            if let Some(kept) = self.keep(replacement, number)? {
                return Ok(Some(kept));
            }
        }
        let why =
            format!("there are {KEPT} beside it already: take what is missed, then remove them");
        Err(StorageError::new(Fault::Permanent, doing(self.path), why))
    }

    /// `None` where something has the name.
    fn keep(
        &self,
        replacement: &dyn Replacement,
        number: usize,
    ) -> Result<Option<PathBuf>, StorageError> {
        let more = if number == 1 { String::new() } else { format!("-{number}") };
        let kept = format!(".heptad-written-{}{more}", self.token);
        let path = self.hidden_path.with_file_name(&kept);
        let kept = CString::new(kept).map_err(std::io::Error::from).doing(|| doing(self.path))?;
        if self.object(&kept)?.is_some() {
            return Ok(None);
        }
        let new = open_nosymlink(&self.hidden_path)?;
        replacement.part_with(&Aside { reference: &new, path: &self.hidden_path }, &kept)?;
        let flags = RenameFlags::NOREPLACE;
        match rustix::fs::renameat_with(&self.dir, &self.hidden, &self.dir, &kept, flags) {
            Err(Errno::EXIST) => return Ok(None),
            moved => moved.doing(|| doing(self.path))?,
        }
        note::remove(self.store)?;
        self.sync()?;
        Ok(Some(path))
    }

    /// Nothing was exchanged, or it was exchanged back. What cannot be cleared now is left to the
    /// next attempt, but not without a word where it is all that there is of something.
    pub(super) fn give_up(
        &self,
        replacement: &dyn Replacement,
        error: StorageError,
    ) -> StorageError {
        // The exchange back must have arrived before anything goes.
        let said = match self.sync().and_then(|()| self.rescue(replacement)) {
            Ok(None) => {
                let _ = self.clear(replacement);
                return error;
            }
            Ok(Some(kept)) => {
                let _ = replacement.undo();
                format!(
                    "what was written meanwhile to the copy that stood there for a moment is at {}: \
                     take what is missed, then remove it",
                    kept.display()
                )
            }
            Err(why) => format!(
                "if anything was written meanwhile to the copy that stood there for a moment, it is at \
                 {}, which could not be put aside ({why})",
                self.hidden_path.display()
            ),
        };
        let detail = format!("{}; nothing was rolled back, and {said}", error.detail);
        StorageError { detail, ..error }
    }
}
