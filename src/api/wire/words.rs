//! Texts that have a form of their own, and what can be null, as the document describes them.

use serde::Serialize;
use utoipa::ToSchema;

/// 2 to 255 letters, digits, `.`, `_` and `-`; a letter or a digit at both ends.
#[derive(ToSchema)]
#[schema(
    as = Name,
    min_length = 2,
    max_length = 255,
    pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,253}[A-Za-z0-9]$"
)]
pub struct NameText(#[allow(dead_code, reason = "only described")] String);

/// A time of day: `HH:MM`.
#[derive(ToSchema)]
#[schema(as = TimeOfDay, pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$")]
pub struct TimeText(#[allow(dead_code, reason = "only described")] String);

/// An absolute path without `.`, `..` and control characters.
#[derive(ToSchema)]
#[schema(as = Path, min_length = 2, max_length = 4095, pattern = "^/")]
pub struct PathText(#[allow(dead_code, reason = "only described")] String);

/// A snapshot: its name, `RESOURCE@DATE`, `RESOURCE@INSTANT` or `RESOURCE@latest`.
#[derive(ToSchema)]
#[schema(
    as = SnapshotReference,
    min_length = 2,
    max_length = 300,
    pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,253}[A-Za-z0-9](@(latest|[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:]{8}Z)?))?$"
)]
pub struct ReferenceText(#[allow(dead_code, reason = "only described")] String);

// The derived description of a generic type does not tell that it can be null.
/// Nothing, or a value.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum OrNull<T> {
    Null,
    Value(T),
}
