//! The `sqlite` backend on real databases, with real writers in other processes.

mod bench;
mod busy;
mod hostile;
mod owners;
mod packed;
mod stopped;

crate::conformance!(sqlite, super::packed::Packed);
