//! What will happen in the next days, without doing it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Forecasts {
    pub now: Timestamp,
    pub days: u32,
    pub forecasts: Vec<Forecast>,
    /// There are more resources: give it as `after` for the next page.
    pub next: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Forecast {
    pub resource: String,
    pub until: Timestamp,
    /// Why rotation waits, if it does: nothing is dropped then.
    pub waits: Option<String>,
    /// Why nothing is taken, if nothing is.
    pub idle: Option<String>,
    /// What is paid for already, and goes within the hour.
    #[serde(default)]
    pub owed: Vec<Drop>,
    /// In order of time.
    pub takes: Vec<Take>,
    /// True if there are more takes in these days than are listed.
    pub cut_short: bool,
    /// What is there at the end, newest first.
    pub stays: Vec<Hold>,
}

/// One automatic snapshot to come, and what goes for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Take {
    pub at: Timestamp,
    /// As it will be called: `RESOURCE@SLOT`.
    pub snapshot: String,
    pub why: super::Why,
    pub drops: Vec<Drop>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Drop {
    pub snapshot: String,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hold {
    pub snapshot: String,
    /// `latest 3`, `weekly 1`, `manual`, `suspect`, `waits to be dropped` and so on.
    pub reason: String,
    /// Whether it exists already.
    pub exists: bool,
}
