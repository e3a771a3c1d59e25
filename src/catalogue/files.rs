//! The files around the catalogue: its directory, its modes, and where damaged ones go.
//!
//! The catalogue itself is never opened here while SQLite has it open: POSIX drops a process's
//! locks on a file as soon as that process closes any descriptor of it.

use super::error::{CatalogueError, Result};
use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The catalogue's file name in its directory.
pub const FILE: &str = "catalogue.sqlite";

/// What SQLite may put beside it; the main file comes first.
const PARTS: [&str; 4] = ["", "-wal", "-journal", "-shm"];

/// So many damaged ones may lie there.
const SET_ASIDE: u32 = 1000;

/// Makes the directory if need be, and closes it and the file to everybody else.
pub(super) fn prepare(dir: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(CatalogueError::files("make the directory", dir))?;
    restrict(dir, 0o700)?;
    for part in PARTS {
        let path = beside(&dir.join(FILE), part);
        if exists(&path)? {
            restrict(&path, 0o600)?;
        }
    }
    Ok(())
}

fn restrict(path: &Path, mode: u32) -> Result<()> {
    let refuse = CatalogueError::files("close to others", path);
    let found = std::fs::symlink_metadata(path).map_err(&refuse)?;
    if found.is_symlink() || found.permissions().mode() & 0o777 == mode {
        return Ok(());
    }
    std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(refuse)
}

/// Options for a file that only its owner may read; never through a symbolic link.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    let no_follow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    options.write(true).mode(0o600).custom_flags(no_follow);
    options
}

pub(super) fn exists(path: &Path) -> Result<bool> {
    match std::fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(CatalogueError::files("look for", path)(error)),
    }
}

/// The first `N` bytes; none if the file is shorter.
pub(super) fn head<const N: usize>(path: &Path) -> Result<Option<[u8; N]>> {
    let refuse = CatalogueError::files("read", path);
    let mut head = [0; N];
    let no_follow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let mut options = OpenOptions::new();
    let mut file = options.read(true).custom_flags(no_follow).open(path).map_err(&refuse)?;
    match file.read_exact(&mut head) {
        Ok(()) => Ok(Some(head)),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(refuse(error)),
    }
}

/// Whether a log with something in it lies there.
pub(super) fn has_log(path: &Path) -> Result<bool> {
    for part in ["-wal", "-journal"] {
        let log = beside(path, part);
        match std::fs::symlink_metadata(&log) {
            Ok(found) if found.len() > 0 => return Ok(true),
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(CatalogueError::files("look for", &log)(error));
            }
            _ => {}
        }
    }
    Ok(false)
}

/// `catalogue.sqlite` with `-wal` and the like.
pub(super) fn beside(path: &Path, part: &str) -> PathBuf {
    let mut whole = path.as_os_str().to_owned();
    whole.push(part);
    whole.into()
}

/// Renames the catalogue and its log to the first free `catalogue.sqlite.damaged-N`. The main file
/// goes first: a log alone is recognised, a catalogue that lost its log would be believed.
pub(super) fn set_aside(path: &Path) -> Result<PathBuf> {
    for number in 1..=SET_ASIDE {
        let target = beside(path, &format!(".damaged-{number}"));
        let taken = PARTS.iter().map(|part| exists(&beside(&target, part)));
        if taken.collect::<Result<Vec<_>>>()?.contains(&true) {
            continue;
        }
        for part in PARTS {
            let from = beside(path, part);
            if exists(&from)? {
                rename(&from, &beside(&target, part))?;
            }
        }
        return Ok(target);
    }
    let many = std::io::Error::other("too many damaged ones lie beside it: move them away");
    Err(CatalogueError::files("set aside", path)(many))
}

/// Renames durably.
pub(super) fn rename(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to).map_err(CatalogueError::files("rename", from))?;
    let dir = to.parent().filter(|dir| !dir.as_os_str().is_empty());
    sync(dir.unwrap_or(Path::new(".")))
}

/// Makes a file's content, or a directory's entries, durable.
pub(super) fn sync(path: &Path) -> Result<()> {
    let file = std::fs::File::open(path).and_then(|file| file.sync_all());
    file.map_err(CatalogueError::files("make durable", path))
}

/// Removes what an interrupted attempt of our own left.
pub(super) fn clear(path: &Path) -> Result<()> {
    for part in PARTS {
        let path = beside(path, part);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(CatalogueError::files("remove", &path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}
