//! Mounting snapshots. The daemon makes the mount and hands it to whoever asked, who attaches it by
//! their own power and in their own tree of directories: so nobody gets a mount to a place that
//! they could not mount to.

use super::super::browse_error::refuse;
use super::super::extract::{Query, SnapshotPath};
use super::super::refusal::Refusal;
use super::super::server::hand_over;
use super::super::state::Shared;
use super::change::log_refused;
use super::tree::readable;
use crate::api::roles::Peer;
use crate::api::server::PROTOCOL;
use crate::api::wire::{Mount, Mounts, Nothing, SNAPSHOT_HEADER, escape};
use crate::domain::name::ResourceName;
use crate::domain::snapshot::Seq;
use crate::domain::tree::TreePath;
use axum::Json;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, UPGRADE};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A mount of all files of a snapshot, read-only, without set-user-id, devices and programs. The
/// connection must be upgraded to `heptad-mount`; the client sends one byte, and gets one with a
/// descriptor (`SCM_RIGHTS`) of a mount that is attached nowhere, for move_mount(2). The client
/// closes once it is attached. While it is mounted, the snapshot is not destroyed.
#[utoipa::path(post, path = "/v1/snapshots/{ref}/mount",
    params(("ref" = String, Path, description = "NAME, RESOURCE@SLOT or RESOURCE@latest")),
    responses((status = 101, description = "What follows is no HTTP.")))]
pub(super) async fn mount(
    app: Shared,
    peer: Peer,
    SnapshotPath(wanted): SnapshotPath,
    _: Query<Nothing>,
    mut request: Request,
) -> Result<Response, Refusal> {
    let asked =
        request.headers().get(UPGRADE).is_some_and(|to| to.as_bytes() == PROTOCOL.as_bytes());
    let upgrade = request.extensions_mut().remove::<OnUpgrade>().filter(|_| asked);
    let Some(upgrade) = upgrade else {
        let message = "a mount is handed over on an upgraded connection";
        let hint = "`heptactl mount SNAPSHOT DIR` asks for it as it must be asked for";
        let refusal = Refusal::new(StatusCode::UPGRADE_REQUIRED, "upgrade", message, hint);
        return Ok(([(UPGRADE, PROTOCOL), (CONNECTION, "upgrade")], refusal).into_response());
    };
    let (label, target) = app.look(|view| readable(view, &wanted))?;
    let uid = peer.uid();
    tracing::info!(uid, snapshot = label, "uid {uid} asks: mount {label}");
    let made = app.soon(app.service.mount_files(target)).await?;
    let handover = made.map_err(|why| {
        let refuse = refuse(&why, &label, &TreePath::default());
        log_refused(uid, &format!("mount {label}"), &refuse);
        refuse
    })?;
    tokio::spawn(async move {
        if let Err(error) = hand_over(upgrade, handover).await {
            tracing::warn!(uid, %error, "a mount could not be handed over to uid {uid}: {error}");
        }
    });
    let headers = [
        (UPGRADE.as_str(), PROTOCOL.to_owned()),
        (CONNECTION.as_str(), "upgrade".into()),
        (SNAPSHOT_HEADER, label),
    ];
    Ok((StatusCode::SWITCHING_PROTOCOLS, headers).into_response())
}

/// Where snapshots are mounted now.
#[utoipa::path(get, path = "/v1/mounts", responses((status = 200, body = Mounts)))]
pub(super) async fn mounts(app: Shared) -> Result<Json<Mounts>, Refusal> {
    let mounted = app.service.mounted();
    let mounted = mounted.map_err(|why| refuse(&why, "the mounts", &TreePath::default()))?;
    let ledger = app.published().ledger;
    let label = |resource: &ResourceName, seq: Seq| -> Option<String> {
        let snapshot = ledger.account(resource)?.snapshots.get(&seq)?;
        Some(snapshot.label())
    };
    let path = |point: &Path| escape(point.as_os_str().as_bytes());
    let one = |mounted: super::super::service::Mounted| Mount {
        snapshot: label(&mounted.resource, mounted.seq)
            .unwrap_or_else(|| format!("number {}", mounted.seq)),
        resource: mounted.resource.to_string(),
        path: path(&mounted.point),
        below: mounted.below.iter().map(|point| path(point)).collect(),
    };
    Ok(Json(Mounts { mounts: mounted.into_iter().map(one).collect() }))
}
