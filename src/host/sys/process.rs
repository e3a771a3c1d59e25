//! What a new program does between fork and exec.

/// Prepares what a new program does between fork and exec: a session of its own, no inherited
/// descriptor above 2 (whatever a library left open, too) and, if asked, death by SIGKILL as soon
/// as the thread that starts it is gone. `dir` is the one descriptor that it does inherit, under its
/// number here.
pub fn detach(
    command: &mut std::process::Command,
    dies_with_us: bool,
    dir: Option<std::sync::Arc<std::os::fd::OwnedFd>>,
) {
    use std::os::unix::process::CommandExt;
    let us = i32::try_from(std::process::id()).ok();
    let prepare = move || -> std::io::Result<()> {
        rustix::process::setsid()?;
        if dies_with_us {
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
            // Who died before the request above is not noticed by it.
            let parent = rustix::process::getppid().map(|pid| pid.as_raw_pid());
            if us.is_some() && parent != us {
                return Err(std::io::Error::from(rustix::io::Errno::SRCH));
            }
        }
        close_inherited();
        if let Some(dir) = &dir {
            rustix::io::fcntl_setfd(dir, rustix::io::FdFlags::empty())?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec only system calls are made: no allocation, no lock, no panic.
    unsafe { command.pre_exec(prepare) };
}

/// Marks every descriptor above 2 close-on-exec. The standard library opens all of its own so; a
/// kernel before 5.11 does not know the call, and then this extra belt is missing.
fn close_inherited() {
    use nix::libc;
    // SAFETY: only changes flags of this (forked) process's descriptor table.
    unsafe {
        libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC)
    };
}
