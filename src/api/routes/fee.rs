//! What snapshots cost.

use crate::api::extract::{Asked, Named};
use crate::api::heavy::Place;
use crate::api::office::{Office, Shared};
use crate::api::refuse::Refuse;
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
    office: Shared,
    peer: Peer,
    Asked(query): Asked<FeeQuery>,
) -> Result<Response, Refuse> {
    fees(&office, &peer, &query, None).await
}

/// What the snapshots of one resource occupy and cost.
#[utoipa::path(get, path = "/v1/resources/{name}/fee",
    params(("name" = String, Path, description = "The resource"), FeeQuery),
    responses((status = 200, body = Fees)))]
pub(super) async fn fee_of(
    office: Shared,
    peer: Peer,
    Named(name): Named,
    Asked(query): Asked<FeeQuery>,
) -> Result<Response, Refuse> {
    office.look(|view| view.account(&name).map(drop))?;
    fees(&office, &peer, &query, Some(name)).await
}

async fn fees(
    office: &Arc<Office>,
    peer: &Peer,
    query: &FeeQuery,
    only: Option<ResourceName>,
) -> Result<Response, Refuse> {
    let month = month(query, office.look(|view| view.moment.now))?;
    let usage = office.desk.usage(month.first_day(), month.end_day());
    let place = Place::of(office, peer.uid()).await?;
    let metered = place.recall(usage).await??;
    place.json(move |view| Ok(view.fees(month, &metered, only.as_ref()))).await
}

fn month(query: &FeeQuery, now: Timestamp) -> Result<Month, Refuse> {
    let present = Month::of(now);
    let Some(text) = &query.month else { return Ok(present) };
    let month = text.parse::<Month>().map_err(|error| {
        Refuse::bad("bad-value", format!("month: {error}"), "write it as 2026-11")
    })?;
    if month > present {
        let hint = format!("it is {present} now, in UTC");
        return Err(Refuse::bad("bad-value", format!("{month} has not come yet"), hint));
    }
    Ok(month)
}
