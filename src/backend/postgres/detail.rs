//! What this backend remembers in the manifest, the cheap look that a listing takes, and the full
//! measure that verifying takes.

use super::WORD;
use super::cluster::Tablespace;
use super::copy::DIR;
use super::copy::{LABEL, open};
use super::mains::Mains;
use super::proof::proof;
use crate::domain::snapshot::Content;
use crate::domain::told::{Engine, Told};
use crate::fs::fnv::{self, fnv};
use crate::fs::subvolume::Subvolume;
use crate::fs::tree::{Kind, Meta, below, open_file, walk};
use crate::fs::{Doing, StorageError};
use crate::store::{Item, Seal};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use uuid::Uuid;

/// The first number that is given to what users make (`FirstNormalObjectId`, access/transam.h).
const FIRST_OF_USERS: u64 = 16_384;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Detail {
    pub major: u32,
    /// The cluster's own identifier, drawn by initdb.
    pub system: u64,
    pub uid: u32,
    pub gid: u32,
    pub port: u16,
    pub tablespaces: Vec<Space>,
    /// Where the log lay, if that was in the data directory by way of a link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// Where the configuration begins. Snapshots from before this was noted have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Mains>,
    /// Where the copy is a btrfs snapshot: what of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subvolume: Option<Uuid>,
    pub measure: Measure,
    /// How `data` and `data/global/pg_control` look.
    pub look: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Space {
    pub oid: String,
    /// Where it was.
    pub location: String,
    /// The same from the data directory, if it was inside. Its content lies among the tablespaces
    /// all the same. Snapshots from before this was noted have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<String>,
}

impl Space {
    /// Where in a data directory it belongs, if it does; `live` is where the original is.
    pub(super) fn inside(&self, live: &Path) -> Option<String> {
        let noted =
            || Path::new(&self.location).strip_prefix(live).ok()?.to_str().map(str::to_owned);
        self.inside.clone().or_else(noted)
    }
}

impl From<Tablespace> for Space {
    fn from(space: Tablespace) -> Self {
        let inside = space.place.inside().map(str::to_owned);
        Self { oid: space.oid, location: space.location.display().to_string(), inside }
    }
}

/// Data, tablespaces and log of one snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Measure {
    /// Files of users' tables and indexes, and their bytes.
    pub relations: u64,
    pub relation_bytes: u64,
    /// Of all entries: path, kind, mode, owner, size, time of modification.
    pub digest: u64,
    /// The same of what lies beside them, and of its bytes: the configuration, and where a server
    /// begins to recover. Snapshots from before this was noted have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<u64>,
}

impl Measure {
    /// Whether this, which was noted, is of what `is` there now.
    pub(super) fn is_of(&self, is: &Self) -> bool {
        let Self { relations, relation_bytes, digest, beside } = is;
        (self.relations, self.relation_bytes, self.digest) == (*relations, *relation_bytes, *digest)
            && (self.beside.is_none() || self.beside == *beside)
    }
}

impl Seal for Detail {
    /// A cluster without a table of any user is empty, however large its own catalogues are.
    fn content(&self) -> Content {
        let Measure { relations, relation_bytes, .. } = self.measure;
        Content { empty: relations == 0, entries: Some(relations), bytes: Some(relation_bytes) }
    }

    /// A few looks, whatever its size.
    fn matches(&self, dir: &Path) -> Result<bool, StorageError> {
        let doing = || format!("looking at {}", dir.display());
        let dir = std::fs::File::open(dir).doing(doing)?;
        if let Some(source) = self.subvolume {
            let data = Subvolume::open(&dir, "data").doing(doing)?;
            return Ok(data.is_some_and(|data| data.is_untouched() && data.parent() == source));
        }
        match look(&dir) {
            Ok(look) => Ok(look == self.look),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error).doing(doing),
        }
    }

    fn told(&self, item: &Item) -> Result<Told, StorageError> {
        let engine = Some(engine(self.major));
        Ok(Told { engine, proof: proof(item)?, ..Told::default() })
    }
}

/// What the data is of, as people are told it.
pub(super) fn engine(major: u32) -> Engine {
    Engine { name: WORD.into(), version: major.to_string() }
}

pub(super) fn look(dir: impl AsFd) -> rustix::io::Result<String> {
    let mut text = String::new();
    for path in ["data", "data/global/pg_control"] {
        let (_, meta) = below(&dir, path.as_bytes())?;
        let size = if meta.kind == Kind::File { meta.size } else { 0 };
        let part = format!("{} {:o} {size} {} ", meta.kind.letter(), meta.mode, meta.mtime);
        text.push_str(&part);
    }
    Ok(text.trim_end().to_owned())
}

/// Walks all of it; only of what is small the bytes themselves are read.
pub(super) fn measure(dir: &OwnedFd) -> Result<Measure, StorageError> {
    let mut measure = Measure { digest: fnv::START, ..Measure::default() };
    for part in ["data", "tablespaces", "wal"] {
        let root = match open(dir, part) {
            Err(Errno::NOENT) => continue,
            root => root.doing(|| format!("opening {part}"))?,
        };
        walk(&root, &mut |path, meta| {
            measure.digest = digest(measure.digest, part, path, meta);
            if meta.kind == Kind::File && is_relation(part, path) {
                measure.relations += 1;
                measure.relation_bytes += meta.size;
            }
            Ok(())
        })?;
    }
    measure.beside = Some(beside(dir)?);
    Ok(measure)
}

fn beside(dir: &OwnedFd) -> Result<u64, StorageError> {
    let mut seed = fnv::START;
    for part in [DIR, LABEL] {
        let doing = || format!("reading {part}");
        let root = match below(dir, part.as_bytes()) {
            Err(Errno::NOENT) => continue,
            found => found.doing(doing)?.0,
        };
        walk(&root, &mut |path, meta| {
            seed = digest(seed, part, path, meta);
            if meta.kind == Kind::File {
                let file = match path {
                    b"" => root.try_clone().doing(doing)?,
                    path => below(&root, path).doing(doing)?.0,
                };
                let mut bytes = Vec::new();
                let mut file = std::fs::File::from(open_file(file).doing(doing)?);
                file.read_to_end(&mut bytes).doing(doing)?;
                seed = fnv(seed, bytes);
            }
            Ok(())
        })?;
    }
    Ok(seed)
}

/// Who could forge it could forge the manifest too.
fn digest(seed: u64, part: &str, path: &[u8], meta: &Meta) -> u64 {
    let Meta { kind, mode, uid, gid, mtime, .. } = meta;
    let size = if *kind == Kind::File { meta.size } else { 0 };
    let text = format!("{part} {} {mode:o} {uid} {gid} {size} {mtime} ", kind.letter());
    fnv(seed, text.bytes().chain(path.iter().copied()).chain([0]))
}

/// `base/DATABASE/NUMBER[.N]`, or `OID/PG_VERSION/DATABASE/NUMBER[.N]` among the tablespaces.
fn is_relation(part: &str, path: &[u8]) -> bool {
    let Ok(path) = std::str::from_utf8(path) else { return false };
    let words: Vec<&str> = path.split('/').collect();
    let file = match (part, words.as_slice()) {
        ("data", ["base", database, file]) if number(database).is_some() => file,
        // A tablespace without a link.
        ("data", ["pg_tblspc", _, _, database, file]) if number(database).is_some() => file,
        ("tablespaces", [_, _, database, file]) if number(database).is_some() => file,
        _ => return false,
    };
    let main = file.split_once('.').map_or(*file, |(main, _)| main);
    number(main).is_some_and(|number| number >= FIRST_OF_USERS)
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_users_tables_are_content() {
        let check = |part: &str, path: &str, want: bool| {
            assert_eq!(is_relation(part, path.as_bytes()), want, "{part}/{path}");
        };
        check("data", "base/5/16384", true);
        check("data", "base/5/16384.1", true);
        check("data", "base/5/16384_fsm", false);
        check("data", "base/5/16384_init", false);
        check("data", "base/5/2619", false);
        check("data", "base/pgsql_tmp/16384", false);
        check("data", "global/16384", false);
        check("data", "pg_tblspc/16385/PG_15_202209061/5/16390", true);
        check("tablespaces", "16385/PG_15_202209061/5/16390", true);
        check("wal", "000000010000000000000002", false);
    }
}
