//! Starting the helper and getting its mount.

use super::protocol::{Disk, Order, Reply};
use crate::browse::{OpenTree, Own};
use crate::domain::operation::Fault;
use crate::fs::{Doing, StorageError};
use crate::host::fd_passing;
use crate::host::process::{GRACE, Limits, Overflow, Spawn};
use crate::host::trust::trusted_program;
use rustix::fs::{Mode, OFlags};
use std::io::{ErrorKind, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// This very program, also after its file was replaced.
const OURSELVES: &str = "/proc/self/exe";
/// The hidden command that leads to [`super::helper`].
const COMMAND: &str = "image-helper";
/// Within this the helper has made its mount; it has not looked into an image by then.
const READY: Duration = Duration::from_secs(20);

/// The files in these images: `/<name>/` for a file system on the whole disk, else `/<name>/p1` and
/// so on. What cannot be read is a file that says so.
///
/// # Errors
/// [`Fault::Absent`] for an image that is not there, [`Fault::Permanent`] where no file systems of
/// our own can be made: without root, without FUSE.
pub fn open(disks: &[Disk], helper: Option<&Path>) -> Result<OpenTree, StorageError> {
    let doing = || "looking into disk images".to_owned();
    let source = format!("heptad:{}", Uuid::new_v4());
    let order = Order { source, disks: disks.to_vec() };
    let (ours, theirs) = UnixStream::pair().doing(doing)?;
    ours.set_read_timeout(Some(READY)).doing(doing)?;
    start(theirs.into(), helper)?;
    let text = serde_json::to_vec(&order).map_err(std::io::Error::other).doing(doing)?;
    (&ours).write_all(&text).doing(doing)?;
    ours.shutdown(std::net::Shutdown::Write).doing(doing)?;
    let (note, mount) = fd_passing::take(&ours).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => {
            StorageError::new(Fault::Transient, doing(), "its helper ended without a word")
        }
        ErrorKind::WouldBlock => {
            let why = format!("its helper was not ready within {} s", READY.as_secs());
            StorageError::new(Fault::Transient, doing(), why)
        }
        _ => StorageError::io(doing(), &error),
    })?;
    match (serde_json::from_slice(&note), mount) {
        (Ok(Reply::Ready), Some(mount)) => {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let root = rustix::fs::openat(&mount, c".", flags, Mode::empty()).doing(doing)?;
            Ok(OpenTree::with_mount(root, Own::Given(mount)))
        }
        (Ok(Reply::Failed(why)), _) => Err(StorageError::new(Fault::Permanent, doing(), why)),
        _ => Err(StorageError::new(Fault::Permanent, doing(), "its helper gave no proper answer")),
    }
}

fn start(socket: OwnedFd, helper: Option<&Path>) -> Result<(), StorageError> {
    let doing = || "starting the helper that reads disk images".to_owned();
    if let Some(program) = helper
        && let Err(distrust) = trusted_program(program)
    {
        let why = format!("it is not run: {distrust}");
        return Err(StorageError::new(Fault::Permanent, doing(), why));
    }
    let limits =
        Limits { deadline: READY, grace: GRACE, stdout: 0, stderr: 0, overflow: Overflow::Discard };
    let program = helper.unwrap_or(Path::new(OURSELVES));
    let args = vec![COMMAND.into(), socket.as_raw_fd().to_string().into()];
    let spawn = Spawn {
        args,
        // It ends with its mount, which may have been handed to somebody.
        dies_with_us: false,
        dir: Some(Arc::new(socket)),
        ..Spawn::new(program, limits)
    };
    spawn.leave().map_err(|error| StorageError::new(Fault::Transient, doing(), error.to_string()))
}
