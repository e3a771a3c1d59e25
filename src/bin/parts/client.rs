//! heptactl as a process: the environment and the terminal, read once and handed to the library.

use heptad::ctl::{Environment, Io, SYSTEM_SOCKET, Terminals, is_failing, run};
use jiff::tz::TimeZone;
use nix::unistd::Uid;
use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs it; `args` begins with the program's name.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let terminals = Terminals {
        stdin: io::stdin().is_terminal(),
        stdout: io::stdout().is_terminal(),
        stderr: io::stderr().is_terminal(),
    };
    let mut io = Io {
        stdin: &mut io::stdin().lock(),
        stdout: &mut io::stdout().lock(),
        stderr: &mut io::stderr().lock(),
        terminals,
        width: width(),
        now: &now,
    };
    ExitCode::from(run(args, &mut io, &environment()))
}

fn environment() -> Environment {
    Environment {
        socket: filled("HEPTAD_SOCKET").map(PathBuf::from),
        candidates: candidates(),
        no_color: filled("NO_COLOR").is_some() || filled("TERM").is_some_and(|t| t == "dumb"),
        unicode: unicode(),
        zone: zone(),
        interrupts: true,
        directory: env::current_dir().unwrap_or_default(),
        failing: Some(is_failing),
    }
}

/// Root asks the system's daemon; everybody else their own first.
fn candidates() -> Vec<PathBuf> {
    let mut candidates = Vec::new();
    if !Uid::effective().is_root()
        && let Some(runtime) = filled("XDG_RUNTIME_DIR")
    {
        candidates.push(PathBuf::from(runtime).join("heptad/heptad.sock"));
    }
    candidates.push(SYSTEM_SOCKET.into());
    candidates
}

/// The first of these that is set decides, as in setlocale(3).
fn unicode() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(filled);
    locale.is_some_and(|locale| {
        let locale = locale.to_string_lossy().to_lowercase();
        locale.ends_with("utf-8") || locale.ends_with("utf8")
    })
}

/// Of `TZ`, else of /etc/localtime.
fn zone() -> Option<TimeZone> {
    TimeZone::try_system().ok()
}

fn filled(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// Of the terminal that is written to; what goes into a file or a pipe is not wrapped.
fn width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

#[expect(clippy::disallowed_methods, reason = "the client's own clock, only to say how long ago")]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
