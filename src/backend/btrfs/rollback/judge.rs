//! Whether what was live holds something that no snapshot does.
//!
//! The kernel notes with a subvolume in which transaction it was changed last, but not before it
//! has written out what programs wrote: until then that is in memory alone, and nothing tells of
//! it.

use super::{Act, doing};
use crate::backend::btrfs::live::Live;
use crate::backend::btrfs::store::Entry;
use crate::backend::btrfs::stored::Stored;
use crate::domain::operation::Fault;
use crate::fs::subvolume::Subvolume;
use crate::fs::{Doing, StorageError};
use crate::store::users;

impl Act<'_> {
    /// Right after the exchange of names: looks at what was live.
    ///
    /// # Errors
    /// [`Fault::Busy`] when somebody uses it, or wrote to it after the snapshot that was taken to
    /// be safe.
    pub(super) fn judge(&self) -> Result<(), StorageError> {
        // Whoever was opening it by its name has it open once this is committed, and is seen.
        self.sync()?;
        // A mount goes with what it was made of.
        let is_mount = self.home.is_mount();
        let aside =
            if is_mount { self.path.into() } else { self.path.with_file_name(&self.hidden) };
        let users = users::users(&aside)?;
        if !users.is_empty() {
            // Whoever is told of the hidden name will not find it.
            let [aside, path] = [&aside, self.path].map(|path| path.display().to_string());
            let why = format!("it is in use: {}", users.join("; ").replace(&aside, &path));
            return Err(StorageError::new(Fault::Busy, doing(self.path), why));
        }
        // Nobody can write to it any more: what is in memory now is all that there is.
        self.flush()?;
        let old = self.aside()?.ok_or_else(|| self.changed())?;
        self.refuse_changed(self.home.opened(old, self.place))
    }

    /// Through a mount of its own what was live stays in everybody's reach: nobody shall write to
    /// it any more. Who has a file open for that is seen by the judgement.
    pub(super) fn close(&self) -> Result<(), StorageError> {
        if !self.home.is_mount() {
            return Ok(());
        }
        self.live()?.root.set_read_only(true).doing(|| doing(self.path))
    }

    /// It stays what is live.
    pub(super) fn reopen(&self) -> Result<(), StorageError> {
        let live = self.live()?;
        let is_old = self.store.rollback()?.is_some_and(|swap| swap.old == live.root.uuid());
        if !self.home.is_mount() || !is_old {
            return Ok(());
        }
        let was = self.safety()?.is_some_and(|safety| safety.detail.read_only);
        live.root.set_read_only(was).doing(|| doing(self.path))
    }

    /// Has all that programs wrote written out, so that the file system knows of it.
    pub(super) fn flush(&self) -> Result<(), StorageError> {
        let doing = || format!("writing out what was written to {}", self.path.display());
        rustix::fs::syncfs(&self.home.dir).doing(doing)
    }

    /// What was written after the snapshot that was taken to be safe would be lost. It bears the
    /// token as its id; who took none knows why.
    pub(super) fn refuse_changed(&self, mut live: Live) -> Result<(), StorageError> {
        let Some(safety) = self.safety()? else { return Ok(()) };
        let newer = |live: &Subvolume, stored: Option<&Subvolume>| {
            stored.is_none_or(|stored| {
                live.uuid() != stored.parent() || live.info.changed > stored.info.created
            })
        };
        let mut changed = newer(&live.root, safety.data.as_ref());
        for nested in self.plan(&mut live)?.replaced {
            let open = live.open_nested(&nested)?;
            let mut parts = safety.nested.iter().flatten();
            changed |= newer(&open, parts.find(|part| part.parent() == open.uuid()));
        }
        if !changed {
            return Ok(());
        }
        let why = format!(
            "it was changed after snapshot {} was taken, which alone would hold it; stop what \
             writes to it, then ask again",
            safety.seq
        );
        Err(StorageError::new(Fault::Busy, doing(self.path), why))
    }

    fn safety(&self) -> Result<Option<Stored>, StorageError> {
        for seq in self.store.seqs()?.into_iter().rev() {
            if let Entry::Ours(stored) = self.store.look(seq)?
                && stored.manifest.id == self.token
            {
                return stored.whole().map(Some);
            }
        }
        Ok(None)
    }
}
