//! Snapshots that other tools keep inside of a tree: each copy of it would take all of them.

use super::super::options::OptionFinding;
use std::path::{Path, PathBuf};

/// Names that other tools give to the directory of their snapshots, and who does.
const NAMES: [(&str, &str); 9] = [
    (".snapshots", "snapper"),
    (".zfs", "ZFS"),
    ("timeshift", "Timeshift"),
    ("timeshift-btrfs", "Timeshift"),
    (".timeshift", "Timeshift"),
    (".btrbk", "btrbk"),
    ("btrbk_snapshots", "btrbk"),
    ("_btrbk_snap", "btrbk"),
    (".snapshot", "a file server"),
];

/// Those at the top of a tree that its copies do not leave out.
pub(super) fn oddities(root: &Path, left_out: &[PathBuf]) -> Vec<OptionFinding> {
    let there = NAMES.iter().filter(|(name, _)| {
        let path = root.join(name);
        let is_dir = std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir());
        is_dir && !left_out.iter().any(|out| path.starts_with(out))
    });
    let finding = |(name, tool): &(&str, &str)| OptionFinding {
        key: "path".into(),
        problem: format!(
            "{} looks like the snapshots of another tool ({tool}): each copy takes them too",
            root.join(name).display()
        ),
        hint: format!("exclude = [{name:?}] leaves them out"),
    };
    there.map(finding).collect()
}
