//! Getting a mount of a snapshot from the daemon.

use super::http::{self, Call};
use super::{Client, ClientError, segment};
use crate::api::server::PROTOCOL;
use crate::api::wire::{Mounts, Nothing, SNAPSHOT_HEADER};
use crate::host::fd_passing;
use hyper::Method;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::io::{Error, Result as IoResult, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use tokio::time::timeout;

/// A mount that is attached nowhere yet. As long as this lives, the daemon waits for that.
#[derive(Debug)]
pub struct MountAnswer {
    pub mount: OwnedFd,
    /// The snapshot's label.
    pub snapshot: String,
    _stream: UnixStream,
}

impl Client {
    pub fn mount(&self, snapshot: &str) -> Result<MountAnswer, ClientError> {
        let target = format!("/v1/snapshots/{}/mount", segment(snapshot));
        let call = Call::new(Method::POST, &target, &Nothing {})?.upgrading(PROTOCOL);
        let late = ClientError::Timeout { seconds: self.timeout.as_secs() };
        let opened = self.runtime.block_on(async {
            let work = async {
                let answer = http::open(&self.door, call).await?;
                let label = answer.headers().get(SNAPSHOT_HEADER);
                let label = label.and_then(|label| label.to_str().ok()).map(str::to_owned);
                let label = label.ok_or_else(|| garbled("no label"))?;
                let upgraded = hyper::upgrade::on(answer).await;
                Ok((label, upgraded.map_err(|source| ClientError::Broken { source })?))
            };
            timeout(self.timeout, work).await.unwrap_or(Err(late))
        });
        let (snapshot, upgraded) = opened?;
        let got = plain(upgraded).and_then(|stream| {
            stream.set_nonblocking(false)?;
            stream.set_read_timeout(Some(self.timeout))?;
            (&stream).write_all(b"\n")?;
            let (_, mount) = fd_passing::take(&stream)?;
            let mount = mount.ok_or_else(|| Error::other("it came without a mount"))?;
            Ok((mount, stream))
        });
        let (mount, stream) = got.map_err(|error| garbled(&error.to_string()))?;
        Ok(MountAnswer { mount, snapshot, _stream: stream })
    }

    /// Where snapshots are mounted.
    pub fn mounts(&self) -> Result<Mounts, ClientError> {
        self.look("/v1/mounts", &Nothing {}, 0)
    }
}

/// Everything that was read belongs to HTTP: the daemon sends nothing more before it upgrades.
fn plain(upgraded: Upgraded) -> IoResult<UnixStream> {
    let parts = upgraded.downcast::<TokioIo<tokio::net::UnixStream>>();
    let parts = parts.map_err(|_| Error::other("no plain connection"))?;
    parts.io.into_inner().into_std()
}

fn garbled(why: &str) -> ClientError {
    ClientError::Garbled(format!("the mount did not come: {why}"))
}
