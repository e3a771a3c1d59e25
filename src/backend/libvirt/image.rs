//! Image files: looking into one, sharing or copying its bytes, making it larger.
//!
//! Every call of qemu-img names the format, and none writes to an image that a guest may have open.

use super::domain::Format;
use crate::domain::operation::Fault;
use crate::fs::tree::{Tell, copy_data, disinherit, share_data};
use crate::fs::{Doing, Progress, StorageError};
use crate::host::process::{Finished, GRACE, Limits, Overflow, Spawn};
use rustix::fs::{IFlags, OFlags, Stat};
use serde_json::Value;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

const PROGRAM: &str = "/usr/bin/qemu-img";
/// The beginning of every image in this format.
pub(super) const QCOW2: &[u8] = b"QFI\xfb";
/// Looking into an image reads some of its tables.
const LOOK: Duration = Duration::from_secs(60);
const OUTPUT: usize = 4 << 20;
const ERRORS: usize = 64 << 10;

/// What an image says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// Bytes that the guest sees.
    pub size: u64,
    /// The image that it is a difference to.
    pub backing: Option<String>,
    /// Its reference counts were not written before it was closed, or copied.
    pub dirty: bool,
}

/// Looks into an image, also one that is in use.
///
/// # Errors
/// [`Fault::Absent`] where there is none, [`Fault::Permanent`] where it is not of that format or
/// keeps its data in another file.
pub(super) fn facts(path: &Path, format: Format) -> Result<Facts, StorageError> {
    let doing = format!("looking into image {}", path.display());
    let file = open(path)?;
    if format == Format::Raw {
        let size = file.metadata().doing(|| doing.clone())?.len();
        return Ok(Facts { size, backing: None, dirty: false });
    }
    let args = ["info", "--force-share", "--output=json", "-f", format.word()];
    let said = qemu_img(&args, &[path], &doing, LOOK)?;
    let wrong = |why: &str| StorageError::new(Fault::Permanent, &doing, why);
    let said: Value = serde_json::from_str(&said).map_err(|error| wrong(&error.to_string()))?;
    let data = &said["format-specific"]["data"];
    if !data["data-file"].is_null() {
        return Err(wrong("it keeps its data in another file: convert it with qemu-img convert"));
    }
    Ok(Facts {
        size: said["virtual-size"].as_u64().ok_or_else(|| wrong("it has no size"))?,
        backing: said["backing-filename"].as_str().map(str::to_owned),
        dirty: said["dirty-flag"].as_bool() == Some(true),
    })
}

/// Bytes that the guest sees, by the image's first bytes alone; also of one that is in use.
///
/// # Errors
/// As for [`facts`].
pub(super) fn size(path: &Path, format: Format) -> Result<u64, StorageError> {
    let doing = || format!("looking into image {}", path.display());
    let file = open(path)?;
    if format == Format::Raw {
        return Ok(file.metadata().doing(doing)?.len());
    }
    // The head of a qcow2 image: magic, version, two words of another image, a shift, and the size.
    let mut head = [0; 32];
    file.read_exact_at(&mut head, 0).doing(doing)?;
    match head.last_chunk() {
        Some(size) if head.starts_with(QCOW2) => Ok(u64::from_be_bytes(*size)),
        _ => Err(StorageError::new(Fault::Permanent, doing(), "it is no qcow2 image")),
    }
}

/// Opens an image for reading.
///
/// # Errors
/// [`Fault::Permanent`] for what is no regular file.
pub(super) fn open(path: &Path) -> Result<File, StorageError> {
    let doing = || format!("opening image {}", path.display());
    // Not waiting for whatever a pipe or a device would wait for.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = file.doing(doing)?;
    let kind = file.metadata().doing(doing)?.file_type();
    if kind.is_file() {
        return Ok(file);
    }
    let what = if kind.is_block_device() { "a block device" } else { "no regular file" };
    Err(StorageError::new(Fault::Permanent, doing(), format!("it is {what}, not an image file")))
}

/// Makes an empty file for a copy.
pub(super) fn create(path: &Path) -> Result<File, StorageError> {
    let mut options = std::fs::OpenOptions::new();
    let file = options.read(true).write(true).create_new(true).mode(0o600).open(path);
    let doing = || format!("making {}", path.display());
    let file = file.doing(doing)?;
    // Whoever may read all that is in the directory may not therefore read a disk.
    disinherit(&file).doing(doing)?;
    Ok(file)
}

/// Shares the blocks of an image with a new file; `false` where the file systems cannot.
pub(super) fn share(from: &File, path: &Path) -> Result<bool, StorageError> {
    let doing = || format!("sharing blocks with {}", path.display());
    if share_into(from, &create(path)?).doing(doing)? {
        return Ok(true);
    }
    std::fs::remove_file(path).doing(doing)?;
    Ok(false)
}

fn share_into(from: &File, to: &File) -> rustix::io::Result<bool> {
    // btrfs shares only between files that agree on this, and images often have it.
    let flags = rustix::fs::ioctl_getflags(from).unwrap_or(IFlags::empty());
    if flags.contains(IFlags::NOCOW) {
        let mine = rustix::fs::ioctl_getflags(to)?;
        // Another file system knows nothing of it, and then shares nothing either.
        let _ = rustix::fs::ioctl_setflags(to, mine | IFlags::NOCOW);
    }
    Ok(share_data(from.as_fd(), to.as_fd())? == Some(true))
}

/// Shares an image's blocks with a new file, or copies them without its holes.
pub(super) fn share_or_copy(
    from: &File,
    path: &Path,
    tell: Tell<'_>,
) -> Result<bool, StorageError> {
    fill(from, &create(path)?, tell).doing(|| format!("copying to {}", path.display()))
}

/// The same with a file that is open, and empty.
pub(super) fn fill(from: &File, to: &File, tell: Tell<'_>) -> std::io::Result<bool> {
    if share_into(from, to)? {
        return Ok(true);
    }
    let size = from.metadata()?.len();
    copy_data(from.as_fd(), to.as_fd(), size, tell)?;
    Ok(false)
}

/// Copies an image and all that it is a difference to into one new image of the same format.
///
/// # Errors
/// [`Fault::Permanent`] where its chain does not say each format: it would have to be guessed.
pub(super) fn flatten(
    from: &Path,
    format: Format,
    to: &Path,
    deadline: Duration,
    progress: &dyn Progress,
) -> Result<(), StorageError> {
    let doing = format!("copying image {} with what it is based on", from.display());
    expect_formats(from, format, &doing)?;
    drop(create(to)?);
    let word = format.word();
    // A paused guest holds its lock on the image, but writes nothing.
    let args = ["convert", "-U", "-f", word, "-O", word];
    while_wanted(&args, &[from, to], &doing, deadline, progress)
        .and_then(|it| judge(it, &doing))?;
    Ok(())
}

fn expect_formats(path: &Path, format: Format, doing: &str) -> Result<(), StorageError> {
    let args = ["info", "--force-share", "--output=json", "-f", format.word()];
    let said = qemu_img(&args, &[path], doing, LOOK)?;
    let said: Value = serde_json::from_str(&said)
        .map_err(|error| StorageError::new(Fault::Permanent, doing, error.to_string()))?;
    let Some(backing) = said["full-backing-filename"].as_str() else { return Ok(()) };
    let word = said["backing-filename-format"].as_str();
    match Format::ALL.iter().find(|(known, _)| Some(*known) == word) {
        Some((_, format)) => expect_formats(Path::new(backing), *format, doing),
        None => {
            let (path, said) = (path.display(), word.unwrap_or("none"));
            let why = format!(
                "the format of what it is based on, {backing}, is {said}, and nothing is guessed; \
                 with the guest off: qemu-img rebase -u -f qcow2 -F FORMAT -b {backing} {path}"
            );
            Err(StorageError::new(Fault::Permanent, doing, why))
        }
    }
}

/// Makes an empty image that a guest sees with this size.
pub(super) fn make(path: &Path, format: Format, size: u64) -> Result<(), StorageError> {
    let doing = format!("making {}", path.display());
    let file = create(path)?;
    if format == Format::Raw {
        return file.set_len(size).doing(|| doing);
    }
    let text = size.to_string();
    let args = ["create", "-q", "-f", format.word(), "--"];
    qemu_img(&args, &[path, Path::new(&text)], &doing, LOOK).map(|_| ())
}

/// Makes an image larger for its guest. `path` is for people: a user may exchange what is there.
pub(super) fn resize(
    file: &File,
    path: &Path,
    format: Format,
    size: u64,
) -> Result<(), StorageError> {
    let doing = format!("resizing {}", path.display());
    // Ours: by the time that qemu-img looks, its own descriptors are others.
    let image = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
    let size = size.to_string();
    let args = ["resize", "-q", "-f", format.word(), "--"];
    qemu_img(&args, &[Path::new(&image), Path::new(&size)], &doing, LOOK).map(|_| ())
}

/// Checks a stored image's own tables; tells how many bytes hold something.
///
/// # Errors
/// [`Fault::Permanent`] where they contradict one another.
pub(super) fn check(
    path: &Path,
    format: Format,
    deadline: Duration,
    progress: &dyn Progress,
) -> Result<u64, StorageError> {
    let doing = format!("checking image {}", path.display());
    if format == Format::Raw {
        return used(path).doing(|| doing);
    }
    let args = ["check", "--output=json", "-f", format.word()];
    // It prints its findings and fails with 2 for damage, 3 for blocks that nobody uses.
    let finished = while_wanted(&args, &[path], &doing, deadline, progress)?;
    let said: Value = serde_json::from_slice(&finished.stdout.bytes).unwrap_or_default();
    let count = |what: &str| said[what].as_u64().unwrap_or_default();
    let (damage, errors) = (count("corruptions"), count("check-errors"));
    if said.is_null() || damage > 0 || errors > 0 {
        let said = finished.stderr.first_lines(2);
        let why = format!("qemu-img found {damage} contradictions in its tables; {said}");
        return Err(StorageError::new(Fault::Permanent, doing, why));
    }
    // Clusters have 64 KiB unless made otherwise; only their number counts here.
    Ok(count("allocated-clusters") * 65_536)
}

/// Mends the reference counts of a copy whose original was in use.
pub(super) fn mend(
    path: &Path,
    format: Format,
    deadline: Duration,
    progress: &dyn Progress,
) -> Result<(), StorageError> {
    let doing = format!("mending image {}", path.display());
    let args = ["check", "-q", "-r", "all", "-f", format.word()];
    let finished = while_wanted(&args, &[path], &doing, deadline, progress)?;
    if finished.status.success() {
        return Ok(());
    }
    Err(StorageError::new(Fault::Permanent, doing, finished.stderr.first_lines(3)))
}

/// Bytes of the blocks that a file has.
pub(super) fn used(path: &Path) -> std::io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    Ok(std::fs::symlink_metadata(path)?.blocks() * 512)
}

fn qemu_img(
    args: &[&str],
    paths: &[&Path],
    doing: &str,
    deadline: Duration,
) -> Result<String, StorageError> {
    judge(while_wanted(args, paths, doing, deadline, &())?, doing)
}

fn judge(finished: Finished, doing: &str) -> Result<String, StorageError> {
    if finished.status.success() {
        return Ok(String::from_utf8_lossy(&finished.stdout.bytes).into_owned());
    }
    let said = finished.stderr.first_lines(3);
    let fault = if said.contains("No space left") { Fault::NoSpace } else { Fault::Permanent };
    Err(StorageError::new(fault, doing, format!("{said} ({})", finished.status)))
}

/// # Errors
/// [`Fault::Cancelled`] where it was ended because nobody wants it any more.
fn while_wanted(
    args: &[&str],
    paths: &[&Path],
    doing: &str,
    deadline: Duration,
    progress: &dyn Progress,
) -> Result<Finished, StorageError> {
    let limits =
        Limits { deadline, grace: GRACE, stdout: OUTPUT, stderr: ERRORS, overflow: Overflow::End };
    let args = args.iter().map(Into::into).chain(paths.iter().map(|path| path.as_os_str().into()));
    let spawn = Spawn { args: args.collect(), ..Spawn::new(Path::new(PROGRAM), limits) };
    let finished = spawn.run_while(Some(&|| progress.is_wanted())).map_err(|error| {
        let why = format!("{error}; the package qemu-utils has it");
        StorageError::new(Fault::Permanent, doing, why)
    })?;
    if finished.stopped {
        return Err(StorageError::unwanted());
    }
    if finished.timed_out {
        let why = format!("it took longer than {} s: raise deadline", deadline.as_secs());
        return Err(StorageError::new(Fault::Transient, doing, why));
    }
    Ok(finished)
}

/// Makes the bytes of an image durable, so that sharing them has nothing left to write.
pub(super) fn settle(file: &File) {
    // Only to be quicker later: whoever shares the blocks writes them out again.
    let _ = file.sync_data();
}

/// A file as it is at this moment: another one, or one that was written to, is told apart.
pub(super) fn fingerprint(path: &Path) -> Result<String, StorageError> {
    Ok(print(&stat(path)?))
}

/// The same, and when anything about it was changed last, which nobody can set: one that was
/// written to and given its old times again is told apart, too.
pub(super) fn seen(path: &Path) -> Result<String, StorageError> {
    let stat = stat(path)?;
    Ok(format!("{} {}.{:09}", print(&stat), stat.st_ctime, stat.st_ctime_nsec))
}

fn stat(path: &Path) -> Result<Stat, StorageError> {
    rustix::fs::stat(path).doing(|| format!("looking at {}", path.display()))
}

/// The fingerprint's one format: what a journal has of a path is compared with what is found in a
/// directory.
pub(super) fn print(stat: &Stat) -> String {
    let written = format!("{}.{:09}", stat.st_mtime, stat.st_mtime_nsec);
    format!("{}:{} {} {written}", stat.st_dev, stat.st_ino, stat.st_size)
}
