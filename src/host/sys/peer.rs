//! Who is at the other end of a socket.

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
