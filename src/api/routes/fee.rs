//! What snapshots cost.

use super::super::extract::{Query, ResourcePath};
use super::super::refusal::Refusal;
use super::super::state::{AppState, Shared};
use crate::api::heavy::Place;
use crate::api::roles::Peer;
use crate::api::wire::{FeeQuery, Fees};
use crate::domain::fee::Month;
use crate::domain::name::ResourceName;
use axum::response::Response;
use jiff::Timestamp;
use std::sync::Arc;

/// What all snapshots occupy and cost: the month so far and the forecast.
#[utoipa::path(get, path = "/v1/fee", params(FeeQuery), responses((status = 200, body = Fees)))]
pub(super) async fn fee(
    app: Shared,
    peer: Peer,
    Query(query): Query<FeeQuery>,
) -> Result<Response, Refusal> {
    fees(&app, &peer, &query, None).await
}

/// What the snapshots of one resource occupy and cost.
#[utoipa::path(get, path = "/v1/resources/{name}/fee",
    params(("name" = String, Path, description = "The resource"), FeeQuery),
    responses((status = 200, body = Fees)))]
pub(super) async fn fee_of(
    app: Shared,
    peer: Peer,
    ResourcePath(name): ResourcePath,
    Query(query): Query<FeeQuery>,
) -> Result<Response, Refusal> {
    app.look(|view| view.account(&name).map(drop))?;
    fees(&app, &peer, &query, Some(name)).await
}

async fn fees(
    app: &Arc<AppState>,
    peer: &Peer,
    query: &FeeQuery,
    only: Option<ResourceName>,
) -> Result<Response, Refusal> {
    let month = month(query, app.look(|view| view.moment.now))?;
    let usage = app.service.usage(month.first_day(), month.end_day());
    let place = Place::of(app, peer.uid()).await?;
    let metered = place.recall(usage).await??;
    place.json(move |view| Ok(view.fees(month, &metered, only.as_ref()))).await
}

fn month(query: &FeeQuery, now: Timestamp) -> Result<Month, Refusal> {
    let present = Month::of(now);
    let Some(text) = &query.month else { return Ok(present) };
    let month = text.parse::<Month>().map_err(|error| {
        Refusal::bad("bad-value", format!("month: {error}"), "write it as 2026-11")
    })?;
    if month > present {
        let hint = format!("it is {present} now, in UTC");
        return Err(Refusal::bad("bad-value", format!("{month} has not come yet"), hint));
    }
    Ok(month)
}
