//! A configuration with a backend for each resource.

use super::bindings::Bound;
use crate::config::{Config, Findings};
use crate::domain::name::ResourceName;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A configuration that can be put in force, and a backend for each resource.
#[derive(Clone, Debug)]
pub struct Setup {
    pub config: Config,
    pub bound: BTreeMap<ResourceName, Arc<Bound>>,
    /// What is in alarm because this host is not as the configuration has it.
    pub hampered: Findings,
}
