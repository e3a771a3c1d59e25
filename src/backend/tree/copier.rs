//! The walk of a copy: who else writes to the tree is unknown, so each step holds what it looked at.

use super::super::{BackendError, Doing};
use super::copy::{Copy, Visitor};
use super::meta::{Kind, Meta};
use super::open::{is_forbidden, link, make_dir, names, open_dir, peek};
use super::report::{Report, shown};
use super::walk::push;
use super::{DEPTH, below, dress};
use rustix::io::Errno;
use std::collections::{HashMap, HashSet};
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};

pub struct Copier<'a> {
    /// The root of the copy.
    base: BorrowedFd<'a>,
    /// The root of the original.
    root: Meta,
    pub options: &'a Copy<'a>,
    pub visitor: &'a mut dyn Visitor,
    pub report: Report,
    pub path: Vec<u8>,
    depth: usize,
    /// Originals with several names, and where the first of them was copied to.
    seen: HashMap<((u32, u32), u64), Vec<u8>>,
    /// Source devices that share no blocks with the copy's file system.
    pub unclonable: HashSet<(u32, u32)>,
}

impl<'a> Copier<'a> {
    pub fn new(
        base: BorrowedFd<'a>,
        root: Meta,
        options: &'a Copy<'a>,
        visitor: &'a mut dyn Visitor,
    ) -> Self {
        Self {
            base,
            root,
            options,
            visitor,
            report: Report::default(),
            path: Vec::new(),
            depth: 0,
            seen: HashMap::new(),
            unclonable: HashSet::new(),
        }
    }

    pub fn children(
        &mut self,
        from: BorrowedFd<'_>,
        into: BorrowedFd<'_>,
    ) -> Result<(), BackendError> {
        let names = names(from).doing(|| format!("reading directory {}", shown(&self.path)))?;
        for name in names {
            let length = self.path.len();
            push(&mut self.path, name.to_bytes());
            if !self.options.exclude.contains(&self.path) {
                self.child(from, into, &name)?;
            }
            self.path.truncate(length);
        }
        Ok(())
    }

    fn child(
        &mut self,
        from: BorrowedFd<'_>,
        into: BorrowedFd<'_>,
        name: &CStr,
    ) -> Result<(), BackendError> {
        let (reference, meta) = match peek(from, name) {
            // It went away since the directory was listed.
            Err(Errno::NOENT) => return Ok(()),
            Err(error) if is_forbidden(error) => {
                self.report.unreadable.add(&self.path);
                return Ok(());
            }
            found => found.doing(|| format!("looking at {}", shown(&self.path)))?,
        };
        let reference = reference.as_fd();
        if !self.options.cross_mounts && !meta.same_mount(&self.root) {
            return self.mount_point(reference, &meta, into, name);
        }
        match meta.kind {
            Kind::Dir => self.directory(reference, &meta, into, name),
            _ if self.link_to_first(&meta, into, name)? => self.count(&meta, into, name),
            Kind::File => self.file(reference, meta, into, name),
            _ => self.special(reference, &meta, into, name),
        }
    }

    fn mount_point(
        &mut self,
        from: BorrowedFd<'_>,
        meta: &Meta,
        into: BorrowedFd<'_>,
        name: &CStr,
    ) -> Result<(), BackendError> {
        self.report.mounts.add(&self.path);
        if meta.kind != Kind::Dir {
            return Ok(());
        }
        let made = make_dir(into, name).doing(|| format!("making {}", shown(&self.path)))?;
        self.finish(from, meta, made.as_fd())
    }

    fn directory(
        &mut self,
        from: BorrowedFd<'_>,
        meta: &Meta,
        into: BorrowedFd<'_>,
        name: &CStr,
    ) -> Result<(), BackendError> {
        if self.options.own_store.is_some_and(|store| store.same_inode(meta)) {
            self.report.own_store = true;
            return Ok(());
        }
        if self.depth >= DEPTH {
            self.report.too_deep.add(&self.path);
            return Ok(());
        }
        let inside = match open_dir(from) {
            Err(Errno::NOENT) => return Ok(()),
            Err(error) if is_forbidden(error) => {
                self.report.unreadable.add(&self.path);
                return Ok(());
            }
            opened => opened.doing(|| format!("opening directory {}", shown(&self.path)))?,
        };
        let made = make_dir(into, name).doing(|| format!("making {}", shown(&self.path)))?;
        self.depth += 1;
        self.children(inside.as_fd(), made.as_fd())?;
        self.depth -= 1;
        self.finish(from, meta, made.as_fd())
    }

    /// Whether the original is another name of one that was copied already.
    fn link_to_first(
        &mut self,
        meta: &Meta,
        into: BorrowedFd<'_>,
        name: &CStr,
    ) -> Result<bool, BackendError> {
        let Some(first) = self.seen.get(&(meta.dev, meta.ino)) else {
            if meta.nlink > 1 {
                self.seen.insert((meta.dev, meta.ino), self.path.clone());
            }
            return Ok(false);
        };
        let doing = || format!("linking {} to {}", shown(&self.path), shown(first));
        match below(self.base, first) {
            // The first one could not be read.
            Err(Errno::NOENT) => Ok(false),
            found => link(found.doing(doing)?.0, into, name).doing(doing),
        }
    }

    pub fn finish(
        &mut self,
        from: BorrowedFd<'_>,
        meta: &Meta,
        made: BorrowedFd<'_>,
    ) -> Result<(), BackendError> {
        let doing = |path: &[u8]| format!("finishing the copy of {}", shown(path));
        let lost = dress::dress(from, meta, made).doing(|| doing(&self.path))?;
        if lost.owner {
            self.report.owners.add(&self.path);
        }
        let ours = |name: &CStr| {
            ["user.", "system."].iter().any(|prefix| name.to_bytes().starts_with(prefix.as_bytes()))
        };
        if lost.attributes.iter().any(|name| ours(name)) {
            self.report.attributes.add(&self.path);
        }
        if lost.attributes.iter().any(|name| !ours(name)) {
            self.report.labels.add(&self.path);
        }
        let is = Meta::of(made).doing(|| doing(&self.path))?;
        self.record(meta, &is)
    }

    pub fn count(
        &mut self,
        was: &Meta,
        into: BorrowedFd<'_>,
        name: &CStr,
    ) -> Result<(), BackendError> {
        let is = Meta::at(into, name).doing(|| format!("looking at {}", shown(&self.path)))?;
        self.record(was, &is)
    }

    fn record(&mut self, was: &Meta, is: &Meta) -> Result<(), BackendError> {
        if !self.path.is_empty() || is.kind != Kind::Dir {
            self.report.entries += 1;
        }
        if is.kind == Kind::File {
            self.report.bytes += is.size;
            self.options.progress.report(self.report.bytes, self.options.total);
        }
        self.visitor.stored(&self.path, was, is)
    }
}
