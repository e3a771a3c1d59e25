//! The one list of backends and of what comes with them.

use super::Backend;
use super::options::{Context, OptionFinding};
use super::recognise::{Answer, Seen};
use crate::domain::setting::Setting;
use crate::fs::StorageError;
use crate::host::helper::Serve;
use std::path::Path;
use std::sync::Arc;

type Options = serde_json::Map<String, serde_json::Value>;
type Build = fn(&Options, &Context) -> Result<Arc<dyn Backend>, Vec<OptionFinding>>;

/// Whether what is at a place is of this technology.
type Recognise = fn(&Seen<'_>) -> Answer;

/// Name in the configuration, constructor, who recognises it, and its options. Constructors check
/// options only; they touch no resource, so that `heptad check` works while disks are away. What
/// takes anything stands last: a place is asked of each in this order.
pub const BACKENDS: &[(&str, Build, Recognise, &[Setting])] = &[
    ("postgres", super::postgres::build, super::postgres::recognise, super::postgres::OPTIONS),
    ("sqlite", super::sqlite::build, super::sqlite::recognise, super::sqlite::OPTIONS),
    ("libvirt", super::libvirt::build, super::libvirt::recognise, super::libvirt::OPTIONS),
    ("btrfs", super::btrfs::build, super::btrfs::recognise, super::btrfs::OPTIONS),
    // Only who declares a plugin knows what it is for.
    ("exec", super::exec::build, |_| Ok(None), super::exec::OPTIONS),
    ("files", super::files::build, super::files::recognise, super::files::OPTIONS),
];

/// Their helpers, and those of the rooms below them, by name.
pub const HELPERS: &[(&str, Serve)] = &[
    ("image", crate::image::helper),
    ("libvirt", super::libvirt::serve),
    ("sqlite", super::sqlite::serve),
];

/// What lets go whatever heptad and its helpers held when they were killed and nobody starts them
/// again, by what is noted in the state directory. Returns what could not be let go.
pub const LET_GO: &[fn(&Path) -> Result<Vec<StorageError>, StorageError>] =
    &[super::libvirt::let_go_all];

/// Builds a backend by its name, or tells everything that is wrong with its options.
pub fn build(
    kind: &str,
    options: &Options,
    context: &Context,
) -> Result<Arc<dyn Backend>, Vec<OptionFinding>> {
    match BACKENDS.iter().find(|(name, ..)| *name == kind) {
        Some((_, build, ..)) => build(options, context),
        None => Err(vec![OptionFinding {
            key: String::new(),
            problem: format!("{kind:?} is not a backend"),
            hint: format!("known are {}", names().join(", ")),
        }]),
    }
}

/// Each with its options, in alphabetical order.
pub fn options() -> Vec<(&'static str, &'static [Setting])> {
    let mut all: Vec<_> = BACKENDS.iter().map(|(name, _, _, options)| (*name, *options)).collect();
    all.sort_unstable_by_key(|(name, _)| *name);
    all
}

/// In alphabetical order.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = BACKENDS.iter().map(|(name, ..)| *name).collect();
    names.sort_unstable();
    names
}
