//! The socket: our own, or one that systemd made.
//!
//! Its mode is 0666. Who may do what is decided by the kernel's word on the peer, request by
//! request; a closed socket would only replace a clear answer ("root can let you in with...") by
//! a bare "permission denied". Where even that is too much, close the directory around it.

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket,
};
use std::io::ErrorKind;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use tokio::net::{UnixListener, UnixStream};

/// For everyone; see above.
const MODE: u32 = 0o666;

#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error(
        "another heptad answers at {}; stop it first, or give this one another socket", .0.display()
    )]
    Answered(PathBuf),
    #[error("{} is in the way and is no socket; move it away", .0.display())]
    NotASocket(PathBuf),
    #[error("{} is too long for a socket (107 bytes); choose a shorter path", .0.display())]
    TooLong(PathBuf),
    #[error("there is no directory for {}; create it first", .0.display())]
    NoDirectory(PathBuf),
    #[error("cannot listen at {}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("the inherited socket cannot be used: {0}")]
    Inherited(std::io::Error),
}

/// Accepts connections. Takes its file away when dropped, if it made it.
#[derive(Debug)]
pub struct Listener {
    socket: UnixListener,
    _file: Option<OwnFile>,
}

/// Known by its inode, so that a successor's file is left alone.
#[derive(Debug)]
struct OwnFile {
    path: PathBuf,
    inode: (u64, u64),
}

impl Listener {
    /// Makes the socket's file and listens. One that a dead process left behind is replaced; one
    /// that answers, or that is no socket, is left alone. Must be called inside the runtime.
    pub fn bind(path: &Path) -> Result<Self, ListenError> {
        clear(path)?;
        let io = |source| ListenError::Io { path: path.into(), source };
        let address = UnixAddr::new(path).map_err(|_| ListenError::TooLong(path.into()))?;
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None)
            .map_err(|error| io(error.into()))?;
        bind(fd.as_raw_fd(), &address).map_err(|error| match std::io::Error::from(error) {
            error if error.kind() == ErrorKind::NotFound => ListenError::NoDirectory(path.into()),
            error => io(error),
        })?;
        let file = OwnFile::of(path).map_err(io)?;
        // Nobody can connect before `listen`, so nobody meets another mode.
        let mode = std::fs::Permissions::from_mode(MODE);
        std::fs::set_permissions(path, mode).map_err(io)?;
        listen(&fd, Backlog::MAXCONN).map_err(|error| io(error.into()))?;
        let socket = UnixListener::from_std(fd.into()).map_err(io)?;
        Ok(Self { socket, _file: Some(file) })
    }

    /// Takes a listening socket that systemd made; its file stays systemd's.
    pub fn inherited(fd: OwnedFd) -> Result<Self, ListenError> {
        let socket = std::os::unix::net::UnixListener::from(fd);
        // Fails where it is no Unix socket.
        socket.local_addr().map_err(ListenError::Inherited)?;
        socket.set_nonblocking(true).map_err(ListenError::Inherited)?;
        let socket = UnixListener::from_std(socket).map_err(ListenError::Inherited)?;
        Ok(Self { socket, _file: None })
    }

    pub(super) async fn accept(&self) -> std::io::Result<UnixStream> {
        self.socket.accept().await.map(|(stream, _)| stream)
    }
}

/// Removes a socket that nobody answers.
fn clear(path: &Path) -> Result<(), ListenError> {
    let io = |source| ListenError::Io { path: path.into(), source };
    let found = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        found => found.map_err(io)?,
    };
    if !found.file_type().is_socket() {
        return Err(ListenError::NotASocket(path.into()));
    }
    match StdStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(io)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io(error)),
        Ok(_) => Err(ListenError::Answered(path.into())),
    }
}

impl OwnFile {
    fn of(path: &Path) -> std::io::Result<Self> {
        Ok(Self { path: path.into(), inode: inode(path)? })
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        if inode(&self.path).is_ok_and(|now| now == self.inode) {
            // Left behind, it would be replaced at the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn inode(path: &Path) -> std::io::Result<(u64, u64)> {
    let found = std::fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}
