//! The copies that will replace the live images, each beside its own.

use super::super::folder::{Folder, dress};
use super::super::image;
use crate::domain::operation::Fault;
use crate::fs::growth::allocated;
use crate::fs::tree::{Kind, Tell, begin_like, end_like};
use crate::fs::{Doing, Progress, StorageError};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// How the names of an order's copies begin.
fn prefix(token: Uuid) -> String {
    format!(".heptad-{}-", token.simple())
}

/// Removes the copies that an earlier try of the order, which was killed, left beside the images.
pub(super) fn sweep(token: Uuid, images: &[PathBuf]) -> Result<(), StorageError> {
    let prefix = prefix(token);
    for dir in images.iter().filter_map(|image| image.parent()).collect::<BTreeSet<_>>() {
        let folder = Folder::open(dir)?;
        let names = folder.names()?.into_iter();
        // What somebody wrote to has a longer name.
        let is_number = |rest: &[u8]| rest.iter().all(u8::is_ascii_digit);
        let ours = |name: &OsString| {
            name.as_bytes().strip_prefix(prefix.as_bytes()).is_some_and(is_number)
        };
        for name in names.filter(ours) {
            folder.remove(&name)?;
        }
    }
    Ok(())
}

/// Makes all copies, durably, each beside what it will replace.
pub(super) fn stage(
    token: Uuid,
    places: &[(PathBuf, PathBuf)],
    progress: &dyn Progress,
) -> Result<Vec<(PathBuf, PathBuf)>, StorageError> {
    let prefix = prefix(token);
    let staged = |at: usize, live: &Path| live.with_file_name(format!("{prefix}{at}"));
    let renames: Vec<(PathBuf, PathBuf)> =
        places.iter().enumerate().map(|(at, (_, live))| (staged(at, live), live.clone())).collect();
    let total: u64 = places.iter().map(|(stored, _)| allocated(stored, &false.into())).sum();
    let mut done = 0;
    for ((stored, live), (new, _)) in places.iter().zip(&renames) {
        let mut tell = |bytes| {
            done += bytes;
            progress.report(done, Some(total.max(done)));
            progress.is_wanted()
        };
        let copied = progress.wanted().and_then(|()| copy(stored, live, new, &mut tell));
        if let Err(error) = copied {
            discard(&renames);
            return Err(error);
        }
    }
    Ok(renames)
}

/// With owner, group, rights and attributes of the live one.
fn copy(stored: &Path, live: &Path, new: &Path, tell: Tell<'_>) -> Result<(), StorageError> {
    let doing = || format!("making {}", new.display());
    let (folder, name) = Folder::around(new)?;
    let was = folder.look(live.file_name().unwrap_or_default())?;
    if was.kind != Kind::File {
        let why = format!("{} is {}, not an image file", live.display(), was.kind.words());
        return Err(StorageError::new(Fault::Permanent, doing(), why));
    }
    let live = folder.open_file(live.file_name().unwrap_or_default())?;
    let file = folder.create(name)?;
    begin_like(&live, &file).doing(doing)?;
    image::fill(&image::open(stored)?, &file, tell).doing(doing)?;
    end_like(&live, &file).doing(doing)?;
    dress(&file, was.uid, was.gid, was.mode & 0o777).doing(doing)?;
    file.sync_all().doing(doing)?;
    folder.sync()
}

pub(super) fn discard(renames: &[(PathBuf, PathBuf)]) {
    for (new, _) in renames {
        // What cannot be removed is in the way of the next try, and is told then.
        let _ = Folder::around(new).and_then(|(folder, name)| folder.remove(name));
    }
}
