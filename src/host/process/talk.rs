//! A program that is kept open: told something, it answers, until both are done.

use super::{Captured, ProcessError, Spawn, finish};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

/// How long an ended program's last words are waited for, if something else holds its pipe.
const LINGER: Duration = Duration::from_millis(500);

/// A talk that is over before its time.
#[derive(Debug, thiserror::Error)]
pub enum TalkError {
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// It ended; `said` is what it printed on standard error.
    #[error("{} has ended: {said}", program.display())]
    Ended { program: PathBuf, status: ExitStatus, said: String },
    /// It was killed: a talk in which an answer is missing cannot go on.
    #[error("{} gave no answer within {} s and was killed", program.display(), waited.as_secs())]
    Silent { program: PathBuf, waited: Duration },
}

/// A program under way. Dropped, it and its process group are killed.
#[derive(Debug)]
pub struct Talk {
    program: PathBuf,
    child: Child,
    /// Once it is reaped, its number may be anybody's.
    reaped: bool,
    input: Option<File>,
    output: File,
    errors: File,
    heard: Vec<u8>,
    said: Captured,
    /// Bytes kept of an answer and of standard error.
    limits: (usize, usize),
}

impl Spawn {
    /// Starts it for a talk. Its deadline counts for each answer; `stdin` is not used.
    ///
    /// # Errors
    /// When it could not be started.
    pub fn talk(&self) -> Result<Talk, ProcessError> {
        if !self.program.is_absolute() {
            return Err(ProcessError::Relative { program: self.program.clone() });
        }
        let started = self.command(None).spawn();
        let start = |source| ProcessError::Start { program: self.program.clone(), source };
        let mut child = started.map_err(start)?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(input), Some(output), Some(errors)) = pipes else {
            let _ = finish(&mut child);
            return Err(start(std::io::Error::from(ErrorKind::BrokenPipe)));
        };
        let (output, errors) = (OwnedFd::from(output), OwnedFd::from(errors));
        let unblocked = rustix::io::ioctl_fionbio(&output, true)
            .and_then(|()| rustix::io::ioctl_fionbio(&errors, true));
        let talk = Talk {
            program: self.program.clone(),
            child,
            reaped: false,
            input: Some(OwnedFd::from(input).into()),
            output: output.into(),
            errors: errors.into(),
            heard: Vec::new(),
            said: Captured::default(),
            limits: (self.limits.stdout, self.limits.stderr),
        };
        unblocked.map_err(|error| talk.lost(error.into()))?;
        Ok(talk)
    }
}

impl Talk {
    /// Says something short and hears what it prints up to a line that is `end`, without that.
    ///
    /// # Errors
    /// Always the end of the talk.
    pub fn ask(&mut self, text: &str, end: &str, wait: Duration) -> Result<String, TalkError> {
        let told = self.input.as_mut().map(|input| input.write_all(text.as_bytes()));
        match told {
            // What it has to say about that is heard below.
            Some(Err(error)) if error.kind() != ErrorKind::BrokenPipe => {
                Err(self.lost(error).into())
            }
            _ => self.hear(end, wait),
        }
    }

    fn hear(&mut self, end: &str, wait: Duration) -> Result<String, TalkError> {
        let until = Instant::now() + wait;
        let end = format!("{end}\n");
        loop {
            let text = String::from_utf8_lossy(&self.heard);
            if let Some(answer) = text.strip_suffix(&end)
                && (answer.is_empty() || answer.ends_with('\n'))
            {
                let answer = answer.to_owned();
                self.heard.clear();
                return Ok(answer);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.heard.len() > self.limits.0 {
                self.reap()?;
                return Err(TalkError::Silent { program: self.program.clone(), waited: wait });
            }
            if self.read(left)? {
                let status = self.end()?;
                let said = self.said.first_lines(3);
                return Err(TalkError::Ended { program: self.program.clone(), status, said });
            }
        }
    }

    /// Waits for either stream and reads what is there; whether the answers have ended.
    fn read(&mut self, wait: Duration) -> Result<bool, ProcessError> {
        let mut fds =
            [PollFd::new(&self.output, PollFlags::IN), PollFd::new(&self.errors, PollFlags::IN)];
        match poll(&mut fds, Timespec::try_from(wait).ok().as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(self.lost(error.into())),
        }
        self.overhear();
        let mut buffer = [0; 16 * 1024];
        match self.output.read(&mut buffer) {
            Ok(0) => Ok(true),
            Ok(count) => {
                self.heard.extend_from_slice(&buffer[..count]);
                Ok(false)
            }
            Err(error) if is_passing(&error) => Ok(false),
            Err(error) => Err(self.lost(error)),
        }
    }

    /// Standard error, of which the first part is kept. Whether it is closed.
    fn overhear(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        match self.errors.read(&mut buffer) {
            Ok(count) => {
                let kept = count.min(self.limits.1.saturating_sub(self.said.bytes.len()));
                self.said.bytes.extend_from_slice(&buffer[..kept]);
                self.said.truncated |= kept < count;
                count == 0
            }
            Err(error) => !is_passing(&error),
        }
    }

    /// Lets it end by closing its input.
    ///
    /// # Errors
    /// When it did not end by itself within `wait`; then it is killed.
    pub fn close(mut self, wait: Duration) -> Result<ExitStatus, TalkError> {
        self.input = None;
        let until = Instant::now() + wait;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(TalkError::Silent { program: self.program.clone(), waited: wait });
            }
            if self.read(left)? {
                return Ok(self.end()?);
            }
        }
    }

    /// After the end of its answers: the rest of its errors, and its status.
    fn end(&mut self) -> Result<ExitStatus, ProcessError> {
        let until = Instant::now() + LINGER;
        while !self.overhear() {
            let left = until.saturating_duration_since(Instant::now());
            let mut fds = [PollFd::new(&self.errors, PollFlags::IN)];
            let ready = poll(&mut fds, Timespec::try_from(left).ok().as_ref());
            if left.is_zero() || ready.is_ok_and(|ready| ready == 0) {
                break;
            }
        }
        self.reap()
    }

    fn reap(&mut self) -> Result<ExitStatus, ProcessError> {
        self.reaped = true;
        finish(&mut self.child).map_err(|source| self.lost(source))
    }

    fn lost(&self, source: std::io::Error) -> ProcessError {
        ProcessError::Watch { program: self.program.clone(), source }
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        // Its input is closed first, so that a client takes its leave of the server.
        self.input = None;
        if !self.reaped {
            let _ = finish(&mut self.child);
        }
    }
}

fn is_passing(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
