//! What really lies in a store, whatever the daemon says.

use std::collections::BTreeMap;
use std::path::Path;

/// The snapshots of a resource by label, each with the names in it. Nothing else may lie there.
pub fn on_disk(store: &Path, resource: &str) -> BTreeMap<String, Vec<String>> {
    let dir = store.join(resource);
    let mut found = BTreeMap::new();
    for entry in names(&dir).into_iter().filter(|name| name.parse::<u64>().is_ok()) {
        let text = std::fs::read_to_string(dir.join(&entry).join("manifest.json"));
        let text = text.unwrap_or_else(|error| panic!("{resource} {entry}: {error}"));
        let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
        let label = match (manifest["name"].as_str(), manifest["slot"].as_str()) {
            (Some(name), _) => name.to_owned(),
            (None, slot) => format!("{resource}@{}", slot.unwrap()),
        };
        let twice = found.insert(label, names(&dir.join(&entry).join("data")));
        assert_eq!(twice, None, "{resource} {entry}");
    }
    found
}

pub fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
