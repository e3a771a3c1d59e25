//! Feeding, reading and timing one child: a loop over poll, with no sleep and no thread.

use super::{Captured, Limits, Overflow, signal};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Child;
use std::time::{Duration, Instant};

/// How long a pipe is still read after the program ended: something that it started may hold the
/// other end open for ever.
const LINGER: Duration = Duration::from_millis(500);

/// How often it is asked whether the program is wanted still.
const ASK: Duration = Duration::from_millis(100);

/// Until when it may run.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) limits: Limits,
    pub(super) started: Instant,
    pub(super) wanted: Option<&'a dyn Fn() -> bool>,
}

/// What came out.
pub(super) struct Seen {
    pub(super) stdout: Captured,
    pub(super) stderr: Captured,
    pub(super) timed_out: bool,
    pub(super) stopped: bool,
}

/// Returns when the program has ended and its output is read. It is not reaped.
pub(super) fn until_the_end(child: &mut Child, input: &[u8], terms: Terms<'_>) -> io::Result<Seen> {
    let mut watch = Watch::new(child, input, terms)?;
    loop {
        let now = Instant::now();
        if watch.stage == Stage::Ended && (watch.has_all() || watch.is_over(now)) {
            break;
        }
        if watch.is_over(now) {
            watch.timed_out |= watch.stage == Stage::Running;
            watch.press(child, now);
        }
        if watch.stage == Stage::Running && !terms.wanted.is_none_or(|wanted| wanted()) {
            watch.stopped = true;
            watch.press(child, now);
        }
        let ready = watch.wait(now)?;
        watch.advance(child, ready)?;
    }
    let Watch { out, err, timed_out, stopped, .. } = watch;
    Ok(Seen { stdout: out.captured, stderr: err.captured, timed_out, stopped })
}

struct Watch<'a> {
    pidfd: OwnedFd,
    input: Option<File>,
    unsent: &'a [u8],
    out: Reading,
    err: Reading,
    limits: Limits,
    stage: Stage,
    /// When the stage is over; never, if there is nothing more to be done but wait.
    until: Option<Instant>,
    timed_out: bool,
    stopped: bool,
    /// Somebody has to be asked.
    asked: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Running,
    /// SIGTERM was sent.
    Asked,
    /// SIGKILL was sent.
    Killed,
    /// The program ended; what is in the pipes is still read.
    Ended,
}

/// What poll found: stdin, stdout, stderr, the end.
#[derive(Clone, Copy, Default)]
struct Ready([bool; 4]);

impl<'a> Watch<'a> {
    fn new(child: &mut Child, input: &'a [u8], terms: Terms<'_>) -> io::Result<Self> {
        let Terms { limits, started, wanted } = terms;
        Ok(Self {
            pidfd: pidfd_open(Pid::from_child(child), PidfdFlags::empty())?,
            input: child.stdin.take().map(|pipe| unblocked(pipe.into())).transpose()?,
            unsent: input,
            out: Reading::new(child.stdout.take().map(OwnedFd::from), limits.stdout)?,
            err: Reading::new(child.stderr.take().map(OwnedFd::from), limits.stderr)?,
            limits,
            stage: Stage::Running,
            until: started.checked_add(limits.deadline),
            timed_out: false,
            stopped: false,
            asked: wanted.is_some(),
        })
    }

    fn is_over(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now >= until)
    }

    fn has_all(&self) -> bool {
        self.out.pipe.is_none() && self.err.pipe.is_none()
    }

    /// The next step of making it end.
    fn press(&mut self, child: &Child, now: Instant) {
        (self.stage, self.until) = match self.stage {
            Stage::Running => {
                signal(child, Signal::TERM);
                (Stage::Asked, now.checked_add(self.limits.grace))
            }
            Stage::Asked | Stage::Killed => {
                signal(child, Signal::KILL);
                (Stage::Killed, None)
            }
            Stage::Ended => return,
        };
    }

    /// Waits until something is to be done or the stage is over.
    fn wait(&self, now: Instant) -> io::Result<Ready> {
        let running = (self.stage != Stage::Ended).then_some(&self.pidfd);
        let watched = [
            (self.input.as_ref().map(AsFd::as_fd), PollFlags::OUT),
            (self.out.pipe.as_ref().map(AsFd::as_fd), PollFlags::IN),
            (self.err.pipe.as_ref().map(AsFd::as_fd), PollFlags::IN),
            (running.map(AsFd::as_fd), PollFlags::IN),
        ];
        let mut fds = Vec::with_capacity(watched.len());
        let mut places = Vec::with_capacity(watched.len());
        for (place, (fd, flags)) in watched.into_iter().enumerate() {
            if let Some(fd) = fd {
                fds.push(PollFd::from_borrowed_fd(fd, flags));
                places.push(place);
            }
        }
        let left = self.until.map(|until| until.saturating_duration_since(now));
        let ask = (self.asked && self.stage == Stage::Running).then_some(ASK);
        let timeout =
            left.into_iter().chain(ask).min().and_then(|left| Timespec::try_from(left).ok());
        let mut ready = Ready::default();
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(ready),
            Err(error) => return Err(error.into()),
        }
        for (place, fd) in places.into_iter().zip(&fds) {
            ready.0[place] = !fd.revents().is_empty();
        }
        Ok(ready)
    }

    fn advance(&mut self, child: &Child, ready: Ready) -> io::Result<()> {
        let [input, out, err, ended] = ready.0;
        if input {
            self.feed()?;
        }
        if out {
            self.out.read()?;
        }
        if err {
            self.err.read()?;
        }
        let now = Instant::now();
        if self.out.captured.truncated
            && self.limits.overflow == Overflow::End
            && self.stage == Stage::Running
        {
            self.press(child, now);
        }
        if ended {
            if self.stage != Stage::Running {
                // It was told to end, so nothing that it started has a moment more.
                signal(child, Signal::KILL);
            }
            self.input = None;
            (self.stage, self.until) = (Stage::Ended, now.checked_add(LINGER));
        }
        Ok(())
    }

    /// Writes what fits. A program need not read what it gets.
    fn feed(&mut self) -> io::Result<()> {
        let Some(pipe) = &mut self.input else { return Ok(()) };
        match pipe.write(self.unsent) {
            Ok(sent) => self.unsent = &self.unsent[sent..],
            Err(error) if is_passing(&error) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => self.unsent = &[],
            Err(error) => return Err(error),
        }
        if self.unsent.is_empty() {
            self.input = None;
        }
        Ok(())
    }
}

/// One of the child's outputs; without a pipe once it is closed.
struct Reading {
    pipe: Option<File>,
    captured: Captured,
    limit: usize,
}

impl Reading {
    fn new(pipe: Option<OwnedFd>, limit: usize) -> io::Result<Self> {
        let pipe = pipe.map(unblocked).transpose()?;
        Ok(Self { pipe, captured: Captured::default(), limit })
    }

    /// Reads once, so that a child which never stops printing cannot hold the loop.
    fn read(&mut self) -> io::Result<()> {
        let Some(pipe) = &mut self.pipe else { return Ok(()) };
        let mut buffer = [0; 64 * 1024];
        match pipe.read(&mut buffer) {
            Ok(0) => self.pipe = None,
            Ok(count) => {
                let kept = count.min(self.limit - self.captured.bytes.len());
                self.captured.bytes.extend_from_slice(&buffer[..kept]);
                self.captured.truncated |= kept < count;
            }
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

fn unblocked(pipe: OwnedFd) -> io::Result<File> {
    rustix::io::ioctl_fionbio(&pipe, true)?;
    Ok(pipe.into())
}
