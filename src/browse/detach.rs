//! A whole tree as one mount that is in nobody's tree of mounts yet, for whoever may attach it.
//!
//! The parts of a tree are put together in a mount namespace of a thread of its own, which nobody
//! else sees and which ends with the thread. A kernel before 6.15 copies no mount that lies in no
//! namespace, so what comes from such a one is mounted anew instead.

use super::{Content, OpenTree, REFERENCE, RESOLVE, refusal, unreadable};
use crate::domain::tree::{BrowseError, TreePath};
use crate::fs::tree::{self, Meta, through_proc};
use crate::host::drop_in::DropIn;
use crate::host::mounts::{Mounts, Shows};
use nix::sched::CloneFlags;
use nix::unistd::geteuid;
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags,
    OpenTreeFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen,
    mount_change, mount_remount, move_mount, open_tree,
};
use std::io::Error;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

/// How a tree gets a mount of its own.
#[derive(Debug)]
pub enum Own {
    /// By mounting its file system once more.
    Fresh { kind: &'static str, source: PathBuf, options: Vec<(&'static str, String)> },
    /// It was mounted for this tree alone, and is in nobody's tree.
    Given(OwnedFd),
}

/// A mount of a whole tree: read-only, without set-user-id, devices and programs. It ends with its
/// descriptor unless it is attached somewhere.
#[derive(Debug)]
pub struct Detached {
    pub mount: OwnedFd,
    /// By what it is known once it is attached.
    pub shows: Shows,
}

/// Makes the mount. Blocks; nothing is left behind where it fails.
///
/// # Errors
/// [`BrowseError::NotAFile`] turned round, as it were: a tree that is a single file has no mount.
pub fn detach(tree: OpenTree) -> Result<Detached, BrowseError> {
    let meta = Meta::of(&tree.root.fd).map_err(refusal)?;
    if meta.kind != tree::Kind::Dir {
        return Err(BrowseError::NotADirectory(super::kind(meta.kind)));
    }
    let root = alone(tree.root)?;
    let parts = tree.parts.into_iter().map(|(path, part)| Ok((path, alone(part)?)));
    let parts = parts.collect::<Result<Vec<_>, BrowseError>>()?;
    let assembled = std::thread::Builder::new()
        .name("mounting".into())
        .spawn(move || assemble(root, parts))
        .map_err(|error| unreadable(&error))?
        .join();
    let bug = |_| BrowseError::Unreadable("a bug in heptad stopped it".into());
    assembled.map_err(bug)?.map_err(|error| cannot(&error))
}

fn cannot(error: &Error) -> BrowseError {
    let text = format!("it cannot be mounted: {error}");
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::PERM) if geteuid().is_root() => {
            let way_out = DropIn::Mount.way_out("RestrictNamespaces=mnt");
            BrowseError::Never(format!("{text}; {way_out}"))
        }
        Some(Errno::PERM) => BrowseError::Never(format!("{text}; heptad must be root for that")),
        _ => BrowseError::Unreadable(text),
    }
}

/// A mount of one part.
fn alone(content: Content) -> Result<OwnedFd, BrowseError> {
    let mount = match content.own {
        None => {
            let flags = OpenTreeFlags::OPEN_TREE_CLONE
                | OpenTreeFlags::OPEN_TREE_CLOEXEC
                | OpenTreeFlags::AT_EMPTY_PATH;
            open_tree(&content.fd, "", flags)
        }
        Some(Own::Given(mount)) => Ok(mount),
        Some(Own::Fresh { kind, source, options }) => fresh(kind, &source, &options),
    };
    mount.map_err(|error| cannot(&error.into()))
}

fn fresh(
    kind: &str,
    source: &std::path::Path,
    options: &[(&str, String)],
) -> rustix::io::Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "source", source)?;
    for (key, value) in options {
        fsconfig_set_string(&context, *key, value.as_str())?;
    }
    // Leaves a file system that is mounted already as it is.
    fsconfig_set_flag(&context, "ro")?;
    fsconfig_create(&context)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes())
}

fn attributes() -> MountAttrFlags {
    MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC
}

/// On a thread that ends right afterwards, and its namespace with it.
fn assemble(root: OwnedFd, parts: Vec<(TreePath, OwnedFd)>) -> Result<Detached, Error> {
    nix::sched::unshare(CloneFlags::CLONE_NEWNS)?;
    let all = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", all)?;
    let here = rustix::fs::open("/", REFERENCE, Mode::empty())?;
    attach(&root, &here)?;
    for (path, part) in &parts {
        let at = rustix::fs::openat2(&root, path.as_bytes(), REFERENCE, Mode::empty(), RESOLVE)?;
        attach(part, &at)?;
    }
    let id = Meta::of(&root)?.mount;
    let mounts = Mounts::read().map_err(Error::other)?;
    let shows = mounts.shown_by(id).ok_or_else(|| Error::other("the kernel does not list it"))?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE;
    Ok(Detached { mount: open_tree(&root, "", flags)?, shows })
}

/// Attaches a mount in this thread's namespace and takes away what it could be misused for.
fn attach(mount: &OwnedFd, at: &OwnedFd) -> Result<(), Error> {
    let by_descriptors =
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount, "", at, "", by_descriptors)?;
    let harmless = MountFlags::BIND
        | MountFlags::RDONLY
        | MountFlags::NOSUID
        | MountFlags::NODEV
        | MountFlags::NOEXEC;
    mount_remount(through_proc(mount.as_fd()), harmless, "")?;
    Ok(())
}
