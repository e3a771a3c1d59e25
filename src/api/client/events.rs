//! Reading the stream of changes.

use super::http::{self, Call};
use super::{Client, ClientError};
use crate::api::wire::{Changes, ChangesQuery};
use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::Incoming;
use std::ops::ControlFlow;
use std::time::Duration;
use tokio::time::timeout;

/// The daemon says something at least every 15 s; a silence this long means that it hangs.
const SILENCE: Duration = Duration::from_secs(60);

/// A line longer than this is no event of heptad's.
const LINE_LIMIT: usize = 64 * 1024 * 1024;

impl Client {
    /// Calls `each` for every change after the generation, or from now on, until it breaks off
    /// (then `Ok`) or the daemon ends the stream ([`ClientError::Ended`]).
    pub fn watch(
        &self,
        after: Option<u64>,
        mut each: impl FnMut(Changes) -> ControlFlow<()>,
    ) -> Result<(), ClientError> {
        let query = ChangesQuery { after, wait: None };
        let call = Call::new(Method::GET, "/v1/events", &query)?;
        self.runtime.block_on(async {
            let late = ClientError::Timeout { seconds: self.timeout.as_secs() };
            let opened = timeout(self.timeout, http::open(&self.door, call)).await;
            let mut body = opened.unwrap_or(Err(late))?.into_body();
            let mut reader = Reader::default();
            loop {
                for data in reader.feed(&chunk(&mut body).await?)? {
                    if each(http::decode(data.as_bytes())?).is_break() {
                        return Ok(());
                    }
                }
            }
        })
    }
}

async fn chunk(body: &mut Incoming) -> Result<Vec<u8>, ClientError> {
    let late = |_| ClientError::Timeout { seconds: SILENCE.as_secs() };
    let frame = timeout(SILENCE, body.frame()).await.map_err(late)?;
    let frame = frame.ok_or(ClientError::Ended)?;
    let frame = frame.map_err(|source| ClientError::Broken { source })?;
    Ok(frame.into_data().map(|data| data.to_vec()).unwrap_or_default())
}

/// Splits a stream of server-sent events into the data of each event named `changes`.
#[derive(Default)]
struct Reader {
    rest: Vec<u8>,
    name: String,
    data: String,
}

impl Reader {
    fn feed(&mut self, bytes: &[u8]) -> Result<Vec<String>, ClientError> {
        self.rest.extend_from_slice(bytes);
        let mut events = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            events.extend(self.line(line.trim_end_matches(['\n', '\r'])));
        }
        if self.rest.len() + self.data.len() > LINE_LIMIT {
            return Err(ClientError::Garbled("an event without an end".into()));
        }
        Ok(events)
    }

    fn line(&mut self, line: &str) -> Option<String> {
        if line.is_empty() {
            let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
            return (name == "changes" && !data.is_empty()).then_some(data);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.name = value.into(),
            "data" => self.data.push_str(value),
            // A comment keeps the connection alive; an id is in the data too.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_whatever_the_cuts() {
        let stream = ": hello\n\nid: 4\nevent: changes\ndata: {\"a\":1}\n\nevent: other\ndata: x\n\n\
                      event:changes\r\ndata:two\r\n\r\n";
        for size in [1, 2, 7, stream.len()] {
            let mut reader = Reader::default();
            let pieces = stream.as_bytes().chunks(size);
            let events: Vec<String> = pieces.flat_map(|p| reader.feed(p).unwrap()).collect();
            assert_eq!(events, ["{\"a\":1}", "two"], "in pieces of {size}");
        }
    }
}
