//! One connection, from its first byte to its end.

use super::Limits;
use super::lent::Lent;
use super::timeouts::{Phase, Timeouts};
use crate::api::roles::Peer;
use crate::api::stopping::stopped;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::Response;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tower::ServiceExt;

pub(super) struct Caller {
    pub stream: UnixStream,
    pub peer: Peer,
    pub router: Router,
    pub limits: Limits,
    pub stopping: watch::Receiver<bool>,
}

impl Caller {
    /// Serves its requests, one after the other. Bound to the connection, the peer goes with each.
    pub(super) async fn serve(self) {
        let Self { stream, peer, router, limits, mut stopping } = self;
        let phase = Phase::new();
        let service = service_fn(|mut request: hyper::Request<Incoming>| {
            phase.busy();
            let guard = Guard(Arc::clone(&phase));
            request.extensions_mut().insert(peer.clone());
            let (parts, body) = request.into_parts();
            let body = Lent::new(body);
            let rest = body.clone();
            let request = hyper::Request::from_parts(parts, Body::new(body));
            let answer = router.clone().oneshot(request);
            async move {
                let answer = answer.await;
                // Whoever still writes would see a broken pipe instead of the answer.
                rest.drain().await;
                answer.map(|answer: Response| {
                    answer.map(|body| Body::new(Watched { body, _guard: guard }))
                })
            }
        });
        let stream = Timeouts::new(stream, Arc::clone(&phase), limits);
        let connection = http1::Builder::new()
            // Timeouts has the finer timers. This one is needed all the same: without it, hyper
            // does not look at the stream again when an answer is gone.
            .timer(TokioTimer::new())
            .header_read_timeout(limits.idle + limits.header)
            .max_headers(limits.headers)
            .max_header_size(limits.header_bytes)
            .max_buf_size(limits.header_bytes.max(MIN_BUFFER) * 2)
            .serve_connection(stream, service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stopped(&mut stopping) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(uid = peer.uid(), %error, "a connection of uid {} broke off: {error}", peer.uid());
        }
    }
}

/// The least that hyper accepts.
const MIN_BUFFER: usize = 8_192;

/// Ends the time of being busy when the whole answer is gone.
struct Guard(Arc<Phase>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.idle();
    }
}

/// An answer's body that holds its connection busy.
struct Watched {
    body: Body,
    _guard: Guard,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
