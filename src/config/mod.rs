//! From text to meaning: reads the configuration's files and the environment it is given, and
//! answers with checked domain types, or with everything that is wrong at once, each finding with
//! its file, line, key and a way out.
//!
//! Layers, the weakest first, merged by figment: built-in defaults, a file of heptad's own for each
//! resource that a command made, the main file, drop-ins in the order of their names, three
//! environment variables. Tables are merged key by key; of anything else, lists too, the strongest
//! layer's wins whole.
//!
//! This room knows the domain's types. It must not know any backend (options are handed on as
//! JSON, and the backend's findings located here by [`Config::locate`]), nor the catalogue, where
//! overrides live, nor read the process's environment.

mod clash;
mod daemon;
mod enrolled;
mod fee;
mod finding;
mod gather;
mod hooks;
mod key;
mod keys;
mod layer;
mod offers;
mod parse;
mod paths;
mod policy;
mod reference;
mod resource;
mod schema;
mod section;
mod table;
mod tags;
mod values;

pub use daemon::{Daemon, SOCKET_LIMIT};
pub use enrolled::{ENROLLED, Enrolment, Unwritable, file as enrolled_file};
pub use finding::Origin;
pub use finding::{Effect, Finding, Findings};
pub use gather::{FILE_LIMIT, VARIABLES};
pub use hooks::{Hook, Hooks, OnFailure};
pub use paths::{DaemonDefaults, Locations};
pub use reference::{manual, reference};
pub use resource::Declared;
pub use schema::schema;

use crate::domain::fee::Tariff;
use crate::domain::name::{BlueprintName, PlanName, ResourceName};
use crate::domain::plan::{Blueprint, Offer};
use gather::Gathered;
use key::KeyPath;
use layer::Layers;
use offers::Offers;
use section::{Report, Section};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use values::dropped_zone;

/// A configuration without findings.
#[derive(Clone, Debug)]
pub struct Config {
    pub daemon: Daemon,
    /// The price of a GB-month.
    pub fee: Tariff,
    pub plans: BTreeMap<PlanName, Offer>,
    pub blueprints: BTreeMap<BlueprintName, Blueprint>,
    /// In the order of their names.
    pub resources: Vec<Declared>,
    main: PathBuf,
    layers: Layers,
    remarks: Vec<Finding>,
}

/// What could be read, beside what is wrong. Only for a check that wants to go on to the backends'
/// options: a configuration with findings must not be put in force.
#[derive(Clone, Debug)]
pub struct Reading {
    pub config: Config,
    pub findings: Findings,
}

/// Reads a configuration whole, or not at all.
///
/// # Errors
/// Everything that is wrong with it, sorted by file and line.
pub fn load(locations: &Locations, env: &[(String, String)]) -> Result<Config, Findings> {
    let Reading { config, findings } = examine(locations, env);
    if findings.is_empty() { Ok(config) } else { Err(findings) }
}

/// Reads as much as can be read.
pub fn examine(locations: &Locations, env: &[(String, String)]) -> Reading {
    understand(gather::gather(locations, env), locations)
}

/// Reads files of heptad's own again, on top of a configuration that is in force. A person's files
/// count as they were when it was loaded, whatever is in them now.
pub fn examine_enrolled(config: &Config, locations: &Locations, files: &[PathBuf]) -> Reading {
    understand(gather::again(&config.layers, &config.remarks, files), locations)
}

fn understand(gathered: Gathered, locations: &Locations) -> Reading {
    let Gathered { layers, mut findings, incomplete, remarks } = gathered;
    let merged = layers.merged().unwrap_or_else(|error| {
        findings.push(Finding::of_file(&locations.file, error.to_string(), ""));
        Default::default()
    });
    let report = Report::new(&layers);
    let root = Section::new(&report, KeyPath::root(), &merged, keys::ROOT);
    let defaults = &locations.defaults;
    let daemon = Daemon::read(
        root.sub("daemon", keys::DAEMON),
        defaults.socket.clone(),
        defaults.state.clone(),
    );
    let fee = fee::read(root.sub("fee", keys::FEE));
    let offers = Offers::read(&root, incomplete);
    let wish = root.sub("defaults", keys::DEFAULTS).map(|section| {
        let wish = policy::Wish::read(&section);
        section.finish();
        wish
    });
    let resources = resource::read_all(&root, &wish.unwrap_or_default(), &offers, incomplete);
    root.finish();
    findings.extend(report.into_findings());
    findings.extend(clash::find(&layers));
    let Offers { plans, blueprints, .. } = offers;
    let main = locations.file.clone();
    let config = Config { daemon, fee, plans, blueprints, resources, main, layers, remarks };
    Reading { config, findings: findings.into() }
}

impl Config {
    pub fn get(&self, name: &ResourceName) -> Option<&Declared> {
        self.resources.iter().find(|declared| declared.resource.name == *name)
    }

    /// Gives a backend's finding its place. `backend_key` is a key of the resource's options table
    /// (`a.b` of a table within); empty for the table itself.
    pub fn locate(
        &self,
        resource: &ResourceName,
        backend_key: &str,
        problem: impl Into<String>,
        hint: impl Into<String>,
    ) -> Finding {
        let mut path = KeyPath::of(&["resource", resource.as_str()]);
        if let Some(declared) = self.get(resource) {
            path = path.key(&declared.resource.backend.kind);
        }
        let whole = path.key(backend_key);
        let path = match backend_key {
            "" => path,
            _ if self.layers.origin(&whole).is_some() => whole,
            steps => steps.split('.').fold(path, |path, step| path.key(step)),
        };
        self.layers.finding(&path, problem, hint)
    }

    /// The place of a program that runs `before` or `after` a resource's snapshots.
    pub fn locate_hook(
        &self,
        resource: &ResourceName,
        list: &str,
        index: usize,
        problem: &str,
        hint: &str,
    ) -> Finding {
        let path = KeyPath::of(&["resource", resource.as_str(), list]).index(index).key("program");
        self.layers.finding(&path, problem, hint)
    }

    /// Which layer the value of a key comes from, `resource.home.time` for example; `None` for a
    /// key that no layer sets.
    pub fn provenance(&self, key: &str) -> Option<&Origin> {
        let named = |path: &&KeyPath| path.to_string() == key;
        let path = self.layers.0.iter().flat_map(|layer| layer.origins.keys()).find(named)?;
        self.layers.origin(path)
    }

    /// What is allowed but hardly meant.
    pub fn remarks(&self) -> Vec<Finding> {
        let mut remarks = self.remarks.clone();
        if self.resources.is_empty() {
            let hint = "add a [resource.NAME] table, or nothing will ever be taken";
            remarks.push(Finding::of_file(&self.main, "declares no resource", hint));
        }
        remarks.extend(self.resources.iter().filter_map(|declared| {
            let (problem, hint) = dropped_zone(&declared.resource.policy.rhythm.zone)?;
            let path = KeyPath::of(&["resource", declared.resource.name.as_str(), "timezone"]);
            Some(self.layers.finding(&path, problem, hint))
        }));
        remarks
    }

    /// One that is about more than one resource.
    pub fn remark(&self, problem: impl Into<String>, hint: &str) -> Finding {
        Finding::of_file(&self.main, problem, hint)
    }

    /// The main file.
    pub fn file(&self) -> &Path {
        &self.main
    }
}

#[cfg(test)]
mod tests;
