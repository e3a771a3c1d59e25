//! The `libvirt` backend on a real libvirt, with real guests in QEMU without hardware help.

mod changing;
mod holding;
pub mod host;
mod killed;
mod looking;
pub mod packed;
mod rescue;
mod restoring;
mod rolling;
mod running;
pub mod scene;
mod still;
mod twins;
mod whole;
