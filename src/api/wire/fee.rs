//! What the snapshots of a month cost.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which month is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FeeQuery {
    /// `YYYY-MM`, in UTC; the present month without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(pattern = "^[0-9]{4}-(0[1-9]|1[0-2])$")]
    pub month: Option<String>,
}

/// A GB-month is 10^9 bytes held for 730 hours. Amounts are rounded to six decimals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Fees {
    pub now: Timestamp,
    /// A civil month in UTC: `YYYY-MM`.
    pub month: String,
    /// When it ends.
    pub ends: Timestamp,
    /// Of one GB-month.
    pub price: f64,
    pub currency: String,
    /// By name; of an earlier month only those that had snapshots then.
    pub resources: Vec<ResourceFee>,
    pub so_far: Charge,
    /// For the whole month, if what is held now stays; none once the month is over.
    pub forecast: Option<Charge>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Charge {
    pub gb_months: f64,
    pub cost: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ResourceFee {
    pub resource: String,
    /// False if heptad no longer knows it, and only what it held is left to be told.
    pub known: bool,
    /// All that take up room now, those in the trash too, newest first; none for an earlier month.
    pub snapshots: Vec<SnapshotFee>,
    /// Sums over the snapshots that were measured, none if none was; for an earlier month as last
    /// seen in it.
    pub stored_bytes: Option<u64>,
    pub exclusive_bytes: Option<u64>,
    /// What all of them take up together, as last measured: what would become free if all of them
    /// went. None where the backend cannot tell.
    pub occupied_bytes: Option<u64>,
    /// What is occupied, or the nearest to it that is known. This and what it is, is not told for
    /// an earlier month.
    pub billed_bytes: Option<u64>,
    pub measured: Option<Measured>,
    /// How many snapshots are billed as nothing because no size of them is known.
    pub unmeasured: u64,
    /// Up to the last count, which is made every hour.
    pub so_far: Charge,
    pub forecast: Option<Charge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SnapshotFee {
    pub snapshot: String,
    pub stored_bytes: Option<u64>,
    pub exclusive_bytes: Option<u64>,
    /// What it adds to the bill if only single snapshots are measured: `exclusive`, `logical` or
    /// `unmeasured`. Where it is known what all of them occupy, that is billed instead.
    pub billed_bytes: u64,
    pub measured: Measured,
}

/// What the billed bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Measured {
    /// What all snapshots of the resource occupy together.
    Exact,
    /// The same before snapshots came or went; it is measured anew within six hours.
    Outdated,
    /// They occupy at least so much: something of it is not measured, or only what each has alone.
    AtLeast,
    /// Of one snapshot: what would become free if it alone went.
    Exclusive,
    /// The logical size: the backend does not tell what is shared.
    Logical,
    /// Exclusive bytes of some snapshots, the logical size of others.
    Mixed,
    /// The backend tells nothing; it is billed as nothing.
    Unmeasured,
}
