//! Two trees side by side. No descriptor is held between two steps, whatever the depth.

use super::{OpenTree, kind, refusal, target, unreadable};
use crate::domain::tree::{Aspect, BrowseError, Change, Difference, Differences, TreePath};
use crate::fs::tree::{self, Meta, names, open_dir, open_file};
use std::ffi::CString;
use std::fs::File;
use std::ops::ControlFlow::{self, Break, Continue};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

/// Bytes of each side that are compared at once.
const CHUNK: usize = 256 << 10;

/// When a comparison ends early.
pub struct Bounds<'a> {
    /// Most differences.
    pub limit: usize,
    /// Asked often: true ends it at the next step.
    pub stop: &'a dyn Fn() -> bool,
}

/// What must be added, removed and changed to get from `old` to `new`, at `path` and below it. Of
/// a directory that one side lacks only the directory itself is told. Files of the same size and
/// time of modification are taken to be the same; where only the time differs, the bytes are
/// compared. With `after`, goes on after that path, as an earlier answer's `resume` says; each
/// call gets further by one path at least.
///
/// # Errors
/// [`BrowseError::NotThere`] where neither has the path.
pub fn compare(
    old: &OpenTree,
    new: &OpenTree,
    path: &TreePath,
    after: Option<&TreePath>,
    bounds: &Bounds<'_>,
) -> Result<Differences, BrowseError> {
    let skip = match after {
        // What is not below the path cannot be resumed after: begin at the beginning.
        Some(after) => after.below(path),
        None => None,
    };
    let sides = (seen(old, path)?, seen(new, path)?);
    if sides.0.is_none() && sides.1.is_none() {
        return Err(BrowseError::NotThere);
    }
    let mut walk = Walk { old, new, bounds, found: Vec::new(), last: None };
    let names = skip.as_ref().map(TreePath::names);
    let end = walk.step(path, sides, names.as_deref())?;
    let resume = match end {
        Break(()) => Some(walk.last.unwrap_or_else(|| path.clone())),
        Continue(()) => None,
    };
    Ok(Differences { found: walk.found, resume })
}

type Side = Option<(OwnedFd, Meta)>;

struct Walk<'a> {
    old: &'a OpenTree,
    new: &'a OpenTree,
    bounds: &'a Bounds<'a>,
    found: Vec<Difference>,
    /// The last path that was compared in this call.
    last: Option<TreePath>,
}

impl Walk<'_> {
    /// One path. `skip` leads to the path after which to go on; empty: it is this one.
    fn step(
        &mut self,
        path: &TreePath,
        (old, new): (Side, Side),
        skip: Option<&[&[u8]]>,
    ) -> Result<ControlFlow<()>, BrowseError> {
        if skip.is_none() {
            if self.found.len() >= self.bounds.limit || self.is_over() {
                return Ok(Break(()));
            }
            if self.judge(path, &old, &new)?.is_break() {
                return Ok(Break(()));
            }
            self.last = Some(path.clone());
        }
        match (old, new) {
            (Some((old, a)), Some((new, b)))
                if a.kind == tree::Kind::Dir && b.kind == tree::Kind::Dir =>
            {
                self.descend(path, (old, new), skip.unwrap_or_default())
            }
            _ => Ok(Continue(())),
        }
    }

    /// Never before this call has got anywhere.
    fn is_over(&self) -> bool {
        self.last.is_some() && (self.bounds.stop)()
    }

    fn descend(
        &mut self,
        path: &TreePath,
        (old, new): (OwnedFd, OwnedFd),
        skip: &[&[u8]],
    ) -> Result<ControlFlow<()>, BrowseError> {
        let listed = |at: OwnedFd| open_dir(&at).and_then(names).map_err(refusal);
        for name in union(listed(old)?, listed(new)?) {
            let name = name.to_bytes();
            let child_skip = match skip.split_first() {
                Some((first, _)) if name < *first => continue,
                Some((first, rest)) if name == *first => Some(rest),
                _ => None,
            };
            let child = path.join(name);
            let sides = (seen(self.old, &child)?, seen(self.new, &child)?);
            if self.step(&child, sides, child_skip)?.is_break() {
                return Ok(Break(()));
            }
        }
        Ok(Continue(()))
    }

    fn judge(
        &mut self,
        path: &TreePath,
        old: &Side,
        new: &Side,
    ) -> Result<ControlFlow<()>, BrowseError> {
        let (change, meta) = match (old, new) {
            (None, None) => return Ok(Continue(())),
            (Some((_, meta)), None) => (Change::Removed, meta),
            (None, Some((_, meta))) => (Change::Added, meta),
            (Some(old), Some(new)) => match self.aspects(old, new)? {
                None => return Ok(Break(())),
                Some(same) if same.is_empty() => return Ok(Continue(())),
                Some(aspects) => (Change::Changed(aspects), &new.1),
            },
        };
        self.found.push(Difference { path: path.clone(), kind: kind(meta.kind), change });
        Ok(Continue(()))
    }

    /// In what two entries differ; none where time was up before it was known.
    fn aspects(
        &self,
        (old, a): &(OwnedFd, Meta),
        (new, b): &(OwnedFd, Meta),
    ) -> Result<Option<Vec<Aspect>>, BrowseError> {
        if a.kind != b.kind {
            return Ok(Some(vec![Aspect::Kind]));
        }
        if a.same_inode(b) {
            return Ok(Some(Vec::new()));
        }
        let mut all = Vec::new();
        let mut note = |differs: bool, aspect| all.extend(differs.then_some(aspect));
        note(a.mode != b.mode && a.kind != tree::Kind::Link, Aspect::Mode);
        note((a.uid, a.gid) != (b.uid, b.gid), Aspect::Owner);
        match a.kind {
            tree::Kind::File => {
                note(a.size != b.size, Aspect::Size);
                note(a.mtime != b.mtime, Aspect::Mtime);
                if a.size == b.size && a.mtime != b.mtime {
                    match self.same_bytes(old, new)? {
                        Some(same) => note(!same, Aspect::Content),
                        None if self.last.is_some() => return Ok(None),
                        None => note(true, Aspect::ContentNotCompared),
                    }
                }
            }
            tree::Kind::Link => note(target(old)? != target(new)?, Aspect::Target),
            tree::Kind::Block | tree::Kind::Char => note(a.rdev != b.rdev, Aspect::Device),
            tree::Kind::Dir | tree::Kind::Fifo | tree::Kind::Socket => {}
        }
        Ok(Some(all))
    }

    /// None where time was up before the end.
    fn same_bytes(&self, old: &OwnedFd, new: &OwnedFd) -> Result<Option<bool>, BrowseError> {
        let open = |side: &OwnedFd| open_file(side).map(File::from).map_err(refusal);
        let (old, new) = (open(old)?, open(new)?);
        let (mut a, mut b) = (vec![0; CHUNK], vec![0; CHUNK]);
        let mut at = 0;
        loop {
            let read = fill(&old, &mut a, at)?;
            if read != fill(&new, &mut b, at)? || a[..read] != b[..read] {
                return Ok(Some(false));
            }
            if read < CHUNK {
                return Ok(Some(true));
            }
            at += read as u64;
            if (self.bounds.stop)() {
                return Ok(None);
            }
        }
    }
}

/// Fills the buffer, except at the end of the file.
fn fill(file: &File, buffer: &mut [u8], at: u64) -> Result<usize, BrowseError> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read_at(&mut buffer[read..], at + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(&error)),
        }
    }
    Ok(read)
}

fn seen(tree: &OpenTree, path: &TreePath) -> Result<Side, BrowseError> {
    match tree.find(path) {
        Ok(found) => Ok(Some(found)),
        Err(BrowseError::NotThere) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The names of both, each once, in order.
fn union(old: Vec<CString>, new: Vec<CString>) -> Vec<CString> {
    let mut all = old;
    all.extend(new);
    all.sort_unstable();
    all.dedup();
    all
}
