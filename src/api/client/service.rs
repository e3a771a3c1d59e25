//! The system's own daemon, as systemd sees it.

use crate::host::unit::Unit;
use std::path::Path;

/// Where it listens. systemd holds this socket open, also while the daemon cannot start.
pub const SYSTEM_SOCKET: &str = "/run/heptad/heptad.sock";

/// Whether the daemon behind a socket fails to start, if that can be asked.
pub fn is_failing(socket: &Path) -> bool {
    socket == Path::new(SYSTEM_SOCKET) && Unit::ask().is_some_and(|unit| unit.is_failing())
}
