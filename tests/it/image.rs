//! Files out of disk images, by the real helper and the kernel's FUSE.

pub mod disks;
mod hostile;
mod reading;
