//! One daemon per state directory: a lock that ends with its holder, however that ends.

use rustix::fs::{FlockOperation, Mode, OFlags};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it. Its number is unknown only in the moment in which it starts.
    #[error("{}", already(path, *pid))]
    AlreadyRunning { path: PathBuf, pid: Option<u32> },
    #[error("cannot lock {path}: {source}", path = path.display())]
    Io { path: PathBuf, source: std::io::Error },
}

fn already(path: &Path, pid: Option<u32>) -> String {
    let holder = pid.map_or("another process".into(), |pid| format!("process {pid}"));
    format!("heptad is already running: {holder} holds {}", path.display())
}

/// Held until dropped, or until the process is gone. The file stays: removing it would let two
/// processes lock two files of one name.
#[derive(Debug)]
pub struct InstanceLock {
    _file: File,
}

impl InstanceLock {
    /// Locks `path` at once or not at all, and writes this process's number into it, if there is
    /// room.
    ///
    /// # Errors
    /// [`LockError::AlreadyRunning`] with the holder's number.
    pub fn acquire(path: &Path) -> Result<Self, LockError> {
        let refuse = |source: std::io::Error| LockError::Io { path: path.into(), source };
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mode = Mode::RUSR | Mode::WUSR;
        let opened = rustix::fs::open(path, flags, mode).map_err(|e| refuse(e.into()))?;
        let mut file = File::from(opened);
        // A lock of the open file, not of the process: another descriptor of the same file that
        // is closed in this process does not end it.
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(LockError::AlreadyRunning {
                    path: path.into(),
                    pid: holder(&mut file),
                });
            }
            Err(error) => return Err(refuse(error.into())),
        }
        // The lock is the lock; whose it is is only told. A full disk is no reason not to start.
        let told = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        if let Err(error) = told {
            tracing::debug!(%error, "the lock does not say whose it is");
        }
        Ok(Self { _file: file })
    }
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_holds_it_and_gets_it_once_that_one_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        std::fs::write(&path, "a longer text that an earlier holder left\n").unwrap();
        let first = InstanceLock::acquire(&path).unwrap();
        let error = InstanceLock::acquire(&path).unwrap_err();
        let pid = std::process::id();
        let told = format!("heptad is already running: process {pid} holds {}", path.display());
        assert_eq!(error.to_string(), told);
        drop(first);
        InstanceLock::acquire(&path).unwrap();
    }

    #[test]
    fn a_link_in_its_place_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        std::fs::write(&target, "precious").unwrap();
        let path = dir.path().join("lock");
        std::os::unix::fs::symlink(&target, &path).unwrap();
        let error = InstanceLock::acquire(&path).unwrap_err();
        assert!(matches!(error, LockError::Io { .. }), "{error}");
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
    }
}
