//! Whether the log and the journal that lie beside a database are those of the programs that use
//! it.
//!
//! SQLite looks for them beside the name by which it was given the file. A program that has it by
//! another name (a further hard link, a mount of that one file into a container) keeps them there,
//! and nobody else reads what is in them: the file alone is a database, too, but an old one. So
//! "nothing lies beside it" says nothing before it is known by what names others have it.

use super::sides::beside;
use super::{locks, memory, owner};
use crate::domain::operation::Fault;
use crate::fs::tree::{Meta, open_file, open_nosymlink};
use crate::fs::{Doing, StorageError};
use crate::host::drop_in::DropIn;
use crate::host::sharers::{FileId, Name, Open, Sharer, Sharers, sharers};
use crate::store::Store;
use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirEntryExt;
use std::path::Path;

const LOG: &str = "-wal";
const JOURNAL: &str = "-journal";
/// The way out where it is mounted or linked by itself.
const ALONE: &str = "give it the directory that the database is in, not the file alone (in a \
    container: -v ./data:/data, not -v ./data/app.db:/data/app.db), and start it again";

/// How often it must seem so.
const LOOKS: u32 = 4;

/// What was seen before the copy was begun.
pub(super) struct Before<'a> {
    path: &'a Path,
    store: &'a Store,
    /// Who has it by a name of their own, without a log: should one of them end in the middle of
    /// a transaction, its journal would be where we do not find it.
    apart: Vec<u32>,
    blind: bool,
}

/// # Errors
/// [`Fault::Permanent`] where a log that belongs to it lies elsewhere, or may lie there.
pub(super) fn before<'a>(path: &'a Path, store: &'a Store) -> Result<Before<'a>, StorageError> {
    let seen = look(path, store)?.by;
    let apart = apart(&seen).map(|sharer| sharer.holder.pid).collect();
    Ok(Before { path, store, apart, blind: seen.blind })
}

impl Before<'_> {
    /// Looks again, now that it is copied. Returns what a person should know, and what may be
    /// missing.
    ///
    /// # Errors
    /// As [`before`]; [`Fault::Busy`] where who used it by another name has ended meanwhile.
    pub(super) fn after(self) -> Result<(Vec<String>, Option<String>), StorageError> {
        let Seen { by: seen, lacks } = look(self.path, self.store)?;
        let is_still = |pid: &u32| apart(&seen).any(|sharer| sharer.holder.pid == *pid);
        if !self.apart.iter().all(is_still) {
            let why = "a program that had it open by another name ended meanwhile, and may have left \
                       a journal there; it is tried again";
            return Err(StorageError::new(Fault::Busy, doing(self.path), why));
        }
        let mut notes = Vec::new();
        for sharer in apart(&seen) {
            notes.push(format!(
                "{}: should it end in the middle of a change, what it leaves lies there, where heptad \
                 does not find it; {ALONE}",
                sharer.holder
            ));
        }
        if self.blind || seen.blind {
            let way_out = match nix::unistd::geteuid().is_root() {
                true => DropIn::Databases.way_out("CAP_SYS_PTRACE"),
                false => "only a heptad that is root can".into(),
            };
            notes.push(format!(
                "whether another program has it open by another name, and keeps a log there, could \
                 not be seen: {way_out}"
            ));
        }
        Ok((notes, lacks))
    }
}

/// Who has it by other names only.
fn apart(seen: &Sharers) -> impl Iterator<Item = &Sharer> {
    let is_apart = |sharer: &&Sharer| {
        !sharer.names.is_empty() && !sharer.names.iter().any(|name| name.is_ours)
    };
    seen.found.iter().filter(is_apart)
}

/// Who has it open, and what may be missing of it.
struct Seen {
    by: Sharers,
    lacks: Option<String>,
}

fn look(path: &Path, store: &Store) -> Result<Seen, StorageError> {
    let (facts, by, reason) = settled(path)?;
    let mut names = by.found.iter().flat_map(|sharer| &sharer.names);
    let other = names.find(|name| !name.is_ours);
    if let Some(reason) = reason {
        if let Some(name) = other.filter(|_| facts.logged) {
            memory::note(store, &facts.file, Some(name), &reason.fact)?;
        }
        return Err(StorageError::new(Fault::Permanent, doing(path), reason.to_string()));
    }
    let logs_here = facts.ask_locks().inspect_err(|error| {
        // The error itself is told in any case.
        let _ = memory::note(store, &facts.file, None, &error.detail);
    })?;
    let held = by.found.iter().any(|sharer| sharer.names.iter().any(|name| name.is_ours));
    let mut lacks = None;
    match apart(&by).next().zip(other) {
        Some((sharer, name)) if !facts.logged => {
            memory::note(store, &facts.file, Some(name), &sharer.holder.to_string())?;
        }
        _ if logs_here || held && !facts.logged => memory::forget(store)?,
        _ if by.found.is_empty() && by.mounted.is_empty() && !facts.is_left => {
            lacks = facts.remember(store)?;
        }
        _ => {}
    }
    Ok(Seen { by, lacks })
}

/// Why there is no snapshot.
struct Reason {
    fact: String,
    way_out: String,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. {}", self.fact, self.way_out)
    }
}

/// A log that comes or goes while somebody looks seems to be another's for a moment.
fn settled(path: &Path) -> Result<(Facts<'_>, Sharers, Option<Reason>), StorageError> {
    let mut left = LOOKS;
    loop {
        let facts = Facts::of(path)?;
        let seen = sharers(path, facts.log).doing(|| doing(path))?;
        let why = facts.judge(&seen);
        left -= 1;
        if why.is_none() || left == 0 {
            return Ok((facts, seen, why));
        }
    }
}

fn doing(path: &Path) -> String {
    format!("looking who has database {} open", path.display())
}

/// What is known of the database by its own name.
struct Facts<'a> {
    path: &'a Path,
    file: Meta,
    /// By its header, changes go into a log first.
    logged: bool,
    /// The log beside it.
    log: Option<FileId>,
    /// Whether something is in what lies beside it.
    is_left: bool,
}

impl<'a> Facts<'a> {
    fn of(path: &'a Path) -> Result<Self, StorageError> {
        let doing = || doing(path);
        let (reference, file) = owner::open(path)?;
        let mut head = Vec::new();
        let opened = File::from(open_file(&reference).doing(doing)?);
        opened.take(20).read_to_end(&mut head).doing(doing)?;
        let log = beside(path, LOG);
        let holds = |path: &Path| std::fs::symlink_metadata(path).is_ok_and(|meta| meta.len() > 0);
        Ok(Self {
            logged: head.get(18..20).is_some_and(|kinds| kinds.contains(&2)),
            is_left: holds(&log) || holds(&beside(path, JOURNAL)),
            log: there(FileId::at(&log)).doing(doing)?,
            path,
            file,
        })
    }

    /// Why what lies beside it is not all that belongs to it, if so.
    fn judge(&self, seen: &Sharers) -> Option<Reason> {
        let told = seen.found.iter().find_map(|sharer| self.judge_sharer(sharer));
        told.or_else(|| self.judge_rest(seen))
    }

    fn is_our_log(&self, open: &Open) -> bool {
        self.log.is_some() && open.id().ok() == self.log
    }

    /// Whether somebody is seen to use the log that lies beside it.
    fn ask_locks(&self) -> Result<bool, StorageError> {
        let (Some(dir), Some(name)) = (self.path.parent(), self.path.file_name()) else {
            return Ok(false);
        };
        locks::expect_log_here(open_nosymlink(dir)?.as_fd(), name, self.path)
    }

    /// Nobody has it open now. What is known of who had it by another name, and cannot be looked at
    /// any more: returned is what may be missing.
    fn remember(&self, store: &Store) -> Result<Option<String>, StorageError> {
        let Some(before) = memory::recall(store, &self.file)? else { return Ok(None) };
        match before.name.as_ref().map(|name| self.left_beside(name)) {
            Some(None) => return Ok(None),
            None if !self.logged => {
                let lacks = format!(
                    "what whoever had it by another name may have left in a journal there when it \
                     ended ({})",
                    before.fact
                );
                return Ok(Some(lacks));
            }
            _ => {}
        }
        let why = format!(
            "when it was last seen in use: {}. Whoever used it so has ended, and may have left a log \
             there: start it as it was and stop it properly, so that it finishes its log, then {ALONE}. \
             If nothing of that is missed, remove {}",
            before.fact,
            memory::path(store).display()
        );
        Err(StorageError::new(Fault::Permanent, doing(self.path), why))
    }

    fn judge_sharer(&self, sharer: &Sharer) -> Option<Reason> {
        let logs: Vec<&Open> = logs_of(sharer).collect();
        let is_ours = |log: &Open| self.is_our_log(log);
        let ours = logs.iter().find(|log| is_ours(log));
        let base = |log: &Open| sharer.open.iter().any(|open| beside(&open.path, LOG) == log.path);
        if sharer.names.is_empty() {
            // It has the log, and the file that the log belongs to is another one.
            let replaced = ours.filter(|log| base(log))?.path.display();
            let fact = format!(
                "{} (process {}) has {replaced} open, but another database: this one took its place \
                 meanwhile, and the log is not its own",
                sharer.holder.program, sharer.holder.pid
            );
            return Some(Reason { fact, way_out: "Stop that program and start it again".into() });
        }
        let of_it = |log: &&&Open| sharer.names.iter().any(|n| beside(&n.path, LOG) == log.path);
        if let Some(log) = logs.iter().filter(|log| !is_ours(log)).find(of_it) {
            return Some(apart_because(sharer, &format!("its log is {}", log.path.display())));
        }
        if !self.logged || ours.is_some() {
            return None;
        }
        if let Some(log) = logs.iter().find(|log| !base(log)) {
            let why = format!("{}, which may be its log, is not beside it", log.path.display());
            return Some(apart_because(sharer, &why));
        }
        sharer.names.iter().filter(|name| !name.is_ours).find_map(|name| {
            let why = self.left_beside(name)?;
            Some(apart_because(sharer, &why))
        })
    }

    /// Where nobody has it open by its own name, what somebody left may lie elsewhere.
    fn judge_rest(&self, seen: &Sharers) -> Option<Reason> {
        let in_use = seen.found.iter().any(|s| s.names.iter().any(|name| name.is_ours));
        if self.is_left || in_use {
            return None;
        }
        let (linked, here) = self.linked();
        for name in seen.mounted.iter().chain(&linked) {
            if let Some(why) = self.left_beside(name) {
                let at = name.path.display();
                let fact = format!("it is {at}, too, and {why}: what is in that is in no copy");
                let way_out = format!("Let the program that left it finish it, then {ALONE}");
                return Some(Reason { fact, way_out });
            }
        }
        if self.file.nlink > here && seen.found.is_empty() {
            let (names, path) = (self.file.nlink, self.path.display());
            let fact = format!(
                "the file has {names} names (hard links), and nobody has it open: a program that \
                 used it by a name in another directory may have left its log or its journal there"
            );
            let way_out =
                format!("Remove the other names (to find them: find / -xdev -samefile {path})");
            return Some(Reason { fact, way_out });
        }
        None
    }

    /// Its further names in its own directory, and how many it has there in all.
    fn linked(&self) -> (Vec<Name>, u32) {
        let (Some(dir), true) = (self.path.parent(), self.file.nlink > 1) else {
            return (Vec::new(), 1);
        };
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        let same = entries.filter(|entry| entry.ino() == self.file.ino).map(|entry| entry.path());
        let others: Vec<Name> = same.filter(|path| path != self.path).map(Name::here).collect();
        let here = u32::try_from(others.len()).unwrap_or(u32::MAX).saturating_add(1);
        (others, here)
    }

    /// What a program that had it by this name has left, or may have left. A journal that begins
    /// with a zero is done with.
    fn left_beside(&self, name: &Name) -> Option<String> {
        for end in [LOG, JOURNAL] {
            let left = beside(&name.path, end);
            match name.first_byte(end) {
                Ok(None | Some(0)) => {}
                Ok(Some(_)) => return Some(format!("{} lies there", left.display())),
                Err(error) if self.logged => {
                    return Some(format!("{} cannot be looked at ({error})", left.display()));
                }
                Err(_) => {}
            }
        }
        None
    }
}

fn logs_of(sharer: &Sharer) -> impl Iterator<Item = &Open> {
    sharer.open.iter().filter(|open| open.path.as_os_str().as_bytes().ends_with(LOG.as_bytes()))
}

/// Of a program that has it by another name.
fn apart_because(sharer: &Sharer, why: &str) -> Reason {
    let fact = format!("{}, and {why}: what is in that is in no copy", sharer.holder);
    Reason { fact, way_out: format!("Stop that program and {ALONE}") }
}

fn there<T>(found: std::io::Result<T>) -> std::io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}
