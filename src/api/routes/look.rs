//! Looking at the daemon and its resources.

use crate::api::answers::{METRICS_TYPE, bounds};
use crate::api::extract::{Asked, Named};
use crate::api::office::Shared;
use crate::api::refuse::Refuse;
use crate::api::wire::{
    ForecastQuery, Forecasts, Health, Nothing, ResourceDetail, Resources, Slots, SlotsQuery, Status,
};
use axum::Json;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use jiff::civil::Date;

/// Days of a forecast that was not told how many.
const DAYS: u32 = 7;
/// Most days of a forecast.
const DAYS_AT_MOST: u32 = 366;

/// Everything at a glance.
#[utoipa::path(get, path = "/v1/status", responses((status = 200, body = Status)))]
pub(super) async fn status(office: Shared, _: Asked<Nothing>) -> Json<Status> {
    Json(office.look(|view| view.status()))
}

/// Whether anything is in alarm.
#[utoipa::path(get, path = "/v1/health", responses((status = 200, body = Health)))]
pub(super) async fn health(office: Shared, _: Asked<Nothing>) -> Json<Health> {
    Json(office.look(|view| view.health()))
}

/// This document.
#[utoipa::path(get, path = "/v1/openapi.json",
    responses((status = 200, content_type = "application/json", body = Object)))]
pub(super) async fn document(office: Shared, _: Asked<Nothing>) -> impl IntoResponse {
    let document = office.document.get().cloned().unwrap_or_default();
    ([(CONTENT_TYPE, "application/json")], document)
}

/// OpenMetrics text.
#[utoipa::path(get, path = "/metrics",
    responses((status = 200, content_type = "application/openmetrics-text", body = String)))]
pub(super) async fn metrics(office: Shared, _: Asked<Nothing>) -> impl IntoResponse {
    ([(CONTENT_TYPE, METRICS_TYPE)], office.look(|view| view.metrics()))
}

/// All resources.
#[utoipa::path(get, path = "/v1/resources", responses((status = 200, body = Resources)))]
pub(super) async fn resources(office: Shared, _: Asked<Nothing>) -> Json<Resources> {
    Json(office.look(|view| Resources { generation: view.generation, resources: view.resources() }))
}

/// One resource with its newest slots.
#[utoipa::path(get, path = "/v1/resources/{name}",
    params(("name" = String, Path, description = "The resource")),
    responses((status = 200, body = ResourceDetail)))]
pub(super) async fn resource(
    office: Shared,
    Named(name): Named,
    _: Asked<Nothing>,
) -> Result<Json<ResourceDetail>, Refuse> {
    let detail = office.look(|view| view.account(&name).map(|a| view.resource_detail(a)));
    Ok(Json(detail?))
}

/// What became of each slot of a day, and why.
#[utoipa::path(get, path = "/v1/resources/{name}/slots",
    params(("name" = String, Path, description = "The resource"), SlotsQuery),
    responses((status = 200, body = Slots)))]
pub(super) async fn slots(
    office: Shared,
    Named(name): Named,
    Asked(query): Asked<SlotsQuery>,
) -> Result<Json<Slots>, Refuse> {
    let wished = query.day.as_deref().map(parse_day).transpose()?;
    let (day, bounds) = office.look(|view| {
        let account = view.account(&name)?;
        let zone = account.policy().rhythm.zone;
        let today = || view.moment.now.to_zoned(zone.tz().clone()).date();
        let day = wished.unwrap_or_else(today);
        Ok::<_, Refuse>((day, bounds(account, day)))
    })?;
    let beyond = || Refuse::bad("bad-value", format!("{day} is beyond the calendar"), "");
    let (from, until) = bounds.ok_or_else(beyond)?;
    let records = office.soon(office.desk.slots(name.clone(), from, until)).await??;
    let slots = office.look(|view| view.account(&name).map(|a| view.slots(a, day, &records)));
    Ok(Json(slots?))
}

/// What will be taken and dropped of one resource, and why.
#[utoipa::path(get, path = "/v1/resources/{name}/forecast",
    params(("name" = String, Path, description = "The resource"), ForecastQuery),
    responses((status = 200, body = Forecasts)))]
pub(super) async fn forecast_of(
    office: Shared,
    Named(name): Named,
    Asked(query): Asked<ForecastQuery>,
) -> Result<Json<Forecasts>, Refuse> {
    let days = days(&query)?;
    let of_one =
        office.look(|view| view.account(&name).map(|a| view.forecasts(std::iter::once(a), days)));
    Ok(Json(of_one?))
}

/// What will be taken and dropped, and why.
#[utoipa::path(get, path = "/v1/forecast", params(ForecastQuery),
    responses((status = 200, body = Forecasts)))]
pub(super) async fn forecast(
    office: Shared,
    Asked(query): Asked<ForecastQuery>,
) -> Result<Json<Forecasts>, Refuse> {
    let days = days(&query)?;
    Ok(Json(
        office.look(|view| view.forecasts(view.ledger.accounts.values().map(AsRef::as_ref), days)),
    ))
}

fn days(query: &ForecastQuery) -> Result<u32, Refuse> {
    let days = query.days.unwrap_or(DAYS);
    if (1..=DAYS_AT_MOST).contains(&days) {
        return Ok(days);
    }
    let message = format!("days={days} cannot be foretold");
    Err(Refuse::bad("bad-value", message, format!("ask for 1 to {DAYS_AT_MOST} days")))
}

fn parse_day(text: &str) -> Result<Date, Refuse> {
    text.parse().map_err(|_| {
        Refuse::bad("bad-value", format!("day={text:?} is no date"), "write it as 2026-11-22")
    })
}
