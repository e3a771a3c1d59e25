//! Looking at snapshots.

use super::super::answers::{Page, View, place, wire_origin};
use super::super::extract::{Query, SnapshotPath};
use super::super::heavy::Place;
use super::super::meaning::{page, parse_name};
use super::super::refusal::Refusal;
use super::super::roles::Peer;
use super::super::state::Shared;
use super::super::wire::{self, Nothing, Snapshots, SnapshotsQuery};
use crate::domain::name::ResourceName;
use crate::domain::snapshot::{Fate, Health, Seq, Snapshot};
use axum::Json;
use axum::response::Response;

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
