//! The file system on a disk that became larger.
//!
//! Only one case is safe to do from outside: a raw image that is an ext2, ext3 or ext4 file system
//! from its first to its last byte. Its bytes are the guest's, so e2fsprogs look at them as nobody.
//! In all other cases the guest itself grows it, and is told how.

use super::detail::Stored;
use super::domain::Format;
use super::folder::Folder;
use crate::domain::plan::binary;
use crate::fs::{Doing, Progress, StorageError};
use crate::host::process::{GRACE, Limits, Overflow, Spawn, User};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, fchown};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Who owns nothing.
const NOBODY: User = User { uid: 65_534, gid: 65_534 };
/// Where an ext file system's magic number lies: in its superblock at 1,024, at 0x38.
/// (Linux, Documentation/filesystems/ext4/super.rst.)
const MAGIC: (u64, [u8; 2]) = (1024 + 0x38, [0x53, 0xef]);
const DEADLINE: Duration = Duration::from_secs(3600);
const PRINTED: usize = 64 << 10;

/// An image that is open, and where it is.
pub(super) struct Image<'a> {
    pub file: &'a File,
    pub folder: &'a Folder,
    pub name: &'a OsStr,
    pub progress: &'a dyn Progress,
}

/// Grows the file system on an image, which is larger already, if that is safe. Returns a sentence
/// that tells what was done or is left to do. `again` makes the image anew where growing failed
/// half way.
pub(super) fn grow(
    image: &Image<'_>,
    disk: &Stored,
    size: u64,
    again: &mut dyn FnMut() -> Result<(), StorageError>,
) -> Result<String, StorageError> {
    let (name, now) = (&disk.target, binary(size));
    let inside = format!(
        "its disk {name} has {now} now; grow the file system inside the guest, for example: growpart \
         /dev/{name} 1; resize2fs /dev/{name}1 (Windows: Disk Management, Extend Volume)"
    );
    if disk.format != Format::Raw || !is_ext(image.file).doing(|| format!("reading disk {name}"))? {
        return Ok(inside);
    }
    match run(image) {
        Ok(()) => Ok(format!("its disk {name} has {now} now, and so has its file system")),
        Err(why) => {
            image.progress.wanted()?;
            again()?;
            Ok(format!("{inside}; it could not be done from outside: {why}"))
        }
    }
}

fn is_ext(file: &File) -> std::io::Result<bool> {
    let mut magic = [0; 2];
    file.read_exact_at(&mut magic, MAGIC.0)?;
    Ok(magic == MAGIC.1)
}

fn run(image: &Image<'_>) -> Result<(), String> {
    let said = |error: std::io::Error| error.to_string();
    let dir = Arc::new(image.folder.dir.try_clone().map_err(said)?);
    let root = nix::unistd::geteuid().is_root();
    if root {
        fchown(image.file, Some(NOBODY.uid), Some(NOBODY.gid)).map_err(said)?;
    }
    // Whoever owns the directory could exchange it: nobody has no power over what is there then.
    let mut path = OsString::from(format!("/proc/self/fd/{}/", dir.as_raw_fd()));
    path.push(image.name);
    // Whether the file system was closed properly; it replays a journal, as after a power cut.
    let wanted = || image.progress.is_wanted();
    tool("/usr/sbin/e2fsck", &["-f", "-p"], &path, (&dir, root, 1), &wanted)?;
    tool("/usr/sbin/resize2fs", &[], &path, (&dir, root, 0), &wanted)
}

fn tool(
    program: &str,
    args: &[&str],
    image: &OsString,
    (dir, root, best): (&Arc<OwnedFd>, bool, i32),
    wanted: &dyn Fn() -> bool,
) -> Result<(), String> {
    let limits = Limits {
        deadline: DEADLINE,
        grace: GRACE,
        stdout: PRINTED,
        stderr: PRINTED,
        overflow: Overflow::Discard,
    };
    let mut all: Vec<OsString> = args.iter().map(OsString::from).collect();
    all.push(image.clone());
    let spawn = Spawn {
        args: all,
        user: root.then_some(NOBODY),
        dir: Some(Arc::clone(dir)),
        ..Spawn::new(Path::new(program), limits)
    };
    let finished = spawn.run_while(Some(wanted)).map_err(|error| error.to_string())?;
    match finished.status.code() {
        Some(code) if code <= best && !finished.timed_out => Ok(()),
        _ => Err(format!("{program}: {} ({})", finished.stderr.first_lines(2), finished.status)),
    }
}
