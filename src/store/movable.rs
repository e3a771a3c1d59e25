//! Which names can be given to another object.

use super::Store;
use crate::domain::operation::Fault;
use crate::fs::tree::{Meta, open_dir, open_nosymlink, real_path};
use crate::fs::{Doing, StorageError};
use crate::host::holders::place;
use crate::host::mounts::Mounts;
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::path::Path;

/// The way out where something cannot be exchanged.
pub const OTHERWISE: &str = "make a new resource from the snapshot (heptactl create) and use that";

/// What a file system is told to be that cannot do it.
pub(super) const NO_EXCHANGE: &str = "the file system there cannot exchange two names at once; make a \
                                      new resource from the snapshot: heptactl create";
/// Those that can: ext2 to ext4, XFS, btrfs, tmpfs, F2FS (statfs(2)).
const EXCHANGING: [u64; 5] = [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0xf2f5_2010];

/// The directory and the name that can be given to another object.
///
/// # Errors
/// [`Fault::Permanent`] for a mount point or a btrfs subvolume, with the way out.
pub fn replaceable(path: &Path) -> Result<(&Path, &OsStr), StorageError> {
    let (above, name) = named(path)?;
    let meta = |path: &Path| -> Result<_, StorageError> {
        Meta::of(open_nosymlink(path)?).doing(|| doing(path))
    };
    if !meta(path)?.same_mount(&meta(above)?) {
        return refuse(
            path,
            &format!(
                "it is mounted there or a btrfs subvolume, and has no other name to take; {OTHERWISE}"
            ),
        );
    }
    expect_exchange(path, above)?;
    Ok((above, name))
}

/// That two names in a directory can be exchanged: else all would be copied in vain. What is not
/// known to be able to is tried with two empty files; what else stands against those is told by
/// others.
///
/// # Errors
/// [`Fault::Permanent`] with the way out.
fn expect_exchange(path: &Path, above: &Path) -> Result<(), StorageError> {
    let dir = open_dir(open_nosymlink(above)?).doing(|| doing(path))?;
    let kind = rustix::fs::fstatfs(&dir).doing(|| doing(path))?.f_type;
    if EXCHANGING.contains(&u64::from_ne_bytes(kind.to_ne_bytes())) {
        return Ok(());
    }
    let names = [1, 2].map(|n| format!(".heptad-probe-{}-{n}", std::process::id()));
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let made = |name: &String| rustix::fs::openat(&dir, name, flags, Mode::RUSR).is_ok();
    let tried = names.iter().all(made).then(|| {
        let [one, two] = &names;
        rustix::fs::renameat_with(&dir, one, &dir, two, RenameFlags::EXCHANGE)
    });
    for name in &names {
        let _ = rustix::fs::unlinkat(&dir, name, AtFlags::empty());
    }
    match tried {
        Some(Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP)) => refuse(path, NO_EXCHANGE),
        _ => Ok(()),
    }
}

/// Whether the name can be given to another object, a subvolume's too.
///
/// # Errors
/// [`Fault::Permanent`] where something is mounted at or below it: a mount cannot be moved.
pub fn movable(path: &Path) -> Result<(), StorageError> {
    expect_exchange(path, named(path)?.0)?;
    let mounts = match Mounts::read() {
        Ok(mounts) => mounts,
        Err(error) => return refuse(path, &error.to_string()),
    };
    if mounts.of(path).is_some_and(|mount| mount.point == path) {
        let why = "it is a mount point, which cannot be exchanged: keep it in a directory below";
        return refuse(path, &format!("{why}, or {OTHERWISE}"));
    }
    match mounts.below(path).next() {
        Some(mount) => refuse(path, &format!("unmount {} first", mount.point.display())),
        None => Ok(()),
    }
}

/// That the store does not lie in what is at a path, by whatever way it is reached: it would go
/// with the content of before, or hold itself.
///
/// # Errors
/// [`Fault::Permanent`] with the way out.
pub fn expect_store_apart(store: &Store, path: &Path) -> Result<(), StorageError> {
    let place = |path: &Path| -> Result<_, StorageError> {
        let real = real_path(path).doing(|| format!("looking where {} lies", path.display()))?;
        match Mounts::read() {
            Ok(mounts) => Ok(place(&mounts, &real)),
            Err(error) => refuse(path, &error.to_string()),
        }
    };
    let inside = match (place(path)?, place(store.dir())?) {
        (Some((device, outer)), Some((other, inner))) => {
            device == other && inner.starts_with(&outer)
        }
        _ => false,
    };
    if !inside {
        return Ok(());
    }
    let why = format!("the store of its snapshots lies in it ({}); ", store.root().display());
    Err(StorageError::new(
        Fault::Permanent,
        format!("looking at {}", path.display()),
        why + OTHERWISE,
    ))
}

pub(super) fn named(path: &Path) -> Result<(&Path, &OsStr), StorageError> {
    match path.parent().zip(path.file_name()) {
        Some(parts) => Ok(parts),
        None => refuse(path, &format!("nothing can replace the root of all files; {OTHERWISE}")),
    }
}

fn refuse<T>(path: &Path, why: &str) -> Result<T, StorageError> {
    Err(StorageError::new(Fault::Permanent, doing(path), why))
}

pub(super) fn doing(path: &Path) -> String {
    format!("rolling {} back", path.display())
}
