//! Files out of disk images, by the real helper and the kernel's FUSE.

mod btrfs;
pub mod disks;
mod filling;
mod hostile;
mod lvm;
mod reading;
mod xfs;
