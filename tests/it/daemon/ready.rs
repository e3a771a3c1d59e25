//! Waiting for a process: until it says that it is ready, or until it has ended.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

/// The other end of `NOTIFY_SOCKET`, as systemd would hold it (sd_notify(3)).
pub struct Ready(UnixDatagram);

impl Ready {
    pub fn listen(path: &Path) -> Self {
        let _ = std::fs::remove_file(path);
        let socket = UnixDatagram::bind(path).unwrap();
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o666)).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self(socket)
    }

    /// Whether it said so before it ended or the time was over.
    pub fn wait(&self, pid: Pid, word: &str, timeout: Duration) -> bool {
        let began = Instant::now();
        let process = pidfd_open(pid, PidfdFlags::empty()).unwrap();
        while let Some(left) = timeout.checked_sub(began.elapsed()) {
            let mut fds = [readable(&self.0), readable(&process)];
            poll(&mut fds, Some(&timespec(left))).unwrap();
            let mut text = [0; 4096];
            while let Ok(length) = self.0.recv(&mut text) {
                if String::from_utf8_lossy(&text[..length]).lines().any(|line| line == word) {
                    return true;
                }
            }
            if !fds[1].revents().is_empty() {
                return false;
            }
        }
        false
    }
}

/// Whether a child ended in time; it is still to be reaped.
pub fn ended(pid: Pid, timeout: Duration) -> bool {
    let process = pidfd_open(pid, PidfdFlags::empty()).unwrap();
    poll(&mut [readable(&process)], Some(&timespec(timeout))).unwrap() > 0
}

/// Waits for something that shows in a file, looking whenever that is written to.
pub fn appears(file: &Path, timeout: Duration, seen: impl Fn() -> bool) {
    let watch = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).unwrap();
    inotify::add_watch(&watch, file, WatchFlags::MODIFY).unwrap();
    let began = Instant::now();
    while !seen() {
        let left = timeout.checked_sub(began.elapsed()).expect("it appears in time");
        poll(&mut [readable(&watch)], Some(&timespec(left))).unwrap();
        while rustix::io::read(&watch, &mut [0; 4096]).is_ok() {}
    }
}

fn readable(fd: &impl AsFd) -> PollFd<'_> {
    PollFd::new(fd, PollFlags::IN)
}

fn timespec(duration: Duration) -> Timespec {
    duration.try_into().unwrap()
}
