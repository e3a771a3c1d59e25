//! The port to the technologies that hold snapshots, and a folder for each of them.
//!
//! This room knows file systems, stores, images, the domain's types and the host's services. It
//! must not know the catalogue, the configuration's layout, the API, nor one backend another.
//! Whatever a backend makes carries its own manifest, so that the catalogue is expendable.

mod asked;
mod btrfs;
mod exec;
pub mod facets;
pub mod fake;
mod files;
mod libvirt;
pub mod options;
mod order;
mod port;
mod postgres;
pub mod recognise;
pub mod registry;
mod sqlite;

pub use order::{Image, Object, RestoreOrder, Restored, RollbackOrder, TakeOrder};
pub use port::{Backend, Capabilities, Territory};
