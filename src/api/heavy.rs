//! Answers that are dear to make or large: made beside the threads that serve the socket, few at
//! once, and so that one user's questions wait for each other and not everybody for them.
//!
//! A change never comes here: whoever takes a snapshot waits for nobody who looks.

use super::answers::View;
use super::lines::STREAMS;
use super::refusal::Refusal;
use super::service::Soon;
use super::state::AppState;
use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use serde::Serialize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// A user's place, until the answer is gone.
pub(super) struct Place {
    app: Arc<AppState>,
    permit: OwnedSemaphorePermit,
}

impl Place {
    /// Waits in the user's own line.
    pub(super) async fn of(app: &Arc<AppState>, uid: u32) -> Result<Self, Refusal> {
        let line = app.heavy.answers.of(uid);
        let permit = app.in_turn(line).await?;
        Ok(Self { app: Arc::clone(app), permit })
    }

    /// What only the catalogue knows.
    pub(super) async fn recall<T>(&self, answer: Soon<'_, T>) -> Result<T, Refusal> {
        let turn = self.app.in_turn(Arc::clone(&self.app.heavy.recalled)).await?;
        let answered = self.app.soon(answer).await;
        drop(turn);
        answered
    }

    /// Makes an answer from the newest facts.
    pub(super) async fn make<T: Send + 'static>(
        &self,
        answer: impl FnOnce(&View<'_>) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let turn = self.app.in_turn(Arc::clone(&self.app.heavy.made)).await?;
        let app = Arc::clone(&self.app);
        let work = move || {
            let made = app.look(answer);
            drop(turn);
            made
        };
        spawn_blocking(work).await.map_err(|_| Refusal::bug())
    }

    /// The same as JSON; the place is held until the client has taken it.
    pub(super) async fn json<T: Serialize>(
        self,
        answer: impl FnOnce(&View<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<Response, Refusal> {
        let written = self.make(|view| {
            let answer = answer(view)?;
            serde_json::to_vec(&answer).map_err(|_| Refusal::bug())
        });
        let bytes = written.await??;
        Ok(self.body("application/json", bytes))
    }

    pub(super) fn body(self, kind: &'static str, bytes: impl Into<Bytes>) -> Response {
        let body = Held { left: bytes.into(), _permit: self.permit };
        ([(CONTENT_TYPE, kind)], Body::new(body)).into_response()
    }
}

impl AppState {
    /// A place among the streams of a user, which there are no more of while it is held.
    pub fn stream_of(&self, uid: u32) -> Result<OwnedSemaphorePermit, Refusal> {
        let permit = self.heavy.streams.of(uid).try_acquire_owned();
        permit.map_err(|_| {
            let message = format!("uid {uid} has {STREAMS} streams of events already");
            Refusal::crowded("too-many-streams", message, "end one of them before")
        })
    }

    async fn in_turn(&self, line: Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Refusal> {
        let permit = timeout(self.limits.answer, line.acquire_owned()).await;
        permit.ok().and_then(Result::ok).ok_or_else(|| {
            let message = "too many large answers are being made or wait to be taken";
            Refusal::crowded(
                "too-many-answers",
                message,
                "take those that you asked for, then ask again",
            )
        })
    }
}

/// How much of an answer the connection gets at once; the rest is ours until there is room.
const PIECE: usize = 64 << 10;

/// An answer's body with its user's place.
struct Held {
    left: Bytes,
    _permit: OwnedSemaphorePermit,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.left.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.left.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.left.len()).unwrap_or(u64::MAX))
    }
}
