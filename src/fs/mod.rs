//! File systems: trees of files, subvolumes, what they occupy, and how an act on them fails.
//!
//! Everything goes by file descriptors and follows no symbolic link. This room knows the kernel's
//! file calls and the domain's words for faults. It must not know snapshots, stores, resources or
//! any backend.

mod error;
pub mod fnv;
pub mod growth;
mod progress;
pub mod subvolume;
pub mod tree;
pub mod usage;

pub use error::{Doing, StorageError};
pub use progress::{Asking, Progress};
