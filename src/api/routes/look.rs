//! Looking at the daemon and its resources.

use super::super::extract::{Query, ResourcePath};
use super::super::refusal::Refusal;
use super::super::state::Shared;
use crate::api::answers::{METRICS_TYPE, View, bounds};
use crate::api::heavy::Place;
use crate::api::meaning::{page, parse_name};
use crate::api::roles::Peer;
use crate::api::wire::{
    DaysQuery, ForecastQuery, Forecasts, Health, Nothing, ResourceDetail, Resources,
    ResourcesQuery, Slots, SlotsQuery, Status,
};
use axum::Json;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use jiff::civil::Date;
use std::ops::Bound;

/// Days of a forecast that was not told how many.
const DAYS: u32 = 7;
/// Most days of a forecast.
const DAYS_AT_MOST: u32 = 366;

/// Everything at a glance.
#[utoipa::path(get, path = "/v1/status", responses((status = 200, body = Status)))]
pub(super) async fn status(
    app: Shared,
    peer: Peer,
    _: Query<Nothing>,
) -> Result<Response, Refusal> {
    app.look_again().await;
    Place::of(&app, peer.uid()).await?.json(|view| Ok(view.status())).await
}

/// Whether anything is in alarm.
#[utoipa::path(get, path = "/v1/health", responses((status = 200, body = Health)))]
pub(super) async fn health(app: Shared, _: Query<Nothing>) -> Json<Health> {
    Json(app.look(|view| view.health()))
}

/// This document.
#[utoipa::path(get, path = "/v1/openapi.json",
    responses((status = 200, content_type = "application/json", body = Object)))]
pub(super) async fn document(app: Shared, _: Query<Nothing>) -> impl IntoResponse {
    let document = app.document.get().cloned().unwrap_or_default();
    ([(CONTENT_TYPE, "application/json")], document)
}

/// OpenMetrics text.
#[utoipa::path(get, path = "/metrics",
    responses((status = 200, content_type = "application/openmetrics-text", body = String)))]
pub(super) async fn metrics(
    app: Shared,
    peer: Peer,
    _: Query<Nothing>,
) -> Result<Response, Refusal> {
    let place = Place::of(&app, peer.uid()).await?;
    let text = place.make(|view| view.metrics()).await?;
    Ok(place.body(METRICS_TYPE, text))
}

/// All resources, by name, page by page.
#[utoipa::path(get, path = "/v1/resources", params(ResourcesQuery),
    responses((status = 200, body = Resources)))]
pub(super) async fn resources(
    app: Shared,
    peer: Peer,
    Query(query): Query<ResourcesQuery>,
) -> Result<Response, Refusal> {
    let limit = page(query.limit)?;
    let after = query.after.as_deref().map(|name| parse_name("after", name)).transpose()?;
    let place = Place::of(&app, peer.uid()).await?;
    place.json(move |view| Ok(view.page_of_resources(after.as_ref(), limit))).await
}

/// One resource with its newest slots.
#[utoipa::path(get, path = "/v1/resources/{name}",
    params(("name" = String, Path, description = "The resource")),
    responses((status = 200, body = ResourceDetail)))]
pub(super) async fn resource(
    app: Shared,
    ResourcePath(name): ResourcePath,
    _: Query<Nothing>,
) -> Result<Json<ResourceDetail>, Refusal> {
    app.look_again().await;
    let detail = app.look(|view| view.account(&name).map(|a| view.resource_detail(a)));
    Ok(Json(detail?))
}

/// What became of each slot of a day, and why.
#[utoipa::path(get, path = "/v1/resources/{name}/slots",
    params(("name" = String, Path, description = "The resource"), SlotsQuery),
    responses((status = 200, body = Slots)))]
pub(super) async fn slots(
    app: Shared,
    peer: Peer,
    ResourcePath(name): ResourcePath,
    Query(query): Query<SlotsQuery>,
) -> Result<Response, Refusal> {
    let wished = query.day.as_deref().map(parse_day).transpose()?;
    let (day, bounds) = app.look(|view| {
        let account = view.account(&name)?;
        let zone = account.policy().rhythm.zone;
        let today = || view.moment.now.to_zoned(zone.tz().clone()).date();
        let day = wished.unwrap_or_else(today);
        Ok::<_, Refusal>((day, bounds(account, day)))
    })?;
    let beyond = || Refusal::bad("bad-value", format!("{day} is beyond the calendar"), "");
    let (from, until) = bounds.ok_or_else(beyond)?;
    let place = Place::of(&app, peer.uid()).await?;
    let records = place.recall(app.service.slots(name.clone(), from, until)).await??;
    place.json(move |view| Ok(view.slots(view.account(&name)?, day, &records))).await
}

/// What will be taken and dropped of one resource, and why.
#[utoipa::path(get, path = "/v1/resources/{name}/forecast",
    params(("name" = String, Path, description = "The resource"), DaysQuery),
    responses((status = 200, body = Forecasts)))]
pub(super) async fn forecast_of(
    app: Shared,
    peer: Peer,
    ResourcePath(name): ResourcePath,
    Query(query): Query<DaysQuery>,
) -> Result<Response, Refusal> {
    let days = days(query.days)?;
    let place = Place::of(&app, peer.uid()).await?;
    let of_one = move |view: &View<'_>| {
        let account = view.account(&name)?;
        Ok(view.forecasts(std::iter::once(account), days, 1))
    };
    place.json(of_one).await
}

/// What will be taken and dropped, and why, page by page.
#[utoipa::path(get, path = "/v1/forecast", params(ForecastQuery),
    responses((status = 200, body = Forecasts)))]
pub(super) async fn forecast(
    app: Shared,
    peer: Peer,
    Query(query): Query<ForecastQuery>,
) -> Result<Response, Refusal> {
    let (days, limit) = (days(query.days)?, page(query.limit)?);
    let after = query.after.as_deref().map(|name| parse_name("after", name)).transpose()?;
    let place = Place::of(&app, peer.uid()).await?;
    let of_all = move |view: &View<'_>| {
        let from = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let accounts = view.ledger.accounts.range((from, Bound::Unbounded));
        Ok(view.forecasts(accounts.map(|(_, account)| account.as_ref()), days, limit))
    };
    place.json(of_all).await
}

fn days(asked: Option<u32>) -> Result<u32, Refusal> {
    let days = asked.unwrap_or(DAYS);
    if (1..=DAYS_AT_MOST).contains(&days) {
        return Ok(days);
    }
    let message = format!("days={days} cannot be foretold");
    Err(Refusal::bad("bad-value", message, format!("ask for 1 to {DAYS_AT_MOST} days")))
}

fn parse_day(text: &str) -> Result<Date, Refusal> {
    text.parse().map_err(|_| {
        Refusal::bad(
            "bad-value",
            format!("day={text:?} is not a valid date"),
            "write it as 2026-11-22",
        )
    })
}
