//! The `files` backend and the tree copier on real file systems.

mod bench;
mod content;
mod dressing;
mod enemies;
mod faults;
pub mod harness;
mod links;
mod picture;
mod quotas;
mod restoring;
mod rolling;
mod sharing;
mod tampering;
mod times;
mod tree;
mod troubles;
