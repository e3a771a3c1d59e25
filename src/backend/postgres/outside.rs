//! What a data directory has elsewhere, tablespaces and perhaps its log, while it is rolled back.
//!
//! One exchange of names cannot cover several places. So the new content of each goes into a new
//! directory *within* the old place, and the new data directory's links lead there: exchanging the
//! data directory exchanges all of it. What lies inside of the data directory is exchanged with it:
//! a link of the old one's to it leads into the new one afterwards, and nothing may be done by that
//! way.

use super::assemble::{Spot, give};
use super::cluster::{Cluster, Place, TABLESPACES, WAL};
use super::copy::{copy, is_log, name, open};
use super::detail::{Detail, Space};
use super::places::{InUse, Terrain};
use crate::domain::operation::Fault;
use crate::fs::tree::{names, peek, real_path, remove_tree};
use crate::fs::{Doing, StorageError};
use rustix::fs::{AtFlags, RenameFlags};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// How directories begin that a rollback made in a place; its token follows.
const OURS: &str = "heptad-";
/// So many of them that somebody wrote to stay in one place.
const KEPT: usize = 100;

pub(super) struct Outside<'a> {
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
    /// Where a tablespace of the snapshot goes: to where it is now or, if it was dropped, was. One
    /// that lay in the data directory belongs to that.
    pub(super) fn spot(&self, space: &Space) -> Result<Spot, StorageError> {
        let fresh = match self.place(space)? {
            Place::Inside(inside) => return Ok(Spot::Inside(inside)),
            Place::Outside(place) => self.fresh(&place).map_err(|error| match error.fault {
                Fault::Absent => {
                    let why = format!(
                        "a tablespace of the snapshot was in {}: make that directory again, the \
                         server's own, or make a new cluster of the snapshot (heptactl create)",
                        place.display()
                    );
                    StorageError::new(Fault::Permanent, error.doing, why)
                }
                _ => error,
            })?,
        };
        remove_tree(fresh.dir.as_fd(), &fresh.name)?;
        let link = fresh.path.display().to_string();
        Ok(Spot::Outside { link, dir: fresh.dir, name: fresh.name })
    }

    fn place(&self, space: &Space) -> Result<Place, StorageError> {
        if let Some(inside) = space.inside(&self.live.path) {
            return Ok(Place::Inside(inside));
        }
        if let Some(now) = self.live.tablespaces()?.into_iter().find(|now| now.oid == space.oid) {
            return Ok(now.place);
        }
        let was = Path::new(&space.location);
        let was = real_path(was).doing(|| format!("looking for {}", was.display()))?;
        Terrain::of(&self.live.path)?.lies(was)
    }

    /// Moves the new log to where the live one is, if that is elsewhere.
    pub(super) fn log(&self, data: &OwnedFd, detail: &Detail) -> Result<(), StorageError> {
        let Some(Place::Outside(place)) = self.live.log_place()? else { return Ok(()) };
        let doing = || format!("putting the write-ahead log into {}", place.display());
        let Fresh { dir, name: fresh, path } = self.fresh(&place)?;
        remove_tree(dir.as_fd(), &fresh)?;
        let (wal, made) = (open(data, WAL).doing(doing)?, fresh.to_string_lossy());
        super::assemble::make(&dir, &made, detail)?;
        let into = open(&dir, &made).doing(doing)?;
        for file in names(&wal).doing(doing)? {
            let (reference, _) = peek(&wal, &file).doing(doing)?;
            copy(reference.as_fd(), into.as_fd(), &file, &())?;
        }
        remove_tree(data.as_fd(), &name(WAL)?)?;
        rustix::fs::symlinkat(&path, data, WAL).doing(doing)?;
        give(data, WAL, detail).doing(doing)?;
        rustix::fs::syncfs(&dir).doing(doing)
    }

    /// What was made outside reaches the disk before it is used.
    pub(super) fn sync(&self, staged: &Cluster) -> Result<(), StorageError> {
        for space in staged.tablespaces()? {
            // A link into the data directory still leads to the old one, as it has no other path.
            if let Place::Outside(place) = &space.place
                && let Place::Outside(place) = Terrain::of(&self.live.path)?.lies(place.clone())?
            {
                let doing = || format!("writing {} to disk", place.display());
                rustix::fs::syncfs(&self.live.open_own(&place)?).doing(doing)?;
            }
        }
        Ok(())
    }

    /// Removes what the staging has made, before anything was exchanged.
    pub(super) fn clear(&self, detail: &Detail) -> Result<(), StorageError> {
        let made = self.made(detail)?;
        made.iter().try_for_each(|fresh| remove_tree(fresh.dir.as_fd(), &fresh.name))
    }

    /// Gives what the staging has made another name, under which no rollback looks for it, and lets
    /// the links of the `new` one lead there: somebody has written to it.
    pub(super) fn part_with(&self, new: &Cluster, detail: &Detail) -> Result<(), StorageError> {
        for Fresh { dir, name: fresh, path } in self.made(detail)? {
            let doing = || format!("keeping {}", path.display());
            if matches!(peek(&dir, &fresh), Err(Errno::NOENT)) {
                continue;
            }
            let is_free = |kept: &String| {
                name(kept).is_ok_and(|kept| matches!(peek(&dir, &kept), Err(Errno::NOENT)))
            };
            let named = |at| format!("{OURS}written-{}-{at}", self.token.simple());
            let kept = (1..KEPT).map(named).find(is_free);
            let kept = kept.ok_or_else(|| {
                StorageError::new(Fault::Permanent, doing(), "too many are there already")
            })?;
            // The links first: what they lead to is found again under the name that it has.
            relink(new, &path, &path.with_file_name(&kept), detail)?;
            let flags = RenameFlags::NOREPLACE;
            rustix::fs::renameat_with(&dir, &fresh, &dir, &*kept, flags).doing(doing)?;
            rustix::fs::fsync(&dir).doing(doing)?;
        }
        Ok(())
    }

    /// What the staging makes, in each place once. It need not be there.
    fn made(&self, detail: &Detail) -> Result<Vec<Fresh>, StorageError> {
        let live = self.live.tablespaces()?.into_iter().map(|space| space.place);
        let mut places: Vec<Place> = live.chain(self.live.log_place()?).collect();
        for space in &detail.tablespaces {
            places.push(self.place(space)?);
        }
        let mut made: Vec<Fresh> = Vec::new();
        for place in places {
            if let Place::Outside(place) = place
                && let Some(fresh) = found(self.fresh(&place))?
                && made.iter().all(|other| other.path != fresh.path)
            {
                made.push(fresh);
            }
        }
        Ok(made)
    }

    fn fresh(&self, place: &Path) -> Result<Fresh, StorageError> {
        let base = base(place).unwrap_or(place);
        let dir = self.live.open_own(base)?;
        let fresh = format!("{OURS}{}", self.token.simple());
        Ok(Fresh { dir, name: name(&fresh)?, path: base.join(fresh) })
    }
}

/// The place itself, where this is a directory that a rollback made in it.
fn base(place: &Path) -> Option<&Path> {
    let token = place.file_name()?.to_str()?.strip_prefix(OURS)?;
    let is_ours = token.len() == 32 && Uuid::try_parse(token).is_ok();
    if is_ours { place.parent() } else { None }
}

/// Lets the links of a cluster that lead to one path lead to another.
fn relink(cluster: &Cluster, from: &Path, to: &Path, detail: &Detail) -> Result<(), StorageError> {
    let spaces = cluster.tablespaces()?.into_iter();
    let links = spaces.map(|space| format!("{TABLESPACES}/{}", space.oid));
    for link in links.chain([WAL.to_owned()]) {
        let doing = || format!("keeping {link} of {}", cluster.path.display());
        if cluster.leads(&link)?.is_none_or(|(said, _)| said != from) {
            continue;
        }
        let new = format!("{link}.new");
        match rustix::fs::unlinkat(&cluster.dir, &*new, AtFlags::empty()) {
            Err(Errno::NOENT) => {}
            removed => removed.doing(doing)?,
        }
        rustix::fs::symlinkat(to, &cluster.dir, &*new).doing(doing)?;
        give(&cluster.dir, &new, detail).doing(doing)?;
        rustix::fs::renameat(&cluster.dir, &*new, &cluster.dir, &*link).doing(doing)?;
    }
    Ok(())
}

/// Removes what the data directory that was live, and lies at `path` now, has elsewhere, but
/// nothing that the new one uses. It may have been done in part before.
pub(super) fn retire(path: &Path, new: &Cluster) -> Result<(), StorageError> {
    // What lacks PG_VERSION, its links or its log by now was begun to be removed, after what it had
    // elsewhere.
    let Some(old) = found(Cluster::open(path))? else { return Ok(()) };
    let (used, now) = (InUse::of(new)?, Terrain::of(&new.path)?);
    let version = old.version_dir();
    let is_space = |name: &str| name.starts_with(&version);
    let spaces = found(old.tablespaces())?.unwrap_or_default();
    let spaces = spaces.into_iter().map(|space| (space.place, false));
    let log = found(old.log_place())?.flatten();
    for (place, is_logs) in spaces.chain(log.map(|place| (place, true))) {
        // Inside of the old one, it goes with it; a path into the new one is of the same name.
        if let Place::Outside(place) = place
            && let Place::Outside(place) = now.lies(place)?
        {
            let is_the_servers: &dyn Fn(&str) -> bool = if is_logs { &is_log } else { &is_space };
            remove_from(&old, &place, &used, is_the_servers)?;
        }
    }
    Ok(())
}

/// Only what is the server's, and of that nothing which is in use; a directory of an earlier
/// rollback goes as soon as it is empty.
fn remove_from(
    old: &Cluster,
    place: &Path,
    used: &InUse,
    is_the_servers: &dyn Fn(&str) -> bool,
) -> Result<(), StorageError> {
    let doing = || format!("removing what was in {}", place.display());
    let Some(dir) = found(old.open_own(place))? else { return Ok(()) };
    for file in names(&dir).doing(doing)? {
        if file.to_str().is_ok_and(is_the_servers) && !is_used(&dir, &file, used).doing(doing)? {
            remove_tree(dir.as_fd(), &file)?;
        }
    }
    let Some((base, made)) = base(place).zip(place.file_name()) else { return Ok(()) };
    let above = old.open_own(base)?;
    match rustix::fs::unlinkat(&above, made, AtFlags::REMOVEDIR) {
        Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
        removed => removed.doing(doing),
    }
}

fn is_used(dir: &OwnedFd, file: &CStr, used: &InUse) -> rustix::io::Result<bool> {
    match peek(dir, file) {
        Err(Errno::NOENT) => Ok(false),
        found => Ok(used.has(&found?.1)),
    }
}

/// That no tablespace lies in what a server keeps in another one: neither could go without the
/// other.
pub(super) fn expect_apart(live: &Cluster) -> Result<(), StorageError> {
    let version = live.version_dir();
    let spaces = live.tablespaces()?;
    for (inner, outer) in spaces.iter().flat_map(|one| spaces.iter().map(move |two| (one, two))) {
        let (Place::Outside(place), Place::Outside(around)) = (&inner.place, &outer.place) else {
            continue;
        };
        let Ok(rest) = place.strip_prefix(around) else { continue };
        let first = rest.components().next().map(|first| first.as_os_str().to_string_lossy());
        if first.is_some_and(|first| first.starts_with(&version)) {
            let why = format!(
                "tablespace {} lies in {}, which belongs to tablespace {}: move it to a directory of \
                 its own, or make a new cluster of the snapshot (heptactl create)",
                inner.oid,
                place.display(),
                outer.oid
            );
            let doing = format!("rolling {} back", live.path.display());
            return Err(StorageError::new(Fault::Permanent, doing, why));
        }
    }
    Ok(())
}

/// What is gone is nothing.
fn found<T>(result: Result<T, StorageError>) -> Result<Option<T>, StorageError> {
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
    fn a_second_rollback_goes_to_the_same_place_as_the_first() {
        let ours = format!("/srv/space/heptad-{}", Uuid::from_u128(7).simple());
        assert_eq!(base(Path::new(&ours)), Some(Path::new("/srv/space")));
        for users in ["/srv/space", "/srv/heptad-data", "/srv/heptad-"] {
            assert_eq!(base(Path::new(users)), None, "{users}");
        }
    }
}
