//! The way a route comes in: with the role that it needs, which is checked before its handler
//! reads a thing and is written into the document.

use super::super::refusal::Refusal;
use super::super::state::AppState;
use super::super::wire::RefusalBody;
use crate::api::roles::{Peer, Role};
use crate::api::wire::{DRY_RUN, Refused};
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use std::sync::Arc;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, ResponseBuilder,
};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter, UtoipaMethodRouterExt};

const KEY: &str = "Makes it safe to send the request again: while the operation is known, the same \
    request of the same user under the same key is answered with that operation, and another \
    request is refused (409, `key-reused`).";

const TRIED: &str = "With true nothing is changed: it is refused as it would be, or answered with what \
    it would become (its `id` means nothing).";

pub(super) struct Gate {
    app: Arc<AppState>,
    router: OpenApiRouter<Arc<AppState>>,
}

impl Gate {
    pub(super) fn new(app: &Arc<AppState>) -> Self {
        let info = InfoBuilder::new()
            .title("heptad")
            .version(env!("CARGO_PKG_VERSION"))
            .description(Some("Snapshots of this host's resources, on its Unix socket."));
        let mut document: OpenApi = OpenApiBuilder::new().info(info.build()).build();
        let components = document.components.get_or_insert_default();
        components.schemas.insert(Refused::name().into(), Refused::schema());
        components.schemas.insert(RefusalBody::name().into(), RefusalBody::schema());
        Self { app: Arc::clone(app), router: OpenApiRouter::with_openapi(document) }
    }

    /// One that may be asked what it would do.
    pub(super) fn change(self, needs: Role, route: UtoipaMethodRouter<Arc<AppState>>) -> Self {
        let (schemas, mut paths, methods) = route;
        for (operation, _) in paths.paths.values_mut().flat_map(operations) {
            let dry_run = ParameterBuilder::new()
                .name(DRY_RUN)
                .parameter_in(ParameterIn::Query)
                .description(Some(TRIED))
                .schema(Some(bool::schema()))
                .build();
            operation.parameters.get_or_insert_default().push(RefOr::T(dry_run));
        }
        self.route(needs, (schemas, paths, methods))
    }

    pub(super) fn route(self, needs: Role, route: UtoipaMethodRouter<Arc<AppState>>) -> Self {
        let (schemas, mut paths, methods) = route;
        for operation in paths.paths.values_mut().flat_map(operations) {
            describe(operation, needs);
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

/// The operations of one path with whether each is a change.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (&mut Operation, bool)> {
    let looks = [&mut item.get].into_iter().flatten().map(|operation| (operation, false));
    let changes = [&mut item.put, &mut item.post, &mut item.delete];
    looks.chain(changes.into_iter().flatten().map(|operation| (operation, true)))
}

/// Adds what holds for every route: its role, the key of a change, how a refusal looks.
fn describe((operation, change): (&mut Operation, bool), needs: Role) {
    let role = format!("Role: {}.", needs.word());
    let said = operation.description.take();
    operation.description = Some(said.map_or(role.clone(), |said| format!("{said}\n\n{role}")));
    if change {
        let key = ParameterBuilder::new()
            .name("Idempotency-Key")
            .parameter_in(ParameterIn::Header)
            .description(Some(KEY))
            .build();
        operation.parameters.get_or_insert_default().push(RefOr::T(key));
    }
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(Refused::name())));
    let refused = ResponseBuilder::new()
        .description("Refused: what is wrong, and the way out.")
        .content("application/json", content.build())
        .build();
    operation.responses.responses.insert("default".into(), RefOr::T(refused));
}
