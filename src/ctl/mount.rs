//! Commands that mount snapshots: the daemon makes the mount, this process attaches it, in its own
//! namespace and by its own power.

use super::error::CtlError;
use super::exit;
use super::render;
use super::session::{Done, Session};
use crate::api::wire::{escape, unescape};
use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, StatxAttributes, StatxFlags};
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, UnmountFlags, move_mount, unmount};
use serde::Serialize;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What `mount --json` and `umount --json` say.
#[derive(Serialize)]
struct Mounted<'a> {
    snapshot: &'a str,
    path: String,
}

pub(super) fn mount(session: &mut Session<'_, '_>, snapshot: &str, dir: &Path) -> Done {
    let path = absolute(session, dir);
    // Looked at first: a mount that cannot be attached need not be made.
    let point = open_point(&path)?;
    let got = session.client.mount(snapshot)?;
    let by_descriptors =
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(&got.mount, "", &point, "", by_descriptors).map_err(|error| unfit(&path, error))?;
    let label = got.snapshot.clone();
    // Now the daemon sees by itself that it is mounted.
    drop(got);
    if session.global.json {
        return session
            .json(&Mounted { snapshot: &label, path: escape(path.as_os_str().as_bytes()) });
    }
    let shown = path.display();
    session.say(&format!(
        "{label} is mounted at {shown}, read-only; `heptactl umount {shown}` ends it"
    ))?;
    Ok(exit::OK)
}

pub(super) fn umount(session: &mut Session<'_, '_>, dir: &Path) -> Done {
    let path = absolute(session, dir);
    let all = session.client.mounts()?.mounts;
    let known =
        all.into_iter().find(|mount| path_of(&mount.path).is_some_and(|point| point == path));
    let Some(known) = known else {
        let why = "no snapshot is mounted there that heptad knows of";
        let hint = "`heptactl mounts` lists them; plain `umount` ends what was mounted in a namespace of its own";
        return Err(point_error(&path, why, hint));
    };
    for point in known.below.iter().rev().filter_map(|point| path_of(point)) {
        free(&point)?;
    }
    free(&path)?;
    if session.global.json {
        return session.json(&Mounted { snapshot: &known.snapshot, path: known.path });
    }
    let (label, shown) = (known.snapshot, path.display());
    session.say(&format!("{label} is not mounted at {shown} any more"))?;
    Ok(exit::OK)
}

pub(super) fn mounts(session: &mut Session<'_, '_>) -> Done {
    let all = session.client.mounts()?;
    session.show(&all, |view| render::mounts(&all, view))
}

/// As the kernel will list it: from `/` on and without detours that need no look at the disk.
fn absolute(session: &Session<'_, '_>, dir: &Path) -> PathBuf {
    session.directory.join(dir).components().collect()
}

fn path_of(escaped: &str) -> Option<PathBuf> {
    let bytes = unescape(escaped).ok()?;
    Some(PathBuf::from(OsStr::from_bytes(&bytes)))
}

fn free(point: &Path) -> Result<(), CtlError> {
    unmount(point, UnmountFlags::NOFOLLOW).map_err(|error| match error {
        Errno::BUSY => {
            let hint = format!("`fuser -vm {}` shows by whom", point.display());
            point_error(point, "it is in use", &hint)
        }
        error => unfit(point, error),
    })
}

/// Holds the directory: whatever takes its name afterwards, this one gets the mount.
fn open_point(path: &Path) -> Result<OwnedFd, CtlError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let point = rustix::fs::openat2(rustix::fs::CWD, path, flags, Mode::empty(), resolve);
    let point = point.map_err(|error| match error {
        Errno::LOOP => {
            let real = std::fs::canonicalize(path).unwrap_or_else(|_| "where it leads to".into());
            let hint = format!("write {}", real.display());
            point_error(path, "a part of this path is a symbolic link", &hint)
        }
        Errno::NOENT => {
            let hint = format!("mkdir {}", path.display());
            point_error(path, "it is not there", &hint)
        }
        Errno::NOTDIR => point_error(path, "it is not a directory", "name an empty directory"),
        error => unfit(path, error),
    })?;
    let stat = rustix::fs::statx(&point, c"", AtFlags::EMPTY_PATH, StatxFlags::empty());
    let stat = stat.map_err(|error| unfit(path, error))?;
    if stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) {
        let hint = "name another directory, or unmount that";
        return Err(point_error(path, "something is mounted there already", hint));
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = rustix::fs::openat(&point, c".", flags, Mode::empty());
    let entries = dir.and_then(rustix::fs::Dir::new).map_err(|error| unfit(path, error))?;
    let is_name = |name: &[u8]| !matches!(name, b"." | b"..");
    for entry in entries {
        let entry = entry.map_err(|error| unfit(path, error))?;
        if is_name(entry.file_name().to_bytes()) {
            let hint = "name an empty directory: a mount would hide what is in it";
            return Err(point_error(path, "it is not empty", hint));
        }
    }
    Ok(point)
}

fn point_error(path: &Path, why: &str, hint: &str) -> CtlError {
    CtlError::MountPoint { path: path.into(), why: why.into(), hint: hint.into() }
}

fn unfit(path: &Path, error: Errno) -> CtlError {
    let hint = match error {
        Errno::PERM | Errno::ACCESS => {
            "only root can mount: try sudo; without root, `heptactl browse` and `heptactl get` show the files"
        }
        _ => "name an empty directory",
    };
    point_error(path, &std::io::Error::from(error).to_string(), hint)
}
