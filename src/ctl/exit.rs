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

/// For `--help` and the manual page.
pub const HELP: &str = "\
Exit codes:
  0  done
  1  heptad refused, an operation failed, or you answered no
  2  the command line is wrong, or a confirmation is missing
  3  heptad cannot be reached
  4  no permission
  5  status only: something is in alarm
  6  diff --exit-code only: the snapshots differ

The socket is the one of --socket, of HEPTAD_SOCKET, or the one of your own daemon
($XDG_RUNTIME_DIR/heptad/heptad.sock) if that exists, or /run/heptad/heptad.sock.
A SNAPSHOT is a manual snapshot's name, RESOURCE@DATE (web-1@2026-11-22) or
RESOURCE@latest.";
