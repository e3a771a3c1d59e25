//! What a data directory has elsewhere, tablespaces and perhaps its log, while it is rolled back.
//!
//! One exchange of names cannot cover several places. So the new content of each goes into a new
//! directory *within* the old place, and the new data directory's links lead there: exchanging the
//! data directory exchanges all of it.

use super::super::tree::{names, remove_tree};
use super::super::{BackendError, Doing};
use super::assemble::{Spot, give};
use super::cluster::{Cluster, Tablespace};
use super::copy::{WAL, copy, name, open};
use super::detail::{Detail, Space};
use crate::domain::operation::Fault;
use rustix::io::Errno;
use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// How directories begin that a rollback made in a place.
const OURS: &str = "heptad-";

pub struct Outside<'a> {
    /// Whose places these are.
    pub live: &'a Cluster,
    pub token: Uuid,
}

/// A place of the cluster's, open, and the directory in it that this rollback makes.
struct Fresh {
    dir: OwnedFd,
    name: CString,
    path: PathBuf,
}

impl Outside<'_> {
    /// Where a tablespace of the snapshot goes: to where it is now or, if it was dropped, was.
    pub fn spot(&self, space: &Space) -> Result<Spot, BackendError> {
        let now = self.live.tablespaces()?.into_iter().find(|now| now.oid == space.oid);
        let place = now.map_or_else(|| space.location.clone().into(), |now| now.location);
        let fresh = self.fresh(&place).map_err(|error| match error.fault {
            Fault::Absent => {
                let why = format!(
                    "a tablespace of the snapshot was in {}: make that directory again, the \
                     server's own, or make a new cluster of the snapshot (heptactl create)",
                    place.display()
                );
                BackendError::new(Fault::Permanent, error.doing, why)
            }
            _ => error,
        })?;
        remove_tree(fresh.dir.as_fd(), &fresh.name)?;
        Ok(Spot { link: fresh.path.display().to_string(), dir: fresh.dir, name: fresh.name })
    }

    /// Moves the new log to where the live one is, if that is elsewhere.
    pub fn log(&self, data: &OwnedFd, detail: &Detail) -> Result<(), BackendError> {
        let Some(place) = self.log_place()? else { return Ok(()) };
        let doing = || format!("putting the write-ahead log into {}", place.display());
        let Fresh { dir, name: fresh, path } = self.fresh(&place)?;
        remove_tree(dir.as_fd(), &fresh)?;
        let (wal, made) = (open(data, WAL).doing(doing)?, fresh.to_string_lossy());
        super::assemble::make(&dir, &made, detail)?;
        let into = open(&dir, &made).doing(doing)?;
        for file in names(&wal).doing(doing)? {
            let (reference, _) = super::super::tree::peek(&wal, &file).doing(doing)?;
            copy(reference.as_fd(), into.as_fd(), &file)?;
        }
        remove_tree(data.as_fd(), &name(WAL)?)?;
        rustix::fs::symlinkat(&path, data, WAL).doing(doing)?;
        give(data, WAL, detail).doing(doing)?;
        rustix::fs::syncfs(&dir).doing(doing)
    }

    fn log_place(&self) -> Result<Option<PathBuf>, BackendError> {
        match rustix::fs::readlinkat(&self.live.dir, WAL, Vec::new()) {
            Ok(target) => Ok(Some(OsStr::from_bytes(target.to_bytes()).into())),
            Err(Errno::INVAL) => Ok(None),
            Err(error) => Err(error).doing(|| format!("looking at {WAL}")),
        }
    }

    /// Removes what the staging has made, before anything was exchanged.
    pub fn clear(&self, detail: &Detail) -> Result<(), BackendError> {
        let live = self.live.tablespaces()?.into_iter().map(|space| space.location);
        let then = detail.tablespaces.iter().map(|space| PathBuf::from(&space.location));
        for place in live.chain(then).chain(self.log_place()?) {
            if let Some(fresh) = found(self.fresh(&place))? {
                remove_tree(fresh.dir.as_fd(), &fresh.name)?;
            }
        }
        Ok(())
    }

    fn fresh(&self, place: &Path) -> Result<Fresh, BackendError> {
        let base = base(place).unwrap_or(place);
        let dir = self.live.open_own(base)?;
        let fresh = format!("{OURS}{}", self.token.simple());
        Ok(Fresh { dir, name: name(&fresh)?, path: base.join(fresh) })
    }
}

/// The place itself, where this is a directory that a rollback made in it.
fn base(place: &Path) -> Option<&Path> {
    let ours = place.file_name()?.as_bytes().starts_with(OURS.as_bytes());
    if ours { place.parent() } else { None }
}

/// Removes what the data directory that was live, and lies at `path` now, has elsewhere. It may have
/// been done in part before.
pub fn retire(path: &Path) -> Result<(), BackendError> {
    // What has no PG_VERSION any more was begun to be removed, after what it had elsewhere.
    let Some(old) = found(Cluster::open(path))? else { return Ok(()) };
    for Tablespace { location, .. } in old.tablespaces()? {
        let version = format!("PG_{}_", old.major);
        remove_from(&old, &location, &|name| name.starts_with(&version))?;
    }
    let outside = Outside { live: &old, token: Uuid::nil() };
    match outside.log_place()? {
        Some(place) => remove_from(&old, &place, &is_log),
        None => Ok(()),
    }
}

/// A directory of an earlier rollback goes whole; of a place only what is the server's.
fn remove_from(
    old: &Cluster,
    place: &Path,
    is_the_servers: &dyn Fn(&str) -> bool,
) -> Result<(), BackendError> {
    let doing = || format!("removing what was in {}", place.display());
    if let Some(base) = base(place) {
        let Some(dir) = found(old.open_own(base))? else { return Ok(()) };
        let file = place.file_name().unwrap_or_default().as_bytes();
        let file = CString::new(file).map_err(std::io::Error::from).doing(doing)?;
        return remove_tree(dir.as_fd(), &file);
    }
    let Some(dir) = found(old.open_own(place))? else { return Ok(()) };
    for file in names(&dir).doing(doing)? {
        if file.to_str().is_ok_and(is_the_servers) {
            remove_tree(dir.as_fd(), &file)?;
        }
    }
    Ok(())
}

/// `000000010000000000000002` with or without an ending, `00000002.history`, and the directories
/// beside them.
fn is_log(name: &str) -> bool {
    let hex = |length: usize| {
        name.get(..length).is_some_and(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    hex(24) || hex(8) && name[8..] == *".history" || matches!(name, "archive_status" | "summaries")
}

/// What is gone is nothing.
fn found<T>(result: Result<T, BackendError>) -> Result<Option<T>, BackendError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.fault == Fault::Absent => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_servers_own_files_are_log() {
        for name in
            ["000000010000000000000002", "000000010000000000000003.partial", "0000000A.history"]
        {
            assert!(is_log(name), "{name}");
        }
        assert!(is_log("archive_status"));
        for name in
            ["heptad-0123456789abcdef", "lost+found", "00000001000000000000000", "x.history"]
        {
            assert!(!is_log(name), "{name}");
        }
    }

    #[test]
    fn a_second_rollback_goes_to_the_same_place_as_the_first() {
        assert_eq!(base(Path::new("/srv/space")), None);
        assert_eq!(base(Path::new("/srv/space/heptad-1")), Some(Path::new("/srv/space")));
    }
}
