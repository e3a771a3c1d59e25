//! An SQLite database by its header; the files beside one are parts of it.

use super::super::recognise::{Answer, Recognised, Seen};
use super::WORD;
use crate::domain::operation::Fault;
use crate::domain::resource::Kind;
use crate::fs::tree::{Meta, open_nosymlink};
use crate::fs::{Doing, StorageError};
use std::path::Path;

/// The beginning of every database (the file format, section 1.3).
const HEADER: &[u8] = b"SQLite format 3\0";
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

pub(crate) fn recognise(seen: &Seen<'_>) -> Answer {
    let Seen::Entry { path, .. } = seen else { return Ok(None) };
    let doing = || format!("looking at {path}");
    if seen.head(HEADER.len()).doing(doing)? == HEADER {
        let options = [("path", *path)];
        return Ok(Some(Recognised::new(WORD, Kind::Database, "an SQLite database", &options)));
    }
    let bases = BESIDE.iter().filter_map(|ending| path.strip_suffix(ending));
    match bases.into_iter().find(|base| is_database(base)) {
        Some(base) => {
            let why = format!("it is a part of the SQLite database {base}; protect that");
            Err(StorageError::new(Fault::Permanent, doing(), why))
        }
        None => Ok(None),
    }
}

/// # Errors
/// [`Fault::Permanent`] for a file that does not begin as a database does.
pub(super) fn expect(path: &Path) -> Result<(), StorageError> {
    let head = beginning(path)?;
    if head.is_empty() || head == HEADER {
        return Ok(());
    }
    let why = format!(
        "{} is not an SQLite database, or an encrypted one; name the database's file, or protect it \
         as files",
        path.display()
    );
    Err(StorageError::new(Fault::Permanent, doing(path), why))
}

fn is_database(path: &str) -> bool {
    beginning(Path::new(path)).is_ok_and(|head| head == HEADER)
}

/// As much of a file as the header takes.
fn beginning(path: &Path) -> Result<Vec<u8>, StorageError> {
    let reference = open_nosymlink(path)?;
    let kind = Meta::of(&reference).doing(|| doing(path))?.kind;
    Seen::Entry { path: "", reference, kind }.head(HEADER.len()).doing(|| doing(path))
}

fn doing(path: &Path) -> String {
    format!("looking at {}", path.display())
}
