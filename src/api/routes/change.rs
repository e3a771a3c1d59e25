//! Asking for changes. Each becomes one of the domain's requests; the keeper decides.

use super::super::extract::{OperationPath, ResourcePath, SnapshotPath};
use super::super::refusal::Refusal;
use super::super::state::{AppState, Shared};
use super::super::wire::RefusalBody;
use crate::api::extract::{Terms, Wish};
use crate::api::meaning::{new_name, parse_retag, parse_tags, parse_time};
use crate::api::roles::{Peer, Role};
use crate::api::telling;
use crate::api::wire::{
    Accepted, DeleteQuery, EnableBody, ForgetBody, KeepBody, Leftovers, Nothing, SetTimeBody,
    TagBody, TakeBody,
};
use crate::domain::key::Key;
use crate::domain::operation::{self, Cause};
use crate::domain::request::{FinalSnapshot, Request};
use crate::domain::snapshot::{Part, Selector};
use axum::Json;
use axum::http::StatusCode;
use std::fmt::Debug;

pub(super) type Answer = Result<(StatusCode, Json<Accepted>), Refusal>;

/// Logs who asks for what, asks, and answers with what came of it.
pub(super) async fn submit(app: &AppState, peer: &Peer, terms: Terms, request: Request) -> Answer {
    let uid = peer.uid();
    let Terms { key, dry_run } = terms;
    if dry_run {
        return rehearse(app, uid, request).await;
    }
    let asked = telling::request(&request);
    log_asked(peer, key.as_ref(), &asked, &request);
    let operation = match app.soon(app.service.submit(uid, key, request)).await? {
        Ok(operation) => operation,
        Err(denied) => {
            let refuse = Refusal::from(app.look(|view| view.guess(denied)));
            log_refused(uid, &asked, &refuse);
            return Err(refuse);
        }
    };
    let status = if operation.is_open() { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, Json(app.look(|view| view.accepted(&operation)))))
}

/// What it would become, though nothing is changed; its number means nothing.
async fn rehearse(app: &AppState, uid: u32, request: Request) -> Answer {
    let request = Request::Rehearse(Box::new(request));
    let decided = app.soon(app.service.submit(uid, None, request)).await?;
    let operation = decided.map_err(|denied| app.look(|view| view.guess(denied)))?;
    let mut accepted = app.look(|view| view.accepted(&operation));
    accepted.operation.id = 0;
    Ok((StatusCode::OK, Json(accepted)))
}

/// Who asks for what, before anything happens.
pub(super) fn log_asked(peer: &Peer, key: Option<&Key>, asked: &str, request: &impl Debug) {
    let (uid, pid) = (peer.uid(), peer.credentials.pid);
    let key = key.map(|key| key.text.as_str());
    tracing::info!(uid, pid, key, ?request, "uid {uid} asks: {asked}");
}

pub(super) fn log_refused(uid: u32, asked: &str, refuse: &Refusal) {
    let RefusalBody { code, message, .. } = &refuse.refusal;
    tracing::info!(uid, code, "refused to uid {uid}: {asked}: {message}");
}

/// Take a snapshot now.
#[utoipa::path(post, path = "/v1/resources/{name}/snapshots",
    params(("name" = String, Path, description = "The resource")),
    request_body = TakeBody,
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn take(
    app: Shared,
    peer: Peer,
    ResourcePath(resource): ResourcePath,
    Wish { terms, body, .. }: Wish<TakeBody>,
) -> Answer {
    let name = body.name.as_deref().map(new_name).transpose()?;
    let part = if body.system_disk { Part::SystemDisk } else { Part::Whole };
    let request = Request::Take { resource, name, tags: parse_tags(body.tags)?, part };
    submit(&app, &peer, terms, request).await
}

/// Switch automatic snapshots on.
#[utoipa::path(post, path = "/v1/resources/{name}/enable",
    params(("name" = String, Path, description = "The resource")),
    request_body = EnableBody,
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn enable(
    app: Shared,
    peer: Peer,
    ResourcePath(resource): ResourcePath,
    Wish { terms, body, .. }: Wish<EnableBody>,
) -> Answer {
    let time = body.time.as_deref().map(parse_time).transpose()?;
    let request = Request::Enable { resource, time };
    submit(&app, &peer, terms, request).await
}

/// Switch automatic snapshots off; those that exist stay.
#[utoipa::path(post, path = "/v1/resources/{name}/disable",
    params(("name" = String, Path, description = "The resource")),
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn disable(
    app: Shared,
    peer: Peer,
    ResourcePath(resource): ResourcePath,
    Wish { terms, .. }: Wish<Nothing>,
) -> Answer {
    let request = Request::Disable { resource };
    submit(&app, &peer, terms, request).await
}

/// Change the time of day. The answer shows the wished time and that of the next run.
#[utoipa::path(put, path = "/v1/resources/{name}/time",
    params(("name" = String, Path, description = "The resource")),
    request_body = SetTimeBody,
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn set_time(
    app: Shared,
    peer: Peer,
    ResourcePath(resource): ResourcePath,
    Wish { terms, body, .. }: Wish<SetTimeBody>,
) -> Answer {
    let request = Request::SetTime { resource, time: parse_time(&body.time)? };
    submit(&app, &peer, terms, request).await
}

/// Take back what commands changed: the configuration holds again.
#[utoipa::path(post, path = "/v1/resources/{name}/reset",
    params(("name" = String, Path, description = "The resource")),
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn reset(
    app: Shared,
    peer: Peer,
    ResourcePath(resource): ResourcePath,
    Wish { terms, .. }: Wish<Nothing>,
) -> Answer {
    let request = Request::Reset { resource };
    submit(&app, &peer, terms, request).await
}

/// Accept a suspect snapshot or another identity: rotation goes on.
#[utoipa::path(post, path = "/v1/resources/{name}/acknowledge",
    params(("name" = String, Path, description = "The resource")),
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn acknowledge(
    app: Shared,
    peer: Peer,
    ResourcePath(resource): ResourcePath,
    Wish { terms, .. }: Wish<Nothing>,
) -> Answer {
    let request = Request::Acknowledge { resource };
    submit(&app, &peer, terms, request).await
}

/// Drop at once all that rotation would drop two at a time.
#[utoipa::path(post, path = "/v1/resources/{name}/rotate",
    params(("name" = String, Path, description = "The resource")),
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn rotate(
    app: Shared,
    peer: Peer,
    ResourcePath(resource): ResourcePath,
    Wish { terms, .. }: Wish<Nothing>,
) -> Answer {
    let request = Request::Rotate { resource };
    submit(&app, &peer, terms, request).await
}

/// Forget a resource that left the configuration.
#[utoipa::path(post, path = "/v1/resources/{name}/forget",
    params(("name" = String, Path, description = "The resource")),
    request_body = ForgetBody,
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn forget(
    app: Shared,
    peer: Peer,
    ResourcePath(resource): ResourcePath,
    Wish { terms, body, .. }: Wish<ForgetBody>,
) -> Answer {
    let automatic = match body.automatic {
        Leftovers::Keep => operation::Leftovers::Keep,
        Leftovers::Trash => operation::Leftovers::Trash,
    };
    let last = match (body.last, body.skip_final) {
        (Some(_), true) => {
            let hint = "leave one of them out";
            return Err(Refusal::bad("bad-final", "final and skip_final exclude each other", hint));
        }
        (Some(name), false) => FinalSnapshot::Take(new_name(&name)?),
        (None, true) => FinalSnapshot::Skip,
        (None, false) => FinalSnapshot::Unspecified,
    };
    let request = Request::Forget { resource, automatic, last };
    submit(&app, &peer, terms, request).await
}

/// Keep an automatic snapshot as a manual one.
#[utoipa::path(post, path = "/v1/snapshots/{ref}/keep",
    params(("ref" = String, Path, description = "NAME, RESOURCE@SLOT or RESOURCE@latest")),
    request_body = KeepBody,
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn keep(
    app: Shared,
    peer: Peer,
    SnapshotPath(from): SnapshotPath,
    Wish { terms, body, .. }: Wish<KeepBody>,
) -> Answer {
    let name = new_name(&body.name)?;
    let request = Request::Keep { from, name, tags: parse_tags(body.tags)? };
    submit(&app, &peer, terms, request).await
}

/// Change the tags of a resource: they win over the configuration's until reset.
#[utoipa::path(post, path = "/v1/resources/{name}/tags",
    params(("name" = String, Path, description = "The resource")),
    request_body = TagBody,
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn tag_resource(
    app: Shared,
    peer: Peer,
    ResourcePath(resource): ResourcePath,
    Wish { terms, body, .. }: Wish<TagBody>,
) -> Answer {
    let request = Request::TagResource { resource, change: parse_retag(body)? };
    submit(&app, &peer, terms, request).await
}

/// Change the tags of a snapshot.
#[utoipa::path(post, path = "/v1/snapshots/{ref}/tags",
    params(("ref" = String, Path, description = "NAME, RESOURCE@SLOT or RESOURCE@latest")),
    request_body = TagBody,
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn tag_snapshot(
    app: Shared,
    peer: Peer,
    SnapshotPath(snapshot): SnapshotPath,
    Wish { terms, body, .. }: Wish<TagBody>,
) -> Answer {
    let request = Request::TagSnapshot { snapshot, change: parse_retag(body)? };
    submit(&app, &peer, terms, request).await
}

/// Put a snapshot in the trash, or with `now` destroy it.
#[utoipa::path(delete, path = "/v1/snapshots/{ref}",
    params(("ref" = String, Path, description = "NAME, RESOURCE@SLOT or RESOURCE@latest"), DeleteQuery),
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn delete(
    app: Shared,
    peer: Peer,
    SnapshotPath(snapshot): SnapshotPath,
    Wish { terms, query, .. }: Wish<Nothing, DeleteQuery>,
) -> Answer {
    let now = query.now.unwrap_or(false);
    if now {
        unmounted(&app, &snapshot)?;
    }
    let request = Request::Delete { snapshot, now };
    submit(&app, &peer, terms, request).await
}

/// Take back an operation: an operator its own, an admin any. One that has not begun ends at once
/// as cancelled. A take, keep, create or rollback that has begun is asked to stop
/// (`cancel_asked_by`): it ends as cancelled with nothing left of it or, past its point of no
/// return, as ever. Asking again changes nothing.
#[utoipa::path(post, path = "/v1/operations/{id}/cancel",
    params(("id" = u64, Path, description = "The operation")),
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn cancel(
    app: Shared,
    peer: Peer,
    OperationPath(operation): OperationPath,
    Wish { terms, .. }: Wish<Nothing>,
) -> Answer {
    let mine = app.look(|view| {
        let known = view.ledger.operations.get(&operation);
        known.is_none_or(|known| known.cause == Cause::Peer(peer.uid()))
    });
    if peer.role < Role::Admin && !mine {
        let mut refuse = Refusal::forbidden(&app.rules, Role::Admin);
        refuse.refusal.message =
            format!("operation {operation} is not yours: only root and admins may cancel it");
        return Err(refuse);
    }
    submit(&app, &peer, terms, Request::Cancel { operation }).await
}

/// Nobody is left with an operation that waits for the end of a mount. That the mount may come at
/// this very moment does not matter: what is mounted is not destroyed.
fn unmounted(app: &AppState, wanted: &Selector) -> Result<(), Refusal> {
    // What cannot be found or seen is refused elsewhere, by those who know better.
    let found = app.look(|view| {
        let (account, snapshot) = view.find(wanted).ok()?;
        Some((account.name().clone(), snapshot.card.handle.seq, snapshot.label()))
    });
    let Some((resource, seq, label)) = found else { return Ok(()) };
    let mounted = app.service.mounted().unwrap_or_default();
    match mounted.iter().find(|mounted| mounted.resource == resource && mounted.seq == seq) {
        None => Ok(()),
        Some(mounted) => {
            let point = mounted.point.display();
            let message = format!("{label} is mounted at {point}");
            Err(Refusal::clash("mounted", message, format!("`heptactl umount {point}` frees it")))
        }
    }
}

/// Take a snapshot out of the trash.
#[utoipa::path(post, path = "/v1/snapshots/{ref}/undelete",
    params(("ref" = String, Path, description = "NAME, RESOURCE@SLOT or RESOURCE@latest")),
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn undelete(
    app: Shared,
    peer: Peer,
    SnapshotPath(snapshot): SnapshotPath,
    Wish { terms, .. }: Wish<Nothing>,
) -> Answer {
    let request = Request::Undelete { snapshot };
    submit(&app, &peer, terms, request).await
}
