//! The only `unsafe` in heptad: system calls that no library here wraps. Each has a SAFETY line.
#![allow(unsafe_code, reason = "the one module where it is allowed; each use is argued for")]

// -- clock and inherited descriptors -----------------------------------------------------------

/// Whether the kernel's clock discipline says that the wall clock is synchronised (adjtimex(2)).
///
/// # Errors
/// `EPERM` where a sandbox forbids even to ask.
pub fn clock_is_synchronised() -> std::io::Result<bool> {
    // SAFETY: a timex is plain numbers, for which all zeros are valid.
    let mut state: nix::libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel reads and writes one timex through a pointer valid for it; with modes = 0
    // it changes nothing.
    let answer = unsafe { nix::libc::adjtimex(&raw mut state) };
    if answer < 0 {
        return Err(std::io::Error::last_os_error());
    }
    Ok(answer != nix::libc::TIME_ERROR && state.status & nix::libc::STA_UNSYNC == 0)
}

/// A descriptor of our own for one that the process was started with, by its number.
///
/// # Errors
/// `EBADF` when nothing is open there.
pub fn duplicate(number: std::os::fd::RawFd) -> std::io::Result<std::os::fd::OwnedFd> {
    use std::os::fd::FromRawFd;
    // SAFETY: this command takes numbers only and touches no memory of ours.
    let copy = unsafe { nix::libc::fcntl(number, nix::libc::F_DUPFD_CLOEXEC, 3) };
    if copy < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor and nobody else knows its number.
    Ok(unsafe { std::os::fd::OwnedFd::from_raw_fd(copy) })
}

// ---- Starting programs -------------------------------------------------------------------------

/// Prepares what a new program does between fork and exec: a session of its own, no inherited
/// descriptor above 2 (whatever a library left open, too) and, if asked, death by SIGKILL as soon
/// as the thread that starts it is gone.
pub fn detach(command: &mut std::process::Command, dies_with_us: bool) {
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
// -- peer credentials --------------------------------------------------------------------------

/// The supplementary groups that the process at the other end of a Unix socket had when it
/// connected (SO_PEERGROUPS, unix(7)).
///
/// # Errors
/// The kernel's, such as `ENOTSOCK`.
pub fn peer_groups(socket: std::os::fd::BorrowedFd<'_>) -> std::io::Result<Vec<u32>> {
    use nix::libc;
    use std::os::fd::AsRawFd;
    let mut groups: Vec<libc::gid_t> = vec![0; 64];
    loop {
        let room = groups.len() * size_of::<libc::gid_t>();
        let mut length = libc::socklen_t::try_from(room).map_err(std::io::Error::other)?;
        // SAFETY: the pointer is valid for `length` bytes, which is the size of the vector's
        // content, and the kernel writes no more than that; any bytes are valid group ids.
        let answer = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        let count = usize::try_from(length).unwrap_or(usize::MAX) / size_of::<libc::gid_t>();
        if answer == 0 {
            groups.truncate(count);
            return Ok(groups);
        }
        let error = std::io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::ERANGE) || count <= groups.len() {
            return Err(error);
        }
        // Too many for the room: `length` is what they need.
        groups.resize(count, 0);
    }
}
