//! Hearing of changes: a stream of server-sent events, or one answer that waits.

use crate::api::answers::View;
use crate::api::changes::Delta;
use crate::api::desk::Published;
use crate::api::extract::Asked;
use crate::api::office::{Office, Shared, stopped};
use crate::api::refuse::Refuse;
use crate::api::wire::{Changes, ChangesQuery};
use axum::Json;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use futures_util::stream::unfold;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// How often a stream without news says that it lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// What changed after a generation: with `wait`, one answer; without it, a stream of events named
/// `changes` whose id is the generation. The first event tells where the stream begins.
#[utoipa::path(get, path = "/v1/events", params(ChangesQuery),
    responses((status = 200, content(
        (Changes = "application/json"), (String = "text/event-stream")))))]
pub(super) async fn events(
    office: Shared,
    headers: HeaderMap,
    Asked(query): Asked<ChangesQuery>,
) -> Result<Response, Refuse> {
    let mut ear = Ear::new(&office, query.after.or_else(|| last_event(&headers)));
    match query.wait {
        None => {
            let alive = KeepAlive::new().interval(SIGN_OF_LIFE);
            Ok(Sse::new(stream(ear)).keep_alive(alive).into_response())
        }
        Some(wait) => {
            let deadline = Instant::now() + office.wait(wait)?;
            let changes = timeout_at(deadline, ear.next()).await;
            Ok(Json(changes.ok().flatten().unwrap_or_else(|| ear.nothing())).into_response())
        }
    }
}

/// Where a browser-like client broke off.
fn last_event(headers: &HeaderMap) -> Option<u64> {
    headers.get("last-event-id")?.to_str().ok()?.parse().ok()
}

/// Ends when the server stops.
fn stream(ear: Ear) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold((ear, true), |(mut ear, first)| async move {
        let changes = if first { ear.now() } else { ear.next().await? };
        let data = serde_json::to_string(&changes).ok()?;
        let event = Event::default().event("changes").id(changes.generation.to_string());
        Some((Ok(event.data(data)), (ear, false)))
    })
}

/// One listener with the generation that it has heard of.
struct Ear {
    office: Arc<Office>,
    published: watch::Receiver<Published>,
    stopping: watch::Receiver<bool>,
    after: u64,
}

impl Ear {
    fn new(office: &Arc<Office>, after: Option<u64>) -> Self {
        let published = office.desk.published();
        let after = after.unwrap_or_else(|| published.borrow().generation);
        let stopping = office.stopping.clone();
        Self { office: Arc::clone(office), published, stopping, after }
    }

    /// What it has missed so far; may be nothing.
    fn now(&mut self) -> Changes {
        let seen = self.published.borrow_and_update().clone();
        let (newest, delta) = self.office.tracker.since(&seen, self.after);
        self.after = newest.generation;
        changes(&View::new(&newest, self.office.desk.as_ref()), delta)
    }

    fn nothing(&self) -> Changes {
        Changes { generation: self.after, ..Changes::default() }
    }

    /// The next change; none when the server stops.
    async fn next(&mut self) -> Option<Changes> {
        loop {
            let changes = self.now();
            if !changes.is_empty() {
                return Some(changes);
            }
            tokio::select! {
                changed = self.published.changed() => changed.ok()?,
                () = stopped(&mut self.stopping) => return None,
            }
        }
    }
}

fn changes(view: &View<'_>, delta: Delta) -> Changes {
    let operations = delta.operations.iter().filter_map(|id| view.ledger.operations.get(id));
    let accounts = delta.resources.iter().filter_map(|name| view.ledger.account(name));
    Changes {
        generation: view.generation,
        whole: delta.whole,
        operations: operations.map(|operation| view.operation(operation)).collect(),
        resources: accounts.map(|account| view.resource(account)).collect(),
        gone: delta.gone.iter().map(ToString::to_string).collect(),
    }
}
