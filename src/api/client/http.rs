//! One request over one connection.

use super::{ClientError, Failing};
use crate::api::wire::{DRY_RUN, Refused};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, CONTENT_TYPE, HOST, UPGRADE};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::time::{sleep, timeout};

/// Answers beyond this are not heptad's.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

/// Where to ask.
#[derive(Clone, Debug)]
pub(super) struct Door {
    pub socket: PathBuf,
    pub failing: Option<Failing>,
}

/// How long an answer may take before it is asked whether there is anybody to give one; each time
/// twice as long.
const DOUBT: Duration = Duration::from_secs(1);

impl Door {
    /// What comes of the work, unless nobody is there to do it.
    async fn answered<T>(
        &self,
        work: impl Future<Output = Result<T, ClientError>>,
        mut doubt: Duration,
    ) -> Result<T, ClientError> {
        let Some(failing) = self.failing else { return work.await };
        let mut work = pin!(work);
        loop {
            if let Ok(done) = timeout(doubt, &mut work).await {
                return done;
            }
            let socket = self.socket.clone();
            if tokio::task::spawn_blocking(move || failing(&socket)).await.unwrap_or(false) {
                return Err(ClientError::DoesNotStart);
            }
            doubt *= 2;
        }
    }
}

/// A request before it is sent; may be sent again.
#[derive(Clone, Debug)]
pub(super) struct Call {
    method: Method,
    target: String,
    body: Option<Vec<u8>>,
    key: Option<String>,
    /// The protocol that the connection goes on with.
    upgrade: Option<&'static str>,
}

pub(super) struct Answer {
    pub body: Vec<u8>,
}

impl Call {
    pub(super) fn new(
        method: Method,
        path: &str,
        query: &impl Serialize,
    ) -> Result<Self, ClientError> {
        let query = serde_urlencoded::to_string(query);
        let query = query.map_err(|error| ClientError::Unsendable(error.to_string()))?;
        let target = if query.is_empty() { path.into() } else { format!("{path}?{query}") };
        Ok(Self { method, target, body: None, key: None, upgrade: None })
    }

    pub(super) fn with(self, body: Option<Vec<u8>>, key: String) -> Self {
        Self { body, key: Some(key), ..self }
    }

    /// Nothing is to be changed.
    pub(super) fn rehearsed(self) -> Self {
        let joint = if self.target.contains('?') { '&' } else { '?' };
        Self { target: format!("{}{joint}{DRY_RUN}=true", self.target), ..self }
    }

    pub(super) fn upgrading(self, protocol: &'static str) -> Self {
        Self { upgrade: Some(protocol), ..self }
    }

    fn request(self) -> Result<Request<Full<Bytes>>, ClientError> {
        let mut request = Request::builder()
            .method(self.method)
            .uri(self.target)
            .header(HOST, "heptad")
            .header(CONNECTION, if self.upgrade.is_some() { "upgrade" } else { "close" })
            .header(ACCEPT, "application/json, text/event-stream");
        if let Some(key) = self.key {
            request = request.header("idempotency-key", key);
        }
        if let Some(protocol) = self.upgrade {
            request = request.header(UPGRADE, protocol);
        }
        if self.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        request
            .body(Full::from(self.body.unwrap_or_default()))
            .map_err(|error| ClientError::Unsendable(error.to_string()))
    }
}

/// Sends a call and reads the whole answer.
pub(super) async fn call(door: &Door, call: Call, limit: Duration) -> Result<Answer, ClientError> {
    let work = async {
        let answer = open(door, call).await?;
        let body = read(answer.into_body()).await?;
        Ok(Answer { body })
    };
    let late = ClientError::Timeout { seconds: limit.as_secs() };
    timeout(limit, work).await.unwrap_or(Err(late))
}

/// Sends a call and returns the answer's head with its body still to come. A refusal is an error.
pub(super) async fn open(door: &Door, call: Call) -> Result<Response<Incoming>, ClientError> {
    let socket = &door.socket;
    let stream = patiently(|| UnixStream::connect(socket), PAUSE).await;
    let stream = stream.map_err(|error| ClientError::connect(socket, error))?;
    let broken = |source| ClientError::Broken { source };
    let shake = http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await;
    let (mut sender, connection) = shake.map_err(broken)?;
    // Its error reaches us through the sender and the body.
    tokio::spawn(connection.with_upgrades());
    let request = call.request()?;
    let work = async { sender.send_request(request).await.map_err(broken) };
    let answer = door.answered(work, DOUBT).await?;
    if answer.status().is_success() || answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(answer);
    }
    let status = answer.status().as_u16();
    let body = read(answer.into_body()).await?;
    match serde_json::from_slice::<Refused>(&body) {
        Ok(refused) => Err(ClientError::Refused { status, refusal: refused.error }),
        Err(_) => Err(ClientError::Garbled(format!("status {status} without a reason"))),
    }
}

/// Between two tries to connect.
const PAUSE: Duration = Duration::from_millis(20);
/// How often it is tried while the daemon has too many waiting (20 s), and while nobody listens, as
/// for a moment while a daemon starts (a quarter of a second).
const CROWDED: usize = 1_000;
const STARTING: usize = 12;

/// Connects; tries again where the next moment may be a better one.
async fn patiently<T, F: Future<Output = std::io::Result<T>>>(
    mut attempt: impl FnMut() -> F,
    pause: Duration,
) -> std::io::Result<T> {
    let mut tried = 0;
    loop {
        let error = match attempt().await {
            Ok(connected) => return Ok(connected),
            Err(error) => error,
        };
        tried += 1;
        let most = match error.kind() {
            // The backlog of the socket is full.
            ErrorKind::WouldBlock => CROWDED,
            ErrorKind::ConnectionRefused => STARTING,
            _ => return Err(error),
        };
        if tried >= most {
            return Err(error);
        }
        sleep(pause).await;
    }
}

async fn read(body: Incoming) -> Result<Vec<u8>, ClientError> {
    match Limited::new(body, ANSWER_LIMIT).collect().await {
        Ok(body) => Ok(body.to_bytes().to_vec()),
        Err(error) => Err(match error.downcast::<hyper::Error>() {
            Ok(source) => ClientError::Broken { source: *source },
            Err(error) => ClientError::Garbled(error.to_string()),
        }),
    }
}

pub(super) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(body).map_err(|error| ClientError::Garbled(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// What comes of so many refusals of a kind before a success, and after how many tries.
    fn check(kind: ErrorKind, refusals: usize) -> (Option<ErrorKind>, usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let tried = Cell::new(0);
        let attempt = || {
            tried.set(tried.get() + 1);
            let refused = tried.get() <= refusals;
            async move { if refused { Err(kind.into()) } else { Ok(()) } }
        };
        let came = runtime.block_on(patiently(attempt, Duration::ZERO));
        (came.err().map(|error: std::io::Error| error.kind()), tried.get())
    }

    #[test]
    fn nobody_waits_for_a_daemon_that_does_not_start() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let door = |failing: Failing| Door { socket: "/x".into(), failing: Some(failing) };
        let ask = |failing, work| {
            let door: Door = door(failing);
            runtime.block_on(async { door.answered(work, Duration::from_nanos(1)).await })
        };
        let never = Box::pin(std::future::pending::<Result<(), ClientError>>());
        assert!(matches!(ask(|_| true, never), Err(ClientError::DoesNotStart)));
        // It is slow, but it is there.
        let late = Box::pin(async {
            sleep(Duration::from_millis(50)).await;
            Ok(())
        });
        let late: std::pin::Pin<Box<dyn Future<Output = Result<(), ClientError>>>> = late;
        let door = door(|_| false);
        assert!(runtime.block_on(door.answered(late, Duration::from_nanos(1))).is_ok());
    }

    #[test]
    fn a_full_backlog_is_tried_again_and_what_cannot_get_better_is_not() {
        assert_eq!(check(ErrorKind::WouldBlock, 3), (None, 4));
        assert_eq!(check(ErrorKind::ConnectionRefused, 3), (None, 4));
        let (full, dead) = (ErrorKind::WouldBlock, ErrorKind::ConnectionRefused);
        assert_eq!(check(full, usize::MAX), (Some(full), CROWDED));
        assert_eq!(check(dead, usize::MAX), (Some(dead), STARTING));
        let never = check(ErrorKind::PermissionDenied, usize::MAX);
        assert_eq!(never, (Some(ErrorKind::PermissionDenied), 1));
    }
}
