//! Asking the daemon about its configuration.

use crate::api::extract::{Asked, Sent, Wish};
use crate::api::office::Shared;
use crate::api::refuse::Refuse;
use crate::api::roles::Peer;
use crate::api::wire::{Check, Nothing, Reloaded};
use axum::Json;

/// Look at the configuration files as they are now, without loading them.
#[utoipa::path(post, path = "/v1/check", responses((status = 200, body = Check)))]
pub(super) async fn check(
    office: Shared,
    _: Asked<Nothing>,
    _: Sent<Nothing>,
) -> Result<Json<Check>, Refuse> {
    office.soon(office.desk.check()).await.map(Json)
}

/// Load the configuration whole, or keep the old one and say why.
#[utoipa::path(post, path = "/v1/reload", responses((status = 200, body = Reloaded)))]
pub(super) async fn reload(
    office: Shared,
    peer: Peer,
    Wish { terms, .. }: Wish<Nothing>,
) -> Result<Json<Reloaded>, Refuse> {
    if terms.dry_run {
        let hint = "POST /v1/check (`heptactl check`) says what it would say";
        return Err(Refuse::bad("no-dry-run", "a reload is not tried", hint));
    }
    let (uid, pid) = (peer.uid(), peer.credentials.pid);
    tracing::info!(uid, pid, "uid {uid} asks: load the configuration anew");
    match office.soon(office.desk.reload()).await? {
        Ok(reloaded) => Ok(Json(reloaded)),
        Err(findings) => Err(Refuse::unloadable(findings)),
    }
}
