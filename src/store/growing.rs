//! A snapshot on its way in, and on its way out.

use super::manifest::{MANIFEST, MARKS, Manifest};
use super::verdict::TAMPERED;
use super::{Item, Stage, Store, sync_dir};
use crate::domain::operation::Fault;
use crate::domain::snapshot::{Handle, Seq};
use crate::fs::subvolume::Subvolume;
use crate::fs::tree::{Kind, Meta, Time, names, open_dir, peek, remove_tree, through_proc};
use crate::fs::{Doing, StorageError};
use crate::host::sys;
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::{CStr, OsStr};
use std::fs::{DirBuilder, File};
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A directory that has no manifest yet; at most the manifest itself is in it.
const UNNAMED: &str = ".new-";
/// Where the final manifest is written before it replaces the first one.
const FINAL: &str = "final";

/// The directory in which a snapshot grows.
pub struct Growing<'a> {
    store: &'a Store,
    seq: Seq,
    pub path: PathBuf,
    pub dir: OwnedFd,
    /// Opened before the first byte is written, so that its sync reports every error since.
    disk: OwnedFd,
    /// When it was made, by the clock of the file system.
    pub begun: Time,
}

impl<'a> Growing<'a> {
    /// Makes `SEQ.partial` with its manifest in it, at once and durably.
    pub fn begin(store: &'a Store, manifest: &Manifest) -> Result<Self, StorageError> {
        let seq = Seq(manifest.seq);
        let disk = open(store.dir())?;
        let unnamed = store.dir().join(format!("{UNNAMED}{seq}"));
        let path = store.path(seq, Stage::Partial);
        let making = || format!("making {}", path.display());
        for stage in [Stage::Whole, Stage::Partial] {
            let taken = store.path(seq, stage);
            if std::fs::symlink_metadata(&taken).is_ok() {
                let why = format!("{} is there, which heptad did not make", taken.display());
                return Err(StorageError::new(Fault::Identity, making(), why));
            }
        }
        DirBuilder::new().mode(0o700).create(&unnamed).doing(making)?;
        manifest.write(&unnamed)?;
        sync_dir(&unnamed)?;
        std::fs::rename(&unnamed, &path).doing(making)?;
        sync_dir(store.dir())?;
        let dir = open(&path)?;
        hold(&dir, &path)?;
        let begun = Meta::of(&dir).doing(making)?.ctime;
        Ok(Self { store, seq, path, dir, disk, begun })
    }

    /// Makes all of it durable and gives it its name: the commit point.
    pub fn commit(self, manifest: &Manifest) -> Result<(), StorageError> {
        let whole = self.store.path(self.seq, Stage::Whole);
        let doing = || format!("completing {}", whole.display());
        let last = self.path.join(FINAL);
        DirBuilder::new().mode(0o700).create(&last).doing(doing)?;
        manifest.write_unsynced(&last)?;
        std::fs::rename(last.join(MANIFEST), self.path.join(MANIFEST)).doing(doing)?;
        std::fs::remove_dir(&last).doing(doing)?;
        rustix::fs::syncfs(&self.disk).doing(|| format!("syncing {}", self.path.display()))?;
        std::fs::rename(&self.path, &whole).doing(doing)?;
        sync_dir(self.store.dir())
    }
}

/// As long as it grows nobody clears it away, not even a second heptad that works on the same
/// store; the lock goes with the process.
fn hold(dir: &OwnedFd, path: &Path) -> Result<(), StorageError> {
    match rustix::fs::flock(dir, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => {
            let why = "another heptad is at work on it: two of them must not have one store";
            Err(StorageError::new(Fault::Busy, format!("working on {}", path.display()), why))
        }
        // Not every file system has locks.
        _ => Ok(()),
    }
}

fn open(path: &Path) -> Result<OwnedFd, StorageError> {
    let opened = File::open(path).doing(|| format!("opening {}", path.display()))?;
    Ok(opened.into())
}

/// Removes what was made here. What is a btrfs subvolume goes as one, by its id.
pub fn remove(dir: &OwnedFd, name: &CStr) -> Result<(), StorageError> {
    let looking = || format!("removing {}", name.to_string_lossy());
    match Subvolume::open(dir, OsStr::from_bytes(name.to_bytes())).doing(looking)? {
        Some(subvolume) => sys::btrfs_destroy(dir, subvolume.info.id).doing(looking),
        None => remove_tree(dir.as_fd(), name),
    }
}

impl Store {
    /// The snapshot of this handle if it is whole; the remains of an earlier attempt are cleared
    /// away.
    pub fn already(&self, handle: &Handle) -> Result<Option<Item>, StorageError> {
        let mut whole = None;
        for item in self.find(handle)? {
            match item.stage {
                Stage::Whole => whole = Some(item),
                Stage::Partial | Stage::Destroying => self.destroy_item(&item)?,
            }
        }
        if whole.is_some() {
            // Its rename may not have reached the disk yet.
            sync_dir(self.dir())?;
        }
        Ok(whole)
    }

    /// Destroys whatever is there of this snapshot, in any stage. Nothing there is success.
    ///
    /// # Errors
    /// [`Fault::Identity`] where the sequence number has another id.
    pub fn destroy(&self, handle: &Handle) -> Result<(), StorageError> {
        for item in self.find(handle)? {
            self.destroy_item(&item)?;
        }
        if !self.is_there()? {
            return Ok(());
        }
        self.sweep()?;
        // Also when it was gone already: nothing says that its end was durable.
        sync_dir(self.dir())
    }

    /// Once what is ours is cleared away.
    ///
    /// # Errors
    /// [`Fault::Identity`] where something that was not made here has the place of this snapshot.
    pub fn expect_free(&self, seq: Seq) -> Result<(), StorageError> {
        for stage in [Stage::Whole, Stage::Partial, Stage::Destroying] {
            let path = self.path(seq, stage);
            let doing = || format!("making {}", path.display());
            match std::fs::symlink_metadata(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(StorageError::io(doing(), &error)),
                Ok(_) => {
                    let why = "heptad did not make what lies there; move it elsewhere";
                    return Err(StorageError::new(Fault::Identity, doing(), why));
                }
            }
        }
        Ok(())
    }

    /// The manifest was read a moment ago, by whoever made the item.
    pub fn destroy_item(&self, item: &Item) -> Result<(), StorageError> {
        let doomed = self.path(item.seq, Stage::Destroying);
        let doing = || format!("destroying {}", item.path.display());
        if item.stage == Stage::Partial {
            hold(&open(&item.path)?, &item.path)?;
        }
        let mut path = item.path.clone();
        self.doom(&mut path, &doomed)?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = rustix::fs::open(&path, flags, Mode::empty()).and_then(open_dir);
        let dir = dir.doing(doing)?;
        let mut names = names(&dir).doing(doing)?;
        names.retain(|name| name.to_bytes() != MANIFEST.as_bytes());
        names.sort_by_key(|name| turn(&dir, name));
        for name in names {
            if path != doomed {
                spoil(&dir, &name).doing(doing)?;
            }
            remove(&dir, &name)?;
            self.doom(&mut path, &doomed)?;
        }
        // The manifest is the last to go, after a power cut as well.
        rustix::fs::fsync(&dir).doing(doing)?;
        std::fs::remove_file(path.join(MANIFEST)).doing(doing)?;
        std::fs::remove_dir(path).doing(doing)?;
        sync_dir(self.dir())
    }

    /// Gives what goes the name that says so. A name needs room, and where a quota is reached there
    /// is none: then it keeps its own until something of it is gone.
    fn doom(&self, path: &mut PathBuf, doomed: &Path) -> Result<(), StorageError> {
        if path == doomed {
            return Ok(());
        }
        match std::fs::rename(&*path, doomed).doing(|| format!("destroying {}", path.display())) {
            Ok(()) => *path = doomed.to_owned(),
            Err(error) if error.fault == Fault::NoSpace => return Ok(()),
            Err(error) => return Err(error),
        }
        sync_dir(self.dir())
    }

    /// Clears what a crash can leave around a manifest: the shell before it was there, the empty
    /// directory after it went. What holds anything else was not made here and stays.
    pub fn sweep(&self) -> Result<(), StorageError> {
        self.remove_left();
        let doing = || format!("sweeping {}", self.dir().display());
        for entry in std::fs::read_dir(self.dir()).doing(doing)? {
            let entry = entry.doing(doing)?;
            let (name, path) = (entry.file_name(), entry.path());
            let name = name.to_string_lossy();
            if name.starts_with(UNNAMED) {
                ignore(&[ErrorKind::NotFound], std::fs::remove_file(path.join(MANIFEST)))
                    .doing(doing)?;
            } else if !name.ends_with(".destroying") {
                continue;
            }
            ignore(&[ErrorKind::DirectoryNotEmpty, ErrorKind::NotADirectory], {
                std::fs::remove_dir(&path)
            })
            .doing(doing)?;
        }
        Ok(())
    }
}

/// When something of a snapshot goes. Under its old name it must look whole no more from the
/// beginning, so what is no tree goes at once; and what says that it is doubted, or in the trash,
/// goes after all that could be taken for a good one.
fn turn(dir: &OwnedFd, name: &CStr) -> u8 {
    let is = |file: &str| name.to_bytes() == file.as_bytes();
    match peek(dir, name) {
        _ if MARKS.into_iter().any(is) || is(TAMPERED) => 2,
        Ok((_, meta)) if meta.kind == Kind::Dir => 1,
        _ => 0,
    }
}

/// Takes a file out of the top of a tree that goes, which moves the time of its directory: by that
/// each backend knows a tree that somebody has changed, however deep the first file lies that goes.
fn spoil(dir: &OwnedFd, name: &CStr) -> rustix::io::Result<()> {
    let (tree, meta) = peek(dir, name)?;
    if meta.kind != Kind::Dir || !meta.same_mount(&Meta::of(dir)?) {
        return Ok(());
    }
    if meta.mode & 0o700 != 0o700 {
        rustix::fs::chmod(through_proc(tree.as_fd()).as_str(), Mode::RWXU)?;
    }
    let tree = open_dir(tree)?;
    for name in names(&tree)? {
        if peek(&tree, &name)?.1.kind != Kind::Dir {
            return rustix::fs::unlinkat(&tree, &name, AtFlags::empty());
        }
    }
    Ok(())
}

fn ignore(kinds: &[ErrorKind], result: std::io::Result<()>) -> std::io::Result<()> {
    match result {
        Err(error) if kinds.contains(&error.kind()) => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample::Builder;

    #[test]
    fn what_tells_of_a_doubt_goes_after_all_that_could_be_taken_for_a_good_one() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["index", "mark.json", "proof.json", "tampered", ".mark.json.new"] {
            std::fs::write(dir.path().join(file), "").unwrap();
        }
        std::fs::create_dir_all(dir.path().join("data/base/1")).unwrap();
        std::fs::write(dir.path().join("data/PG_VERSION"), "15").unwrap();
        let open = open(dir.path()).unwrap();
        let mut names = names(&open).unwrap();
        names.sort_by_key(|name| turn(&open, name));
        let names: Vec<_> = names.iter().map(|name| name.to_str().unwrap()).collect();
        let last = ["data", ".mark.json.new", "mark.json", "tampered"];
        assert_eq!(names, [&["index", "proof.json"][..], &last].concat());
        let was = dir.path().join("data").metadata().unwrap().modified().unwrap();
        spoil(&open, c"data").unwrap();
        let is = dir.path().join("data").metadata().unwrap().modified().unwrap();
        assert!(!dir.path().join("data/PG_VERSION").exists() && is != was);
    }

    #[test]
    fn what_is_being_made_is_cleared_away_by_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let account = Builder::daily().complete(1..=1).account();
        let card = &account.snapshots.values().next().unwrap().card;
        let store = || Store::new("test", dir.path().join("store"), dir.path(), account.name());
        let (one, other) = (store(), store());
        one.make().unwrap();
        let manifest = Manifest::new(account.name(), "test", card);
        let growing = Growing::begin(&one, &manifest).unwrap();
        let handle = Handle { object: String::new(), ..card.handle.clone() };
        for refused in [other.destroy(&handle), other.already(&handle).map(|_| ())] {
            assert_eq!(refused.unwrap_err().fault, Fault::Busy);
        }
        assert!(growing.path.exists());
        let path = growing.path.clone();
        // Whoever made it has ended.
        drop(growing);
        other.destroy(&handle).unwrap();
        assert!(!path.exists());
    }
}
