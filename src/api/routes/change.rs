//! Asking for changes. Each becomes one of the domain's requests; the keeper decides.

use crate::api::extract::{Named, Numbered, Referred, Terms, Wish};
use crate::api::meaning::{new_name, parse_retag, parse_tags, parse_time};
use crate::api::office::{Office, Shared};
use crate::api::refuse::Refuse;
use crate::api::roles::{Peer, Role};
use crate::api::telling;
use crate::api::wire::{
    Accepted, DeleteQuery, EnableBody, ForgetBody, KeepBody, Leftovers, Nothing, Refusal,
    SetTimeBody, TagBody, TakeBody,
};
use crate::domain::key::Key;
use crate::domain::operation::{self, Cause};
use crate::domain::request::{Farewell, Request};
use crate::domain::snapshot::{Part, Selector};
use axum::Json;
use axum::http::StatusCode;
use std::fmt::Debug;

pub(super) type Answer = Result<(StatusCode, Json<Accepted>), Refuse>;

/// Logs who asks for what, asks, and answers with what came of it.
pub(super) async fn submit(office: &Office, peer: &Peer, terms: Terms, request: Request) -> Answer {
    let uid = peer.uid();
    let Terms { key, dry_run } = terms;
    if dry_run {
        return rehearse(office, uid, request).await;
    }
    let asked = telling::request(&request);
    log_asked(peer, key.as_ref(), &asked, &request);
    let operation = match office.soon(office.desk.submit(uid, key, request)).await? {
        Ok(operation) => operation,
        Err(denied) => {
            let refuse = Refuse::from(office.look(|view| view.guess(denied)));
            log_refused(uid, &asked, &refuse);
            return Err(refuse);
        }
    };
    let status = if operation.is_open() { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, Json(office.look(|view| view.accepted(&operation)))))
}

/// What it would become, though nothing is changed; its number means nothing.
async fn rehearse(office: &Office, uid: u32, request: Request) -> Answer {
    let request = Request::Rehearse(Box::new(request));
    let decided = office.soon(office.desk.submit(uid, None, request)).await?;
    let operation = decided.map_err(|denied| office.look(|view| view.guess(denied)))?;
    let mut accepted = office.look(|view| view.accepted(&operation));
    accepted.operation.id = 0;
    Ok((StatusCode::OK, Json(accepted)))
}

/// Who asks for what, before anything happens.
pub(super) fn log_asked(peer: &Peer, key: Option<&Key>, asked: &str, request: &impl Debug) {
    let (uid, pid) = (peer.uid(), peer.credentials.pid);
    let key = key.map(|key| key.text.as_str());
    tracing::info!(uid, pid, key, ?request, "uid {uid} asks: {asked}");
}

pub(super) fn log_refused(uid: u32, asked: &str, refuse: &Refuse) {
    let Refusal { code, message, .. } = &refuse.refusal;
    tracing::info!(uid, code, "refused to uid {uid}: {asked}: {message}");
}

/// Take a snapshot now.
#[utoipa::path(post, path = "/v1/resources/{name}/snapshots",
    params(("name" = String, Path, description = "The resource")),
    request_body = TakeBody,
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn take(
    office: Shared,
    peer: Peer,
    Named(resource): Named,
    Wish { terms, body, .. }: Wish<TakeBody>,
) -> Answer {
    let name = body.name.as_deref().map(new_name).transpose()?;
    let part = if body.system_disk { Part::SystemDisk } else { Part::Whole };
    let request = Request::Take { resource, name, tags: parse_tags(body.tags)?, part };
    submit(&office, &peer, terms, request).await
}

/// Switch automatic snapshots on.
#[utoipa::path(post, path = "/v1/resources/{name}/enable",
    params(("name" = String, Path, description = "The resource")),
    request_body = EnableBody,
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn enable(
    office: Shared,
    peer: Peer,
    Named(resource): Named,
    Wish { terms, body, .. }: Wish<EnableBody>,
) -> Answer {
    let time = body.time.as_deref().map(parse_time).transpose()?;
    let request = Request::Enable { resource, time };
    submit(&office, &peer, terms, request).await
}

/// Switch automatic snapshots off; those that exist stay.
#[utoipa::path(post, path = "/v1/resources/{name}/disable",
    params(("name" = String, Path, description = "The resource")),
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn disable(
    office: Shared,
    peer: Peer,
    Named(resource): Named,
    Wish { terms, .. }: Wish<Nothing>,
) -> Answer {
    let request = Request::Disable { resource };
    submit(&office, &peer, terms, request).await
}

/// Change the time of day. The answer shows the wished time and that of the next run.
#[utoipa::path(put, path = "/v1/resources/{name}/time",
    params(("name" = String, Path, description = "The resource")),
    request_body = SetTimeBody,
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn set_time(
    office: Shared,
    peer: Peer,
    Named(resource): Named,
    Wish { terms, body, .. }: Wish<SetTimeBody>,
) -> Answer {
    let request = Request::SetTime { resource, time: parse_time(&body.time)? };
    submit(&office, &peer, terms, request).await
}

/// Take back what commands changed: the configuration holds again.
#[utoipa::path(post, path = "/v1/resources/{name}/reset",
    params(("name" = String, Path, description = "The resource")),
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn reset(
    office: Shared,
    peer: Peer,
    Named(resource): Named,
    Wish { terms, .. }: Wish<Nothing>,
) -> Answer {
    let request = Request::Reset { resource };
    submit(&office, &peer, terms, request).await
}

/// Accept a suspect snapshot or another identity: rotation goes on.
#[utoipa::path(post, path = "/v1/resources/{name}/acknowledge",
    params(("name" = String, Path, description = "The resource")),
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn acknowledge(
    office: Shared,
    peer: Peer,
    Named(resource): Named,
    Wish { terms, .. }: Wish<Nothing>,
) -> Answer {
    let request = Request::Acknowledge { resource };
    submit(&office, &peer, terms, request).await
}

/// Drop at once all that rotation would drop two at a time.
#[utoipa::path(post, path = "/v1/resources/{name}/rotate",
    params(("name" = String, Path, description = "The resource")),
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn rotate(
    office: Shared,
    peer: Peer,
    Named(resource): Named,
    Wish { terms, .. }: Wish<Nothing>,
) -> Answer {
    let request = Request::Rotate { resource };
    submit(&office, &peer, terms, request).await
}

/// Forget a resource that left the configuration.
#[utoipa::path(post, path = "/v1/resources/{name}/forget",
    params(("name" = String, Path, description = "The resource")),
    request_body = ForgetBody,
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn forget(
    office: Shared,
    peer: Peer,
    Named(resource): Named,
    Wish { terms, body, .. }: Wish<ForgetBody>,
) -> Answer {
    let automatic = match body.automatic {
        Leftovers::Keep => operation::Leftovers::Keep,
        Leftovers::Trash => operation::Leftovers::Trash,
    };
    let last = match (body.last, body.skip_final) {
        (Some(_), true) => {
            let hint = "leave one of them out";
            return Err(Refuse::bad("bad-final", "final and skip_final exclude each other", hint));
        }
        (Some(name), false) => Farewell::Take(new_name(&name)?),
        (None, true) => Farewell::Skip,
        (None, false) => Farewell::Unsaid,
    };
    let request = Request::Forget { resource, automatic, last };
    submit(&office, &peer, terms, request).await
}

/// Keep an automatic snapshot as a manual one.
#[utoipa::path(post, path = "/v1/snapshots/{ref}/keep",
    params(("ref" = String, Path, description = "NAME, RESOURCE@SLOT or RESOURCE@latest")),
    request_body = KeepBody,
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn keep(
    office: Shared,
    peer: Peer,
    Referred(from): Referred,
    Wish { terms, body, .. }: Wish<KeepBody>,
) -> Answer {
    let name = new_name(&body.name)?;
    let request = Request::Keep { from, name, tags: parse_tags(body.tags)? };
    submit(&office, &peer, terms, request).await
}

/// Change the tags of a resource: they win over the configuration's until reset.
#[utoipa::path(post, path = "/v1/resources/{name}/tags",
    params(("name" = String, Path, description = "The resource")),
    request_body = TagBody,
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn tag_resource(
    office: Shared,
    peer: Peer,
    Named(resource): Named,
    Wish { terms, body, .. }: Wish<TagBody>,
) -> Answer {
    let request = Request::TagResource { resource, change: parse_retag(body)? };
    submit(&office, &peer, terms, request).await
}

/// Change the tags of a snapshot.
#[utoipa::path(post, path = "/v1/snapshots/{ref}/tags",
    params(("ref" = String, Path, description = "NAME, RESOURCE@SLOT or RESOURCE@latest")),
    request_body = TagBody,
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn tag_snapshot(
    office: Shared,
    peer: Peer,
    Referred(snapshot): Referred,
    Wish { terms, body, .. }: Wish<TagBody>,
) -> Answer {
    let request = Request::TagSnapshot { snapshot, change: parse_retag(body)? };
    submit(&office, &peer, terms, request).await
}

/// Put a snapshot in the trash, or with `now` destroy it.
#[utoipa::path(delete, path = "/v1/snapshots/{ref}",
    params(("ref" = String, Path, description = "NAME, RESOURCE@SLOT or RESOURCE@latest"), DeleteQuery),
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn delete(
    office: Shared,
    peer: Peer,
    Referred(snapshot): Referred,
    Wish { terms, query, .. }: Wish<Nothing, DeleteQuery>,
) -> Answer {
    let now = query.now.unwrap_or(false);
    if now {
        unmounted(&office, &snapshot)?;
    }
    let request = Request::Delete { snapshot, now };
    submit(&office, &peer, terms, request).await
}

/// Take back an operation: an operator its own, an admin any. One that has not begun ends at once as
/// cancelled. A take, keep, create or rollback that has begun is asked to stop (`cancel_asked_by`):
/// it ends as cancelled with nothing left of it or, past its point of no return, as ever. Asking
/// again changes nothing.
#[utoipa::path(post, path = "/v1/operations/{id}/cancel",
    params(("id" = u64, Path, description = "The operation")),
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn cancel(
    office: Shared,
    peer: Peer,
    Numbered(operation): Numbered,
    Wish { terms, .. }: Wish<Nothing>,
) -> Answer {
    let mine = office.look(|view| {
        let known = view.ledger.operations.get(&operation);
        known.is_none_or(|known| known.cause == Cause::Peer(peer.uid()))
    });
    if peer.role < Role::Admin && !mine {
        let mut refuse = Refuse::forbidden(&office.rules, Role::Admin);
        refuse.refusal.message =
            format!("operation {operation} is not yours: only root and admins may cancel it");
        return Err(refuse);
    }
    submit(&office, &peer, terms, Request::Cancel { operation }).await
}

/// Nobody is left with an operation that waits for the end of a mount. That the mount may come at
/// this very moment does not matter: what is mounted is not destroyed.
fn unmounted(office: &Office, wanted: &Selector) -> Result<(), Refuse> {
    // What cannot be found or seen is refused elsewhere, by those who know better.
    let found = office.look(|view| {
        let (account, snapshot) = view.find(wanted).ok()?;
        Some((account.name().clone(), snapshot.card.handle.seq, snapshot.label()))
    });
    let Some((resource, seq, label)) = found else { return Ok(()) };
    let mounted = office.desk.mounted().unwrap_or_default();
    match mounted.iter().find(|mounted| mounted.resource == resource && mounted.seq == seq) {
        None => Ok(()),
        Some(mounted) => {
            let point = mounted.point.display();
            let message = format!("{label} is mounted at {point}");
            Err(Refuse::clash("mounted", message, format!("`heptactl umount {point}` frees it")))
        }
    }
}

/// Take a snapshot out of the trash.
#[utoipa::path(post, path = "/v1/snapshots/{ref}/undelete",
    params(("ref" = String, Path, description = "NAME, RESOURCE@SLOT or RESOURCE@latest")),
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn undelete(
    office: Shared,
    peer: Peer,
    Referred(snapshot): Referred,
    Wish { terms, .. }: Wish<Nothing>,
) -> Answer {
    let request = Request::Undelete { snapshot };
    submit(&office, &peer, terms, request).await
}
