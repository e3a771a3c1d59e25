//! Trees of files: copying one with all that belongs to it, walking one, removing one. Everything
//! goes through file descriptors and follows no symbolic link, so that a tree that is changed
//! meanwhile, even by an enemy, leads nowhere else.
//!
//! This room knows the kernel's file calls and the port's errors. It must not know resources,
//! snapshots, stores or any backend: several of them copy trees.

mod copier;
mod copy;
mod covered;
mod data;
mod dress;
mod finish;
mod flags;
mod flow;
mod leaf;
mod meta;
mod open;
mod remove;
mod report;
mod resemble;
mod trail;
mod trouble;
mod walk;
mod xattr;

pub use copy::{copy_into, copy_tree, fix};
pub use data::{Tell, clone as share_data, copy as copy_data, same_content};
pub use dress::{disinherit, shed};
pub use finish::add_bytes;
pub use flags::Flags;
pub use flow::{Copy, Entry, Flow, Share, Visitor};
pub use meta::{Kind, Meta, Time};
pub use open::{
    below, names, open_dir, open_file, open_nosymlink, peek, peek_here, real_path, through_proc,
};
pub use remove::remove_tree;
pub use report::{Report, Sample, shown};
pub use resemble::{begin_like, end_like, resemble};
pub use trail::Trail;
pub use walk::{walk, walk_with_mounts};
pub use xattr::same as same_xattrs;

/// Longer paths, from the root of a tree, are left out of its copies: the kernel itself takes no
/// more than 4,096 bytes at once, and an index has them in full.
pub const PATH: usize = 16_384;
