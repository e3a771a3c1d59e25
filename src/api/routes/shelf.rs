//! Looking at snapshots and operations.

use super::super::extract::{OperationPath, Query, SnapshotPath};
use super::super::refusal::Refusal;
use super::super::service::OperationFilter;
use super::super::state::{AppState, Shared, stopped};
use crate::api::answers::{Page, View, place, wire_origin};
use crate::api::heavy::Place;
use crate::api::meaning::{page, parse_name};
use crate::api::roles::Peer;
use crate::api::wire::{
    self, Nothing, OperationQuery, Operations, OperationsQuery, Snapshots, SnapshotsQuery,
};
use crate::domain::name::ResourceName;
use crate::domain::operation::{Operation, OperationId};
use crate::domain::snapshot::{Fate, Health, Seq, Snapshot};
use axum::Json;
use axum::response::Response;
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

/// Operations of a list that was not told how many.
const LIMIT: u32 = 50;

/// Snapshots, by resource, then newest first, page by page.
#[utoipa::path(get, path = "/v1/snapshots", params(SnapshotsQuery),
    responses((status = 200, body = Snapshots)))]
pub(super) async fn snapshots(
    app: Shared,
    peer: Peer,
    Query(query): Query<SnapshotsQuery>,
) -> Result<Response, Refusal> {
    let resource = query.resource.as_deref();
    let resource = resource.map(|name| parse_name("resource", name)).transpose()?;
    let after = query.after.as_deref().map(parse_place).transpose()?;
    let page = Page { after, limit: page(query.limit)? };
    let everything = query.all.unwrap_or(false);
    let answer = move |view: &View<'_>| {
        let pass = |snapshot: &Snapshot| {
            let is_there = snapshot.fate == Fate::Live && snapshot.health != Health::Taking;
            (everything || is_there)
                && query.origin.is_none_or(|origin| wire_origin(snapshot.card.origin) == origin)
                && resource.as_ref().is_none_or(|resource| snapshot.resource == *resource)
        };
        resource.as_ref().map(|name| view.account(name)).transpose()?;
        Ok(view.snapshots(pass, &page))
    };
    Place::of(&app, peer.uid()).await?.json(answer).await
}

fn parse_place(text: &str) -> Result<(ResourceName, Seq), Refusal> {
    place(text).ok_or_else(|| {
        let shown: String = text.chars().take(60).collect();
        let hint = "give the `next` of the page before";
        Refusal::bad("bad-value", format!("after={shown:?} is not the end of a page"), hint)
    })
}

/// One snapshot.
#[utoipa::path(get, path = "/v1/snapshots/{ref}",
    params(("ref" = String, Path, description = "NAME, RESOURCE@SLOT or RESOURCE@latest")),
    responses((status = 200, body = wire::Snapshot)))]
pub(super) async fn snapshot(
    app: Shared,
    SnapshotPath(wanted): SnapshotPath,
    _: Query<Nothing>,
) -> Result<Json<wire::Snapshot>, Refusal> {
    let found = app.look(|view| {
        view.find(&wanted).map(|(account, snapshot)| view.snapshot(account, snapshot))
    });
    Ok(Json(found?))
}

/// Operations, newest first, page by page.
#[utoipa::path(get, path = "/v1/operations", params(OperationsQuery),
    responses((status = 200, body = Operations)))]
pub(super) async fn operations(
    app: Shared,
    peer: Peer,
    Query(query): Query<OperationsQuery>,
) -> Result<Response, Refusal> {
    let resource = query.resource.as_deref();
    let resource = resource.map(|name| parse_name("resource", name)).transpose()?;
    let limit = page(Some(query.limit.unwrap_or(LIMIT)))?;
    let before = query.before.map(OperationId);
    let filter =
        OperationFilter { resource: resource.clone(), open: query.open, before, id: None, limit };
    let place = Place::of(&app, peer.uid()).await?;
    let found = place.recall(app.service.operations(filter)).await??;
    let answer = move |view: &View<'_>| {
        if let (Some(name), true) = (&resource, found.is_empty()) {
            view.account(name)?;
        }
        let next = found.last().filter(|_| found.len() == limit).map(|last| last.id.0);
        let operations = found.iter().map(|operation| view.operation(operation)).collect();
        Ok(Operations { generation: view.generation, operations, next })
    };
    place.json(answer).await
}

/// One operation; with `wait`, when it is finished.
#[utoipa::path(get, path = "/v1/operations/{id}",
    params(("id" = u64, Path, description = "The operation"), OperationQuery),
    responses((status = 200, body = wire::Operation)))]
pub(super) async fn operation(
    app: Shared,
    OperationPath(id): OperationPath,
    Query(query): Query<OperationQuery>,
) -> Result<Json<wire::Operation>, Refusal> {
    let deadline = Instant::now() + app.wait(query.wait.unwrap_or(0))?;
    let mut published = app.service.published();
    let mut stopping = app.stopping.clone();
    loop {
        let seen = published.borrow_and_update().clone();
        let operation = match seen.ledger.operations.get(&id) {
            Some(operation) => Arc::clone(operation),
            None => Arc::new(recall(&app, id).await?),
        };
        let wake = async {
            tokio::select! {
                changed = published.changed() => changed.is_ok(),
                () = stopped(&mut stopping) => false,
            }
        };
        if !operation.is_open() || !timeout_at(deadline, wake).await.unwrap_or(false) {
            return Ok(Json(View::new(&seen, app.service.as_ref()).operation(&operation)));
        }
    }
}

/// One that left memory.
async fn recall(app: &AppState, id: OperationId) -> Result<Operation, Refusal> {
    let filter =
        OperationFilter { id: Some(id), resource: None, open: None, before: None, limit: 1 };
    let found = app.soon(app.service.operations(filter)).await??;
    found.into_iter().next().ok_or_else(|| {
        let hint = "`heptactl operations` shows what there is";
        Refusal::absent("no-such-operation", format!("there is no operation {id}"), hint)
    })
}
