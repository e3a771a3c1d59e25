//! How every refusal looks.

use super::Finding;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The body of every answer that is not a success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Refused {
    pub error: RefusalBody,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusalBody {
    /// Stable: programs may compare it.
    pub code: String,
    /// What is wrong, for a person.
    pub message: String,
    /// The way out; may be empty.
    pub hint: String,
    /// What was found in a configuration that cannot be loaded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}
