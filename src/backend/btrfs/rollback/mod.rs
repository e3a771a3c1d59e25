//! The live subvolume replaced by a writable snapshot of a stored one.
//!
//! The new one is built under a hidden name beside the live one, closed to every writer. Which
//! subvolume takes which one's place is noted in the store; then the two exchange their names,
//! which is the commit point. Now that nobody reaches the old one by its name, it is judged once
//! more: if it holds what no snapshot does, the names are exchanged back, and nobody has written to
//! the new one. Then the new one is opened and the old one goes. Each state in between is told from
//! the note and from who has the hidden name.

mod home;
mod judge;

use super::carry::{self, Plan};
use super::lineage::{self, Sources};
use super::live::Live;
use super::measure;
use super::place::{self, Place};
use super::restore::Target;
use super::seal::{self, Piece, Seal};
use super::shown;
use super::shown::HIDDEN;
use super::store::{Store, Swap};
use super::stored::{self, Stored};
use super::{Btrfs, NestedMode};
use crate::backend::RollbackOrder;
use crate::domain::operation::Fault;
use crate::fs::subvolume::{self, Subvolume};
use crate::fs::{Doing, Progress, StorageError};
use crate::store::identity::Probe;
use crate::store::users;
use home::Home;
use rustix::fs::RenameFlags;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use uuid::Uuid;

pub(super) fn users(this: &Btrfs) -> Result<Vec<String>, StorageError> {
    let place = Place::of(&this.path)?;
    replaceable(&this.path, &place, &Live::open(&this.path, &place)?)?;
    users::users(&this.path)
}

pub(super) fn rollback(
    this: &Btrfs,
    order: &RollbackOrder<'_>,
    progress: &dyn Progress,
) -> Result<Probe, StorageError> {
    let place = Place::of(&this.path)?;
    let mut stored = this.stored(&place, order.handle)?.whole()?;
    let data = stored.data.take().ok_or_else(|| this.missing(order.handle))?;
    let store = this.sure_store(&place)?.ok_or_else(|| this.missing(order.handle))?;
    let act = Act::open(this, &place, &store, (&stored, &data), (order.token, progress))?;
    let mut live = act.live()?;
    replaceable(&this.path, &place, &live)?;
    place.writable()?;
    let noted = store.rollback()?.filter(|swap| swap.token == order.token);
    match (noted, act.aside()?) {
        // Whatever else somebody has put in the place since is not ours to open.
        (Some(swap), Some(aside)) if (aside.uuid(), live.root.uuid()) == (swap.old, swap.new) => {
            act.resume(&swap, &live)?;
            act.finish()?;
        }
        // Only its end may not be durable.
        (Some(swap), None) if live.root.uuid() != swap.old => act.sync()?,
        (Some(swap), Some(aside)) if (aside.uuid(), live.root.uuid()) == (swap.new, swap.old) => {
            act.exchange()?;
        }
        _ => {
            expect_current(this, &place)?;
            act.stage(&mut live)?;
            act.exchange()?;
        }
    }
    Ok(Probe { identity: act.live()?.identity })
}

/// What is left to do for a person after one.
pub(super) fn left_to_do(this: &Btrfs) -> Option<String> {
    let place = Place::of(&this.path).ok()?;
    expect_current(this, &place).err().map(|shows| shows.detail)
}

/// That the mount of a resource shows what it was rolled back to.
///
/// # Errors
/// [`Fault::Absent`] where it does not yet, with the command that shows it.
pub(super) fn expect_current(this: &Btrfs, place: &Place) -> Result<(), StorageError> {
    let name = || this.open_store(place).ok()??.rolled_name().ok()?;
    shown::expect_current(&this.path, place, name)
}

/// # Errors
/// [`Fault::Permanent`] where the name cannot be given to another subvolume, with the way out.
fn replaceable(path: &Path, place: &Place, live: &Live) -> Result<(), StorageError> {
    let refuse = |why: &str| {
        let doing = format!("rolling {} back in place", path.display());
        let out = "make a new resource from the snapshot (heptactl create) and use that";
        Err(StorageError::new(Fault::Permanent, doing, format!("{why} {out}")))
    };
    if live.is_top() {
        return refuse("it is the top of its file system, which nothing can replace;");
    }
    if measure::default_subvolume(&live.root.dir)? == Some(live.root.info.id) {
        return refuse(
            "it is the default subvolume of its file system, which cannot be destroyed. Choose \
             another by `btrfs subvolume set-default 5 PATH` and roll back then; or",
        );
    }
    if place.mount.is_read_only() {
        return Err(place::read_only(&place.mount));
    }
    Ok(())
}

/// Destroys what the last rollback could not, of which all that shall stay has been carried over.
pub(super) fn remove_left(path: &Path, place: &Place, store: &Store) -> Result<(), StorageError> {
    let Some(swap) = store.rollback()?.filter(|swap| swap.carried) else { return Ok(()) };
    let home = Home::of(path, place, store)?;
    let hidden: OsString = hidden(swap.token);
    let left = Subvolume::open(&home.dir, &hidden).doing(|| doing(path))?;
    // Another one with its name is somebody's.
    let Some(left) = left.filter(|left| left.uuid() == swap.old) else { return Ok(()) };
    if home::is_mounted(place, &hidden) {
        return Ok(());
    }
    let mut left = home.opened(left, place);
    let nested = left.nested()?;
    if !nested.is_empty() {
        left.root.set_read_only(false).doing(|| doing(path))?;
    }
    for nested in nested.iter().rev() {
        stored::destroy(&home.dir, &left.open_nested(nested)?)?;
    }
    stored::destroy(&home.dir, &left.root)?;
    subvolume::sync(&home.dir).doing(|| doing(path))
}

fn hidden(token: Uuid) -> OsString {
    format!("{HIDDEN}{token}").into()
}

/// One rollback, whatever is left of it to do.
struct Act<'a> {
    path: &'a Path,
    mode: NestedMode,
    sources: &'a Sources,
    place: &'a Place,
    store: &'a Store,
    stored: &'a Stored,
    data: &'a Subvolume,
    token: Uuid,
    progress: &'a dyn Progress,
    home: Home,
    hidden: OsString,
}

impl<'a> Act<'a> {
    fn open(
        this: &'a Btrfs,
        place: &'a Place,
        store: &'a Store,
        (stored, data): (&'a Stored, &'a Subvolume),
        (token, progress): (Uuid, &'a dyn Progress),
    ) -> Result<Self, StorageError> {
        let path = this.path.as_path();
        let (home, hidden) = (Home::of(path, place, store)?, hidden(token));
        let (mode, sources) = (this.nested, &this.sources);
        Ok(Self { path, mode, sources, place, store, stored, data, token, progress, home, hidden })
    }

    /// What has the resource's name now.
    fn live(&self) -> Result<Live, StorageError> {
        self.home.live(self.path, self.place)
    }

    /// The subvolumes of the new tree.
    fn pieces(&self) -> Vec<Piece> {
        seal::pieces(self.stored, self.data)
    }

    /// What becomes of the nested subvolumes of what is live, or was.
    fn plan(&self, live: &mut Live) -> Result<Plan, StorageError> {
        let nested = live.nested()?;
        let earlier = lineage::earlier_states(live, &nested, Some(self.store), self.sources)?;
        Ok(Plan::of(self.mode, &self.stored.detail, nested, &earlier))
    }

    /// What has the hidden name.
    fn aside(&self) -> Result<Option<Subvolume>, StorageError> {
        Subvolume::open(&self.home.dir, &self.hidden).doing(|| doing(self.path))
    }

    fn target(&self) -> Result<Target, StorageError> {
        let parent = self.home.dir.try_clone().doing(|| doing(self.path))?;
        Ok(Target::beside(parent, self.hidden.clone(), self.path))
    }

    /// Builds what shall take the place of the live subvolume, and notes that it shall.
    fn stage(&self, live: &mut Live) -> Result<(), StorageError> {
        let target = self.target()?;
        target.clear(self.stored, self.data)?;
        let staged = self.fill(&target, live);
        if staged.is_err() {
            let _ = target.clear(self.stored, self.data);
        }
        staged
    }

    fn fill(&self, target: &Target, live: &mut Live) -> Result<(), StorageError> {
        self.progress.wanted()?;
        let plan = self.plan(live)?;
        target.build(self.stored, self.data, &plan.carried, Seal::Closed)?;
        let new = self.aside()?.ok_or_else(|| self.changed())?;
        plan.fits(&new.dir)?;
        let (new, old) = (new.uuid(), live.root.uuid());
        let replaced = plan.replaced.iter().map(|nested| nested.uuid);
        self.store.note_lineage(&replaced.chain([old]).collect::<Vec<_>>())?;
        let token = self.token;
        self.store.note_rolled_name(&self.home.name)?;
        self.store.note_rollback(&Swap { token, new, old, judged: false, carried: false })
    }

    fn exchange(&self) -> Result<(), StorageError> {
        if let Err(error) = self.swap_unused() {
            // Better nothing than a hidden copy; if this fails too, the next attempt uses it.
            let _ = self.discard();
            let _ = self.reopen();
            return Err(error);
        }
        self.finish()
    }

    /// Lets the two exchange their names, unless somebody uses the live one: what he wrote from now
    /// on would be lost. He may come between the look and the exchange, so there is a look after
    /// it.
    fn swap_unused(&self) -> Result<(), StorageError> {
        self.progress.wanted()?;
        users::refuse_users(self.path)?;
        // Staged by an interrupted attempt, perhaps.
        let new = self.aside()?.ok_or_else(|| self.changed())?;
        seal::set(&new.dir, &self.pieces(), Seal::Closed)?;
        self.close()?;
        self.flush()?;
        self.refuse_changed(self.live()?)?;
        self.swap_names()?;
        self.judge_or_go_back()
    }

    /// The names are exchanged, by an attempt that was interrupted. What is open by now was judged.
    fn resume(&self, swap: &Swap, new: &Live) -> Result<(), StorageError> {
        if swap.judged || !new.root.info.read_only {
            return Ok(());
        }
        let judged = self.judge_or_go_back();
        if judged.is_err() {
            let _ = self.discard();
            let _ = self.reopen();
        }
        judged
    }

    /// Nobody could write to the new one meanwhile.
    fn judge_or_go_back(&self) -> Result<(), StorageError> {
        let Err(error) = self.judge() else { return Ok(()) };
        self.swap_names()?;
        self.sync()?;
        Err(error)
    }

    /// Destroys what was staged; never what was live.
    fn discard(&self) -> Result<(), StorageError> {
        let (noted, aside) = (self.store.rollback()?, self.aside()?);
        match (noted, aside) {
            (Some(swap), Some(aside)) if aside.uuid() == swap.new => {
                self.target()?.clear(self.stored, self.data)
            }
            _ => Ok(()),
        }
    }

    fn swap_names(&self) -> Result<(), StorageError> {
        let Home { dir, name, .. } = &self.home;
        let flags = RenameFlags::EXCHANGE;
        let swapped = rustix::fs::renameat_with(dir, &self.hidden, dir, name, flags);
        swapped.doing(|| doing(self.path))
    }

    /// Carries over what no snapshot holds, and destroys the rest of the old subvolume.
    fn finish(&self) -> Result<(), StorageError> {
        self.clear_away().map_err(|error| {
            let hidden = self.path.with_file_name(&self.hidden);
            let carried = self.store.rollback().ok().flatten().is_some_and(|swap| swap.carried);
            let what = match carried {
                true => "heptad tries to remove it again with each snapshot that it takes",
                false => "remove it with btrfs subvolume delete when nothing of it is missed",
            };
            let detail = format!(
                "{}; the snapshot's content is in place, what was there before is left at {}: {what}",
                error.detail,
                hidden.display()
            );
            StorageError { detail, ..error }
        })
    }

    fn clear_away(&self) -> Result<(), StorageError> {
        let old = self.aside()?.ok_or_else(|| self.changed())?;
        let mut new = self.live()?;
        let (token, new_id, old_id) = (self.token, new.root.uuid(), old.uuid());
        let swap = Swap { token, new: new_id, old: old_id, judged: true, carried: false };
        self.store.note_rollback(&swap)?;
        // Names below can be moved only between two that were opened by the same mount.
        let dirs = [&old, &new.root].map(|one| one.dir.try_clone().doing(|| doing(self.path)));
        let [old_dir, new_dir] = dirs;
        let (old_dir, new_dir) = (old_dir?, new_dir?);
        let mut old = self.home.opened(old, self.place);
        carry::close_again(self.store, &mut old, &mut new)?;
        let plan = self.plan(&mut old)?;
        self.open_up(&mut old, &plan)?;
        seal::set(&new_dir, &self.pieces(), Seal::Open)?;
        for path in &plan.carried {
            carry::carry(self.store, &old_dir, &new_dir, path)?;
        }
        seal::set(&new_dir, &self.pieces(), Seal::Original)?;
        self.store.note_rollback(&Swap { carried: true, ..swap })?;
        if self.home.is_mount() {
            // It is mounted still, and goes with one of the next snapshots.
            old.root.set_read_only(true).doing(|| doing(self.path))?;
            return self.sync();
        }
        for nested in plan.replaced.iter().rev() {
            stored::destroy(&self.home.dir, &old.open_nested(nested)?)?;
        }
        stored::destroy(&self.home.dir, &old.root)?;
        self.sync()
    }

    /// Nothing can be moved out of what is read-only, nor can anything in it be removed.
    fn open_up(&self, old: &mut Live, plan: &Plan) -> Result<(), StorageError> {
        let doing = || doing(self.path);
        if !plan.carried.is_empty() || !plan.replaced.is_empty() {
            old.root.set_read_only(false).doing(doing)?;
        }
        for nested in plan.replaced.iter().filter(|nested| nested.read_only) {
            old.open_nested(nested)?.set_read_only(false).doing(doing)?;
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), StorageError> {
        subvolume::sync(&self.home.dir).doing(|| doing(self.path))
    }

    fn changed(&self) -> StorageError {
        let hidden: PathBuf = self.path.with_file_name(&self.hidden);
        let why = format!("{} was moved or removed at this moment", hidden.display());
        StorageError::new(Fault::Transient, doing(self.path), why)
    }
}

fn doing(path: &Path) -> String {
    format!("rolling {} back", path.display())
}
