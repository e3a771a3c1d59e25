//! Trees of files: copying one with all that belongs to it, walking one, removing one. Everything
//! goes through file descriptors and follows no symbolic link, so that a tree that is changed
//! meanwhile, even by an enemy, leads nowhere else.
//!
//! This room knows the kernel's file calls and the port's errors. It must not know resources,
//! snapshots, stores or any backend: several of them copy trees.

mod copier;
mod copy;
mod data;
mod dress;
mod leaf;
mod meta;
mod open;
mod remove;
mod report;
mod walk;
mod xattr;

pub use copy::{Copy, Entry, Visitor, copy_into, copy_tree};
pub use data::{clone as share_data, copy as copy_data, same_content};
pub use meta::{Kind, Meta, Time};
pub use open::{below, names, open_dir, open_file, open_nosymlink, peek, through_proc};
pub use remove::remove_tree;
pub use report::{Report, Sample, shown};
pub use walk::walk;
pub use xattr::same as same_xattrs;

/// Trees nested deeper than this are left out: each level holds two descriptors, and the usual
/// limit of a process is 1,024. An absolute path cannot reach below 2,048 levels anyway.
pub const DEPTH: usize = 256;
