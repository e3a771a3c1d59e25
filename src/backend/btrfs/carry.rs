//! What becomes of subvolumes nested in a resource that is rolled back.
//!
//! One that is part of each snapshot, and of the one that the resource goes back to, is replaced.
//! Every other is carried over as it is, since no snapshot may hold it.

use super::NestedMode;
use super::detail::Detail;
use super::live::{Live, Nested};
use super::restore::{remove_stub, times};
use super::store::Store;
use crate::domain::operation::Fault;
use crate::fs::subvolume::{self, Subvolume};
use crate::fs::{Doing, StorageError};
use rustix::fs::{Gid, Mode, RenameFlags, Uid};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Which nested subvolumes are carried over and which are replaced.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Those that lie in none that is carried over itself.
    pub carried: Vec<PathBuf>,
    /// Those of them that may be given directories to lie in: snapshots that another tool keeps.
    pub housed: BTreeSet<PathBuf>,
    /// Parents before children.
    pub replaced: Vec<Nested>,
}

impl Plan {
    /// `nested` as they are now, parents before children. The `earlier` ones, by their ids, are
    /// only snapshots of the rest.
    pub(super) fn of(
        mode: NestedMode,
        detail: &Detail,
        nested: Vec<Nested>,
        earlier: &BTreeSet<u64>,
    ) -> Self {
        let parts: Vec<PathBuf> = detail.nested.iter().map(|part| part.path.to_path()).collect();
        let mut plan = Self::default();
        for nested in nested {
            if plan.carried.iter().any(|above| nested.path.starts_with(above)) {
                continue;
            }
            let is_part = parts.contains(&nested.path) && !earlier.contains(&nested.id);
            if mode == NestedMode::Include && is_part {
                plan.replaced.push(nested);
            } else {
                if earlier.contains(&nested.id) {
                    plan.housed.insert(nested.path.clone());
                }
                plan.carried.push(nested.path);
            }
        }
        plan
    }

    /// # Errors
    /// [`Fault::Permanent`] when one has no place in the new tree.
    pub(super) fn fits(&self, new: &OwnedFd) -> Result<(), StorageError> {
        self.carried.iter().try_for_each(|path| fits(new, path, self.housed.contains(path)))
    }
}

fn fits(new: &OwnedFd, path: &Path, housed: bool) -> Result<(), StorageError> {
    let doing = || format!("carrying the nested subvolume {} over", path.display());
    let refuse = |why: &str| {
        let out =
            "move it out of the resource, or make a new one from the snapshot: heptactl create";
        Err(StorageError::new(Fault::Permanent, doing(), format!("{why}; {out}")))
    };
    let Some((above, name)) = split(path) else { return refuse("it is not a valid path") };
    let above = match subvolume::open_or_same(new, above) {
        Ok(above) => above,
        Err(Errno::NOENT) if housed => return Ok(()),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
            return refuse("the snapshot has no directory that it could lie in");
        }
        Err(error) => return Err(error).doing(doing),
    };
    let there = match subvolume::open_below(&above, name) {
        Ok(there) => there,
        Err(Errno::NOENT) => return Ok(()),
        Err(Errno::NOTDIR | Errno::LOOP) => return refuse("the snapshot has a file in its place"),
        Err(error) => return Err(error).doing(doing),
    };
    for entry in rustix::fs::Dir::read_from(&there).doing(doing)? {
        if !matches!(entry.doing(doing)?.file_name().to_bytes(), b"." | b"..") {
            return refuse("the snapshot has a directory with content in its place");
        }
    }
    Ok(())
}

/// Moves a nested subvolume from the old tree to the same path in the new one. One that is
/// read-only cannot be moved, so it is open for that moment, which is noted in the store before.
pub(super) fn carry(
    store: &Store,
    old: &OwnedFd,
    new: &OwnedFd,
    path: &Path,
) -> Result<(), StorageError> {
    let doing = || format!("carrying the nested subvolume {} over", path.display());
    let no_path = || StorageError::new(Fault::Permanent, doing(), "it is not a valid path");
    let (above, name) = split(path).ok_or_else(no_path)?;
    let from = subvolume::open_or_same(old, above).doing(doing)?;
    make_way(old, new, above).doing(doing)?;
    let to = subvolume::open_or_same(new, above).doing(doing)?;
    let times = times(&to).doing(doing)?;
    remove_stub(&to, name)?;
    let closed = Subvolume::open(&from, name).doing(doing)?.filter(|it| it.info.read_only);
    if let Some(closed) = &closed {
        store.note_moving(closed.uuid())?;
        closed.set_read_only(false).doing(doing)?;
    }
    let flags = RenameFlags::NOREPLACE;
    let moved = rustix::fs::renameat_with(&from, name, &to, name, flags);
    if let Some(closed) = &closed {
        closed.set_read_only(true).doing(doing)?;
        store.note_moving(Uuid::nil())?;
    }
    moved.doing(doing)?;
    rustix::fs::futimens(&to, &times).doing(doing)
}

/// Makes the directories of a path in the new tree that only the old one has, with owner and mode.
fn make_way(old: &OwnedFd, new: &OwnedFd, path: &Path) -> Result<(), Errno> {
    let mut ways: Vec<&Path> = path.ancestors().filter(|way| way.file_name().is_some()).collect();
    ways.reverse();
    for way in ways {
        match rustix::fs::mkdirat(new, way, Mode::RWXU) {
            Err(Errno::EXIST) => continue,
            made => made?,
        }
        let (made, was) = (subvolume::open_below(new, way)?, subvolume::open_below(old, way)?);
        let was = rustix::fs::fstat(&was)?;
        let (uid, gid) = (Uid::from_raw(was.st_uid), Gid::from_raw(was.st_gid));
        rustix::fs::fchown(&made, Some(uid), Some(gid))?;
        rustix::fs::fchmod(&made, Mode::from_raw_mode(was.st_mode & 0o7777))?;
    }
    Ok(())
}

/// Closes the one that an interrupted attempt had opened, wherever it got to.
pub(super) fn close_again(
    store: &Store,
    old: &mut Live,
    new: &mut Live,
) -> Result<(), StorageError> {
    let Some(moving) = store.moving()? else { return Ok(()) };
    for tree in [old, new] {
        for nested in tree.nested()?.iter().filter(|nested| nested.uuid == moving) {
            let doing = || format!("closing {} again", nested.path.display());
            tree.open_nested(nested)?.set_read_only(true).doing(doing)?;
        }
    }
    store.note_moving(Uuid::nil())
}

fn split(path: &Path) -> Option<(&Path, &Path)> {
    Some((path.parent()?, Path::new(path.file_name()?)))
}

#[cfg(test)]
mod tests {
    use super::super::detail::{NestedPart, PathText};
    use super::*;

    #[test]
    fn only_what_each_snapshot_holds_is_replaced() {
        let check = |mode, live: &[&str], parts: &[&str], carried: &[&str], replaced: &[&str]| {
            let part = |path: &&str| NestedPart {
                path: PathText::from(Path::new(path)),
                source: Uuid::nil(),
                read_only: false,
            };
            let nested = |path: &&str| Nested {
                path: path.into(),
                id: if path.ends_with("snap") { 8 } else { 7 },
                uuid: Uuid::nil(),
                read_only: false,
                snapshot_of: Uuid::nil(),
            };
            let detail = Detail {
                identity: String::new(),
                source: Uuid::nil(),
                top: false,
                read_only: false,
                nested: parts.iter().map(part).collect(),
            };
            let live = live.iter().map(nested).collect();
            let plan = Plan::of(mode, &detail, live, &BTreeSet::from([8]));
            assert_eq!(plan.carried, carried.iter().map(PathBuf::from).collect::<Vec<_>>());
            let found: Vec<_> = plan.replaced.iter().map(|nested| nested.path.clone()).collect();
            assert_eq!(found, replaced.iter().map(PathBuf::from).collect::<Vec<_>>());
        };
        use NestedMode::{Include, Note, Separate};
        check(Include, &["a", "a/b", "c"], &["a", "a/b", "c"], &[], &["a", "a/b", "c"]);
        check(Include, &["a", "a/b", "c"], &["a"], &["a/b", "c"], &["a"]);
        check(Include, &["a", "a/b"], &["a/b"], &["a"], &[]);
        check(Include, &["a", "a/snap"], &["a", "a/snap"], &["a/snap"], &["a"]);
        check(Note, &["a", "a/b", "ab"], &["a", "a/b"], &["a", "ab"], &[]);
        check(Separate, &["a"], &[], &["a"], &[]);
    }
}
