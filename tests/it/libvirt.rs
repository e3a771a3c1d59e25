//! The `libvirt` backend on a real libvirt, with real guests in QEMU without hardware help.

mod changing;
pub mod host;
pub mod packed;
mod restoring;
mod running;
mod scene;
mod still;
