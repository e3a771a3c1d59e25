//! The routes. [`Gate`] is the only way to add one, and it asks for the role that the route
//! needs: a route without a role does not compile.

mod change;
mod daemon;
mod events;
mod fee;
mod gate;
mod look;
mod make;
mod mount;
mod plan;
mod protect;
mod shelf;
mod tree;

use super::office::Office;
use super::refuse::Refuse;
use super::roles::{Peer, Role};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use gate::Gate;
use std::sync::Arc;
use utoipa_axum::routes;

/// The routes with the role that each needs: the one table.
fn table(office: &Arc<Office>) -> Gate {
    use Role::{Admin, Operator};
    Gate::new(office)
        .route(Operator, routes!(look::status))
        .route(Operator, routes!(look::health))
        .route(Operator, routes!(look::document))
        .route(Operator, routes!(look::metrics))
        .route(Operator, routes!(look::resources))
        .route(Admin, routes!(protect::protect))
        .route(Operator, routes!(look::resource))
        .route(Operator, routes!(look::slots))
        .route(Operator, routes!(look::forecast_of))
        .route(Operator, routes!(look::forecast))
        .route(Operator, routes!(fee::fee))
        .route(Operator, routes!(fee::fee_of))
        .route(Operator, routes!(plan::plans))
        .route(Operator, routes!(plan::blueprints))
        .route(Operator, routes!(shelf::snapshots))
        .route(Operator, routes!(shelf::snapshot))
        // Old content is root's to read: it has files that nobody else may see.
        .route(Admin, routes!(tree::tree))
        .route(Admin, routes!(tree::file))
        .route(Admin, routes!(tree::diff))
        .route(Admin, routes!(mount::mount))
        .route(Operator, routes!(mount::mounts))
        .route(Operator, routes!(shelf::operations))
        .route(Operator, routes!(shelf::operation))
        // Its own only: another's is for admins, as the route itself sees.
        .route(Operator, routes!(change::cancel))
        .route(Operator, routes!(events::events))
        .route(Operator, routes!(change::take))
        .route(Operator, routes!(change::keep))
        .route(Operator, routes!(change::tag_resource))
        .route(Operator, routes!(change::tag_snapshot))
        .route(Operator, routes!(change::enable))
        .route(Operator, routes!(change::disable))
        .route(Operator, routes!(change::set_time))
        // It only takes back what an operator may do.
        .route(Operator, routes!(change::reset))
        .route(Admin, routes!(change::acknowledge))
        .route(Admin, routes!(change::rotate))
        .route(Admin, routes!(change::forget))
        .route(Admin, routes!(make::create))
        .route(Admin, routes!(make::rollback))
        .route(Admin, routes!(make::attach))
        .route(Admin, routes!(make::detach))
        .route(Admin, routes!(change::delete))
        .route(Admin, routes!(change::undelete))
        .route(Operator, routes!(daemon::check))
        .route(Admin, routes!(daemon::reload))
}

/// Builds the router, and gives the office the document that describes it.
pub fn router(office: &Arc<Office>) -> Router {
    let (router, document) = table(office).open();
    let document = document.to_json().unwrap_or_default();
    // Only the first router of an office is described; there is never another.
    let _ = office.document.set(document);
    router
        .fallback(nowhere)
        .method_not_allowed_fallback(not_so)
        .layer(from_fn_with_state(Arc::clone(office), doorstep))
        .with_state(Arc::clone(office))
}

/// Before any route: who may be answered at all.
async fn doorstep(
    State(office): State<Arc<Office>>,
    peer: Peer,
    request: Request,
    next: Next,
) -> Result<Response, Refuse> {
    if peer.role < Role::Operator {
        office.note_refusal(&peer, &request);
        return Err(Refuse::forbidden(&office.rules, Role::Operator));
    }
    // Browsers say where a page comes from; no page has any business here, whatever proxy it found.
    if request.headers().contains_key(header::ORIGIN) {
        let message = "requests of web pages are not answered";
        let hint = "send no Origin header";
        return Err(Refuse::new(StatusCode::FORBIDDEN, "browser", message, hint));
    }
    Ok(next.run(request).await)
}

async fn nowhere(request: Request) -> Response {
    let message = format!("there is no route {:?}", request.uri().path());
    let hint = "GET /v1/openapi.json lists the routes";
    Refuse::absent("no-such-route", message, hint).into_response()
}

async fn not_so(request: Request) -> Response {
    let message = format!("{} is not for {:?}", request.method(), request.uri().path());
    let hint = "the Allow header says what is; GET /v1/openapi.json lists the routes";
    Refuse::new(StatusCode::METHOD_NOT_ALLOWED, "no-such-method", message, hint).into_response()
}
