//! What a new program does between fork and exec.

use std::os::fd::OwnedFd;
use std::sync::Arc;

/// What a new program is to do before it is that program.
#[derive(Debug, Default)]
pub struct Detach {
    /// Dies by SIGKILL as soon as the thread that starts it is gone.
    pub dies_with_us: bool,
    /// Its process group is written here, as a decimal number and a newline, before it can start
    /// anything itself.
    pub announce: Option<Arc<OwnedFd>>,
    /// The one descriptor that it inherits, under its number here.
    pub dir: Option<Arc<OwnedFd>>,
}

/// Prepares what a new program does between fork and exec: a session of its own, no inherited
/// descriptor above 2 (whatever a library left open, too), and what is asked for.
pub fn detach(command: &mut std::process::Command, how: Detach) {
    use std::os::unix::process::CommandExt;
    let Detach { dies_with_us, announce, dir } = how;
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
        if let Some(announce) = &announce {
            let (line, from) = decimal_line(std::process::id());
            // Shorter than PIPE_BUF, so it is written whole.
            rustix::io::write(announce, line.get(from..).unwrap_or_default())?;
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

/// A number and a newline, and where they begin.
fn decimal_line(mut number: u32) -> ([u8; 11], usize) {
    let mut line = [b'\n'; 11];
    let mut from = 10;
    for digit in line[..10].iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        from -= 1;
        if number == 0 {
            break;
        }
    }
    (line, from)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_number_is_written_as_people_write_it() {
        for number in [0, 7, 10, 4_194_304, u32::MAX] {
            let (line, from) = super::decimal_line(number);
            assert_eq!(String::from_utf8_lossy(&line[from..]), format!("{number}\n"));
        }
    }
}
