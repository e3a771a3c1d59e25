//! Configuration files that lie outside of the data directory, as Debian has them, and all that the
//! configuration includes: a data directory alone would not start.

use super::as_owner::{UNREADABLE, run, text};
use super::conf::{Grammar, Include, Leads, includes};
use super::copy::DIR;
use super::mains::{Mains, NAMES, is_there};
use super::source::Source;
use super::tools::Tools;
use crate::fs::{Doing, StorageError};
use crate::store::Growing;
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};
/// Below it, what is included, each under its own whole path.
pub(super) const INCLUDED: &str = "files";
pub(super) const GRAMMARS: [Grammar; 3] = [Grammar::Settings, Grammar::Access, Grammar::Access];
/// Of all; a server refuses files that include others deeper than ten times.
const MOST: usize = 500;
const DEEPEST: usize = 10;
const ALL: Duration = Duration::from_secs(120);
const FIND: &str = "/usr/bin/find";
/// The names that the server takes.
const FILES: &str = "-mindepth 1 -maxdepth 1 -name *.conf ! -name .* ! -xtype d -printf %f\\0";
/// Copies what the server reads from elsewhere. Returns where it begins, and what is to be
/// remarked.
pub(super) fn keep_outside(
    source: &Source<'_>,
    said: &[PathBuf; 3],
    growing: &Growing<'_>,
) -> Result<(Option<Mains>, Vec<String>), StorageError> {
    let data = &*source.cluster.path;
    let mains = Mains::new(said, data);
    let mut gather = Gather {
        tools: &source.tools,
        data,
        dir: growing.path.join(DIR),
        seen: HashSet::new(),
        until: Instant::now() + ALL,
        notes: Vec::new(),
    };
    for ((from, name), grammar) in mains.0.iter().zip(NAMES).zip(GRAMMARS) {
        gather.main(from, name, grammar)?;
    }
    let is_text = mains.0.iter().all(|path| path.to_str().is_some());
    Ok((is_text.then_some(mains), gather.notes))
}

/// The path of what a file includes, without `.` and `..`, as the server has it.
pub(super) fn target(by: &Path, include: &Include) -> PathBuf {
    let whole = by.parent().unwrap_or(by).join(&include.path);
    whole.components().fold(PathBuf::new(), |mut path, part| {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::CurDir => {}
            part => path.push(part),
        }
        path
    })
}

struct Gather<'a> {
    tools: &'a Tools,
    data: &'a Path,
    /// Where the copies go.
    dir: PathBuf,
    seen: HashSet<PathBuf>,
    until: Instant,
    notes: Vec<String>,
}

impl Gather<'_> {
    fn main(&mut self, from: &Path, name: &str, grammar: Grammar) -> Result<(), StorageError> {
        if from.as_os_str().is_empty() || !is_there(from) {
            return Ok(());
        }
        let Some(text) = self.text(from) else { return Ok(()) };
        if !from.starts_with(self.data) {
            self.store(Path::new(name), &text)?;
        }
        self.follow(&text, from, grammar, 1)
    }

    fn follow(
        &mut self,
        text: &[u8],
        by: &Path,
        grammar: Grammar,
        depth: usize,
    ) -> Result<(), StorageError> {
        for include in includes(text, grammar) {
            let target = target(by, &include);
            if include.leads == Leads::Dir {
                for file in self.listed(&target)? {
                    self.visit(&target.join(file), grammar, depth)?;
                }
            } else if is_there(&target) {
                self.visit(&target, grammar, depth)?;
            } else if include.leads != Leads::FileIfThere {
                let (target, by) = (target.display(), by.display());
                self.notes
                    .push(format!("{target} is not in it: {by} names it, and it is not there"));
            }
        }
        Ok(())
    }

    fn visit(&mut self, path: &Path, grammar: Grammar, depth: usize) -> Result<(), StorageError> {
        if depth > DEEPEST || self.seen.contains(path) {
            return Ok(());
        }
        if self.seen.len() >= MOST || Instant::now() >= self.until {
            let why = "the configuration includes too many files, or they take too long to read";
            self.notes.push(format!("{} is not in it: {why}", path.display()));
            return Ok(());
        }
        self.seen.insert(path.to_owned());
        let Some(text) = self.text(path) else { return Ok(()) };
        if !path.starts_with(self.data) {
            self.store(&stored(path), &text)?;
        }
        self.follow(&text, path, grammar, depth + 1)
    }

    /// The names of the files in a directory that is included whole, which may be empty but must be
    /// there.
    fn listed(&mut self, dir: &Path) -> Result<Vec<OsString>, StorageError> {
        let mut inside = dir.as_os_str().to_owned();
        inside.push("/");
        let mut args: Vec<OsString> = vec![inside];
        args.extend(FILES.split(' ').map(OsString::from));
        let said = match run(self.tools, FIND, args) {
            Ok(said) => said,
            Err(why) => {
                let why = why.unwrap_or_else(|| format!("it is not there, or {UNREADABLE}"));
                self.notes.push(format!("what is in {} is not in it: {why}", dir.display()));
                return Ok(Vec::new());
            }
        };
        if !dir.starts_with(self.data) {
            self.make(&stored(dir))?;
        }
        let names = said.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        let mut names: Vec<OsString> = names.map(|name| OsStr::from_bytes(name).into()).collect();
        names.sort();
        Ok(names)
    }

    fn text(&mut self, path: &Path) -> Option<Vec<u8>> {
        let text = text(self.tools, path);
        if let Err(why) = &text {
            let why = why.as_deref().unwrap_or(UNREADABLE);
            self.notes.push(format!("{} is not in it: {why}", path.display()));
        }
        text.ok()
    }

    fn make(&self, dir: &Path) -> Result<(), StorageError> {
        let dir = self.dir.join(dir);
        let made = std::fs::DirBuilder::new().mode(0o700).recursive(true).create(&dir);
        made.doing(|| format!("making {}", dir.display()))
    }

    fn store(&self, file: &Path, text: &[u8]) -> Result<(), StorageError> {
        self.make(file.parent().unwrap_or(file))?;
        let path = self.dir.join(file);
        let doing = || format!("writing {}", path.display());
        let mut file = std::fs::OpenOptions::new();
        let file = file.write(true).create_new(true).mode(0o600).open(&path);
        std::io::Write::write_all(&mut file.doing(doing)?, text).doing(doing)
    }
}

/// Where the copy of an included file lies among the copies.
pub(super) fn stored(path: &Path) -> PathBuf {
    Path::new(INCLUDED).join(path.strip_prefix("/").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_include_is_found_from_the_file_that_has_it() {
        let check = |by: &str, path: &str, want: &str| {
            let text = format!("include '{path}'");
            let [include] = &includes(text.as_bytes(), Grammar::Settings)[..] else { panic!() };
            assert_eq!(target(Path::new(by), include), Path::new(want));
        };
        check("/etc/p/a.conf", "conf.d", "/etc/p/conf.d");
        check("/etc/p/a.conf", "../q/./b", "/etc/q/b");
        check("/etc/p/a.conf", "/x//y/", "/x/y");
        check("/a", "../../b", "/b");
    }
}
