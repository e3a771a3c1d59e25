//! Asking for something to be made of a snapshot: a new resource, the old content in its old
//! place, a disk for another instance.

use super::super::extract::{ResourcePath, SnapshotPath};
use super::super::refusal::Refusal;
use super::super::state::{AppState, Shared};
use super::change::{Answer, submit};
use super::tree::readable;
use crate::api::extract::{Terms, Wish};
use crate::api::meaning::{new_name, parse_path, parse_tags, parse_time};
use crate::api::roles::Peer;
use crate::api::wire::{Accepted, AttachBody, CreateBody, RollbackBody};
use crate::domain::name::ResourceName;
use crate::domain::new_resource::NewResource;
use crate::domain::operation::{Act, Cause, Operation};
use crate::domain::plan::Plan;
use crate::domain::request::Request;
use crate::domain::resource::Kind;
use crate::domain::snapshot::Selector;

/// Create a new resource from a snapshot, where nothing is yet.
#[utoipa::path(post, path = "/v1/snapshots/{ref}/create",
    params(("ref" = String, Path, description = "NAME, RESOURCE@SLOT or RESOURCE@latest")),
    request_body = CreateBody,
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn create(
    app: Shared,
    peer: Peer,
    SnapshotPath(from): SnapshotPath,
    Wish { terms, body, .. }: Wish<CreateBody>,
) -> Answer {
    if body.size == Some(0) || body.port == Some(0) {
        return Err(Refusal::bad("bad-size", "0 is not a valid size or port", "leave it out"));
    }
    let draft = NewResource {
        name: new_name(&body.name)?,
        path: body.path.map(parse_path).transpose()?,
        plan: body.plan.map(|name| plan(&app, &name)).transpose()?,
        size: body.size,
        port: body.port,
        time: body.time.as_deref().map(parse_time).transpose()?,
        tags: parse_tags(body.tags)?,
        disks: body
            .attached_disks
            .into_iter()
            .map(|(disk, name)| Ok((disk, new_name(&name)?)))
            .collect::<Result<_, Refusal>>()?,
    };
    expect_fit(&app, &from, &draft).await?;
    submit(&app, &peer, terms, Request::Create { from, draft: Box::new(draft) }).await
}

/// Says at once what a look at the snapshot tells, and not when the work has begun. What is not
/// there, or means nothing for it, is for the keeper to say; what cannot be looked at now, for the
/// work.
async fn expect_fit(app: &AppState, from: &Selector, draft: &NewResource) -> Result<(), Refusal> {
    let seen = app.look(|view| {
        let (_, snapshot) = view.find(from)?;
        draft.judge(&snapshot.card)?;
        readable(view, from)
    });
    let plain = draft.plan.is_none() && draft.size.is_none() && draft.port.is_none();
    let Some((_, of)) = seen.ok().filter(|_| !plain) else { return Ok(()) };
    let fits = app.soon(app.service.fits(of, draft.clone())).await?;
    fits.map_err(|why| Refusal::clash("does-not-fit", why, "nothing was begun"))
}

/// The plan of this name in the configuration.
fn plan(app: &AppState, name: &str) -> Result<Plan, Refusal> {
    let plans = app.service.offers().plans;
    if let Some(offer) = plans.iter().find(|offer| offer.plan.name.as_str() == name) {
        return Ok(offer.plan.clone());
    }
    let known: Vec<&str> = plans.iter().map(|offer| offer.plan.name.as_str()).collect();
    let hint = match known.as_slice() {
        [] => "the configuration has none; add one: [plan.NAME]".into(),
        known => format!("known are {}", known.join(", ")),
    };
    let shown: String = name.chars().take(60).collect();
    Err(Refusal::absent("no-such-plan", format!("there is no plan {shown:?}"), hint))
}

/// Put the content of a snapshot in place of the live one, after a snapshot of what is there.
/// Refused while the resource is in use.
#[utoipa::path(post, path = "/v1/resources/{name}/rollback",
    params(("name" = String, Path, description = "The resource")),
    request_body = RollbackBody,
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn rollback(
    app: Shared,
    peer: Peer,
    ResourcePath(resource): ResourcePath,
    Wish { terms, body, .. }: Wish<RollbackBody>,
) -> Answer {
    let to = body.to.parse().map_err(|error: crate::domain::snapshot::SelectorError| {
        Refusal::bad("bad-snapshot", error.to_string(), "`heptactl list` shows what there is")
    })?;
    let safety = body.backup_name.as_deref().map(new_name).transpose()?;
    submit(&app, &peer, terms, Request::Rollback { resource, to, safety }).await
}

/// Give an instance a disk, at once and for its next starts.
#[utoipa::path(post, path = "/v1/resources/{name}/attach",
    params(("name" = String, Path, description = "The instance")),
    request_body = AttachBody,
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn attach(
    app: Shared,
    peer: Peer,
    ResourcePath(instance): ResourcePath,
    Wish { terms, body, .. }: Wish<AttachBody>,
) -> Answer {
    let disk = new_name(&body.disk)?;
    if is_plain(&app, &peer, &terms, &instance, &disk) {
        let may = app.service.may_attach(instance.clone(), disk.clone());
        app.soon(may).await?.map_err(|why| refused("cannot-attach", &why))?;
    }
    submit(&app, &peer, terms, Request::Attach { instance, disk }).await
}

/// Take a disk away from an instance. Unmount it in the guest before.
#[utoipa::path(post, path = "/v1/resources/{name}/detach",
    params(("name" = String, Path, description = "The instance")),
    request_body = AttachBody,
    responses((status = 202, body = Accepted), (status = 200, body = Accepted)))]
pub(super) async fn detach(
    app: Shared,
    peer: Peer,
    ResourcePath(instance): ResourcePath,
    Wish { terms, body, .. }: Wish<AttachBody>,
) -> Answer {
    let disk = new_name(&body.disk)?;
    if is_plain(&app, &peer, &terms, &instance, &disk) {
        let may = app.service.may_detach(instance.clone(), disk.clone());
        app.soon(may).await?.map_err(|why| refused("cannot-detach", &why))?;
    }
    submit(&app, &peer, terms, Request::Detach { instance, disk }).await
}

/// Whether a look at what is there now tells what an attaching or detaching would find. Not for
/// what the keeper refuses, nor for what was granted before, nor while others move that disk.
fn is_plain(
    app: &AppState,
    peer: &Peer,
    terms: &Terms,
    instance: &ResourceName,
    disk: &ResourceName,
) -> bool {
    app.look(|view| {
        let is_known = |name, kind| view.account(name).is_ok_and(|a| a.resource.kind == kind);
        let moves = |act: &Act| match act {
            Act::Attach { disk: moved } | Act::Detach { disk: moved } => moved == disk,
            _ => false,
        };
        let is_granted = terms.key.as_ref().is_some_and(|key| {
            let by = |operation: &Operation| {
                let known = operation.key.as_ref().is_some_and(|other| other.text == key.text);
                known && operation.cause == Cause::Peer(peer.uid())
            };
            view.ledger.operations.values().any(|operation| by(operation))
        });
        is_known(instance, Kind::Instance)
            && is_known(disk, Kind::Disk)
            && !is_granted
            && !view.ledger.open_operations().any(|operation| moves(&operation.act))
    })
}

/// A sentence of a backend has the way out behind a semicolon.
fn refused(code: &str, why: &str) -> Refusal {
    let (what, hint) = why.split_once("; ").unwrap_or((why, "nothing was begun"));
    Refusal::clash(code, what, hint)
}
