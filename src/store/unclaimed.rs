//! Stores that no resource of the configuration has, found without a catalogue: by what heptad's
//! state remembers of where stores were made, and by what lies in the stores in use.

use super::manifest::MANIFEST;
use crate::domain::name::ResourceName;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The directories with snapshots in them of resources that are not `known`, sorted. What cannot be
/// looked at is left out: this only helps to remember.
pub fn unclaimed(
    state: &Path,
    stores: &BTreeSet<PathBuf>,
    known: impl Fn(&ResourceName) -> bool,
) -> Vec<(ResourceName, PathBuf)> {
    let recorded = names(&state.join("stores")).into_iter().filter_map(|name| {
        let store = std::fs::read(state.join("stores").join(name.as_str())).ok()?;
        Some((name, PathBuf::from(OsStr::from_bytes(&store))))
    });
    let own = state.join("store");
    let in_use = stores
        .iter()
        .chain([&own])
        .flat_map(|store| names(store).into_iter().map(move |name| (name, store.clone())));
    let all: BTreeSet<(ResourceName, PathBuf)> = recorded
        .chain(in_use)
        .map(|(name, store)| (name.clone(), store.join(name.as_str())))
        .filter(|(name, store)| !known(name) && has_snapshots(store))
        .collect();
    all.into_iter().collect()
}

/// What lies in a directory and could be a resource's.
fn names(dir: &Path) -> Vec<ResourceName> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Whether a directory has others in it that are numbered and have manifests as snapshots do.
pub(super) fn has_snapshots(store: &Path) -> bool {
    let entries = std::fs::read_dir(store).into_iter().flatten().flatten();
    let is_one = |entry: std::fs::DirEntry| {
        let numbered = entry.file_name().to_str().is_some_and(|name| name.parse::<u64>().is_ok());
        numbered && entry.path().join(MANIFEST).is_file()
    };
    entries.into_iter().any(is_one)
}
