//! Asking the daemon about its configuration.

use super::super::extract::{JsonBody, Query};
use super::super::refusal::Refusal;
use super::super::state::Shared;
use crate::api::extract::Wish;
use crate::api::roles::Peer;
use crate::api::wire::{Check, Nothing, Reloaded};
use axum::Json;

/// Look at the configuration files as they are now, without loading them.
#[utoipa::path(post, path = "/v1/check", responses((status = 200, body = Check)))]
pub(super) async fn check(
    app: Shared,
    _: Query<Nothing>,
    _: JsonBody<Nothing>,
) -> Result<Json<Check>, Refusal> {
    app.soon(app.service.check()).await.map(Json)
}

/// Load the configuration whole, or keep the old one and say why.
#[utoipa::path(post, path = "/v1/reload", responses((status = 200, body = Reloaded)))]
pub(super) async fn reload(
    app: Shared,
    peer: Peer,
    Wish { terms, .. }: Wish<Nothing>,
) -> Result<Json<Reloaded>, Refusal> {
    if terms.dry_run {
        let hint = "POST /v1/check (`heptactl check`) says what it would say";
        return Err(Refusal::bad("no-dry-run", "a reload is not tried", hint));
    }
    let (uid, pid) = (peer.uid(), peer.credentials.pid);
    tracing::info!(uid, pid, "uid {uid} asks: load the configuration anew");
    match app.soon(app.service.reload()).await? {
        Ok(reloaded) => Ok(Json(reloaded)),
        Err(findings) => Err(Refusal::unloadable(findings)),
    }
}
