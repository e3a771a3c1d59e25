//! The routes. [`Gate`] is the only way to add one, and it asks for the role that the route
//! needs: a route without a role does not compile.

mod change;
mod daemon;
mod document;
mod events;
mod fee;
mod gate;
mod look;
mod make;
mod mount;
mod operations;
mod plan;
mod protect;
mod snapshots;
mod tree;

use super::refusal::Refusal;
use super::roles::{Peer, Role};
use super::state::AppState;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use gate::Gate;
use std::sync::Arc;
use utoipa_axum::routes;

/// The routes with the role that each needs: the one table.
fn table(app: &Arc<AppState>) -> Gate {
    use Role::{Admin, Operator};
    Gate::new(app)
        .route(Operator, routes!(look::status))
        .route(Operator, routes!(look::health))
        .route(Operator, routes!(look::document))
        .route(Operator, routes!(look::metrics))
        .route(Operator, routes!(look::resources))
        .change(Admin, routes!(protect::protect))
        .route(Operator, routes!(look::resource))
        .route(Operator, routes!(look::slots))
        .route(Operator, routes!(look::forecast_of))
        .route(Operator, routes!(look::forecast))
        .route(Operator, routes!(fee::fee))
        .route(Operator, routes!(fee::fee_of))
        .route(Operator, routes!(plan::plans))
        .route(Operator, routes!(plan::blueprints))
        .route(Operator, routes!(snapshots::snapshots))
        .route(Operator, routes!(snapshots::snapshot))
        // Old content is root's to read: it has files that nobody else may see.
        .route(Admin, routes!(tree::tree))
        .route(Admin, routes!(tree::file))
        .route(Admin, routes!(tree::diff))
        .route(Admin, routes!(mount::mount))
        .route(Operator, routes!(mount::mounts))
        .route(Operator, routes!(operations::operations))
        .route(Operator, routes!(operations::operation))
        // Its own only: another's is for admins, as the route itself sees.
        .change(Operator, routes!(change::cancel))
        .route(Operator, routes!(events::events))
        .change(Operator, routes!(change::take))
        .change(Operator, routes!(change::keep))
        .change(Operator, routes!(change::tag_resource))
        .change(Operator, routes!(change::tag_snapshot))
        .change(Operator, routes!(change::enable))
        .change(Operator, routes!(change::disable))
        .change(Operator, routes!(change::set_time))
        // It only takes back what an operator may do.
        .change(Operator, routes!(change::reset))
        .change(Admin, routes!(change::acknowledge))
        .change(Admin, routes!(change::rotate))
        .change(Admin, routes!(change::forget))
        .change(Admin, routes!(make::create))
        .change(Admin, routes!(make::rollback))
        .change(Admin, routes!(make::attach))
        .change(Admin, routes!(make::detach))
        .change(Admin, routes!(change::delete))
        .change(Admin, routes!(change::undelete))
        .route(Operator, routes!(daemon::check))
        .route(Admin, routes!(daemon::reload))
}

/// Builds the router, and gives the state the document that describes it.
pub(super) fn router(app: &Arc<AppState>) -> Router {
    let (router, document) = table(app).open();
    let document = document.to_json().unwrap_or_default();
    // Only the first router of a process is described; there is never another.
    let _ = app.document.set(document);
    router
        .fallback(nowhere)
        .method_not_allowed_fallback(not_so)
        .layer(from_fn_with_state(Arc::clone(app), doorstep))
        .with_state(Arc::clone(app))
}

/// Before any route: who may be answered at all.
async fn doorstep(
    State(app): State<Arc<AppState>>,
    peer: Peer,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    if peer.role < Role::Operator {
        app.note_refusal(&peer, &request);
        return Err(Refusal::forbidden(&app.rules, Role::Operator));
    }
    // Browsers say where a page comes from; no page has any business here, whatever proxy it found.
    if request.headers().contains_key(header::ORIGIN) {
        let message = "requests of web pages are not answered";
        let hint = "send no Origin header";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "browser", message, hint));
    }
    understood(&request)?;
    Ok(next.run(request).await)
}

/// A header that asks for care and is not known here would be passed over, and what it was to hold
/// back would happen: so it is refused.
fn understood(request: &Request) -> Result<(), Refusal> {
    let looks = matches!(*request.method(), Method::GET | Method::HEAD);
    let conditions = [header::IF_MATCH, header::IF_NONE_MATCH, header::IF_UNMODIFIED_SINCE];
    let unknown = |name: &&HeaderName| {
        name.as_str().starts_with("heptad-") || (!looks && conditions.contains(name))
    };
    match request.headers().keys().find(unknown) {
        None => Ok(()),
        Some(name) => {
            let message = format!("the header {name} means nothing here, so nothing is done");
            let hint = "leave it out; to ask what a change would do, add ?dry_run=true";
            Err(Refusal::bad("unknown-header", message, hint))
        }
    }
}

async fn nowhere(request: Request) -> Response {
    let message = format!("there is no route {:?}", request.uri().path());
    let hint = "GET /v1/openapi.json lists the routes";
    Refusal::absent("no-such-route", message, hint).into_response()
}

async fn not_so(request: Request) -> Response {
    let message = format!("{} is not for {:?}", request.method(), request.uri().path());
    let hint = "the Allow header says what is; GET /v1/openapi.json lists the routes";
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "no-such-method", message, hint).into_response()
}
