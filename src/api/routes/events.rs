//! Hearing of changes: a stream of server-sent events, or one answer that waits.

use super::super::extract::Query;
use super::super::refusal::Refusal;
use super::super::service::Published;
use super::super::state::{AppState, Shared};
use crate::api::answers::View;
use crate::api::changes::Delta;
use crate::api::heavy::Place;
use crate::api::roles::Peer;
use crate::api::stopping::stopped;
use crate::api::wire::{Changes, ChangesQuery, ProgressNews, UnderWay};
use axum::Json;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use futures_util::stream::unfold;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, timeout, timeout_at};

/// How often a stream without news says that it lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// What changed after a generation: with `wait`, one answer; without it, a stream of events named
/// `changes` whose id is the generation. The first event tells where the stream begins. Between
/// them, at most once a second, events named `progress` tell how far running operations are.
#[utoipa::path(get, path = "/v1/events", params(ChangesQuery),
    responses((status = 200, content(
        (Changes = "application/json"), (ProgressNews = "text/event-stream")))))]
pub(super) async fn events(
    app: Shared,
    peer: Peer,
    headers: HeaderMap,
    Query(query): Query<ChangesQuery>,
) -> Result<Response, Refusal> {
    let after = query.after.or_else(|| last_event(&headers));
    let mut ear = Ear::new(&app, &peer, after);
    match query.wait {
        None => {
            let permit = app.stream_of(peer.uid())?;
            let alive = KeepAlive::new().interval(SIGN_OF_LIFE);
            Ok(Sse::new(stream(ear, permit)).keep_alive(alive).into_response())
        }
        Some(wait) => {
            let deadline = Instant::now() + app.wait(wait)?;
            match timeout_at(deadline, ear.news()).await {
                Ok(true) => {
                    let (place, text) = ear.tell().await?;
                    Ok(place.body("application/json", text))
                }
                _ => Ok(Json(ear.nothing()).into_response()),
            }
        }
    }
}

/// Where a browser-like client broke off.
fn last_event(headers: &HeaderMap) -> Option<u64> {
    headers.get("last-event-id")?.to_str().ok()?.parse().ok()
}

/// Ends when the server stops.
fn stream(ear: Ear, permit: OwnedSemaphorePermit) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold((ear, permit, true), |(mut ear, permit, first)| async move {
        if !first {
            loop {
                match timeout(PROGRESS, ear.news()).await {
                    Ok(true) => break,
                    Ok(false) => return None,
                    Err(_) => {}
                }
                if let Some(text) = ear.progress() {
                    let event = Event::default().event("progress");
                    return Some((Ok(event.data(text)), (ear, permit, false)));
                }
            }
        }
        let (_, text) = ear.tell().await.ok()?;
        let event = Event::default().event("changes").id(ear.after.to_string());
        Some((Ok(event.data(text)), (ear, permit, false)))
    })
}

/// Between two looks at how far running operations are.
const PROGRESS: Duration = Duration::from_secs(1);

/// One listener with the generation that it has heard of.
struct Ear {
    app: Arc<AppState>,
    uid: u32,
    published: watch::Receiver<Published>,
    stopping: watch::Receiver<bool>,
    after: u64,
    /// How far operations were when it was told last.
    told: Vec<UnderWay>,
}

impl Ear {
    fn new(app: &Arc<AppState>, peer: &Peer, after: Option<u64>) -> Self {
        let published = app.service.published();
        let after = after.unwrap_or_else(|| published.borrow().generation);
        let stopping = app.stopping.clone();
        Self { app: Arc::clone(app), uid: peer.uid(), published, stopping, after, told: Vec::new() }
    }

    fn nothing(&self) -> Changes {
        Changes { generation: self.after, ..Changes::default() }
    }

    /// Waits until something has changed; false when the server stops.
    async fn news(&mut self) -> bool {
        loop {
            let seen = self.published.borrow_and_update().clone();
            let (newest, delta) = self.app.tracker.since(&seen, self.after);
            if !delta.is_empty() {
                return true;
            }
            self.after = newest.generation;
            tokio::select! {
                changed = self.published.changed() => if changed.is_err() { return false },
                () = stopped(&mut self.stopping) => return false,
            }
        }
    }

    /// How far running operations are, if that is not what it was.
    fn progress(&mut self) -> Option<String> {
        let now = self.app.service.under_way();
        let so_far = |all: &[UnderWay]| -> Vec<(u64, u64)> {
            all.iter().map(|one| (one.id, one.progress.done_bytes)).collect()
        };
        if now.is_empty() || so_far(&now) == so_far(&self.told) {
            return None;
        }
        self.told.clone_from(&now);
        serde_json::to_string(&ProgressNews { operations: now }).ok()
    }

    /// What it has missed so far, which may be nothing, as JSON.
    async fn tell(&mut self) -> Result<(Place, String), Refusal> {
        let place = Place::of(&self.app, self.uid).await?;
        let (app, after) = (Arc::clone(&self.app), self.after);
        let told = place.make(move |_| {
            let (newest, delta) = app.tracker.since(&app.published(), after);
            let told = changes(&View::new(&newest, app.service.as_ref()), delta);
            let text = serde_json::to_string(&told).map_err(|_| Refusal::bug())?;
            Ok::<_, Refusal>((told.generation, text))
        });
        let (generation, text) = told.await??;
        self.after = generation;
        Ok((place, text))
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
