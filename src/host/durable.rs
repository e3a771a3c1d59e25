//! The one durable write: after a power cut a file is there whole, as it was or as it is to be.

use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Makes a file's content, or a directory's entries, durable.
pub fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Gives the file at `path` this content, whether or not there was one. It is private.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let stage = staged(path, content)?;
    std::fs::rename(&stage, path)?;
    sync(above(path))
}

/// Makes a private file at `path`.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] where something is there.
pub fn create(path: &Path, content: &[u8]) -> io::Result<()> {
    let stage = staged(path, content)?;
    if let Err(error) = renameat_with(CWD, &stage, CWD, path, RenameFlags::NOREPLACE) {
        std::fs::remove_file(&stage)?;
        return Err(error.into());
    }
    sync(above(path))
}

/// Removes a file; one that is gone already is success.
pub fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        // Also when it was gone: nothing says that its end was durable.
        _ => sync(above(path)),
    }
}

/// Where the content of `path` lies until it is whole. A crash can leave it; the next try takes it.
pub fn stage(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".new");
    path.with_file_name(name)
}

fn staged(path: &Path, content: &[u8]) -> io::Result<PathBuf> {
    let stage = stage(path);
    match std::fs::remove_file(&stage) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&stage)?;
    file.write_all(content)?;
    file.sync_all()?;
    Ok(stage)
}

fn above(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if dir.as_os_str().is_empty() => Path::new("."),
        Some(dir) => dir,
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_whole_whatever_an_earlier_try_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("note");
        let check = |did: io::Result<()>, want: Result<(), ErrorKind>, content: &str| {
            assert_eq!(did.map_err(|error| error.kind()), want);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
            let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
            assert_eq!(names.len(), 1, "{names:?}");
        };
        std::fs::write(stage(&path), "half of some").unwrap();
        check(create(&path, b"one"), Ok(()), "one");
        check(create(&path, b"two"), Err(ErrorKind::AlreadyExists), "one");
        std::fs::write(stage(&path), "half of some").unwrap();
        check(replace(&path, b"three"), Ok(()), "three");
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert!(!path.exists());
    }
}
