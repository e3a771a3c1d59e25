//! The programs of PostgreSQL, run as the data directory's owner.

use super::settings::Settings;
use crate::domain::operation::Fault;
use crate::fs::{Progress, StorageError};
use crate::host::process::{Finished, GRACE, Limits, Overflow, Spawn, User};
use std::ffi::OsString;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Where Debian and its kin, and the project's own packages for others, put them.
const PLACES: [(&str, &str); 2] = [("/usr/lib/postgresql/", "/bin"), ("/usr/pgsql-", "/bin")];
const OUTPUT: usize = 1 << 20;
const ERRORS: usize = 64 << 10;

#[derive(Clone, Debug)]
pub(super) struct Tools {
    bin: PathBuf,
    /// None: heptad runs as the owner itself.
    user: Option<User>,
}

impl Tools {
    /// # Errors
    /// [`Fault::Permanent`] where they are not installed, or would have to run as root.
    pub(super) fn find(settings: &Settings, major: u32, owner: User) -> Result<Self, StorageError> {
        let doing = || format!("looking for the programs of PostgreSQL {major}");
        let places = places(settings, major);
        let Some(bin) = places.iter().find(|bin| bin.join("postgres").is_file()) else {
            let all: Vec<String> = places.iter().map(|bin| bin.display().to_string()).collect();
            let why = format!(
                "there is no postgres in {}; install the server's package, or name its directory \
                 with bin = \"/…\"",
                all.join(" or ")
            );
            return Err(StorageError::new(Fault::Permanent, doing(), why));
        };
        if owner.uid == 0 {
            let why = "the data directory is root's, and PostgreSQL refuses to run as root";
            return Err(StorageError::new(Fault::Permanent, doing(), why));
        }
        let user = nix::unistd::geteuid().is_root().then_some(owner);
        Ok(Self { bin: bin.clone(), user })
    }

    /// One of them, given `dir`, which the owner must be able to enter: see [`handed`].
    pub(super) fn spawn(
        &self,
        name: &str,
        args: &[&str],
        dir: &Arc<OwnedFd>,
        deadline: Duration,
    ) -> Spawn {
        let limits = Limits {
            deadline,
            grace: GRACE,
            stdout: OUTPUT,
            stderr: ERRORS,
            overflow: Overflow::Discard,
        };
        Spawn {
            args: args.iter().map(OsString::from).collect(),
            env: vec![("PGAPPNAME".into(), "heptad".into())],
            user: self.user,
            dir: Some(Arc::clone(dir)),
            ..Spawn::new(&self.program(name), limits)
        }
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// As whom programs are run; none: as whom heptad runs.
    pub(super) fn user(&self) -> Option<User> {
        self.user
    }

    /// Gives something to the owner.
    pub(super) fn give(&self, path: &Path) -> std::io::Result<()> {
        match self.user {
            Some(user) => std::os::unix::fs::lchown(path, Some(user.uid), Some(user.gid)),
            None => Ok(()),
        }
    }
}

fn places(settings: &Settings, major: u32) -> Vec<PathBuf> {
    let places = PLACES.map(|(before, after)| PathBuf::from(format!("{before}{major}{after}")));
    settings.bin.clone().map_or(places.to_vec(), |bin| vec![bin])
}

/// What a person types, as root, to start or stop the server of a data directory.
pub(super) fn control(
    settings: &Settings,
    major: u32,
    owner: u32,
    data: &Path,
    act: &str,
) -> String {
    let found = places(settings, major).into_iter().map(|bin| bin.join("pg_ctl"));
    let program = found.into_iter().find(|program| program.is_file());
    let program = program.unwrap_or_else(|| "pg_ctl".into());
    let name = nix::unistd::User::from_uid(owner.into()).ok().flatten().map(|user| user.name);
    let user = match name {
        Some(name) => format!("runuser -u {name} --"),
        None => format!("setpriv --reuid={owner} --clear-groups"),
    };
    format!("{user} {} -D {} {act}", program.display(), data.display())
}

/// What a person types to start it: what it says then goes into a file, not to the terminal for
/// ever.
pub(super) fn start(settings: &Settings, major: u32, owner: u32, data: &Path) -> String {
    let log = data.join("server.log");
    control(settings, major, owner, data, &format!("-l {} start", log.display()))
}

/// The path of the directory that a program was given. (Its working directory would not do: up to
/// version 15 the programs leave it to look for themselves, and cannot come back.)
pub(super) fn handed(dir: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", dir.as_raw_fd())
}

/// Runs it to its end, which must be a good one.
///
/// # Errors
/// `fault` with what it said; [`Fault::Transient`] when it ran out of time.
pub(super) fn run(spawn: &Spawn, fault: Fault, doing: &str) -> Result<Finished, StorageError> {
    run_while(spawn, fault, doing, &())
}

/// The same.
///
/// # Errors
/// Beside those [`Fault::Cancelled`] where it was ended because nobody wants it any more.
pub(super) fn run_while(
    spawn: &Spawn,
    fault: Fault,
    doing: &str,
    progress: &dyn Progress,
) -> Result<Finished, StorageError> {
    let finished = spawn
        .run_while(Some(&|| progress.is_wanted()))
        .map_err(|error| StorageError::new(Fault::Permanent, doing, error.to_string()))?;
    if finished.stopped {
        return Err(StorageError::unwanted());
    }
    if finished.timed_out {
        let why = format!("it took longer than {} s", spawn.limits.deadline.as_secs());
        return Err(StorageError::new(Fault::Transient, doing, why));
    }
    if finished.status.success() {
        return Ok(finished);
    }
    let said = finished.stderr.first_lines(4);
    let fault = if said.contains("No space left on device") { Fault::NoSpace } else { fault };
    let name = spawn.program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Err(StorageError::new(fault, doing, format!("{name} said: {said} ({})", finished.status)))
}
