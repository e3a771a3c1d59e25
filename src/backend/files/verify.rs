//! Comparing a stored tree with its index, entry by entry.

use super::INDEX;
use super::detail::{Detail, data};
use super::index::Reader;
use crate::domain::operation::Fault;
use crate::domain::snapshot::Content;
use crate::fs::tree::{Kind, Meta, add_bytes, shown, walk};
use crate::fs::{Doing, StorageError};
use crate::store::{Item, Seal, remember};
use std::path::Path;

/// # Errors
/// [`Fault::Permanent`] with the first path that is not as it was stored.
pub(super) fn verify(item: &Item) -> Result<Content, StorageError> {
    let compared = compare(&item.path).and_then(|content| match Detail::of(&item.manifest) {
        Some(detail) if detail.content() == content => Ok(content),
        _ => Err(differs(&item.path, "its manifest says something else than its index")),
    });
    remember(&item.path, compared)
}

fn differs(dir: &Path, what: impl Into<String>) -> StorageError {
    StorageError::new(Fault::Identity, verifying(dir), what)
}

fn verifying(dir: &Path) -> String {
    format!("verifying {}", dir.display())
}

/// Walks tree and index side by side, up to the first difference.
fn compare(dir: &Path) -> Result<Content, StorageError> {
    let differs = |what: String| differs(dir, what);
    let root = match data(dir) {
        Err(rustix::io::Errno::NOENT) => return Err(differs("its data is gone".into())),
        root => root.doing(|| verifying(dir))?,
    };
    let mut index = match Reader::open(&dir.join(INDEX)) {
        Err(error) if error.fault != Fault::Transient => return Err(differs(error.detail)),
        index => index?,
    };
    let (mut entries, mut bytes, mut of_files) = (0, 0, false);
    walk(&root, &mut |path, is| {
        let line = index.next().map_err(|error| differs(error.detail))?;
        let Some(line) = line.filter(|line| line.path == path) else {
            return Err(differs(format!("{} is there in place of another entry", shown(path))));
        };
        if let Some(what) = line.difference(is) {
            return Err(differs(format!("{} has changed: {what}", shown(path))));
        }
        (entries, bytes, of_files) = count(path, is, entries, bytes);
        Ok(())
    })?;
    match index.next() {
        Ok(None) => {}
        Ok(Some(line)) => return Err(differs(format!("{} is missing", shown(&line.path)))),
        Err(error) => return Err(differs(error.detail)),
    }
    let empty = if of_files { bytes == 0 } else { entries == 0 };
    Ok(Content { empty, entries: Some(entries), bytes: Some(bytes) })
}

/// As the copier counts: the root of a tree is no entry. The last value is whether the root,
/// which comes last, is a single file.
fn count(path: &[u8], is: &Meta, entries: u64, bytes: u64) -> (u64, u64, bool) {
    let is_file = is.kind == Kind::File;
    let entries = entries + u64::from(!path.is_empty() || is_file);
    (entries, if is_file { add_bytes(bytes, is.size) } else { bytes }, is_file)
}
