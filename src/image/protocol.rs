//! What the daemon and the helper tell each other, on the socket between them.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// The name of its directory in the tree: `vda`.
    pub name: String,
    /// An absolute path through no symbolic link.
    pub path: PathBuf,
    pub format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Raw,
    Qcow2,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    /// What the kernel's table of mounts calls it; no other mount has that.
    pub source: String,
    pub disks: Vec<Disk>,
}

/// With `Ready` comes the mount.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    Ready,
    Failed(String),
}
