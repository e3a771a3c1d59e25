//! The layers a configuration is made of, and where each key of theirs stands.

use super::finding::{Finding, Origin};
use super::key::KeyPath;
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use std::collections::BTreeMap;

/// One layer: its values, and the origin of each key that a finding may name.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub name: String,
    pub values: Dict,
    pub origins: BTreeMap<KeyPath, Origin>,
    /// A file of heptad's own, for a resource that a command made.
    pub enrolled: bool,
}

impl Layer {
    /// A layer of `[daemon]` settings that stand in no file.
    pub(super) fn daemon(name: &str, settings: Vec<(&str, String, Origin)>) -> Self {
        let (mut values, mut origins) = (Dict::new(), BTreeMap::new());
        for (key, value, origin) in settings {
            values.insert(key.to_owned(), Value::from(value));
            origins.insert(KeyPath::of(&["daemon", key]), origin);
        }
        // An empty table would still replace whatever a file wrote in its place.
        let tables = [("daemon".to_owned(), Value::from(values))];
        let values = tables.into_iter().filter(|_| !origins.is_empty()).collect();
        Self { name: name.into(), values, origins, enrolled: false }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

/// All layers, the weakest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Layers(pub Vec<Layer>);

impl Layers {
    /// The values in force: tables are merged key by key, of anything else the strongest wins.
    pub(super) fn merged(&self) -> Result<Dict, Box<figment::Error>> {
        let all = self.0.iter().cloned().fold(Figment::new(), Figment::merge);
        Ok(all.find_value("")?.into_dict().unwrap_or_default())
    }

    /// Which layer a key's value comes from, as its index: higher is stronger.
    pub(super) fn rank(&self, path: &KeyPath) -> Option<usize> {
        self.0.iter().rposition(|layer| layer.origins.contains_key(path))
    }

    /// Whether a file of heptad's own has this key.
    pub(super) fn is_enrolled(&self, path: &KeyPath) -> bool {
        self.0.iter().any(|layer| layer.enrolled && layer.origins.contains_key(path))
    }

    /// Where the value in force of a key comes from.
    pub(super) fn origin(&self, path: &KeyPath) -> Option<&Origin> {
        self.0.iter().rev().find_map(|layer| layer.origins.get(path))
    }

    /// Where a key stands; for one that is nowhere, where the table that misses it stands.
    pub(super) fn nearest(&self, path: &KeyPath) -> Option<&Origin> {
        let paths = std::iter::successors(Some(path.clone()), KeyPath::parent);
        paths.into_iter().find_map(|path| self.origin(&path))
    }

    pub(super) fn finding(
        &self,
        path: &KeyPath,
        problem: impl Into<String>,
        hint: impl Into<String>,
    ) -> Finding {
        Finding::at(self.nearest(path), path, problem, hint)
    }
}
