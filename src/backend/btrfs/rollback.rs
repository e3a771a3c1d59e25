//! The live subvolume replaced by a writable snapshot of a stored one.
//!
//! The new one is built under a hidden name beside the live one. Which subvolume takes which one's
//! place is noted in the store; then the two exchange their names, which is the commit point; then
//! the old one goes. Each state in between is told from the note and from who has the hidden name.

use super::carry::{self, Plan};
use super::live::Live;
use super::measure;
use super::place::{self, Place};
use super::restore::Target;
use super::store::{Entry, Store, Swap};
use super::stored::{self, Stored};
use super::{Btrfs, NestedMode};
use crate::backend::in_use;
use crate::backend::subvolume::{self, Subvolume};
use crate::backend::{BackendError, Doing, Probe, RollbackOrder};
use crate::domain::operation::Fault;
use rustix::fs::RenameFlags;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use uuid::Uuid;

pub fn users(this: &Btrfs) -> Result<Vec<String>, BackendError> {
    let place = Place::of(&this.path)?;
    replaceable(&this.path, &place, &Live::open(&this.path, &place)?)?;
    in_use::users(&this.path)
}

pub fn rollback(this: &Btrfs, order: &RollbackOrder<'_>) -> Result<Probe, BackendError> {
    let place = Place::of(&this.path)?;
    let mut stored = this.stored(&place, order.handle)?.whole()?;
    let data = stored.data.take().ok_or_else(|| this.missing(order.handle))?;
    let store = this.sure_store(&place)?.ok_or_else(|| this.missing(order.handle))?;
    let mut live = Live::open(&this.path, &place)?;
    replaceable(&this.path, &place, &live)?;
    place.writable()?;
    let act = Act::open(this, &place, &store, (&stored, &data), order.token)?;
    let noted = store.rollback()?.filter(|swap| swap.token == order.token);
    match (noted, act.aside()?) {
        (Some(swap), Some(aside)) if aside.uuid() == swap.old => act.finish(aside)?,
        // Only its end may not be durable.
        (Some(swap), None) if live.root.uuid() != swap.old => act.sync()?,
        (Some(swap), Some(aside)) if (aside.uuid(), live.root.uuid()) == (swap.new, swap.old) => {
            act.exchange()?;
        }
        _ => {
            act.stage(&mut live)?;
            act.exchange()?;
        }
    }
    Ok(Probe { identity: Live::open(&this.path, &place)?.identity })
}

/// # Errors
/// [`Fault::Permanent`] where the name cannot be given to another subvolume, with the way out.
fn replaceable(path: &Path, place: &Place, live: &Live) -> Result<(), BackendError> {
    let refuse = |why: &str| {
        let doing = format!("rolling {} back in place", path.display());
        let out = "make a new resource from the snapshot (heptactl create) and use that";
        Err(BackendError::new(Fault::Permanent, doing, format!("{why}; {out}")))
    };
    if live.is_top() {
        return refuse("it is the top of its file system, which nothing can replace");
    }
    if place.mount.point == path {
        return refuse(
            "it is mounted there, and a mount keeps the subvolume that it was made of; protect it \
             by a path below a mount of the directory that it lies in, or",
        );
    }
    if measure::default_subvolume(&live.root.dir)? == Some(live.root.info.id) {
        return refuse(
            "it is the default subvolume of its file system, which cannot be destroyed; try: \
             btrfs subvolume set-default 5 PATH, or",
        );
    }
    if place.mount.is_read_only() {
        return Err(place::read_only(&place.mount));
    }
    Ok(())
}

/// One rollback, whatever is left of it to do.
struct Act<'a> {
    path: &'a Path,
    mode: NestedMode,
    place: &'a Place,
    store: &'a Store,
    stored: &'a Stored,
    data: &'a Subvolume,
    token: Uuid,
    parent: OwnedFd,
    hidden: OsString,
}

impl<'a> Act<'a> {
    fn open(
        this: &'a Btrfs,
        place: &'a Place,
        store: &'a Store,
        (stored, data): (&'a Stored, &'a Subvolume),
        token: Uuid,
    ) -> Result<Self, BackendError> {
        let path = this.path.as_path();
        let parent = path.parent().unwrap_or(path);
        let parent = subvolume::open_absolute(parent).doing(|| doing(path))?;
        let hidden = format!(".heptad-rollback-{token}").into();
        Ok(Self { path, mode: this.nested, place, store, stored, data, token, parent, hidden })
    }

    /// What has the hidden name.
    fn aside(&self) -> Result<Option<Subvolume>, BackendError> {
        Subvolume::open(&self.parent, &self.hidden).doing(|| doing(self.path))
    }

    fn target(&self) -> Result<Target, BackendError> {
        let parent = self.parent.try_clone().doing(|| doing(self.path))?;
        Ok(Target::beside(parent, self.hidden.clone(), self.path))
    }

    /// Builds what shall take the place of the live subvolume, and notes that it shall.
    fn stage(&self, live: &mut Live) -> Result<(), BackendError> {
        let target = self.target()?;
        target.clear(self.stored, self.data)?;
        let staged = self.fill(&target, live);
        if staged.is_err() {
            let _ = target.clear(self.stored, self.data);
        }
        staged
    }

    fn fill(&self, target: &Target, live: &mut Live) -> Result<(), BackendError> {
        let plan = Plan::of(self.mode, &self.stored.detail, live.nested()?);
        target.build(self.stored, self.data, &plan.carried)?;
        let new = self.aside()?.ok_or_else(|| self.changed())?;
        plan.fits(&new.dir)?;
        let (new, old) = (new.uuid(), live.root.uuid());
        self.store.note_rollback(&Swap { token: self.token, new, old })
    }

    fn exchange(&self) -> Result<(), BackendError> {
        if let Err(error) = self.swap_unused() {
            // Better nothing than a hidden copy; if this fails too, the next attempt uses it.
            let _ = self.discard();
            return Err(error);
        }
        self.sync()?;
        self.finish(self.aside()?.ok_or_else(|| self.changed())?)
    }

    /// Lets the two exchange their names, unless somebody uses the live one: what he wrote from now
    /// on would be lost. He may come between the look and the exchange, so there is a look after it.
    fn swap_unused(&self) -> Result<(), BackendError> {
        in_use::refuse_users(self.path)?;
        self.refuse_changed()?;
        self.swap_names()?;
        if let Err(error) = in_use::refuse_users(&self.path.with_file_name(&self.hidden)) {
            self.swap_names()?;
            self.sync()?;
            return Err(error);
        }
        Ok(())
    }

    /// What was written after the snapshot that was taken to be safe would be lost. It bears the
    /// token as its id; who took none knows why.
    fn refuse_changed(&self) -> Result<(), BackendError> {
        let Some(safety) = self.safety()? else { return Ok(()) };
        let mut live = Live::open(self.path, self.place)?;
        let newer = |live: &Subvolume, stored: Option<&Subvolume>| {
            stored.is_none_or(|stored| {
                live.uuid() != stored.parent() || live.info.changed > stored.info.created
            })
        };
        let mut changed = newer(&live.root, safety.data.as_ref());
        let nested = live.nested()?;
        for nested in Plan::of(self.mode, &self.stored.detail, nested).replaced {
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
        Err(BackendError::new(Fault::Busy, doing(self.path), why))
    }

    fn safety(&self) -> Result<Option<Stored>, BackendError> {
        for seq in self.store.seqs()?.into_iter().rev() {
            if let Entry::Ours(stored) = self.store.look(seq)?
                && stored.manifest.id == self.token
            {
                return stored.whole().map(Some);
            }
        }
        Ok(None)
    }

    /// Destroys what was staged; never what was live.
    fn discard(&self) -> Result<(), BackendError> {
        let (noted, aside) = (self.store.rollback()?, self.aside()?);
        match (noted, aside) {
            (Some(swap), Some(aside)) if aside.uuid() == swap.new => {
                self.target()?.clear(self.stored, self.data)
            }
            _ => Ok(()),
        }
    }

    fn swap_names(&self) -> Result<(), BackendError> {
        let (parent, name) = (&self.parent, self.path.file_name().unwrap_or_default());
        let flags = RenameFlags::EXCHANGE;
        let swapped = rustix::fs::renameat_with(parent, &self.hidden, parent, name, flags);
        swapped.doing(|| doing(self.path))
    }

    /// Carries over what no snapshot holds, and destroys the rest of the old subvolume.
    fn finish(&self, old: Subvolume) -> Result<(), BackendError> {
        self.clear_away(old).map_err(|error| {
            let hidden = self.path.with_file_name(&self.hidden);
            let detail = format!(
                "{}; the snapshot's content is in place, what was there before is left at {}: \
                 remove it with btrfs subvolume delete",
                error.detail,
                hidden.display()
            );
            BackendError { detail, ..error }
        })
    }

    fn clear_away(&self, old: Subvolume) -> Result<(), BackendError> {
        let new = Live::open(self.path, self.place)?;
        // Names below can be moved only between two that were opened by the same mount.
        let old_dir = old.dir.try_clone().doing(|| doing(self.path))?;
        let mut old = Live::of(old, self.place);
        let nested = old.nested()?;
        let plan = Plan::of(self.mode, &self.stored.detail, nested);
        for path in &plan.carried {
            carry::carry(&old_dir, &new.root.dir, path)?;
        }
        for nested in plan.replaced.iter().rev() {
            stored::destroy(&self.parent, &old.open_nested(nested)?)?;
        }
        stored::destroy(&self.parent, &old.root)?;
        self.sync()
    }

    fn sync(&self) -> Result<(), BackendError> {
        subvolume::sync(&self.parent).doing(|| doing(self.path))
    }

    fn changed(&self) -> BackendError {
        let hidden: PathBuf = self.path.with_file_name(&self.hidden);
        let why = format!("{} was moved or removed at this moment", hidden.display());
        BackendError::new(Fault::Transient, doing(self.path), why)
    }
}

fn doing(path: &Path) -> String {
    format!("rolling {} back", path.display())
}
