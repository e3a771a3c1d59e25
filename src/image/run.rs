//! Starting the helper and getting its mount.

use super::protocol::{Disk, Order, Reply};
use crate::browse::{OpenTree, Own};
use crate::domain::operation::Fault;
use crate::fs::{Doing, StorageError};
use crate::host::process::{GRACE, Limits, Overflow};
use crate::host::{self, fd_passing};
use rustix::fs::{Mode, OFlags};
use std::io::{ErrorKind, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// By this name [`super::helper`] is reached.
const HELPER: &str = "image";
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
    let fail = |fault, why: String| StorageError::new(fault, doing(), why);
    let limits =
        Limits { deadline: READY, grace: GRACE, stdout: 0, stderr: 0, overflow: Overflow::Discard };
    let mut spawn = host::helper::helper(HELPER, helper, limits)
        .map_err(|distrusted| fail(Fault::Permanent, distrusted.to_string()))?;
    spawn.args.push(socket.as_raw_fd().to_string().into());
    // It ends with its mount, which may have been handed to somebody.
    spawn.dies_with_us = false;
    spawn.dir = Some(Arc::new(socket));
    spawn.leave().map_err(|error| fail(Fault::Transient, error.to_string()))
}
