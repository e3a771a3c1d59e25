//! The clock discipline, and descriptors that the process was started with.

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
