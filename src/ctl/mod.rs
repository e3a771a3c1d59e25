//! heptactl as a library: arguments in, text and an exit code out.
//!
//! This room knows the wire types and the client, nothing else of heptad: it decides nothing, and
//! what it says comes from the daemon's answers. It reads no environment, no clock and no
//! terminal; the binary hands them in, so that tests and the demo drive the very same code.

mod args;
mod asking;
mod cancel;
mod change;
mod destroy;
mod error;
pub mod exit;
mod files;
mod follow;
mod forget;
mod generate;
mod get;
mod look;
mod make;
mod manual;
mod mount;
mod output;
mod protect;
pub mod render;
mod session;
mod tag;
mod values;
mod watch;

pub use crate::api::client::{SYSTEM_SOCKET, is_failing};
pub use error::CtlError;
pub use generate::write_pages;
pub use manual::MANUAL;
pub use values::Color;

use crate::api::client::{Client, Failing};
use crate::api::wire::ForgetBody;
use args::{Cli, Command, Global};
use clap::{Arg, CommandFactory, FromArgMatches};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use session::{Done, Session};
use std::ffi::OsString;
use std::io::{BufRead, Write};
use std::path::PathBuf;

/// Where a run reads and writes.
pub struct Io<'a> {
    pub stdin: &'a mut dyn BufRead,
    pub stdout: &'a mut dyn Write,
    pub stderr: &'a mut dyn Write,
    pub terminals: Terminals,
    /// Columns to wrap into; none to wrap nothing.
    pub width: Option<usize>,
    /// The present, for answers that do not say what time it is for the daemon.
    pub now: &'a dyn Fn() -> Timestamp,
}

/// Which of the standard streams are terminals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terminals {
    pub stdin: bool,
    pub stdout: bool,
    pub stderr: bool,
}

/// What the process was started with.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// The socket that `HEPTAD_SOCKET` names; `--socket` wins over it.
    pub socket: Option<PathBuf>,
    /// Otherwise the first of these that exists, or the last.
    pub candidates: Vec<PathBuf>,
    /// `NO_COLOR` is set and not empty.
    pub no_color: bool,
    /// The locale is UTF-8.
    pub unicode: bool,
    /// Where whoever looks lives, for the times that are shown; UTC without one.
    pub zone: Option<TimeZone>,
    /// Whether Ctrl-C is ours to see while an operation is awaited.
    pub interrupts: bool,
    /// Relative paths start here.
    pub directory: PathBuf,
    /// Whom to ask whether the daemon of a socket does not start.
    pub failing: Option<Failing>,
}

/// The tree of commands, for completions and manual pages.
pub fn command() -> clap::Command {
    let described = |arg: Arg| match manual::argument(arg.get_id().as_str()) {
        Some(text) if arg.get_help().is_none() => arg.help(text),
        _ => arg,
    };
    MANUAL.dress(Cli::command()).mut_subcommands(|sub| sub.mut_args(described))
}

/// Runs `heptactl ARGS`; `args` begins with the program's name. Returns the exit code (see
/// [`exit`]). A reader who closed the pipe is no error.
pub fn run(
    args: impl IntoIterator<Item = OsString>,
    io: &mut Io<'_>,
    environment: &Environment,
) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    let json = args.iter().any(|word| word == "--json");
    let parsed = crate::help::parse(&command(), &args);
    match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => match perform(cli, io, environment) {
            Ok(code) => code,
            Err(error) => error.exit_code(),
        },
        Err(error) => help(&error, json, io, environment),
    }
}

/// Help, the version, or what is wrong with the line.
fn help(error: &clap::Error, json: bool, io: &mut Io<'_>, environment: &Environment) -> u8 {
    let wrong = error.use_stderr();
    if wrong && json {
        let text = error.render().to_string();
        let message = text.lines().next().unwrap_or_default();
        let message = message.strip_prefix("error: ").unwrap_or(message);
        let hint = "`heptactl --help` shows the commands";
        // There is nobody left to tell if this cannot be written.
        let text = serde_json::to_string_pretty(&session::refused("usage", message, hint));
        let _ = writeln!(io.stdout, "{}", text.unwrap_or_default());
    }
    let terminal = if wrong { io.terminals.stderr } else { io.terminals.stdout };
    let text = error.render();
    let text = if session::coloured(Color::Auto, terminal, environment.no_color) {
        text.ansi().to_string()
    } else {
        text.to_string()
    };
    let out = if wrong { &mut *io.stderr } else { &mut *io.stdout };
    // There is nobody left to tell if this cannot be written.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    if wrong { exit::USAGE } else { exit::OK }
}

/// # Errors
/// Those that were told already.
fn perform(cli: Cli, io: &mut Io<'_>, environment: &Environment) -> Done {
    let Cli { global, command } = cli;
    let socket = socket(&global, environment);
    let client = match Client::new(socket) {
        Ok(client) => client.with_failing(environment.failing),
        Err(error) => {
            // There is nobody left to tell if this cannot be written.
            let _ = writeln!(io.stderr, "heptactl: {error}");
            return Err(error.into());
        }
    };
    let mut session = Session::new(client, global, io, environment);
    let done = dispatch(command, &mut session);
    if let Err(error) = &done {
        if error.is_broken_pipe() {
            return Ok(exit::OK);
        }
        let _ = session.complain(error);
    }
    done
}

fn socket(global: &Global, environment: &Environment) -> PathBuf {
    let named = global.socket.clone().or_else(|| environment.socket.clone());
    let candidates = &environment.candidates;
    let found = || candidates.iter().find(|path| path.exists()).or(candidates.last()).cloned();
    named.or_else(found).unwrap_or_default()
}

fn dispatch(command: Command, session: &mut Session<'_, '_>) -> Done {
    match command {
        Command::Status { resource } => look::status(session, resource.as_deref()),
        Command::List { resource, origin, all } => look::list(session, resource, origin, all),
        Command::Show { name, snapshot } => look::show(session, &name, snapshot),
        Command::Forecast { resource, days } => look::forecast(session, resource.as_deref(), days),
        Command::Fee { resource, month } => {
            look::fee(session, resource.as_deref(), month.as_deref())
        }
        Command::Plans => look::plans(session),
        Command::Blueprints => look::blueprints(session),
        Command::Why { resource, day } => look::why(session, &resource, day.as_deref()),
        Command::Watch => watch::watch(session),
        Command::Operations { resource, open, limit } => {
            look::operations(session, resource, open, limit)
        }
        Command::Operation { id, wait } => look::operation(session, id, wait),
        Command::Browse { snapshot, path } => files::browse(session, &snapshot, path.as_deref()),
        Command::Get { snapshot, path, out, force } => {
            get::get(session, &snapshot, &path, out.as_deref(), force)
        }
        Command::Diff { old, new, path, exit_code } => {
            files::diff(session, (&old, &new), path.as_deref(), exit_code)
        }
        Command::Mount { snapshot, dir } => mount::mount(session, &snapshot, &dir),
        Command::Umount { dir } => mount::umount(session, &dir),
        Command::Mounts => mount::mounts(session),
        Command::Protect(wish) => protect::protect(session, &wish),
        Command::Take { resource, name, system_disk, tags } => {
            change::take(session, &resource, name.as_deref(), system_disk, &tags)
        }
        Command::Keep { snapshot, name, tags } => change::keep(session, &snapshot, &name, &tags),
        Command::Tag { name, resource, snapshot, change } => {
            tag::tag(session, &name, (resource, snapshot), change)
        }
        Command::Enable { resource, time } => change::enable(session, &resource, time.as_deref()),
        Command::Disable { resource } => change::disable(session, &resource),
        Command::SetTime { resource, time } => change::set_time(session, &resource, &time),
        Command::Reset { resource } => change::reset(session, &resource),
        Command::Restore { name } => make::restore(session, name.as_deref()),
        Command::Create { name, from, wish } => make::create(session, &name, &from, &wish),
        Command::Rollback { resource, to, backup_name, yes } => {
            make::rollback(session, &resource, &to, backup_name, yes)
        }
        Command::Attach { disk, instance } => make::attach(session, &disk, &instance),
        Command::Detach { disk, instance } => make::detach(session, &disk, &instance),
        Command::Cancel { id } => cancel::cancel(session, id),
        Command::Undelete { snapshots } => change::undelete(session, &snapshots),
        Command::Acknowledge { resource } => change::acknowledge(session, &resource),
        Command::Rotate { resource, yes } => change::rotate(session, &resource, yes),
        Command::Delete { snapshots, now, yes } => destroy::delete(session, &snapshots, now, yes),
        Command::Forget { resource, last, skip_final, automatic, yes } => {
            let body = ForgetBody { automatic: automatic.into(), last, skip_final };
            forget::forget(session, &resource, body, yes)
        }
        Command::Reload => look::reload(session),
        Command::Check => look::check(session),
        Command::Completions { shell } => generate::completions(session, shell),
        Command::Man { out } => generate::man(session, out.as_deref()),
    }
}
