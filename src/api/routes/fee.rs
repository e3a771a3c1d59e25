//! What snapshots cost.

use crate::api::extract::{Asked, Named};
use crate::api::office::{Office, Shared};
use crate::api::refuse::Refuse;
use crate::api::wire::{FeeQuery, Fees};
use crate::domain::fee::Month;
use crate::domain::name::ResourceName;
use axum::Json;
use jiff::Timestamp;

/// What all snapshots occupy and cost: the month so far and the forecast.
#[utoipa::path(get, path = "/v1/fee", params(FeeQuery), responses((status = 200, body = Fees)))]
pub(super) async fn fee(
    office: Shared,
    Asked(query): Asked<FeeQuery>,
) -> Result<Json<Fees>, Refuse> {
    fees(&office, &query, None).await.map(Json)
}

/// What the snapshots of one resource occupy and cost.
#[utoipa::path(get, path = "/v1/resources/{name}/fee",
    params(("name" = String, Path, description = "The resource"), FeeQuery),
    responses((status = 200, body = Fees)))]
pub(super) async fn fee_of(
    office: Shared,
    Named(name): Named,
    Asked(query): Asked<FeeQuery>,
) -> Result<Json<Fees>, Refuse> {
    office.look(|view| view.account(&name).map(drop))?;
    fees(&office, &query, Some(&name)).await.map(Json)
}

async fn fees(
    office: &Office,
    query: &FeeQuery,
    only: Option<&ResourceName>,
) -> Result<Fees, Refuse> {
    let month = month(query, office.look(|view| view.moment.now))?;
    let usage = office.desk.usage(month.first_day(), month.end_day());
    let metered = office.soon(usage).await??;
    Ok(office.look(|view| view.fees(month, &metered, only)))
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
