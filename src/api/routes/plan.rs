//! What the configuration offers: plans and blueprints.

use crate::api::answers;
use crate::api::extract::Asked;
use crate::api::office::Shared;
use crate::api::wire::{Blueprints, Nothing, Plans};
use axum::Json;

/// The sizes that instances and databases can have, the smallest first.
#[utoipa::path(get, path = "/v1/plans", responses((status = 200, body = Plans)))]
pub(super) async fn plans(office: Shared, _: Asked<Nothing>) -> Json<Plans> {
    Json(answers::plans(office.desk.offers()))
}

/// What instances and databases can have been made from.
#[utoipa::path(get, path = "/v1/blueprints", responses((status = 200, body = Blueprints)))]
pub(super) async fn blueprints(office: Shared, _: Asked<Nothing>) -> Json<Blueprints> {
    Json(answers::blueprints(office.desk.offers()))
}
