//! btrfs by its ioctls. Request numbers are those of the kernel's `linux/btrfs.h`.

use super::layout;
use super::layout::SearchKey;
use std::ffi::{CStr, OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// What the kernel tells of the subvolume that an open file lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubvolumeInfo {
    pub id: u64,
    pub uuid: [u8; 16],
    /// Of the subvolume that it was a snapshot of; zeros if of none.
    pub parent_uuid: [u8; 16],
    pub read_only: bool,
    /// Of the subvolume that it was received as from elsewhere; zeros if it was not.
    pub received_uuid: [u8; 16],
    /// The transaction of the last change inside.
    pub changed: u64,
    /// The transaction that created it.
    pub created: u64,
}

/// A subvolume directly below another one: its id, and the inode of the directory that names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildRef {
    pub id: u64,
    pub dir_inode: u64,
}

/// The UUID of the btrfs that `fd` lies on.
///
/// # Errors
/// `ENOTTY` where it is no btrfs.
pub fn btrfs_fsid(fd: impl AsFd) -> io::Result<[u8; 16]> {
    let mut args = layout::FsInfo {
        max_id: 0,
        num_devices: 0,
        fsid: [0; 16],
        rest: [0; layout::FS_INFO_REST],
    };
    // SAFETY: the descriptor is open and the kernel fills exactly this struct.
    unsafe { raw::fs_info(fd.as_fd().as_raw_fd(), &raw mut args) }?;
    Ok(args.fsid)
}

pub fn btrfs_subvolume(fd: impl AsFd) -> io::Result<SubvolumeInfo> {
    let mut args = layout::GetSubvolInfo::ZERO;
    // SAFETY: the descriptor is open and the kernel fills exactly this struct.
    unsafe { raw::get_subvol_info(fd.as_fd().as_raw_fd(), &raw mut args) }?;
    Ok(SubvolumeInfo {
        id: args.treeid,
        uuid: args.uuid,
        parent_uuid: args.parent_uuid,
        received_uuid: args.received_uuid,
        read_only: args.flags & layout::ROOT_SUBVOL_RDONLY != 0,
        changed: args.ctransid,
        created: args.otransid,
    })
}

/// Creates `name` in `dir` as an empty subvolume. Not durable until the next commit.
pub fn btrfs_create(dir: impl AsFd, name: &OsStr) -> io::Result<()> {
    let args = layout::VolArgsV2::named(name)?;
    // SAFETY: the descriptor is open; the kernel only reads the struct, whose name ends in NUL.
    unsafe { raw::subvol_create_v2(dir.as_fd().as_raw_fd(), &raw const args) }?;
    Ok(())
}

/// Creates `name` in `dir` as a snapshot of the subvolume whose root `source` is. The kernel
/// commits the file system before it returns.
pub fn btrfs_snapshot(
    dir: impl AsFd,
    source: impl AsFd,
    name: &OsStr,
    read_only: bool,
) -> io::Result<()> {
    let mut args = layout::VolArgsV2::named(name)?;
    args.fd = source.as_fd().as_raw_fd().into();
    args.flags = if read_only { layout::SUBVOL_RDONLY } else { 0 };
    // SAFETY: both descriptors are open for the call; the kernel only reads the struct.
    unsafe { raw::snap_create_v2(dir.as_fd().as_raw_fd(), &raw const args) }?;
    Ok(())
}

/// Closes the subvolume whose root `fd` is to every writer, or opens it again. The kernel commits
/// the file system before it returns. Whoever has a file in it open for writing keeps that.
pub fn btrfs_set_read_only(fd: impl AsFd, read_only: bool) -> io::Result<()> {
    let fd = fd.as_fd().as_raw_fd();
    let mut flags = 0;
    // SAFETY: the descriptor is open and the kernel fills exactly this number.
    unsafe { raw::subvol_getflags(fd, &raw mut flags) }?;
    let wanted = match read_only {
        true => flags | layout::SUBVOL_RDONLY,
        false => flags & !layout::SUBVOL_RDONLY,
    };
    if wanted != flags {
        // SAFETY: the descriptor is open; the kernel only reads the number.
        unsafe { raw::subvol_setflags(fd, &raw const wanted) }?;
    }
    Ok(())
}

/// Destroys the subvolume with this id, wherever it lies. Not durable until the next commit.
pub fn btrfs_destroy(fs: impl AsFd, id: u64) -> io::Result<()> {
    let mut args = layout::VolArgsV2::named(OsStr::new(""))?;
    args.flags = layout::SUBVOL_SPEC_BY_ID;
    args.name[..8].copy_from_slice(&id.to_ne_bytes());
    // SAFETY: the descriptor is open; with this flag the kernel reads the id where the name is.
    unsafe { raw::snap_destroy_v2(fs.as_fd().as_raw_fd(), &raw const args) }?;
    Ok(())
}

/// All subvolumes directly below the one whose root `fd` is, by rising id.
pub fn btrfs_children(fd: impl AsFd) -> io::Result<Vec<ChildRef>> {
    let mut found = Vec::new();
    let mut args = layout::GetSubvolRootref {
        min_treeid: 0,
        rootref: [layout::Rootref { treeid: 0, dirid: 0 }; 255],
        num_items: 0,
        align: [0; 7],
    };
    loop {
        // SAFETY: the descriptor is open and the kernel fills exactly this struct.
        let answer = unsafe { raw::get_subvol_rootref(fd.as_fd().as_raw_fd(), &raw mut args) };
        let full = match answer {
            Ok(_) => false,
            // More than fit: the struct is full of the first ones.
            Err(nix::errno::Errno::EOVERFLOW) => true,
            Err(error) => return Err(error.into()),
        };
        let items = args.rootref.iter().take(usize::from(args.num_items));
        found.extend(items.map(|item| ChildRef { id: item.treeid, dir_inode: item.dirid }));
        match found.last() {
            Some(last) if full && args.num_items > 0 => args.min_treeid = last.id + 1,
            _ => return Ok(found),
        }
    }
}

/// Where a child lies, relative to the subvolume root `fd`.
pub fn btrfs_child_path(fd: impl AsFd, child: ChildRef) -> io::Result<PathBuf> {
    let mut args = layout::InoLookupUser {
        dirid: child.dir_inode,
        treeid: child.id,
        name: [0; 256],
        path: [0; layout::INO_LOOKUP_USER_PATH],
    };
    // SAFETY: the descriptor is open and the kernel fills exactly this struct.
    unsafe { raw::ino_lookup_user(fd.as_fd().as_raw_fd(), &raw mut args) }?;
    let text = |bytes: &[u8]| -> io::Result<OsString> {
        let text = CStr::from_bytes_until_nul(bytes).map_err(io::Error::other)?;
        Ok(OsString::from_vec(text.to_bytes().to_vec()))
    };
    Ok(PathBuf::from(text(&args.path)?).join(text(&args.name)?))
}

/// Searches a tree; the answer is the number of items and the raw buffer that they lie in. Needs
/// `CAP_SYS_ADMIN`.
pub fn btrfs_search(fs: impl AsFd, key: SearchKey) -> io::Result<(u32, Vec<u8>)> {
    let mut args = Box::new(layout::SearchArgs::<{ layout::SEARCH_BUFFER }>::new(key));
    // SAFETY: the descriptor is open; `buf_size` is the true size of the buffer that follows, and
    // the kernel writes no further.
    unsafe { raw::tree_search_v2(fs.as_fd().as_raw_fd(), &raw mut *args) }?;
    Ok((args.nr_items, args.buf.to_vec()))
}

/// The requests. The generated functions are unsafe: they take any pointer.
mod raw {
    use super::super::layout::{
        FsInfo, GetSubvolInfo, GetSubvolRootref, InoLookupUser, MAGIC, SEARCH_BUFFER, SEARCH_HEAD,
        SearchArgs, VolArgsV2,
    };

    nix::ioctl_read!(fs_info, MAGIC, 31, FsInfo);
    nix::ioctl_read!(get_subvol_info, MAGIC, 60, GetSubvolInfo);
    nix::ioctl_readwrite!(get_subvol_rootref, MAGIC, 61, GetSubvolRootref);
    nix::ioctl_readwrite!(ino_lookup_user, MAGIC, 62, InoLookupUser);
    nix::ioctl_read!(subvol_getflags, MAGIC, 25, u64);
    nix::ioctl_write_ptr!(subvol_setflags, MAGIC, 26, u64);
    nix::ioctl_write_ptr!(snap_create_v2, MAGIC, 23, VolArgsV2);
    nix::ioctl_write_ptr!(subvol_create_v2, MAGIC, 24, VolArgsV2);
    nix::ioctl_write_ptr!(snap_destroy_v2, MAGIC, 63, VolArgsV2);
    // The request's size is that of the head alone: the buffer is a flexible array.
    nix::ioctl_readwrite_bad!(
        tree_search_v2,
        nix::request_code_readwrite!(MAGIC, 17, SEARCH_HEAD),
        SearchArgs<SEARCH_BUFFER>
    );
}
