//! Handing a descriptor to the peer, on a connection that was HTTP until then (RFC 9110, 7.8).

use super::super::service::Handover;
use super::timeouts::Timeouts;
use crate::host::fd_passing;
use hyper::upgrade::OnUpgrade;
use std::io::{Error, ErrorKind, Result};
use std::os::fd::AsFd;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// What the connection is upgraded to: the client sends one byte once it is done with HTTP, so that
/// no reader of HTTP swallows what comes; the server answers by one byte with the descriptor; the
/// client closes when it has made use of it.
pub(crate) const PROTOCOL: &str = "heptad-mount";

/// How long the peer may take to become ready, and then to attach what it got.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Hands it over and waits until the peer has attached it, or is gone.
pub(crate) async fn hand_over(upgrade: OnUpgrade, handover: Handover) -> Result<()> {
    let late = |_| Error::from(ErrorKind::TimedOut);
    let upgraded = timeout(TIMEOUT, upgrade).await.map_err(late)?.map_err(Error::other)?;
    let parts = upgraded.downcast::<Timeouts>();
    let parts = parts.map_err(|_| Error::other("no plain connection"))?;
    let is_ready = !parts.read_buf.is_empty();
    let stream = parts.io.into_stream().into_std()?;
    let work = move || {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        if !is_ready {
            fd_passing::take(&stream)?;
        }
        let Handover { mount, held } = handover;
        fd_passing::give(&stream, b"\0", mount.as_fd())?;
        // While it is open here, nobody could unmount it.
        drop(mount);
        let ended = fd_passing::take(&stream);
        drop(held);
        match ended {
            Err(error) if error.kind() != ErrorKind::UnexpectedEof => Err(error),
            _ => Ok(()),
        }
    };
    spawn_blocking(work).await.map_err(Error::other)?
}
