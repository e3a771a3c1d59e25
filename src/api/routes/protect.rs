//! Asking for something new to be protected.

use super::super::refusal::Refusal;
use super::super::state::{AppState, Shared};
use super::super::wire::RefusalBody;
use super::change::{log_asked, log_refused};
use crate::api::extract::{self, Terms};
use crate::api::meaning::{new_name, parse_place, parse_time};
use crate::api::roles::Peer;
use crate::api::unprotectable::refuse;
use crate::api::wire::{ProtectBody, Protected};
use crate::domain::denied::Denied;
use crate::domain::keeper::free_name;
use crate::domain::name::SnapshotName;
use crate::domain::protect::{Target, Wish};
use axum::Json;
use axum::http::StatusCode;

/// Put something under protection: find out what is there, declare it, and put that in force.
#[utoipa::path(post, path = "/v1/resources",
    request_body = ProtectBody,
    responses((status = 201, body = Protected), (status = 200, body = Protected)))]
pub(super) async fn protect(
    app: Shared,
    peer: Peer,
    asked: extract::Wish<ProtectBody>,
) -> Result<(StatusCode, Json<Protected>), Refusal> {
    let extract::Wish { terms: Terms { key, dry_run }, body, .. } = asked;
    let target = match (body.path, body.domain) {
        (Some(path), None) => Target::Path(parse_place(path)?),
        (None, Some(domain)) => Target::Domain(domain_name(domain)?),
        _ => {
            let hint = "give one of path and domain";
            return Err(Refusal::bad("bad-place", "either a path or a domain is protected", hint));
        }
    };
    if let Some(first) = &body.first {
        is_free(&app, &peer, &new_name(first)?)?;
    }
    let wish = Wish {
        target,
        name: body.name.as_deref().map(new_name).transpose()?,
        time: body.time.as_deref().map(parse_time).transpose()?,
        dry_run: body.dry_run || dry_run,
    };
    let uid = peer.uid();
    let asked = match &wish.target {
        Target::Path(path) => format!("protect {path}"),
        Target::Domain(domain) => format!("protect the guest {domain}"),
    };
    let asked = if wish.dry_run { format!("{asked} (dry run)") } else { asked };
    log_asked(&peer, key.as_ref(), &asked, &wish);
    match app.soon(app.service.protect(key, wish)).await? {
        Ok(protected) if protected.written => Ok((StatusCode::CREATED, Json(protected))),
        Ok(protected) => Ok((StatusCode::OK, Json(protected))),
        Err(why) => {
            let refuse = refuse(why);
            log_refused(uid, &asked, &refuse);
            Err(refuse)
        }
    }
}

/// Whether a snapshot can be called so, as far as is known before its resource is.
fn is_free(app: &AppState, peer: &Peer, name: &SnapshotName) -> Result<(), Refusal> {
    let found = app.look(|view| {
        let by = view.ledger.named(name)?.resource.clone();
        Some((by, free_name(view.ledger, name)))
    });
    let Some((by, free)) = found else { return Ok(()) };
    let taken = Refusal::from(Denied::NameTaken { name: name.clone(), by, free });
    let message = format!("not protected, nothing was changed: {}", taken.refusal.message);
    let refuse = Refusal { refusal: RefusalBody { message, ..taken.refusal }, ..taken };
    log_refused(peer.uid(), "protect with a first snapshot", &refuse);
    Err(refuse)
}

/// Never an option of a program that is asked about it.
fn domain_name(name: String) -> Result<String, Refusal> {
    let fits = !name.is_empty() && name.len() <= 255 && !name.starts_with('-');
    if fits && !name.contains(|c: char| c.is_control() || c == '/') {
        return Ok(name);
    }
    let shown: String = name.chars().take(60).collect();
    let hint = "`virsh list --all` shows what there is";
    Err(Refusal::bad("bad-domain", format!("{shown:?} is not the name of a guest"), hint))
}
