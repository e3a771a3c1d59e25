//! Which backend lends which facet: what people can do with their snapshots.

use heptad::backend::options::Context;
use heptad::backend::{Backend, registry};
use std::path::Path;
use std::sync::Arc;

/// As its example declares it. Constructors touch no resource.
fn example(backend: &str) -> Arc<dyn Backend> {
    let path = format!("config/examples/{backend}.toml");
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let config: toml::Table = text.parse().unwrap();
    let resources = config["resource"].as_table().unwrap();
    let declared =
        resources.iter().find_map(|(name, resource)| Some((name, resource.get(backend)?)));
    let (name, options) = declared.unwrap();
    let options = serde_json::to_value(options).unwrap().as_object().cloned().unwrap();
    let context = Context { resource: name.parse().unwrap(), state: "/var/lib/heptad".into() };
    registry::build(backend, &options, &context).unwrap()
}

#[test]
fn each_backend_lends_the_facets_that_its_technology_has() {
    let table: &[(&str, &[&str])] = &[
        ("btrfs", &["rollback", "files"]),
        ("exec", &["rollback"]),
        ("files", &["rollback", "files"]),
        ("libvirt", &["rollback", "files", "disks"]),
        ("postgres", &["rollback", "files"]),
        ("sqlite", &["rollback", "rescue", "files"]),
    ];
    let known: Vec<&str> = table.iter().map(|(backend, _)| *backend).collect();
    assert_eq!(known, registry::names());
    for (backend, facets) in table {
        assert_eq!(example(backend).facets(), *facets, "{backend}");
    }
}
