//! The only spawn: one program, run to its end, within limits.
//!
//! No shell, no inherited environment, no inherited descriptor; a session and process group of its
//! own. Whatever of that group is left when the program ended, or when its time is up, is killed.
//! A service that shall stay must be started by the service manager, or leave the session.

mod guard;
mod printed;
mod talk;
mod watch;

pub use printed::{Captured, plain};
pub use talk::{Talk, TalkError};

use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The search path that programs get: what only root can write to on any distribution.
pub const SEARCH_PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// Between SIGTERM and SIGKILL, unless told otherwise.
pub const GRACE: Duration = Duration::from_secs(10);

/// A program to run, once, with everything that it gets.
#[derive(Clone, Debug)]
pub struct Spawn {
    /// An absolute path; nothing is searched for.
    pub program: PathBuf,
    pub args: Vec<OsString>,
    /// Beside `LC_ALL=C.UTF-8` and `PATH`, which it may replace.
    pub env: Vec<(OsString, OsString)>,
    pub stdin: Vec<u8>,
    pub limits: Limits,
    /// Killed with the thread that runs it, and so with the daemon.
    pub dies_with_us: bool,
    /// So is all that it starts itself, unless that leaves its process group.
    pub guarded: bool,
    /// Run as this user and group, without supplementary groups; needs root.
    pub user: Option<User>,
    /// An open directory that it inherits and reaches as `/proc/self/fd/N`, so that a user who may
    /// not pass the directories above can still be given this one.
    pub dir: Option<Arc<OwnedFd>>,
}

/// What a program may use up.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Then its process group gets SIGTERM.
    pub deadline: Duration,
    /// After SIGTERM; then the group gets SIGKILL.
    pub grace: Duration,
    /// Bytes kept of its standard output.
    pub stdout: usize,
    /// Bytes kept of its standard error.
    pub stderr: usize,
    pub overflow: Overflow,
}

/// What happens to a program that prints more on its standard output than is kept. Of standard
/// error the rest is always thrown away: talking is no crime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The rest is read and thrown away.
    Discard,
    /// It is ended, as at the deadline.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
}

/// A program that was started and has ended.
#[derive(Clone, Debug)]
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: Captured,
    pub stderr: Captured,
    /// Its deadline passed; the status is then how it took that.
    pub timed_out: bool,
    /// It was not wanted any more; the same holds.
    pub stopped: bool,
    pub elapsed: Duration,
}

/// A program that could not be run.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    #[error("{} is not an absolute path; write it from / on", program.display())]
    Relative { program: PathBuf },
    #[error("{} cannot be started: {source}", program.display())]
    Start { program: PathBuf, source: std::io::Error },
    /// It was killed, as nothing could have stopped it later.
    #[error("{} cannot be watched and was killed: {source}", program.display())]
    Watch { program: PathBuf, source: std::io::Error },
}

impl Spawn {
    pub fn new(program: &Path, limits: Limits) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            stdin: Vec::new(),
            limits,
            dies_with_us: true,
            guarded: false,
            user: None,
            dir: None,
        }
    }

    /// Runs it and waits for its end. Blocks at most for deadline and grace, and a moment for a
    /// pipe that somebody else holds open; longer only for a process that the kernel itself cannot
    /// end, since nothing else may touch its pool meanwhile.
    ///
    /// # Errors
    /// When it could not be started or watched. An exit code or a deadline is no error here.
    pub fn run(&self) -> Result<Finished, ProcessError> {
        self.run_while(None)
    }

    /// The same; and it is ended, as at its deadline, as soon as it is not `wanted` any more.
    ///
    /// # Errors
    /// As [`Spawn::run`]. That it was stopped is no error here, either.
    pub fn run_while(&self, wanted: Option<&dyn Fn() -> bool>) -> Result<Finished, ProcessError> {
        if !self.program.is_absolute() {
            return Err(ProcessError::Relative { program: self.program.clone() });
        }
        let started = Instant::now();
        let program = || self.program.clone();
        let start = |source| ProcessError::Start { program: program(), source };
        let guard =
            self.guarded.then(|| guard::Guard::start(self.user)).transpose().map_err(start)?;
        let announce = guard.as_ref().and_then(guard::Guard::input);
        let mut child = self.command(announce).spawn().map_err(start)?;
        let terms = watch::Terms { limits: self.limits, started, wanted };
        let watched = watch::until_the_end(&mut child, &self.stdin, terms);
        signal(&child, Signal::KILL);
        // Before the program is reaped: from then on its number may be anybody's.
        drop(guard);
        let status = finish(&mut child);
        let both = watched.and_then(|seen| status.map(|status| (seen, status)));
        let (seen, status) =
            both.map_err(|source| ProcessError::Watch { program: program(), source })?;
        let watch::Seen { stdout, stderr, timed_out, stopped } = seen;
        Ok(Finished { status, stdout, stderr, timed_out, stopped, elapsed: started.elapsed() })
    }

    /// Starts it and lets it be: it ends when it likes, and nobody hears what it prints. Limits and
    /// standard input are not used.
    ///
    /// # Errors
    /// When it could not be started.
    pub fn leave(&self) -> Result<(), ProcessError> {
        if !self.program.is_absolute() {
            return Err(ProcessError::Relative { program: self.program.clone() });
        }
        let start = |source| ProcessError::Start { program: self.program.clone(), source };
        let mut child = self.command(None).spawn().map_err(start)?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        drop(pipes);
        let thread = std::thread::Builder::new().name("undertaker".into());
        // Without the thread it would only stay a zombie until we end.
        let _ = thread.spawn(move || child.wait());
        Ok(())
    }

    #[expect(clippy::disallowed_methods, reason = "the only spawn")]
    fn command(&self, announce: Option<Arc<OwnedFd>>) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).current_dir("/").env_clear();
        command.env("LC_ALL", "C.UTF-8").env("PATH", SEARCH_PATH);
        command.envs(self.env.iter().map(|(key, value)| (key, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(user) = self.user {
            use std::os::unix::process::CommandExt;
            command.uid(user.uid).gid(user.gid);
        }
        let how =
            super::sys::Detach { dies_with_us: self.dies_with_us, announce, dir: self.dir.clone() };
        super::sys::detach(&mut command, how);
        command
    }
}

/// Kills what is left of the group and takes the exit status.
fn finish(child: &mut Child) -> std::io::Result<ExitStatus> {
    signal(child, Signal::KILL);
    child.wait()
}

/// Signals the whole group. The program is not reaped yet, so its number is still the group's.
fn signal(child: &Child, signal: Signal) {
    // It fails only where there is nobody left to signal.
    let _ = kill_process_group(Pid::from_child(child), signal);
}
