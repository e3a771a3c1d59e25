//! Holding a guest still for a moment, and letting it go whatever happens.
//!
//! The guest's file systems are frozen by its agent, and its processors paused, by a process of its
//! own: `heptad helper libvirt`. It lets go when it is told to, when its standard input is closed
//! (heptad died), at its deadline, and at SIGTERM. Before each of its two acts it writes down,
//! durably, what it is about to do: if it is killed too, whoever looks next lets go by that note.
//! Note and lock are the guest's own: of an instance and a disk of its, one waits for the other.
//!
//! This part knows virsh and notes. It must not know snapshots, stores or images.

mod agent;
mod freezer;
mod helper;
mod note;
mod protocol;
mod release;

pub(super) use freezer::{FreezeReport, Freezer, Unfrozen};
pub(crate) use helper::serve;
pub(super) use note::{HELD, Notes};
pub(crate) use release::{let_go_all, let_go_left, recover};
