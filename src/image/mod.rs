//! The files in disk images, as a tree to browse and to mount.
//!
//! An image's content is a guest's, so it is an enemy's. The host's kernel never parses it: its
//! file systems are not made for that. A process of its own, the helper (this same program), reads
//! the image by readers written in safe Rust, after it has given up every system call but reading
//! and answering, and shows the kernel a FUSE file system with nothing but plain files in it. That
//! mount is in nobody's tree; when its last user is gone, the helper ends, whoever died first.
//!
//! Formats are what the caller says, never what an image says; a backing file is not followed.
//! Journals that a guest had no time to finish are replayed in memory, nothing is written. What
//! could not be taken into account is said in a note beside the files.
//!
//! This room knows image files and the port's errors. It must not know instances, stores or any
//! backend.

mod block;
mod btrfs;
mod errno;
mod ext;
mod fat;
mod files;
mod helper;
mod inodes;
mod lvm;
mod namespace;
mod ntfs;
mod protocol;
mod run;
mod sandbox;
mod serve;
mod table;
mod volume;
mod xfs;

pub use helper::serve as helper;
pub use protocol::{Disk, Format};
pub use run::open;
