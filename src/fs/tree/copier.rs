//! The walk of a copy: who else writes to the tree is unknown, so each step holds what it looked
//! at. What is wrong with one entry is noted, and the walk goes on; what is wrong with the store or
//! with this process ends it.

use super::super::{Doing, StorageError};
use super::PATH;
use super::covered::Covered;
use super::flags::Flags;
use super::flow::{Copy, Flow, Visitor};
use super::meta::{Kind, Meta};
use super::open::{Linked, below, link, list, make_dir, open_dir, peek, peek_here};
use super::report::{Report, shown};
use super::trail::Trail;
use super::trouble::{Fault, of_copy, of_source};
use super::walk::push;
use rustix::io::Errno;
use std::collections::{HashMap, HashSet};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

pub(super) struct Copier<'a> {
    /// The root of the copy.
    pub base: BorrowedFd<'a>,
    /// The root of the original.
    root: Meta,
    covered: Covered<'a>,
    pub options: &'a Copy<'a>,
    pub visitor: &'a mut dyn Visitor,
    pub report: Report,
    pub path: Vec<u8>,
    /// Originals with several names, and where the one that further names are linked to was copied.
    seen: HashMap<((u32, u32), u64), Vec<u8>>,
    /// Further names are linked to them, so what forbids that is set when all is copied.
    pub fixed: Vec<(Vec<u8>, Flags)>,
    /// The copy is made where all is counted for one project.
    pub is_counted: bool,
    /// Source devices that share no blocks with the copy's file system.
    pub unclonable: HashSet<(u32, u32)>,
}

/// A directory on the way, with the names in it that are still to do.
struct Level {
    names: std::vec::IntoIter<CString>,
    meta: Meta,
    flags: Flags,
    /// How long the path was above it.
    above: usize,
}

impl<'a> Copier<'a> {
    pub(super) fn new(
        from: BorrowedFd<'a>,
        base: BorrowedFd<'a>,
        root: Meta,
        options: &'a Copy<'a>,
        visitor: &'a mut dyn Visitor,
    ) -> Self {
        let is_counted = options.flow == Flow::OutOfStore && Flags::of(base).hand_down_project();
        Self {
            base,
            root,
            is_counted,
            covered: Covered::new(from),
            options,
            visitor,
            report: Report::default(),
            path: Vec::new(),
            seen: HashMap::new(),
            fixed: Vec::new(),
            unclonable: HashSet::new(),
        }
    }

    /// Copies all that is in a directory into another one.
    pub(super) fn contents(&mut self, from: OwnedFd, into: OwnedFd) -> Result<(), StorageError> {
        let names = list(&from).doing(|| "reading the root of the tree".into())?;
        let mut levels = vec![self.level(names, self.root, Flags::default(), 0)];
        let (mut from, mut into) = (Trail::new(from), Trail::new(into));
        while let Some(level) = levels.last_mut() {
            match level.names.next() {
                Some(name) => {
                    if let Some(entered) = self.named(&mut from, &mut into, &name)? {
                        levels.push(entered);
                    }
                }
                None if levels.len() == 1 => break,
                None => {
                    let done = levels.pop();
                    done.map_or(Ok(()), |done| self.close(&mut from, &mut into, &done))?;
                }
            }
        }
        Ok(())
    }

    fn level(&mut self, names: Names, meta: Meta, flags: Flags, above: usize) -> Level {
        let (names, broken) = names;
        if let Some(error) = broken {
            self.report.unreadable(&self.path, error);
        }
        Level { names: names.into_iter(), meta, flags, above }
    }

    /// Copies what has a name in the directory that both ways have come to; a directory is entered.
    fn named(
        &mut self,
        from: &mut Trail,
        into: &mut Trail,
        name: &CStr,
    ) -> Result<Option<Level>, StorageError> {
        let above = self.path.len();
        push(&mut self.path, name.to_bytes());
        if !self.options.exclude.contains(&self.path)
            && let Some((dir, meta)) = self.child(from, into, name)?
        {
            let made = into.here().and_then(|into| make_dir(&*into, name));
            if let Some(made) = self.made(made, "making")? {
                let names = list(&dir).unwrap_or_else(|error| (Vec::new(), Some(error)));
                let flags = self.flags(dir.as_fd());
                self.begin(flags, made.as_fd())?;
                from.enter(name, meta, dir);
                into.enter(name, Meta::of(&made).doing(|| self.doing("making"))?, made);
                return Ok(Some(self.level(names, meta, flags, above)));
            }
        }
        self.path.truncate(above);
        Ok(None)
    }

    /// All of a directory is copied: dresses it, and goes back to the one above.
    fn close(
        &mut self,
        from: &mut Trail,
        into: &mut Trail,
        level: &Level,
    ) -> Result<(), StorageError> {
        let made = into.here().doing(|| self.doing("finishing the copy of"))?;
        let original = from.here();
        if let Err(error) = original {
            self.report.unreadable(&self.path, error);
        }
        let original = original.ok();
        let reference = original.as_deref().map(AsFd::as_fd);
        self.finish(reference, &level.meta, made.as_fd(), Some(level.flags))?;
        from.leave();
        into.leave();
        self.path.truncate(level.above);
        Ok(())
    }

    /// Copies one entry; a directory is only opened.
    fn child(
        &mut self,
        from: &Trail,
        into: &Trail,
        name: &CStr,
    ) -> Result<Option<(OwnedFd, Meta)>, StorageError> {
        let crossing = self.options.cross_mounts;
        let found = from.here().and_then(|from| match crossing {
            true => peek(&*from, name).map(Some),
            false => peek_here(&*from, name),
        });
        let into = into.here().doing(|| self.doing("copying"))?;
        let into = into.as_fd();
        let Some(found) = self.read(found, "looking at")? else { return Ok(None) };
        let (reference, meta) = match found {
            Some((_, meta)) if !crossing && !meta.same_mount(&self.root) => {
                self.mount_point(Some(meta), into, name)?;
                return Ok(None);
            }
            Some(found) => found,
            None => {
                self.mount_point(None, into, name)?;
                return Ok(None);
            }
        };
        if self.path.len() > PATH {
            self.report.too_deep.add(&self.path);
            return Ok(None);
        }
        let reference = reference.as_fd();
        match meta.kind {
            Kind::Dir => return self.open(reference, meta),
            _ if self.link_to_first(&meta, into, name)? => self.count(&meta, into, name)?,
            Kind::File => self.file(reference, meta, into, name)?,
            _ => self.special(reference, &meta, into, name)?,
        }
        Ok(None)
    }

    fn open(
        &mut self,
        from: BorrowedFd<'_>,
        meta: Meta,
    ) -> Result<Option<(OwnedFd, Meta)>, StorageError> {
        if self.options.own_store.is_some_and(|store| store.same_inode(&meta)) {
            self.report.own_store = true;
            return Ok(None);
        }
        Ok(self.read(open_dir(from), "opening directory")?.map(|dir| (dir, meta)))
    }

    /// An empty directory stands where a file system is mounted, which is not looked into: its
    /// server may be gone. It has the mode and owner of the directory that is covered.
    fn mount_point(
        &mut self,
        is: Option<Meta>,
        into: BorrowedFd<'_>,
        name: &CStr,
    ) -> Result<(), StorageError> {
        self.report.mounts.add(&self.path);
        let covered = self.covered.at(&self.path);
        let meta = covered.as_ref().map(|(_, meta)| *meta).or(is);
        if meta.is_some_and(|meta| meta.kind != Kind::Dir) {
            return Ok(());
        }
        let Some(made) = self.made(make_dir(into, name), "making")? else { return Ok(()) };
        let from = covered.as_ref().map(|(reference, _)| reference.as_fd());
        match meta {
            Some(meta) => self.finish(from, &meta, made.as_fd(), None),
            None => {
                let is = Meta::of(&made).doing(|| self.doing("making"))?;
                self.record(&is, &is)
            }
        }
    }

    /// Whether the original is another name of one that was copied already.
    fn link_to_first(
        &mut self,
        meta: &Meta,
        into: BorrowedFd<'_>,
        name: &CStr,
    ) -> Result<bool, StorageError> {
        let key = (meta.dev, meta.ino);
        let linked = match self.seen.get(&key) {
            None if meta.nlink > 1 => Linked::No,
            None => return Ok(false),
            Some(first) => match below(self.base, first) {
                // The first one could not be read.
                Err(Errno::NOENT) => Linked::No,
                found => {
                    let doing = || format!("linking {} to {}", shown(&self.path), shown(first));
                    link(found.doing(doing)?.0, into, name).doing(doing)?
                }
            },
        };
        if linked == Linked::Full {
            self.report.relinked += 1;
        }
        if linked != Linked::Yes {
            // This name begins a new copy, and the further ones are linked to that.
            self.seen.insert(key, self.path.clone());
        }
        Ok(linked == Linked::Yes)
    }

    /// What a call that reads the original brought; nothing where the trouble is that entry's
    /// alone.
    pub(super) fn read<T>(
        &mut self,
        found: rustix::io::Result<T>,
        verb: &str,
    ) -> Result<Option<T>, StorageError> {
        match found {
            Err(error) => match of_source(error) {
                Fault::Gone => Ok(None),
                Fault::Entry => {
                    self.report.unreadable(&self.path, error);
                    Ok(None)
                }
                Fault::All => Err(error).doing(|| self.doing(verb)),
            },
            Ok(found) => Ok(Some(found)),
        }
    }

    /// What a call that makes the copy brought; nothing where the file system there cannot hold
    /// this entry.
    pub(super) fn made<T>(
        &mut self,
        made: rustix::io::Result<T>,
        verb: &str,
    ) -> Result<Option<T>, StorageError> {
        match made {
            Err(error) if of_copy(error) == Fault::Entry => {
                self.report.unfit(&self.path, error);
                Ok(None)
            }
            made => made.map(Some).doing(|| self.doing(verb)),
        }
    }

    pub(super) fn doing(&self, verb: &str) -> String {
        format!("{verb} {}", shown(&self.path))
    }
}

/// The names in a directory, and what ended the reading of them before its end.
type Names = (Vec<CString>, Option<Errno>);
