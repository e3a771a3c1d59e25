//! The one list of backends and of what comes with them.

use super::Backend;
use super::options::{Context, OptionFinding};
use super::recognise::{Answer, Place, Recognised, Seen};
use crate::domain::operation::Fault;
use crate::domain::setting::Setting;
use crate::fs::StorageError;
use crate::fs::tree::{Meta, open_nosymlink};
use crate::host::helper::Serve;
use std::path::Path;
use std::sync::Arc;

type Options = serde_json::Map<String, serde_json::Value>;
type Build = fn(&Options, &Context) -> Result<Arc<dyn Backend>, Vec<OptionFinding>>;

/// Whether what is at a place is of this technology.
type Recognise = fn(&Seen<'_>) -> Answer;

type LetGo = fn(&Path) -> Result<Vec<StorageError>, StorageError>;

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
pub const LET_GO: &[LetGo] = &[super::libvirt::let_go_all];

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

/// Which backend a place belongs to. Those that know one kind of thing are asked before those that
/// take anything.
///
/// # Errors
/// [`Fault::Absent`] where nothing is, [`Fault::Permanent`] for what no backend takes.
pub fn recognise(place: &Place) -> Result<Recognised, StorageError> {
    let shown = match place {
        Place::Path(path) => path.display().to_string(),
        Place::Domain(name) => name.clone(),
    };
    let doing = || format!("looking at {shown}");
    let seen = match place {
        Place::Path(path) => {
            let reference = open_nosymlink(path)?;
            let meta = Meta::of(&reference).map_err(|e| StorageError::io(doing(), &e.into()))?;
            let path = path.to_str().ok_or_else(|| {
                StorageError::new(Fault::Permanent, doing(), "its path is not UTF-8; rename it")
            })?;
            Seen::Entry { path, reference, kind: meta.kind }
        }
        Place::Domain(name) => Seen::Domain(name),
    };
    for (_, _, recognise, _) in BACKENDS {
        if let Some(found) = recognise(&seen)? {
            return Ok(found);
        }
    }
    let why = match &seen {
        Seen::Entry { kind, .. } => {
            format!("it is {}; directories and files can be protected", kind.words())
        }
        Seen::Domain(_) => "no backend knows it".into(),
    };
    Err(StorageError::new(Fault::Permanent, doing(), why))
}
