//! The bytes of one file: cloned where both sides share a file system that can, copied without
//! its holes where not.

use rustix::fs::SeekFrom;
use rustix::io::{Errno, retry_on_intr};
use std::os::fd::{AsFd, BorrowedFd};

/// Hears of bytes that were copied, and says whether more are wanted.
pub type Tell<'a> = &'a mut dyn FnMut(u64) -> bool;

/// Which side an error is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    Read(Errno),
    Write(Errno),
    /// Of neither: nobody wants the copy any more.
    Off,
}

impl From<Broken> for Errno {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Read(error) | Broken::Write(error) => error,
            Broken::Off => Errno::CANCELED,
        }
    }
}

/// Bytes per call: progress is reported in between.
const CHUNK: u64 = 16 << 20;
/// Bytes per read where the kernel cannot copy by itself.
const BUFFER: usize = 256 << 10;

/// Shares the blocks of `from` with the empty file `to`. `Ok(None)`: not with this file;
/// `Ok(Some(false))`: not between these file systems.
pub fn clone(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> rustix::io::Result<Option<bool>> {
    match rustix::fs::ioctl_ficlone(to, from) {
        Ok(()) => Ok(Some(true)),
        Err(Errno::XDEV | Errno::OPNOTSUPP | Errno::NOTTY | Errno::NOSYS) => Ok(Some(false)),
        // A swap file, other checksum settings, an immutable original.
        Err(Errno::INVAL | Errno::TXTBSY | Errno::PERM | Errno::ACCESS) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Copies the first `size` bytes of `from` into the empty file `to`; holes stay holes. What is
/// appended meanwhile is not chased: a busy log would never end.
///
/// # Errors
/// [`Errno::CANCELED`] where no more are wanted.
pub fn copy(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    size: u64,
    tell: Tell<'_>,
) -> rustix::io::Result<()> {
    transfer(from, to, size, tell).map_err(Errno::from)
}

/// As [`copy`], for whom it matters which side an error is of.
pub(super) fn transfer(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    size: u64,
    tell: Tell<'_>,
) -> Result<(), Broken> {
    // First, so that a file which cannot be so large there is not written in vain.
    rustix::fs::ftruncate(to, size).map_err(Broken::Write)?;
    let mut end = 0;
    while let Some((start, stop)) = next_extent(from, end)?.filter(|(start, _)| *start < size) {
        let stop = stop.min(size);
        end = copy_range(from, to, start, stop, tell)?;
        if end < stop {
            break;
        }
    }
    let left = rustix::fs::seek(from, SeekFrom::End(0)).map_err(Broken::Read)?;
    if left < size {
        rustix::fs::ftruncate(to, left).map_err(Broken::Write)?;
    }
    Ok(())
}

/// The next stretch of data at or after `at`.
fn next_extent(fd: BorrowedFd<'_>, at: u64) -> Result<Option<(u64, u64)>, Broken> {
    stretch(fd, at).map_err(Broken::Read)
}

fn stretch(fd: BorrowedFd<'_>, at: u64) -> rustix::io::Result<Option<(u64, u64)>> {
    let start = match rustix::fs::seek(fd, SeekFrom::Data(at)) {
        Ok(start) => start,
        Err(Errno::NXIO) => return Ok(None),
        // A file system that does not know holes: all is data.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => {
            let size = rustix::fs::seek(fd, SeekFrom::End(0))?;
            return Ok((at < size).then_some((at, size)));
        }
        Err(error) => return Err(error),
    };
    match rustix::fs::seek(fd, SeekFrom::Hole(start)) {
        Ok(stop) => Ok(Some((start, stop))),
        // Cut off in between.
        Err(Errno::NXIO) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns where it got to: before `stop` only if the file has become shorter.
fn copy_range(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    start: u64,
    stop: u64,
    tell: Tell<'_>,
) -> Result<u64, Broken> {
    let mut at = start;
    let mut by_kernel = true;
    while at < stop {
        let wanted = (stop - at).min(CHUNK);
        let done = if by_kernel {
            match kernel_copy(from, to, at, wanted) {
                Ok(done) => done,
                Err(error @ (Errno::NOSPC | Errno::DQUOT)) => return Err(Broken::Write(error)),
                // Not between these two, not with a swap file that is in use; or it does not tell
                // which side is broken.
                Err(_) => {
                    by_kernel = false;
                    continue;
                }
            }
        } else {
            plain_copy(from, to, at, wanted)?
        };
        if done == 0 {
            break;
        }
        at += done;
        if !tell(done) {
            return Err(Broken::Off);
        }
    }
    Ok(at)
}

fn kernel_copy(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    at: u64,
    wanted: u64,
) -> rustix::io::Result<u64> {
    let (mut source, mut target) = (at, at);
    let wanted = usize::try_from(wanted).unwrap_or(BUFFER);
    let done = retry_on_intr(|| {
        rustix::fs::copy_file_range(from, Some(&mut source), to, Some(&mut target), wanted)
    })?;
    Ok(done as u64)
}

fn plain_copy(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    at: u64,
    wanted: u64,
) -> Result<u64, Broken> {
    let mut buffer = vec![0_u8; BUFFER.min(usize::try_from(wanted).unwrap_or(BUFFER))];
    let read = read_at(from, &mut buffer, at).map_err(Broken::Read)?;
    let mut written = 0;
    while written < read {
        let place = at + written as u64;
        let done = retry_on_intr(|| rustix::io::pwrite(to, &buffer[written..read], place));
        written += done.map_err(Broken::Write)?;
    }
    Ok(read as u64)
}

/// Fills the buffer, except at the end of the file.
fn read_at(fd: BorrowedFd<'_>, buffer: &mut [u8], at: u64) -> rustix::io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match retry_on_intr(|| rustix::io::pread(fd, &mut buffer[read..], at + read as u64))? {
            0 => break,
            n => read += n,
        }
    }
    Ok(read)
}

/// Whether two open files hold the same bytes.
pub fn same_content(one: impl AsFd, other: impl AsFd) -> rustix::io::Result<bool> {
    let (mut a, mut b) = (vec![0_u8; BUFFER], vec![0_u8; BUFFER]);
    let mut at = 0;
    loop {
        let read = read_at(one.as_fd(), &mut a, at)?;
        if read != read_at(other.as_fd(), &mut b, at)? || a[..read] != b[..read] {
            return Ok(false);
        }
        if read == 0 {
            return Ok(true);
        }
        at += read as u64;
    }
}
