//! What becomes of subvolumes nested in a resource that is rolled back.
//!
//! One that is part of each snapshot, and of the one that the resource goes back to, is replaced.
//! Every other is carried over as it is, since no snapshot may hold it.

use super::NestedMode;
use super::detail::Detail;
use super::live::Nested;
use super::restore::{open_or_same, remove_stub, times};
use crate::backend::subvolume;
use crate::backend::{BackendError, Doing};
use crate::domain::operation::Fault;
use rustix::fs::RenameFlags;
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// Which nested subvolumes are carried over and which are replaced.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Those that lie in none that is carried over itself.
    pub carried: Vec<PathBuf>,
    /// Parents before children.
    pub replaced: Vec<Nested>,
}

impl Plan {
    /// `nested` as they are now, parents before children.
    pub fn of(mode: NestedMode, detail: &Detail, nested: Vec<Nested>) -> Self {
        let parts: Vec<PathBuf> = detail.nested.iter().map(|part| part.path.to_path()).collect();
        let mut plan = Self::default();
        for nested in nested {
            if plan.carried.iter().any(|above| nested.path.starts_with(above)) {
                continue;
            }
            if mode == NestedMode::Include && parts.contains(&nested.path) {
                plan.replaced.push(nested);
            } else {
                plan.carried.push(nested.path);
            }
        }
        plan
    }

    /// # Errors
    /// [`Fault::Permanent`] when one has no place in the new tree.
    pub fn fits(&self, new: &OwnedFd) -> Result<(), BackendError> {
        self.carried.iter().try_for_each(|path| fits(new, path))
    }
}

fn fits(new: &OwnedFd, path: &Path) -> Result<(), BackendError> {
    let doing = || format!("carrying the nested subvolume {} over", path.display());
    let refuse = |why: &str| {
        let out =
            "move it out of the resource, or make a new one from the snapshot: heptactl create";
        Err(BackendError::new(Fault::Permanent, doing(), format!("{why}; {out}")))
    };
    let Some((above, name)) = split(path) else { return refuse("it is no path") };
    let above = match open_or_same(new, above) {
        Ok(above) => above,
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

/// Moves a nested subvolume from the old tree to the same path in the new one.
pub fn carry(old: &OwnedFd, new: &OwnedFd, path: &Path) -> Result<(), BackendError> {
    let doing = || format!("carrying the nested subvolume {} over", path.display());
    let no_path = || BackendError::new(Fault::Permanent, doing(), "it is no path");
    let (above, name) = split(path).ok_or_else(no_path)?;
    let from = open_or_same(old, above).doing(doing)?;
    let to = open_or_same(new, above).doing(doing)?;
    let times = times(&to).doing(doing)?;
    remove_stub(&to, name)?;
    let flags = RenameFlags::NOREPLACE;
    rustix::fs::renameat_with(&from, name, &to, name, flags).doing(doing)?;
    rustix::fs::futimens(&to, &times).doing(doing)
}

fn split(path: &Path) -> Option<(&Path, &Path)> {
    Some((path.parent()?, Path::new(path.file_name()?)))
}

#[cfg(test)]
mod tests {
    use super::super::detail::{NestedPart, PathText};
    use super::*;
    use uuid::Uuid;

    #[test]
    fn only_what_each_snapshot_holds_is_replaced() {
        let check = |mode, live: &[&str], parts: &[&str], carried: &[&str], replaced: &[&str]| {
            let part = |path: &&str| NestedPart {
                path: PathText::from(Path::new(path)),
                source: Uuid::nil(),
            };
            let nested = |path: &&str| Nested { path: path.into(), id: 7, uuid: Uuid::nil() };
            let detail = Detail {
                identity: String::new(),
                source: Uuid::nil(),
                top: false,
                nested: parts.iter().map(part).collect(),
            };
            let plan = Plan::of(mode, &detail, live.iter().map(nested).collect());
            assert_eq!(plan.carried, carried.iter().map(PathBuf::from).collect::<Vec<_>>());
            let found: Vec<_> = plan.replaced.iter().map(|nested| nested.path.clone()).collect();
            assert_eq!(found, replaced.iter().map(PathBuf::from).collect::<Vec<_>>());
        };
        use NestedMode::{Include, Note, Separate};
        check(Include, &["a", "a/b", "c"], &["a", "a/b", "c"], &[], &["a", "a/b", "c"]);
        check(Include, &["a", "a/b", "c"], &["a"], &["a/b", "c"], &["a"]);
        check(Include, &["a", "a/b"], &["a/b"], &["a"], &[]);
        check(Note, &["a", "a/b", "ab"], &["a", "a/b"], &["a", "ab"], &[]);
        check(Separate, &["a"], &[], &["a"], &[]);
    }
}
