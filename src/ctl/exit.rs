//! Exit codes: a promise to scripts.

pub const OK: u8 = 0;
/// The daemon refused, an operation failed, or the question was answered with no.
pub const REFUSED: u8 = 1;
pub const USAGE: u8 = 2;
/// Nothing that speaks heptad's language answers at the socket.
pub const UNREACHABLE: u8 = 3;
pub const NO_PERMISSION: u8 = 4;
/// Of `status` only.
pub const ALARM: u8 = 5;
/// Of `diff --exit-code` only.
pub const DIFFERENT: u8 = 6;
/// Ctrl-C while an operation was awaited; it goes on (128 and SIGINT's number, as shells have it).
pub const INTERRUPTED: u8 = 130;
