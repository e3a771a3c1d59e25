//! What the configuration offers: plans and blueprints.

use super::super::extract::Query;
use super::super::state::Shared;
use crate::api::answers;
use crate::api::wire::{Blueprints, Nothing, Plans};
use axum::Json;

/// The sizes that instances and databases can have, the smallest first.
#[utoipa::path(get, path = "/v1/plans", responses((status = 200, body = Plans)))]
pub(super) async fn plans(app: Shared, _: Query<Nothing>) -> Json<Plans> {
    Json(answers::plans(app.service.offers()))
}

/// What instances and databases can have been made from.
#[utoipa::path(get, path = "/v1/blueprints", responses((status = 200, body = Blueprints)))]
pub(super) async fn blueprints(app: Shared, _: Query<Nothing>) -> Json<Blueprints> {
    Json(answers::blueprints(app.service.offers()))
}
