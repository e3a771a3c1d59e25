//! The socket: our own, or one that systemd made.
//!
//! Its mode is 0666. Who may do what is decided by the kernel's word on the peer, request by
//! request; a closed socket would only replace a clear answer ("root can let you in with...") by
//! a bare "permission denied". Where even that is too much, close the directory around it.

use crate::host::trust::{Distrust, trusted_place};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket,
};
use rustix::fs::{FileType, Mode, OFlags};
use std::io::ErrorKind;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
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
    #[error("{} is in the way and is not a socket; move it away", .0.display())]
    NotASocket(PathBuf),
    #[error("{} is too long for a socket (107 bytes); choose a shorter path", .0.display())]
    TooLong(PathBuf),
    #[error("there is no directory for {}; create it first", .0.display())]
    NoDirectory(PathBuf),
    #[error("{} is not a safe place for the control socket: {why}", path.display())]
    Distrusted { path: PathBuf, why: Distrust },
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
        let distrusted = |why| ListenError::Distrusted { path: path.into(), why };
        if let Some(dir) = path.parent() {
            // Who can exchange the directory would answer in heptad's place.
            let (whole, name) = (std::path::absolute(dir), path.file_name());
            let whole = whole.map_err(|source| ListenError::Io { path: path.into(), source })?;
            trusted_place(&whole.join(name.unwrap_or_default())).map_err(distrusted)?;
        }
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
        open_to_all(path).map_err(io)?;
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

/// Sets the mode of the socket itself, whatever is at its path by then.
fn open_to_all(path: &Path) -> std::io::Result<()> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty())?;
    let found = rustix::fs::fstat(&file)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::Socket {
        return Err(std::io::Error::other("something else was put in the socket's place"));
    }
    let itself = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(rustix::fs::chmod(itself.as_str(), Mode::from_raw_mode(MODE))?)
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
