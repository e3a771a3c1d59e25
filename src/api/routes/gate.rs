//! The way a route comes in: with the role that it needs, which is checked before its handler
//! reads a thing and is written into the document.

use super::super::refusal::Refusal;
use super::super::state::AppState;
use super::document;
use crate::api::roles::{Peer, Role};
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use std::sync::Arc;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter, UtoipaMethodRouterExt};

pub(super) struct Gate {
    app: Arc<AppState>,
    router: OpenApiRouter<Arc<AppState>>,
}

impl Gate {
    pub(super) fn new(app: &Arc<AppState>) -> Self {
        Self { app: Arc::clone(app), router: OpenApiRouter::with_openapi(document::empty()) }
    }

    /// One that may be asked what it would do.
    pub(super) fn change(self, needs: Role, route: UtoipaMethodRouter<Arc<AppState>>) -> Self {
        let (schemas, mut paths, methods) = route;
        for operation in paths.paths.values_mut().flat_map(document::operations) {
            document::allow_terms(operation);
            document::allow_no_body(operation, &schemas);
        }
        self.route(needs, (schemas, paths, methods))
    }

    pub(super) fn route(self, needs: Role, route: UtoipaMethodRouter<Arc<AppState>>) -> Self {
        let (schemas, mut paths, methods) = route;
        for (path, item) in &mut paths.paths {
            for operation in document::operations(item) {
                document::describe(path, operation, needs);
            }
        }
        let state = (Arc::clone(&self.app), needs);
        let route = (schemas, paths, methods).layer(from_fn_with_state(state, admit));
        Self { router: self.router.routes(route), ..self }
    }

    pub(super) fn open(self) -> (Router<Arc<AppState>>, OpenApi) {
        self.router.split_for_parts()
    }
}

async fn admit(
    State((app, needs)): State<(Arc<AppState>, Role)>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    match request.extensions().get::<Peer>() {
        Some(peer) if peer.role >= needs => Ok(next.run(request).await),
        peer => {
            if let Some(peer) = peer {
                app.note_refusal(peer, &request);
            }
            Err(Refusal::forbidden(&app.rules, needs))
        }
    }
}
