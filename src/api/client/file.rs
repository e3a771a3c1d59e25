//! Reading one file of a snapshot, piece by piece.

use super::http::{self, Call};
use super::{Client, ClientError, segment};
use crate::api::wire::{FileQuery, MODE_HEADER, MTIME_HEADER, OWNER_HEADER, SNAPSHOT_HEADER};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_LENGTH;
use hyper::{Method, Response};
use std::str::FromStr;
use std::time::Duration;
use tokio::time::timeout;

/// Longer than the daemon waits for a disk.
const SILENCE: Duration = Duration::from_secs(60);

/// A file whose bytes are still to come.
#[derive(Debug)]
pub struct FileAnswer<'a> {
    client: &'a Client,
    body: Incoming,
    /// The snapshot's label.
    pub snapshot: String,
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
    /// User and group; an older daemon does not say them.
    pub owner: Option<(u32, u32)>,
    /// Seconds since 1970, and nanoseconds.
    pub mtime: (i64, u32),
}

impl Client {
    /// Asks for a file; a `path` is written as [`crate::api::wire::escape`] does.
    pub fn file(&self, snapshot: &str, path: &str) -> Result<FileAnswer<'_>, ClientError> {
        let target = format!("/v1/snapshots/{}/file", segment(snapshot));
        let call = Call::new(Method::GET, &target, &FileQuery { path: path.into() })?;
        let late = ClientError::Timeout { seconds: self.timeout.as_secs() };
        let opened = self
            .runtime
            .block_on(async { timeout(self.timeout, http::open(&self.door, call)).await });
        FileAnswer::new(self, opened.unwrap_or(Err(late))?)
    }
}

impl<'a> FileAnswer<'a> {
    fn new(client: &'a Client, answer: Response<Incoming>) -> Result<Self, ClientError> {
        let mode: String = header(&answer, MODE_HEADER)?;
        let mode = u32::from_str_radix(&mode, 8);
        let mtime: String = header(&answer, MTIME_HEADER)?;
        let parts = mtime.split_once('.');
        let mtime = parts.and_then(|(secs, nanos)| Some((secs.parse().ok()?, nanos.parse().ok()?)));
        let owner: Option<String> = header(&answer, OWNER_HEADER).ok();
        let owner = owner.as_deref().and_then(|owner| owner.split_once(':'));
        let owner = owner.and_then(|(uid, gid)| Some((uid.parse().ok()?, gid.parse().ok()?)));
        Ok(Self {
            client,
            owner,
            snapshot: header(&answer, SNAPSHOT_HEADER)?,
            size: header(&answer, CONTENT_LENGTH.as_str())?,
            mode: mode.map_err(|_| garbled(MODE_HEADER))?,
            mtime: mtime.ok_or_else(|| garbled(MTIME_HEADER))?,
            body: answer.into_body(),
        })
    }

    /// The next piece; none at the end, which is never before all `size` bytes came.
    ///
    /// # Errors
    /// [`ClientError::Broken`] where the daemon broke off.
    pub fn piece(&mut self) -> Result<Option<Bytes>, ClientError> {
        let body = &mut self.body;
        let frame = self.client.runtime.block_on(async { timeout(SILENCE, body.frame()).await });
        match frame.map_err(|_| ClientError::Timeout { seconds: SILENCE.as_secs() })? {
            None => Ok(None),
            Some(Err(source)) => Err(ClientError::Broken { source }),
            Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_default())),
        }
    }
}

fn header<T: FromStr>(answer: &Response<Incoming>, name: &str) -> Result<T, ClientError> {
    let value = answer.headers().get(name).and_then(|value| value.to_str().ok());
    value.and_then(|value| value.parse().ok()).ok_or_else(|| garbled(name))
}

fn garbled(name: &str) -> ClientError {
    ClientError::Garbled(format!("no {name} that makes sense comes with the file"))
}
