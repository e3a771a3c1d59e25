//! The `libvirt` backend on a real libvirt, with real guests in QEMU without hardware help.

pub mod host;
pub mod packed;
mod running;
mod scene;
