//! Sees to it that what a program has started dies with the daemon, too.
//!
//! The kernel kills only the program itself when the daemon is killed; a worker that it has started
//! would go on for ever. So a shell beside it waits for its input to be closed, which happens when
//! the daemon ends, however it ends, and then kills the program's whole group. (A service manager
//! that kills by control group does the same; this does not depend on one.)

use super::{Limits, Overflow, Spawn, User};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// It is told a group; at the end of its input it kills that. The program itself tells it, before
/// it is that program and can start anything: a daemon killed right after the start told nobody.
/// The number can hardly be another's by then: it is free only once all of the group are gone, and
/// all numbers come before it again.
const SCRIPT: &str = "read -r group && ! read -r nothing && kill -s KILL -- \"-$group\"";

#[derive(Debug)]
pub(super) struct Guard {
    shell: Child,
    input: Option<Arc<OwnedFd>>,
}

impl Guard {
    /// Starts it, as the user that the program runs as: nobody else need be allowed to kill it.
    pub(super) fn start(user: Option<User>) -> io::Result<Self> {
        let limits = Limits {
            deadline: Duration::ZERO,
            grace: Duration::ZERO,
            stdout: 0,
            stderr: 0,
            overflow: Overflow::Discard,
        };
        let args = vec!["-c".into(), SCRIPT.into()];
        let spawn =
            Spawn { args, user, dies_with_us: false, ..Spawn::new(Path::new("/bin/sh"), limits) };
        let mut command = spawn.command(None);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut shell = command.spawn()?;
        let input = shell.stdin.take().map(|pipe| Arc::new(pipe.into()));
        Ok(Self { shell, input })
    }

    /// Where a program that leads a group of its own announces that.
    pub(super) fn input(&self) -> Option<Arc<OwnedFd>> {
        self.input.clone()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Before its input is closed: it must not act. It is ours to reap, so it is still there.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
