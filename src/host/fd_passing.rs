//! Handing an open descriptor to another process over a Unix socket (`SCM_RIGHTS`, unix(7)).

use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use std::io::{Error, ErrorKind, Result};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Longest note that goes with a descriptor, in bytes.
pub const NOTE: usize = 4_096;

/// Sends a descriptor with a note, which must not be empty: the kernel carries no descriptor
/// without a byte.
pub fn give(socket: impl AsFd, note: &[u8], fd: BorrowedFd<'_>) -> Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let fds = [fd];
    ancillary.push(SendAncillaryMessage::ScmRights(&fds));
    let bytes = [IoSlice::new(note)];
    let sent = again(|| sendmsg(&socket, &bytes, &mut ancillary, SendFlags::NOSIGNAL))?;
    if sent == note.len() { Ok(()) } else { Err(Error::from(ErrorKind::WriteZero)) }
}

/// Waits for a note, and the descriptor with it if there is one.
///
/// # Errors
/// `UnexpectedEof` when the other side has closed; `WouldBlock` when the socket's time is up.
pub fn take(socket: impl AsFd) -> Result<(Vec<u8>, Option<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut note = vec![0; NOTE];
    let flags = RecvFlags::CMSG_CLOEXEC;
    let got = again(|| {
        let mut bytes = [IoSliceMut::new(&mut note)];
        recvmsg(&socket, &mut bytes, &mut ancillary, flags)
    })?;
    // Descriptors that are not wanted are closed with the buffer.
    let mut fds = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
        _ => None,
    });
    let fd = fds.next().and_then(|mut fds| fds.next());
    if got.bytes == 0 {
        return Err(Error::from(ErrorKind::UnexpectedEof));
    }
    note.truncate(got.bytes);
    Ok((note, fd))
}

fn again<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            done => return done.map_err(Error::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_descriptor_arrives_with_its_note_and_means_the_same() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (mut from, to) = std::io::pipe().unwrap();
        give(&ours, b"a pipe", to.as_fd()).unwrap();
        drop(to);
        let (note, fd) = take(&theirs).unwrap();
        assert_eq!(note, b"a pipe");
        std::fs::File::from(fd.unwrap()).write_all(b"through").unwrap();
        let mut text = String::new();
        from.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
        (&ours).write_all(b"no pipe").unwrap();
        assert!(matches!(take(&theirs), Ok((note, None)) if note == b"no pipe"));
        drop(ours);
        assert_eq!(take(&theirs).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
}
