//! Resources that a command made: each is declared by a file of heptad's own, `NAME.toml` in the
//! directory [`ENROLLED`] of the state directory, with exactly one complete `[resource.NAME]`
//! table. What is written here and how it is read stand together, so that they agree.
//!
//! Such files are the weakest layer, though nothing may lie on top of them: a table of the same
//! name in the user's files is a finding. One that is broken is a finding like any other, with its
//! name: leaving it out would silently end the protection of its resource.

use super::finding::Finding;
use super::key::KeyPath;
use super::layer::{Layer, Layers};
use crate::domain::name::{PlanName, ResourceName};
use crate::domain::policy::{Retention, When};
use crate::domain::resource::{Kind, Resource};
use crate::domain::tag::Tags;
use serde_json::Value as Json;
use std::path::{Path, PathBuf};

/// The directory below the state directory.
pub const ENROLLED: &str = "enrolled";

/// A resource to be declared.
#[derive(Clone, Debug, PartialEq)]
pub struct Enrolment {
    pub name: ResourceName,
    pub kind: Kind,
    pub backend: String,
    pub options: serde_json::Map<String, Json>,
    /// None: as `[defaults]` of the configuration has it.
    pub when: Option<When>,
    /// An IANA name. None, as with the next two: as `[defaults]` has it.
    pub zone: Option<String>,
    pub retention: Option<Retention>,
    pub enabled: Option<bool>,
    pub tags: Tags,
    pub plan: Option<PlanName>,
    pub blueprint: Option<String>,
}

/// An option that has no form in TOML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} is {what}, which the configuration cannot say")]
pub struct Unwritable {
    /// With the names of the tables that it is in.
    pub key: String,
    pub what: String,
}

impl Enrolment {
    /// What declares this resource. Its offset is not among it: that comes of its name and of the
    /// spread in `[defaults]`.
    ///
    /// # Errors
    /// [`Unwritable`], if its options are no table.
    pub fn of(resource: &Resource) -> Result<Self, Unwritable> {
        let Resource { backend, policy, plan, .. } = resource;
        let options = serde_json::from_str(&backend.options)
            .map_err(|_| Unwritable { key: backend.kind.clone(), what: "no table".into() })?;
        Ok(Self {
            name: resource.name.clone(),
            kind: resource.kind,
            backend: backend.kind.clone(),
            options,
            when: Some(policy.rhythm.when.clone()),
            zone: Some(policy.rhythm.zone.to_string()),
            retention: Some(policy.retention),
            enabled: Some(policy.enabled),
            tags: resource.tags.clone(),
            plan: plan.as_ref().map(|plan| plan.name.clone()),
            blueprint: resource.blueprint.clone(),
        })
    }

    /// The file's text. Read back, it means the same.
    ///
    /// # Errors
    /// [`Unwritable`]: null, or a number that TOML does not have.
    pub fn text(&self) -> Result<String, Unwritable> {
        let name = &self.name;
        Ok(format!(
            "# A command of heptactl made this. `heptactl forget {name}` ends it; to declare {name} in\n\
             # the configuration instead, move this table there and remove this file.\n\n\
             {}",
            self.table()?
        ))
    }

    /// The table alone.
    ///
    /// # Errors
    /// As for [`Enrolment::text`].
    pub fn table(&self) -> Result<String, Unwritable> {
        let mut table = toml::Table::new();
        let mut set = |key: &str, value: toml::Value| drop(table.insert(key.into(), value));
        set("kind", self.kind.word().into());
        match &self.when {
            Some(When::Daily(time)) => set("time", time.strftime("%H:%M").to_string().into()),
            Some(When::Cron(expression)) => set("cron", expression.as_str().into()),
            None => {}
        }
        if let Some(zone) = &self.zone {
            set("timezone", zone.as_str().into());
        }
        if let Some(Retention { latest, weekly, monthly, yearly }) = self.retention {
            let tiers =
                [("keep", latest), ("weekly", weekly), ("monthly", monthly), ("yearly", yearly)];
            tiers.into_iter().for_each(|(key, count)| set(key, i64::from(count).into()));
        }
        if let Some(enabled) = self.enabled {
            set("enabled", enabled.into());
        }
        if let Some(plan) = &self.plan {
            set("plan", plan.as_str().into());
        }
        if let Some(blueprint) = &self.blueprint {
            set("blueprint", blueprint.as_str().into());
        }
        let pair = |(key, value): (&String, &String)| (key.clone(), value.as_str().into());
        if !self.tags.is_empty() {
            set("tags", toml::Value::Table(self.tags.iter().map(pair).collect()));
        }
        set(&self.backend, options(&self.backend, &self.options)?);
        let named = toml::Table::from_iter([(self.name.to_string(), toml::Value::Table(table))]);
        let whole = toml::Table::from_iter([("resource".to_owned(), toml::Value::Table(named))]);
        Ok(whole.to_string())
    }
}

fn options(path: &str, table: &serde_json::Map<String, Json>) -> Result<toml::Value, Unwritable> {
    let each = table.iter().map(|(key, option)| {
        let path = format!("{path}.{key}");
        Ok((key.clone(), value(&path, option)?))
    });
    each.collect::<Result<toml::Table, _>>().map(toml::Value::Table)
}

fn value(path: &str, option: &Json) -> Result<toml::Value, Unwritable> {
    let unwritable = |what: &str| Unwritable { key: path.into(), what: what.into() };
    Ok(match option {
        Json::Null => return Err(unwritable("null")),
        Json::Bool(flag) => (*flag).into(),
        Json::String(text) => text.as_str().into(),
        Json::Array(all) => {
            let each = all.iter().enumerate().map(|(n, one)| value(&format!("{path}[{n}]"), one));
            toml::Value::Array(each.collect::<Result<_, _>>()?)
        }
        Json::Object(table) => options(path, table)?,
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole.into(),
            (None, Some(decimal)) if number.is_f64() => decimal.into(),
            _ => return Err(unwritable(&number.to_string())),
        },
    })
}

/// Where the resource of that name is declared, or would be.
pub fn file(state: &Path, name: &ResourceName) -> PathBuf {
    state.join(ENROLLED).join(format!("{name}.toml"))
}

/// Whether a file has its own table, and nothing else.
pub(super) fn check(layer: &Layer, file: &Path) -> Vec<Finding> {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let own = KeyPath::of(&["resource", &stem]);
    let hint = format!("a file of heptad's own has its table [{own}] only: remove this");
    let find = |path: &KeyPath| Finding::at(layer.origins.get(path), path, "stands here", &hint);
    let top = layer.values.keys().filter(|key| *key != "resource");
    let mut found: Vec<Finding> = top.map(|key| find(&KeyPath::of(&[key]))).collect();
    let resources = layer.values.get("resource").and_then(|value| value.as_dict());
    let others = resources.into_iter().flat_map(|table| table.keys()).filter(|key| **key != *stem);
    found.extend(others.map(|name| find(&KeyPath::of(&["resource", name]))));
    if resources.is_none_or(|table| !table.contains_key(&*stem)) {
        let hint = format!(
            "mend it, or remove it if {stem} is declared elsewhere or not to be protected any more"
        );
        found.push(Finding::of_file(file, format!("has no table [{own}]"), &hint));
    }
    found
}

/// Tables of the user's files for a resource that a command made.
pub(super) fn declared_twice(layers: &Layers) -> Vec<Finding> {
    let mut found = Vec::new();
    for own in layers.0.iter().filter(|layer| layer.enrolled) {
        for (path, name) in own.origins.keys().filter_map(|path| Some((path, path.resource()?))) {
            let others = layers.0.iter().filter(|layer| !layer.enrolled);
            for place in others.filter_map(|layer| layer.origins.get(path)) {
                let problem = format!("a command made it, and {} declares it", own.name);
                let hint = format!(
                    "remove this table (`heptactl forget {name}` ends the other); or remove that \
                     file, so that this table takes its place"
                );
                found.push(Finding::at(Some(place), path, problem, hint));
            }
        }
    }
    found
}
