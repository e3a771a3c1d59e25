//! The only `unsafe` in heptad: system calls that no library here wraps. Safe functions go out, and
//! each unsafe block has a SAFETY line. This room must know nothing but the kernel's interfaces.
#![allow(unsafe_code, reason = "the one module where it is allowed; each use is argued for")]

mod btrfs;
mod clock;
mod extents;
mod layout;
mod peer;
mod process;
mod project;
mod sqlite;

pub use btrfs::*;
pub use clock::{clock_is_synchronised, duplicate};
pub use extents::{Extent, Form, TreeReader, extents, settle};
pub use layout::{SearchKey, TreeKey};
pub use peer::peer_groups;
pub use process::{Detach, detach};
pub use project::{project, set_project};
pub use sqlite::sqlite_plain_paths;
