//! What is remembered in the store of a program that had the database by another name: when it has
//! ended, nothing else tells that its log may lie there.

use crate::fs::tree::Meta;
use crate::fs::{Doing, StorageError};
use crate::host::durable;
use crate::host::sharers::Name;
use crate::store::Store;
use std::io::ErrorKind;
use std::path::PathBuf;

/// No number, so no snapshot.
const APART: &str = "apart";

pub(super) fn path(store: &Store) -> PathBuf {
    store.dir().join(APART)
}

#[derive(Debug)]
pub(super) struct Memory {
    /// Where this process can look, too.
    pub name: Option<Name>,
    pub fact: String,
}

/// Of the file that is live now.
pub(super) fn note(
    store: &Store,
    file: &Meta,
    name: Option<&Name>,
    fact: &str,
) -> Result<(), StorageError> {
    if recall(store, file)?.is_some_and(|known| known.fact == fact) {
        return Ok(());
    }
    store.make()?;
    let place = name.filter(|name| name.is_here()).and_then(|name| name.path.to_str());
    let place = place.unwrap_or_default();
    let (path, text) = (path(store), format!("{}\n{place}\n{fact}\n", told_apart(file)));
    durable::replace(&path, text.as_bytes()).doing(|| format!("writing {}", path.display()))
}

/// What was noted of this very file.
pub(super) fn recall(store: &Store, file: &Meta) -> Result<Option<Memory>, StorageError> {
    let path = path(store);
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text.doing(|| format!("reading {}", path.display()))?,
    };
    let mut lines = text.splitn(3, '\n');
    let (of, place, fact) = (lines.next(), lines.next(), lines.next().unwrap_or_default());
    let name = place.filter(|place| !place.is_empty()).map(|place| Name::here(place.into()));
    let known = of == Some(&*told_apart(file));
    Ok(known.then(|| Memory { name, fact: fact.trim_end().to_owned() }))
}

/// It is used as it should be.
pub(super) fn forget(store: &Store) -> Result<(), StorageError> {
    let path = path(store);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.doing(|| format!("removing {}", path.display())),
    }
}

/// From files that had the number before.
fn told_apart(file: &Meta) -> String {
    let born = file.btime.map(|born| format!(" {born}")).unwrap_or_default();
    format!("{}{born}", file.ino)
}
