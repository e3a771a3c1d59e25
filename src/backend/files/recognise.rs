//! Any directory and any file.

use super::super::recognise::{Answer, Recognised, Seen};
use super::WORD;
use crate::domain::resource::Kind;
use crate::fs::tree::Kind as Entry;

pub(crate) fn recognise(seen: &Seen<'_>) -> Answer {
    let Seen::Entry { path, kind, .. } = seen else { return Ok(None) };
    let what = match kind {
        Entry::Dir => "a directory",
        Entry::File => "a file",
        _ => return Ok(None),
    };
    Ok(Some(Recognised::new(WORD, Kind::Disk, what, &[("path", path)])))
}
