//! Where the parts of a cluster lie that links lead to: its tablespaces, perhaps its log.
//!
//! What lies inside of the data directory, whatever way a link takes to it, belongs to that tree:
//! it is copied, restored and exchanged with it, and the path that its link names is of no use in
//! another tree. So places are compared by file system and path within it, as bind mounts and
//! symbolic links lead to one place by several names.

use super::super::options::OptionFinding;
use super::cluster::{Cluster, Place, WAL};
use crate::domain::operation::Fault;
use crate::fs::tree::{Meta, open_nosymlink, real_path};
use crate::fs::{Doing, StorageError};
use crate::host::holders::{self, place};
use crate::host::mounts::Mounts;
use rustix::io::Errno;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A data directory among the mounts, to compare places with.
pub(super) struct Terrain {
    mounts: Mounts,
    data: Option<holders::Place>,
}

impl Terrain {
    pub(super) fn of(data: &Path) -> Result<Self, StorageError> {
        let doing = || format!("looking where {} lies", data.display());
        let mounts = Mounts::read()
            .map_err(|error| StorageError::new(Fault::Permanent, doing(), error.to_string()))?;
        let data = place(&mounts, data);
        Ok(Self { mounts, data })
    }

    /// Of a real path.
    pub(super) fn lies(&self, path: PathBuf) -> Result<Place, StorageError> {
        let there = place(&self.mounts, &path);
        let Some(((device, data), (other, there))) = self.data.as_ref().zip(there.as_ref()) else {
            return Ok(Place::Outside(path));
        };
        match there.strip_prefix(data) {
            Ok(inside) if device == other => match inside.to_str() {
                Some(inside) => Ok(Place::Inside(inside.to_owned())),
                None => {
                    let why = "it lies in the data directory, and its name is not UTF-8: give it \
                               another";
                    let doing = format!("looking at {}", path.display());
                    Err(StorageError::new(Fault::Permanent, doing, why))
                }
            },
            _ => Ok(Place::Outside(path)),
        }
    }
}

impl Cluster {
    /// What a link of the data directory's says and where it leads; `None` for what is no link.
    pub(super) fn leads(&self, link: &str) -> Result<Option<(PathBuf, Place)>, StorageError> {
        let doing = || format!("looking at {link} of {}", self.path.display());
        let said = match rustix::fs::readlinkat(&self.dir, link, Vec::new()) {
            Err(Errno::INVAL | Errno::NOENT) => return Ok(None),
            said => PathBuf::from(OsStr::from_bytes(said.doing(doing)?.to_bytes())),
        };
        let above = self.path.join(link);
        let path = above.parent().unwrap_or(&self.path).join(&said);
        let place = Terrain::of(&self.path)?.lies(real_path(&path).doing(doing)?)?;
        Ok(Some((said, place)))
    }

    /// Where the log lies, if `pg_wal` is a link.
    pub(super) fn log_place(&self) -> Result<Option<Place>, StorageError> {
        Ok(self.leads(WAL)?.map(|(_, place)| place))
    }
}

/// What people should know of where the parts of a cluster lie.
pub(super) fn oddities(data: &Path) -> Vec<OptionFinding> {
    let odd = |problem: String, hint: &str| OptionFinding {
        key: "data".into(),
        problem,
        hint: hint.into(),
    };
    let Ok(cluster) = Cluster::open(data) else { return Vec::new() };
    let mut found = Vec::new();
    if let Err(error) = cluster.expect_whole() {
        found.push(odd(error.to_string(), "until then nothing is taken of it"));
    }
    for space in cluster.tablespaces().unwrap_or_default() {
        if let Place::Inside(inside) = &space.place {
            let problem = format!("has tablespace {} in itself, at {inside}", space.oid);
            found.push(odd(problem, INSIDE));
        }
    }
    if let Ok(Some(Place::Inside(inside))) = cluster.log_place() {
        found.push(odd(format!("has its write-ahead log at {inside}, by a link"), INSIDE));
    }
    found
}

const INSIDE: &str = "it is taken, rolled back and restored with the data directory; PostgreSQL warns \
                      of such a place, and other tools may miss it: better use one outside";

/// What a cluster uses, and every directory above it: none of it may be removed.
pub(super) struct InUse(HashSet<((u32, u32), u64)>);

impl InUse {
    pub(super) fn of(cluster: &Cluster) -> Result<Self, StorageError> {
        let mut places = vec![cluster.path.clone()];
        let spaces = cluster.tablespaces()?.into_iter().map(|space| space.place);
        for place in spaces.chain(cluster.log_place()?) {
            places.push(place.path(&cluster.path));
        }
        let mut used = HashSet::new();
        for dir in places.iter().flat_map(|place| place.ancestors()) {
            let meta = Meta::of(open_nosymlink(dir)?);
            let meta = meta.doing(|| format!("looking at {}", dir.display()))?;
            used.insert((meta.dev, meta.ino));
        }
        Ok(Self(used))
    }

    pub(super) fn has(&self, meta: &Meta) -> bool {
        self.0.contains(&(meta.dev, meta.ino))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_real_as_far_as_it_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        std::fs::create_dir(dir.join("data")).unwrap();
        std::os::unix::fs::symlink("data", dir.join("link")).unwrap();
        let check = |path: &str, want: &str| {
            assert_eq!(real_path(&dir.join(path)).unwrap(), dir.join(want), "{path}");
        };
        check("link", "data");
        check("link/ts/16385", "data/ts/16385");
        check("data/../link/x", "data/x");
        let ground = Terrain::of(&dir.join("data")).unwrap();
        assert_eq!(ground.lies(dir.join("data/a/b")).unwrap(), Place::Inside("a/b".into()));
        assert_eq!(ground.lies(dir.join("data")).unwrap(), Place::Inside(String::new()));
        for other in ["data2", "link2/data", "dat"] {
            assert_eq!(ground.lies(dir.join(other)).unwrap(), Place::Outside(dir.join(other)));
        }
    }
}
