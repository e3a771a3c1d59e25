//! Looking at operations.

use super::super::answers::View;
use super::super::extract::{OperationPath, Query};
use super::super::heavy::Place;
use super::super::meaning::{page, parse_name};
use super::super::refusal::Refusal;
use super::super::roles::Peer;
use super::super::service::OperationFilter;
use super::super::state::{AppState, Shared};
use super::super::wire::{self, OperationQuery, Operations, OperationsQuery};
use crate::api::stopping::stopped;
use crate::domain::id::OperationId;
use crate::domain::operation::Operation;
use axum::Json;
use axum::response::Response;
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

/// Operations of a list that was not told how many.
const LIMIT: u32 = 50;

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
