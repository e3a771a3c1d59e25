//! Looking at snapshots and operations.

use crate::api::answers::{View, wire_origin};
use crate::api::desk::OperationFilter;
use crate::api::extract::{Asked, Numbered, Referred};
use crate::api::office::{Office, Shared, stopped};
use crate::api::refuse::Refuse;
use crate::api::wire::{
    self, Nothing, OperationQuery, Operations, OperationsQuery, Snapshots, SnapshotsQuery,
};
use crate::domain::name::ResourceName;
use crate::domain::operation::{Operation, OperationId};
use crate::domain::snapshot::{Fate, Health, Snapshot};
use axum::Json;
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

/// Operations of a list that was not told how many.
const LIMIT: u32 = 50;
/// Most operations of a list.
const LIMIT_AT_MOST: u32 = 1_000;

/// Snapshots, by resource, then newest first.
#[utoipa::path(get, path = "/v1/snapshots", params(SnapshotsQuery),
    responses((status = 200, body = Snapshots)))]
pub(super) async fn snapshots(
    office: Shared,
    Asked(query): Asked<SnapshotsQuery>,
) -> Result<Json<Snapshots>, Refuse> {
    let resource = query.resource.as_deref().map(parse_name).transpose()?;
    let everything = query.all.unwrap_or(false);
    let pass = |snapshot: &Snapshot| {
        let is_there = snapshot.fate == Fate::Live && snapshot.health != Health::Taking;
        (everything || is_there)
            && query.origin.is_none_or(|origin| wire_origin(snapshot.card.origin) == origin)
            && resource.as_ref().is_none_or(|resource| snapshot.resource == *resource)
    };
    let found = office.look(|view| {
        resource.as_ref().map(|name| view.account(name)).transpose()?;
        Ok::<_, Refuse>(view.snapshots(pass))
    });
    found.map(Json)
}

/// One snapshot.
#[utoipa::path(get, path = "/v1/snapshots/{ref}",
    params(("ref" = String, Path, description = "NAME, RESOURCE@SLOT or RESOURCE@latest")),
    responses((status = 200, body = wire::Snapshot)))]
pub(super) async fn snapshot(
    office: Shared,
    Referred(wanted): Referred,
    _: Asked<Nothing>,
) -> Result<Json<wire::Snapshot>, Refuse> {
    let found = office.look(|view| {
        view.find(&wanted).map(|(account, snapshot)| view.snapshot(account, snapshot))
    });
    Ok(Json(found?))
}

/// Operations, newest first.
#[utoipa::path(get, path = "/v1/operations", params(OperationsQuery),
    responses((status = 200, body = Operations)))]
pub(super) async fn operations(
    office: Shared,
    Asked(query): Asked<OperationsQuery>,
) -> Result<Json<Operations>, Refuse> {
    let resource = query.resource.as_deref().map(parse_name).transpose()?;
    let limit = query.limit.unwrap_or(LIMIT);
    if !(1..=LIMIT_AT_MOST).contains(&limit) {
        let hint = format!("ask for 1 to {LIMIT_AT_MOST}");
        return Err(Refuse::bad("bad-value", format!("limit={limit}"), hint));
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let filter = OperationFilter { id: None, resource: resource.clone(), open: query.open, limit };
    let found = office.soon(office.desk.operations(filter)).await??;
    if let (Some(name), true) = (&resource, found.is_empty()) {
        office.look(|view| view.account(name).map(|_| ()))?;
    }
    Ok(Json(office.look(|view| Operations {
        generation: view.generation,
        operations: found.iter().map(|operation| view.operation(operation)).collect(),
    })))
}

/// One operation; with `wait`, when it is finished.
#[utoipa::path(get, path = "/v1/operations/{id}",
    params(("id" = u64, Path, description = "The operation"), OperationQuery),
    responses((status = 200, body = wire::Operation)))]
pub(super) async fn operation(
    office: Shared,
    Numbered(id): Numbered,
    Asked(query): Asked<OperationQuery>,
) -> Result<Json<wire::Operation>, Refuse> {
    let deadline = Instant::now() + office.wait(query.wait.unwrap_or(0))?;
    let mut published = office.desk.published();
    let mut stopping = office.stopping.clone();
    loop {
        let seen = published.borrow_and_update().clone();
        let operation = match seen.ledger.operations.get(&id) {
            Some(operation) => Arc::clone(operation),
            None => Arc::new(recall(&office, id).await?),
        };
        let wake = async {
            tokio::select! {
                changed = published.changed() => changed.is_ok(),
                () = stopped(&mut stopping) => false,
            }
        };
        if !operation.is_open() || !timeout_at(deadline, wake).await.unwrap_or(false) {
            return Ok(Json(View::new(&seen, office.desk.as_ref()).operation(&operation)));
        }
    }
}

/// One that left memory.
async fn recall(office: &Office, id: OperationId) -> Result<Operation, Refuse> {
    let filter = OperationFilter { id: Some(id), resource: None, open: None, limit: 1 };
    let found = office.soon(office.desk.operations(filter)).await??;
    found.into_iter().next().ok_or_else(|| {
        let hint = "`heptactl operations` (GET /v1/operations) shows what there is";
        Refuse::absent("no-such-operation", format!("there is no operation {id}"), hint)
    })
}

fn parse_name(text: &str) -> Result<ResourceName, Refuse> {
    text.parse().map_err(|error| {
        let message = format!("resource={text:?} {error}");
        Refuse::bad("bad-name", message, "GET /v1/resources lists the names")
    })
}
