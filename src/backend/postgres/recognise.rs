//! A data directory by its `PG_VERSION`; what lies in one is a part of it.

use super::super::recognise::{Answer, Recognised, Seen};
use super::WORD;
use super::cluster::{read, read_bytes};
use crate::domain::operation::Fault;
use crate::domain::resource::Kind;
use crate::fs::tree::{Kind as Entry, Meta, open_nosymlink};
use crate::fs::{Doing, StorageError};
use std::path::Path;

pub(crate) fn recognise(seen: &Seen<'_>) -> Answer {
    let Seen::Entry { path, .. } = seen else { return Ok(None) };
    let doing = || format!("looking at {path}");
    if let Some(version) = version(Path::new(path)).doing(doing)? {
        let what = format!("a PostgreSQL {version} data directory");
        return Ok(Some(Recognised::new(WORD, Kind::Database, &what, &[("data", path)])));
    }
    let above = Path::new(path).ancestors().skip(1);
    match above.into_iter().find(|above| version(above).is_ok_and(|found| found.is_some())) {
        Some(cluster) => {
            let cluster = cluster.display();
            let why = format!("it is a part of the PostgreSQL cluster {cluster}; protect that");
            Err(StorageError::new(Fault::Permanent, doing(), why))
        }
        None => Ok(None),
    }
}

/// Each database in a data directory has a `PG_VERSION`, too; only the cluster has the other.
fn version(path: &Path) -> std::io::Result<Option<String>> {
    let Ok(dir) = open_nosymlink(path) else { return Ok(None) };
    let is_dir = Meta::of(&dir)?.kind == Entry::Dir;
    if !is_dir || read_bytes(&dir, "global/pg_control")?.is_none() {
        return Ok(None);
    }
    Ok(read(&dir, "PG_VERSION")?.map(|version| version.trim().to_owned()))
}
