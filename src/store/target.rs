//! Where a restored copy shall appear: it grows under a hidden name beside and is renamed when
//! whole.

use super::Item;
use super::growing::remove;
use crate::domain::operation::Fault;
use crate::fs::fnv::{self, fnv};
use crate::fs::tree::{Kind, Meta, open_dir, open_nosymlink, peek};
use crate::fs::{Doing, StorageError};
use rustix::fs::{AtFlags, Mode, RenameFlags};
use rustix::io::Errno;
use std::ffi::{CString, OsStr};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The mode of a directory that only keeps a name for what is about to have it.
const PLACE: Mode = Mode::RWXU;

pub struct Target {
    /// The directory that it appears in.
    pub dir: OwnedFd,
    /// The name under which it grows.
    pub hidden: CString,
    /// The name that it gets.
    pub name: CString,
    doing: String,
}

impl Target {
    /// Clears the remains of an interrupted attempt by the same snapshot.
    ///
    /// # Errors
    /// [`Fault::Permanent`] where the target exists or its parent does not.
    pub fn open(item: &Item, target: &Path) -> Result<Self, StorageError> {
        let text = format!("restoring snapshot {} to {}", item.seq, target.display());
        let doing = || text.clone();
        let refuse = |why: String| StorageError::new(Fault::Permanent, doing(), why);
        let (parent, name) = match (target.parent(), target.file_name()) {
            (Some(parent), Some(name)) if target.is_absolute() => (parent, name),
            _ => return Err(refuse("it is not an absolute path to a new name".into())),
        };
        let dir = match open_nosymlink(parent).and_then(|found| open_dir(&found).doing(doing)) {
            Err(error) if error.fault == Fault::Absent => {
                return Err(refuse(format!("there is no directory {}", parent.display())));
            }
            opened => opened?,
        };
        let hidden = hidden_name(item, name).map_err(std::io::Error::from).doing(doing)?;
        let name = CString::new(name.as_bytes()).map_err(std::io::Error::from).doing(doing)?;
        let target = Self { dir, hidden, name, doing: text.clone() };
        if peek(&target.dir, &target.name).is_ok() && !target.give_name_back()? {
            return Err(refuse("it exists already, and nothing is ever written over".into()));
        }
        target.clear()?;
        Ok(target)
    }

    /// Removes what grew under the hidden name.
    pub fn clear(&self) -> Result<(), StorageError> {
        remove(&self.dir, &self.hidden)
    }

    /// Makes all of it durable and gives it its name, never over something. `made` is what grew:
    /// who may write to the directory can have put something else in its place, and that is no
    /// success. Returns a reference to it.
    ///
    /// # Errors
    /// [`Fault::Permanent`] where something is there by now, or what was made is not.
    pub fn appear(&self, made: &Meta) -> Result<OwnedFd, StorageError> {
        let doing = || self.doing.clone();
        let refuse = |why: &str| StorageError::new(Fault::Permanent, doing(), why);
        let moved = || {
            refuse(
                "somebody who may write to that directory moved away what was being made; choose a \
                 directory where only its owner writes",
            )
        };
        // Held until it has its name: there are file systems on which a name gives the inode its
        // number (mergerfs, some mounts of CIFS), and what is held has a new one then, too.
        let held = match peek(&self.dir, &self.hidden) {
            Ok((held, found)) if found.same_inode(made) => held,
            _ => return Err(moved()),
        };
        let is_it = |found: &Meta| {
            // A second name of a file can have a number of its own there.
            let looks = |meta: &Meta| (meta.kind, meta.mode, meta.uid, meta.size, meta.mtime);
            Meta::of(&held).is_ok_and(|held| found.same_inode(&held))
                || made.kind == Kind::File && looks(found) == looks(made)
        };
        rustix::fs::syncfs(&self.dir).doing(doing)?;
        let flags = RenameFlags::NOREPLACE;
        let (dir, hidden, name) = (&self.dir, &self.hidden, &self.name);
        let placed = match rustix::fs::renameat_with(dir, hidden, dir, name, flags) {
            // Some file systems in user space know no renaming with conditions.
            Err(Errno::INVAL | Errno::NOSYS) => self.take_free_name(made.kind),
            placed => placed,
        };
        placed.map_err(|error| match error {
            Errno::EXIST | Errno::NOTEMPTY => refuse("something has appeared there meanwhile"),
            Errno::PERM | Errno::OPNOTSUPP => {
                refuse("the file system there cannot rename without replacing")
            }
            other => StorageError::io(doing(), &other.into()),
        })?;
        let placed = match peek(&self.dir, &self.name) {
            Ok((placed, found)) if is_it(&found) => placed,
            _ => return Err(moved()),
        };
        rustix::fs::fsync(&self.dir).doing(doing)?;
        Ok(placed)
    }
}

impl Target {
    /// Never over something, by what every file system can: a directory takes the place of an empty
    /// one that was made a moment ago, a file gets a second name before it loses the first.
    fn take_free_name(&self, kind: Kind) -> rustix::io::Result<()> {
        let (dir, hidden, name) = (&self.dir, &self.hidden, &self.name);
        if kind != Kind::Dir {
            rustix::fs::linkat(dir, hidden, dir, name, AtFlags::empty())?;
            return rustix::fs::unlinkat(dir, hidden, AtFlags::empty());
        }
        rustix::fs::mkdirat(dir, name, PLACE)?;
        let placed = rustix::fs::renameat(dir, hidden, dir, name);
        if placed.is_err() {
            // One that somebody has put something into stays.
            let _ = rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR);
        }
        placed
    }

    /// Frees the name where [`Self::take_free_name`] was cut off in the middle, by a power cut:
    /// what was made has its hidden name still, and the other has it too, or is the empty
    /// directory. Returns whether it was that; what has been touched since is somebody's.
    fn give_name_back(&self) -> Result<bool, StorageError> {
        let doing = || self.doing.clone();
        let (dir, name) = (&self.dir, &self.name);
        let (Ok((_, made)), Ok((_, there))) = (peek(dir, &self.hidden), peek(dir, name)) else {
            return Ok(false);
        };
        let ours = nix::unistd::geteuid().as_raw();
        let freed = match (made.kind, there.kind) {
            (Kind::Dir, Kind::Dir) if there.uid == ours && there.mode & 0o7777 == PLACE.bits() => {
                rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR)
            }
            // Giving it the name was the last change.
            (_, kind)
                if kind != Kind::Dir && there.same_inode(&made) && there.mtime < there.ctime =>
            {
                rustix::fs::unlinkat(dir, name, AtFlags::empty())
            }
            _ => return Ok(false),
        };
        match freed {
            Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
            freed => freed.map(|()| true).doing(doing),
        }
    }
}

/// The same for the same snapshot and target, so that the remains of an interrupted attempt are
/// found; and of fixed length, as the target's own name may have the longest.
fn hidden_name(item: &Item, name: &OsStr) -> Result<CString, std::ffi::NulError> {
    let hash = fnv(fnv::START, name.as_bytes().iter().copied());
    CString::new(format!(".heptad-{}-{hash:016x}", item.manifest.id.simple()))
}

#[cfg(test)]
mod tests {
    use super::super::Stage;
    use super::super::manifest::Manifest;
    use super::*;
    use crate::domain::sample::Builder;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    /// What is at the target and under the hidden name after a power cut in the middle of an
    /// attempt, and whether the next one goes on.
    fn check(left: impl Fn(&Path, &Path), goes_on: bool, what: &str) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("target");
        let account = Builder::daily().complete(1..=1).account();
        let card = &account.snapshots.values().next().unwrap().card;
        let manifest = Manifest::new(account.name(), "test", card);
        let (seq, stage, path_of) = (card.handle.seq, Stage::Whole, dir.path().join("item"));
        let item = Item { seq, stage, path: path_of, manifest };
        let hidden = hidden_name(&item, OsStr::new("target")).unwrap();
        let hidden = dir.path().join(hidden.to_str().unwrap());
        left(&path, &hidden);
        match Target::open(&item, &path) {
            Ok(_) => assert!(goes_on && !path.exists() && !hidden.exists(), "{what}"),
            Err(error) => {
                assert!(error.detail.contains("exists already"), "{what}: {error}");
                assert!(!goes_on && fs::symlink_metadata(&path).is_ok(), "{what}");
            }
        }
    }

    fn place(path: &Path, mode: u32) {
        fs::create_dir(path).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn whole(hidden: &Path) {
        fs::create_dir(hidden).unwrap();
        fs::write(hidden.join("file"), "text").unwrap();
    }

    fn two_names(path: &Path, hidden: &Path) {
        fs::write(hidden, "text").unwrap();
        let file = fs::File::options().write(true).open(hidden).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
        fs::hard_link(hidden, path).unwrap();
    }

    #[test]
    fn an_attempt_that_was_cut_off_while_it_took_its_name_is_no_obstacle() {
        let empty = |path: &Path, hidden: &Path| {
            whole(hidden);
            place(path, 0o700);
        };
        check(empty, true, "an empty directory keeps the name");
        check(two_names, true, "a file has both names");
    }

    #[test]
    fn what_somebody_else_has_there_stays() {
        check(|path, _| place(path, 0o700), false, "no attempt was begun");
        let dressed = |path: &Path, hidden: &Path| {
            whole(hidden);
            place(path, 0o755);
        };
        check(dressed, false, "a directory of other rights");
        let filled = |path: &Path, hidden: &Path| {
            whole(hidden);
            place(path, 0o700);
            fs::write(path.join("mine"), "").unwrap();
        };
        check(filled, false, "a directory with something in it");
        let link = |path: &Path, hidden: &Path| {
            whole(hidden);
            symlink("nowhere", path).unwrap();
        };
        check(link, false, "a link to nothing");
        let written = |path: &Path, hidden: &Path| {
            two_names(path, hidden);
            fs::write(path, "more text").unwrap();
        };
        check(written, false, "a file that was written to");
        let other = |path: &Path, hidden: &Path| {
            fs::write(hidden, "text").unwrap();
            fs::write(path, "text").unwrap();
        };
        check(other, false, "another file");
    }
}
