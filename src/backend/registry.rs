//! The one list of backends.

use super::Backend;
use crate::domain::name::ResourceName;
use std::path::PathBuf;
use std::sync::Arc;

/// What a backend may need beside its own options.
#[derive(Clone, Debug)]
pub struct Context {
    pub resource: ResourceName,
    /// heptad's state directory, for stores without a configured place.
    pub state: PathBuf,
}

/// One thing wrong with an options table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionFinding {
    /// The key in the backend's table; empty for the table itself.
    pub key: String,
    pub problem: String,
    /// What to write instead.
    pub hint: String,
}

type Options = serde_json::Map<String, serde_json::Value>;
type Build = fn(&Options, &Context) -> Result<Arc<dyn Backend>, Vec<OptionFinding>>;

/// Name in the configuration, and constructor. Constructors check options only; they touch no
/// resource, so that `heptad check` works while disks are away.
pub const BACKENDS: &[(&str, Build)] = &[
    ("btrfs", super::btrfs::build),
    ("exec", super::exec::build),
    ("files", super::files::build),
    ("libvirt", super::libvirt::build),
    ("postgres", super::postgres::build),
    ("sqlite", super::sqlite::build),
];

/// Builds a backend by its name, or tells everything that is wrong with its options.
pub fn build(
    kind: &str,
    options: &Options,
    context: &Context,
) -> Result<Arc<dyn Backend>, Vec<OptionFinding>> {
    match BACKENDS.iter().find(|(name, _)| *name == kind) {
        Some((_, build)) => build(options, context),
        None => Err(vec![OptionFinding {
            key: String::new(),
            problem: format!("{kind:?} is not a backend"),
            hint: format!("known are {}", names().join(", ")),
        }]),
    }
}

pub fn names() -> Vec<&'static str> {
    BACKENDS.iter().map(|(name, _)| *name).collect()
}
