//! The project that an inode's blocks are counted for, by ioctls of the kernel's `linux/fs.h`.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// `struct fsxattr`.
#[repr(C)]
#[derive(Default)]
pub(super) struct FsXattr {
    xflags: u32,
    extent_size: u32,
    extents: u32,
    project: u32,
    cow_extent_size: u32,
    pad: [u8; 8],
}

/// # Errors
/// `ENOTTY` and others where the file system does not know projects.
pub fn project(fd: impl AsFd) -> io::Result<u32> {
    get(&fd).map(|attributes| attributes.project)
}

/// # Errors
/// `EPERM` for who may not, `EOPNOTSUPP` and others where the file system does not know projects.
pub fn set_project(fd: impl AsFd, project: u32) -> io::Result<()> {
    let attributes = FsXattr { project, ..get(&fd)? };
    // SAFETY: the descriptor is open and the kernel only reads this struct.
    unsafe { raw::set(fd.as_fd().as_raw_fd(), &raw const attributes) }?;
    Ok(())
}

fn get(fd: &impl AsFd) -> io::Result<FsXattr> {
    let mut attributes = FsXattr::default();
    // SAFETY: the descriptor is open and the kernel fills exactly this struct.
    unsafe { raw::get(fd.as_fd().as_raw_fd(), &raw mut attributes) }?;
    Ok(attributes)
}

mod raw {
    use super::FsXattr;
    nix::ioctl_read!(get, b'X', 31, FsXattr);
    nix::ioctl_write_ptr!(set, b'X', 32, FsXattr);
}
