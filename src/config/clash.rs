//! What only shows when several resources or files are looked at together.

use super::finding::Finding;
use super::key::KeyPath;
use super::layer::{Layer, Layers};
use super::resource::backends;
use super::section::describe;
use figment::value::{Dict, Value};
use std::collections::BTreeMap;

/// Everything that clashes.
pub(super) fn find(layers: &Layers) -> Vec<Finding> {
    let mut found = backend_in_two_files(layers);
    found.extend(super::enrolled::declared_twice(layers));
    found.extend(names_that_differ_in_case(layers));
    found.extend(values_in_place_of_tables(layers));
    found
}

/// A stronger layer's table would hide that a weaker one has something else in its place.
fn values_in_place_of_tables(layers: &Layers) -> Vec<Finding> {
    let mut found = Vec::new();
    for layer in &layers.0 {
        let wrong = super::table::names(super::keys::ROOT)
            .filter_map(|key| Some((key, layer.values.get(key)?)));
        for (key, value) in wrong.filter(|(_, value)| value.as_dict().is_none()) {
            let path = KeyPath::of(&[key]);
            let problem = format!("is {}", describe(value));
            found.push(Finding::at(layer.origins.get(&path), &path, problem, "write a table"));
        }
    }
    found
}

/// A backend belongs to one file: merged option by option, two files could bind a resource to
/// something that neither of them describes.
fn backend_in_two_files(layers: &Layers) -> Vec<Finding> {
    let mut first: BTreeMap<&String, (&Layer, KeyPath)> = BTreeMap::new();
    let mut found = Vec::new();
    // What a command made is told on its own, whatever else stands in the other table.
    for layer in layers.0.iter().filter(|layer| !layer.enrolled) {
        for (name, table) in resources(layer) {
            let Some(backend) = backends(table).into_iter().next() else {
                continue;
            };
            let path = KeyPath::of(&["resource", name, backend]);
            let Some((other, at)) = first.get(name) else {
                first.insert(name, (layer, path));
                continue;
            };
            let place = other.origins.get(at).map(ToString::to_string).unwrap_or_default();
            found.push(Finding::at(
                layer.origins.get(&path),
                &path,
                format!("its backend is declared already in {place}"),
                "remove one; a drop-in may change the policy of a resource, not its backend",
            ));
        }
    }
    found
}

/// Such names would share one directory on a file system that ignores case, and confuse people on
/// every other.
fn names_that_differ_in_case(layers: &Layers) -> Vec<Finding> {
    let mut seen: BTreeMap<String, (&String, &Layer)> = BTreeMap::new();
    let mut found: BTreeMap<&String, Finding> = BTreeMap::new();
    for layer in &layers.0 {
        let path = |name: &str| KeyPath::of(&["resource", name]);
        let mut names: Vec<&String> = resources(layer).map(|(name, _)| name).collect();
        names.sort_by_cached_key(|name| {
            Finding::at(layer.origins.get(&path(name)), &path(name), "", "")
        });
        for name in names {
            let (first, at) = *seen.entry(name.to_lowercase()).or_insert((name, layer));
            if first == name || found.contains_key(name) {
                continue;
            }
            let place = at.origins.get(&path(first)).map(ToString::to_string).unwrap_or_default();
            let problem = format!("differs only in case from {} in {place}", path(first));
            let at = layer.origins.get(&path(name));
            found.insert(name, Finding::at(at, &path(name), problem, "choose another name"));
        }
    }
    found.into_values().collect()
}

fn resources(layer: &Layer) -> impl Iterator<Item = (&String, &Dict)> {
    let all = layer.values.get("resource").and_then(Value::as_dict);
    all.into_iter().flatten().filter_map(|(name, value)| Some((name, value.as_dict()?)))
}
