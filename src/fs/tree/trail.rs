//! The way down into a tree of any depth, of which only the last few directories are held open.

use super::meta::Meta;
use super::open::{below, open_dir};
use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, Result};
use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;
use std::rc::Rc;

/// How many directories of one way are held open, beside its root.
const OPEN: usize = 32;

/// A stack of directories, each inside the one before.
pub struct Trail {
    root: Rc<OwnedFd>,
    levels: Vec<Level>,
}

struct Level {
    name: CString,
    /// What it was when it was entered: whatever is opened again must be the same.
    meta: Meta,
    dir: Option<Rc<OwnedFd>>,
}

impl Trail {
    /// From an open directory.
    pub fn new(root: OwnedFd) -> Self {
        Self { root: Rc::new(root), levels: Vec::new() }
    }

    /// The directory that it has come to.
    ///
    /// # Errors
    /// `ESTALE` where it was moved elsewhere while it was not held open.
    pub fn here(&self) -> Result<Rc<OwnedFd>> {
        match self.levels.last() {
            None => Ok(Rc::clone(&self.root)),
            Some(level) => level.dir.clone().ok_or(Errno::STALE),
        }
    }

    /// Goes into a directory, opened from a name in the one that it has come to.
    pub fn enter(&mut self, name: &CStr, meta: Meta, dir: OwnedFd) {
        self.levels.push(Level { name: name.to_owned(), meta, dir: Some(Rc::new(dir)) });
        if let Some(far) = self.levels.len().checked_sub(OPEN + 1) {
            self.levels[far].dir = None;
        }
    }

    /// Goes back to the directory above.
    pub fn leave(&mut self) {
        let left = self.levels.pop().and_then(|level| level.dir);
        let found = match self.levels.last() {
            Some(Level { dir: None, meta, .. }) => {
                let above = left.and_then(|left| above(&left, meta).ok());
                above.or_else(|| self.again(meta).ok())
            }
            _ => return,
        };
        if let Some(level) = self.levels.last_mut() {
            level.dir = found.map(Rc::new);
        }
    }

    /// By its names from the root, which nobody but an owner of the directories can lead elsewhere.
    fn again(&self, meta: &Meta) -> Result<OwnedFd> {
        let names: Vec<&[u8]> = self.levels.iter().map(|level| level.name.to_bytes()).collect();
        let (found, is) = below(&*self.root, &names.join(&b'/'))?;
        same(&is, meta)?;
        open_dir(found)
    }
}

fn above(dir: &OwnedFd, meta: &Meta) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let found = rustix::fs::openat(dir, c"..", flags, Mode::empty())?;
    same(&Meta::of(&found)?, meta)?;
    Ok(found)
}

fn same(is: &Meta, was: &Meta) -> Result<()> {
    if is.same_inode(was) { Ok(()) } else { Err(Errno::STALE) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn the_way_back_is_found_as_long_as_nobody_moves_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut trail = Trail::new(std::fs::File::open(dir.path()).unwrap().into());
        let depth = 3 * OPEN;
        let mut inodes = Vec::new();
        for _ in 0..depth {
            let here = trail.here().unwrap();
            rustix::fs::mkdirat(&*here, "d", Mode::RWXU).unwrap();
            let (found, meta) = below(&*here, b"d").unwrap();
            inodes.push(meta.ino);
            trail.enter(c"d", meta, open_dir(&found).unwrap());
        }
        let is = |trail: &Trail| Meta::of(trail.here().unwrap().as_fd()).unwrap().ino;
        for _ in 0..OPEN {
            assert_eq!(Some(is(&trail)), inodes.pop());
            trail.leave();
        }
        // Two that are no longer open are moved: the lower one is found from what is in it.
        let here = depth - 2 * OPEN;
        for (levels, to) in [(here, "lower"), (here - 1, "upper")] {
            let path = dir.path().join(vec!["d"; levels].join("/"));
            std::fs::rename(&path, dir.path().join(to)).unwrap();
        }
        for _ in 0..OPEN {
            assert_eq!(Some(is(&trail)), inodes.pop());
            trail.leave();
        }
        assert_eq!(Some(is(&trail)), inodes.pop());
        trail.leave();
        assert_eq!(trail.here().unwrap_err(), Errno::STALE);
        inodes.pop();
        trail.leave();
        assert_eq!(Some(is(&trail)), inodes.pop());
    }
}
