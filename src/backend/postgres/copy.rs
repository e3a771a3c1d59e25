//! Copying parts of a cluster with the tree copier, and what of it is never copied.

use super::cluster::{Cluster, Place, WAL};
use crate::domain::operation::Fault;
use crate::fs::tree::{Copy, Flow, Kind, Report, Visitor, copy_tree, names, peek};
use crate::fs::{Doing, Progress, StorageError};
use crate::store::Growing;
use rustix::fs::{Mode, OFlags};
use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

/// Directories whose content belongs to the running server; the same that pg_basebackup leaves
/// empty. (PostgreSQL's documentation, "Backing up the data directory".)
pub(super) const EMPTIED: [&str; 7] = [
    "pg_dynshmem",
    "pg_notify",
    "pg_replslot",
    "pg_serial",
    "pg_snapshots",
    "pg_stat_tmp",
    "pg_subtrans",
];

/// Files that a copy must not have: the server's own marks, roles that it must not take on, and
/// what an earlier copy knew of itself (its sums, and links that it is given anew).
pub(super) const DROPPED: [&str; 9] = [
    "postmaster.pid",
    "postmaster.opts",
    "standby.signal",
    "recovery.signal",
    "recovery.conf",
    "backup_label.old",
    "tablespace_map.old",
    TABLESPACE_MAP,
    BACKUP_MANIFEST,
];

/// The sums that `pg_basebackup` leaves of what it copied.
pub(super) const BACKUP_MANIFEST: &str = "backup_manifest";
/// From which a server would make its links again, to where the original's tablespaces are.
pub(super) const TABLESPACE_MAP: &str = "tablespace_map";
/// Copied last: where a standby's recovery ends is in it.
pub(super) const CONTROL: &str = "global/pg_control";

/// Copies one file or tree whole.
pub(super) fn copy(
    from: BorrowedFd<'_>,
    into: BorrowedFd<'_>,
    name: &CStr,
    progress: &dyn Progress,
) -> Result<Report, StorageError> {
    tree(from, into, name, Flow::IntoStore, &HashSet::new(), progress, &mut ())
}

/// As [`copy`], with all that the copier can be told. What could not be read is an error: a
/// database with a hole is none.
pub(super) fn tree(
    from: BorrowedFd<'_>,
    into: BorrowedFd<'_>,
    name: &CStr,
    flow: Flow,
    exclude: &HashSet<Vec<u8>>,
    progress: &dyn Progress,
    visitor: &mut dyn Visitor,
) -> Result<Report, StorageError> {
    let options =
        Copy { flow, exclude, cross_mounts: true, own_store: None, progress, total: None };
    let report = copy_tree(from, into, name, &options, visitor)?;
    // A file that changes while it is read is what the log between start and stop is for.
    let steady = Report { changing: Default::default(), ..report.clone() };
    let mut losses = steady.missing();
    losses.extend(steady.bare());
    if losses.is_empty() {
        return Ok(report);
    }
    let doing = format!("copying {}", name.to_string_lossy());
    Err(StorageError::new(Fault::Permanent, doing, losses.join("; ")))
}

/// Copies the data directory to `into/data`, without its log and what belongs to the server, and
/// without what is copied by itself though it lies inside.
pub(super) fn data(
    cluster: &Cluster,
    into: BorrowedFd<'_>,
    progress: &dyn Progress,
) -> Result<Report, StorageError> {
    let mut exclude: HashSet<Vec<u8>> = HashSet::from([WAL.into(), CONTROL.into()]);
    exclude.extend(EMPTIED.iter().chain(&DROPPED).map(|name| name.as_bytes().to_vec()));
    let version = cluster.version_dir();
    for space in cluster.tablespaces()? {
        exclude.extend(inside(cluster, &space.place, &|name| name.starts_with(&version))?);
    }
    if let Some(place) = cluster.log_place()? {
        exclude.extend(inside(cluster, &place, &is_log)?);
    }
    let from = cluster.dir.as_fd();
    let report = tree(from, into, c"data", Flow::IntoStore, &exclude, progress, &mut ())?;
    let doing = || format!("copying {CONTROL}");
    let (control, _) = crate::fs::tree::below(&cluster.dir, CONTROL.as_bytes()).doing(doing)?;
    let global = open(into, "data/global").doing(doing)?;
    copy(control.as_fd(), global.as_fd(), c"pg_control", progress)?;
    Ok(report)
}

/// The paths of what a place in the data directory has of its own.
fn inside(
    cluster: &Cluster,
    place: &Place,
    is_its_own: &dyn Fn(&str) -> bool,
) -> Result<Vec<Vec<u8>>, StorageError> {
    let Place::Inside(path) = place else { return Ok(Vec::new()) };
    let doing = || format!("reading {path} of {}", cluster.path.display());
    let dir = cluster.open_own(&cluster.path.join(path))?;
    let own = names(&dir).doing(doing)?.into_iter().filter_map(|name| name.into_string().ok());
    let own = own.filter(|name| is_its_own(name));
    Ok(own.map(|name| Path::new(path).join(name).into_os_string().into_vec()).collect())
}

/// `000000010000000000000002` with or without an ending, `00000002.history`, and the directories
/// beside them.
pub(super) fn is_log(name: &str) -> bool {
    let hex = |length: usize| {
        name.get(..length).is_some_and(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    hex(24) || hex(8) && name[8..] == *".history" || matches!(name, "archive_status" | "summaries")
}

/// Copies what this version keeps in each tablespace to `into/OID`.
pub(super) fn tablespaces(
    cluster: &Cluster,
    into: BorrowedFd<'_>,
    progress: &dyn Progress,
) -> Result<(), StorageError> {
    for space in cluster.tablespaces()? {
        let doing = || format!("copying tablespace {}", space.location.display());
        let from = cluster.open_own(&space.place.path(&cluster.path))?;
        let to = open(into, &space.oid).doing(doing)?;
        let ours = cluster.version_dir();
        for name in names(&from).doing(doing)? {
            if !name.to_bytes().starts_with(ours.as_bytes()) {
                continue;
            }
            let (reference, meta) = peek(&from, &name).doing(doing)?;
            if meta.kind == Kind::Dir && meta.uid == cluster.uid {
                copy(reference.as_fd(), to.as_fd(), &name, progress)?;
            }
        }
    }
    Ok(())
}

/// Opens a directory of ours.
pub(super) fn open(at: impl AsFd, name: &str) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(at, name, flags, Mode::empty())
}

/// A name for the kernel.
pub(super) fn name(text: &str) -> Result<CString, StorageError> {
    CString::new(text).map_err(std::io::Error::from).doing(|| format!("naming {text:?}"))
}

/// Passable for the owner of the data, who is given this directory open; the one above is private.
pub(super) const PASSABLE: u32 = 0o711;

/// What recovery begins from, beside the copy.
pub(super) const LABEL: &str = "backup_label";

/// The directory for the log, beside the data.
pub(super) fn make_wal(growing: &Growing<'_>) -> Result<std::os::fd::OwnedFd, StorageError> {
    let doing = || "making wal".to_owned();
    rustix::fs::mkdirat(&growing.dir, "wal", Mode::RWXU).doing(doing)?;
    open(&growing.dir, "wal").doing(doing)
}

/// The copies beside the data.
pub(super) const DIR: &str = "config";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_servers_own_files_are_log() {
        for name in
            ["000000010000000000000002", "000000010000000000000003.partial", "0000000A.history"]
        {
            assert!(is_log(name), "{name}");
        }
        assert!(is_log("archive_status"));
        for name in
            ["heptad-0123456789abcdef", "lost+found", "00000001000000000000000", "x.history"]
        {
            assert!(!is_log(name), "{name}");
        }
    }
}
