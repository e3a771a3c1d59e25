//! The live database replaced by a snapshot's, in its place.
//!
//! The new file is made beside the live one and becomes live by one exchange of two names. (SQLite
//! could also write it over the live one, but not over one that is damaged, which is when a person
//! wants to go back.) A log or journal of the old file must never meet the new one: SQLite would
//! write it into that. So SQLite first finishes what the last user left; what it cannot finish, as
//! the database is damaged, is put aside.

use super::super::RollbackOrder;
use super::detail::{Detail, database};
use super::protocol::Act;
use super::settings::Settings;
use super::sides::{SIDES, Sides, beside, held};
use super::{damaged, owner, pages, restore, run, verify};
use crate::domain::operation::Fault;
use crate::fs::tree::{Meta, Time, open_file, open_nosymlink};
use crate::fs::{Doing, Progress, StorageError};
use crate::host::holders::describe;
use crate::host::kernel_users;
use crate::host::sharers::sharers;
use crate::store::Seal;
use crate::store::{Aside, Item, Replacement, Store, Swap, movable};
use rustix::fs::{Gid, Mode, Uid};
use std::cell::Cell;
use std::ffi::CStr;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Every process that has the database open, or its log, its index or its journal.
pub(super) fn users(path: &Path) -> Result<Vec<String>, StorageError> {
    users_of(path, &SIDES)
}

/// The same of the database, and of what these ends name beside it.
fn users_of(path: &Path, sides: &[&str]) -> Result<Vec<String>, StorageError> {
    let sides = sides.iter().map(|end| beside(path, end));
    let mut found = Vec::new();
    for file in std::iter::once(path.to_owned()).chain(sides) {
        found.extend(held(&file)?);
    }
    let by_other_names =
        sharers(path, None).doing(|| format!("looking for users of {}", path.display()))?;
    found.extend(by_other_names.found.into_iter().map(|sharer| sharer.holder));
    found.sort_by_key(|holder| holder.pid);
    found.dedup_by_key(|holder| holder.pid);
    let pinned = if path.exists() { kernel_users::pins(path) } else { Ok(Vec::new()) };
    let mut said = pinned.doing(|| format!("looking for mounts of {}", path.display()))?;
    said.extend(describe(&found));
    Ok(said)
}

pub(super) fn rollback(
    settings: &Settings,
    store: &Store,
    order: &RollbackOrder<'_>,
    progress: &dyn Progress,
) -> Result<(), StorageError> {
    let path = &settings.path;
    let item = store.whole(order.handle)?;
    refuse_damaged(settings, &item)?;
    movable(path)?;
    refuse_links(path)?;
    let swap = Swap::open(store, path, order.token)?;
    let (items, _) = store.items()?;
    let safety = items.into_iter().find(|item| item.manifest.id == order.token);
    let (sides, hidden) = (Sides::of(&swap)?, swap.hidden_path().to_owned());
    let compared = Cell::new(None);
    swap.run(&Back { settings, item: &item, safety, sides, hidden, compared, progress })
}

const CAME: &str =
    "it was opened or written to in the last moment: stop what uses it, then ask again";

struct Back<'a> {
    settings: &'a Settings,
    item: &'a Item,
    /// What was taken of the live database to be safe: it bears the token as its id.
    safety: Option<Item>,
    sides: Sides<'a>,
    /// Where the one lies that is not live.
    hidden: PathBuf,
    /// How the live file was when it was compared.
    compared: Cell<Option<Stamp>>,
    progress: &'a dyn Progress,
}

/// Size and time of modification: every writer moves them, and the exchange of names does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp(u64, Time);

impl Stamp {
    fn of(file: impl AsFd) -> std::io::Result<Self> {
        let meta = Meta::of(file)?;
        Ok(Self(meta.size, meta.mtime))
    }
}

impl Replacement for Back<'_> {
    fn stage(&self, dir: &OwnedFd, name: &CStr) -> Result<(), StorageError> {
        let (_, live) = owner::open(&self.settings.path)?;
        verify::verify(self.settings, self.item, self.progress)?;
        let made = restore::fill(self.item, dir, name, self.progress)?;
        dress(&made, &live).doing(|| doing(self.settings))
    }

    /// What lies beside the hidden name is the old one's wherever that is.
    fn users(&self, at: &Path) -> Result<Vec<String>, StorageError> {
        if at == self.settings.path { users(at) } else { users_of(at, &[]) }
    }

    fn ready(&self) -> Result<(), StorageError> {
        // Put aside before a crash, perhaps.
        self.undo()?;
        self.progress.wanted()?;
        // What SQLite cannot use is saved with all that lies beside it, and it must stay so.
        let as_it_was = self.safety.as_ref().is_some_and(is_damaged);
        let is_settled = !as_it_was && settle(self.settings)?;
        let doing = || doing(self.settings);
        let live = open_file(open_nosymlink(&self.settings.path)?).doing(doing)?;
        self.compared.set(Some(Stamp::of(&live).doing(doing)?));
        self.nothing_newer(live, true)?;
        let users = self.users(&self.settings.path)?;
        if !users.is_empty() || is_settled && self.sides.hold_something()? {
            return Err(StorageError::new(Fault::Busy, doing(), CAME));
        }
        self.sides.put_aside()
    }

    fn judge(&self, old: &Aside<'_>) -> Result<(), StorageError> {
        let doing = || doing(self.settings);
        let Some(compared) = self.compared.get() else {
            // The exchange was an interrupted attempt's.
            return self.nothing_newer(open_file(old.reference).doing(doing)?, false);
        };
        // A writer that was killed leaves its log or journal.
        if Stamp::of(old.reference).doing(doing)? == compared && !self.sides.hold_something()? {
            return Ok(());
        }
        Err(StorageError::new(Fault::Busy, doing(), CAME))
    }

    fn may_go_back(&self, live: &Path, old: &Path) -> Result<bool, StorageError> {
        // Who has the old one open has its log or journal by the name that it had.
        Ok(users_of(live, &[])?.is_empty() && self.sides.are_of(old, live)?)
    }

    fn undo(&self) -> Result<(), StorageError> {
        self.sides.bring_back(&self.hidden)
    }

    fn carry(&self, _old: &Aside<'_>, _new: &OwnedFd) -> Result<(), StorageError> {
        self.sides.remove()
    }
}

fn doing(settings: &Settings) -> String {
    format!("rolling {} back", settings.path.display())
}

impl Back<'_> {
    /// The snapshot to be safe has all that the live database holds.
    fn nothing_newer(&self, was: OwnedFd, with_sides: bool) -> Result<(), StorageError> {
        let Some(safety) = &self.safety else { return Ok(()) };
        let doing = || doing(self.settings);
        let has_all = match is_damaged(safety) {
            true => damaged::has_all(self.settings, safety, &was, with_sides)?,
            false => {
                let then = database(&safety.path).and_then(open_file).doing(doing)?;
                let (mut was, mut then) = (File::from(was), File::from(then));
                let bytes = was.metadata().doing(doing)?.len();
                pages::same(&mut was, bytes, &mut then).doing(doing)?
            }
        };
        if has_all {
            return Ok(());
        }
        let why = format!(
            "it was written to since snapshot {} was taken, which alone would hold that: stop what \
             writes to it, then ask again",
            safety.seq
        );
        Err(StorageError::new(Fault::Busy, doing(), why))
    }
}

fn is_damaged(item: &Item) -> bool {
    Detail::of(&item.manifest).is_some_and(|detail| detail.damaged)
}

/// SQLite must not find a damaged database where it is used; a person may want to look into a copy.
fn refuse_damaged(settings: &Settings, item: &Item) -> Result<(), StorageError> {
    if !is_damaged(item) {
        return Ok(());
    }
    let why = format!(
        "snapshot {} is of a damaged database, saved as it was: make a new one of it instead: \
         heptactl create",
        item.seq
    );
    Err(StorageError::new(Fault::Permanent, doing(settings), why))
}

/// Owner, group and mode of the live file; no set-user-id bit, whatever lies there.
fn dress(made: &OwnedFd, live: &Meta) -> std::io::Result<()> {
    if nix::unistd::geteuid().is_root() {
        let (uid, gid) = (Uid::from_raw(live.uid), Gid::from_raw(live.gid));
        rustix::fs::fchown(made, Some(uid), Some(gid))?;
    }
    Ok(rustix::fs::fchmod(made, Mode::from_raw_mode(live.mode & 0o777))?)
}

/// Lets SQLite finish what the last user left; tells whether it could. That it cannot is no reason
/// to keep a damaged database.
fn settle(settings: &Settings) -> Result<bool, StorageError> {
    let (_, live) = owner::open(&settings.path)?;
    let user = owner::of_live(settings, &settings.path, &live)?;
    let settled = run::ask(settings, user, Act::Settle { path: settings.path.clone() }, &());
    match settled {
        Err(error) if error.fault == Fault::Busy => Err(error),
        settled => Ok(settled.is_ok()),
    }
}

/// A further name would keep the content that was.
fn refuse_links(path: &Path) -> Result<(), StorageError> {
    let (_, live) = owner::open(path)?;
    if live.nlink == 1 {
        return Ok(());
    }
    let (names, path) = (live.nlink, path.display());
    let why = format!(
        "the file has {names} names (hard links), and the others would keep the content of now: remove \
         them (to find them: find / -xdev -samefile {path}), or make a new resource from the snapshot: \
         heptactl create"
    );
    Err(StorageError::new(Fault::Permanent, format!("rolling {path} back"), why))
}
