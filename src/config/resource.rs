//! The `[resource.NAME]` tables.

use super::hooks::Hooks;
use super::key::KeyPath;
use super::keys::RESOURCE;
use super::offers::Offers;
use super::policy::Wish;
use super::section::{Report, Section, TEXT, describe};
use super::table::names;
use super::tags;
use super::values::{Refusal, quote};
use crate::domain::name::{NameError, ResourceName};
use crate::domain::resource::{Binding, Kind, Resource};
use crate::domain::similar::similar;
use figment::value::{Dict, Num, Value};
use serde_json::Value as Json;

/// A resource as the configuration declares it.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    pub resource: Resource,
    /// The backend's options as written; only the backend knows what they mean.
    pub options: serde_json::Map<String, Json>,
    pub hooks: Hooks,
}

/// Reads every resource. Those that cannot be named or bound to a backend are left out, after a
/// finding.
pub(super) fn read_all(
    root: &Section<'_>,
    defaults: &Wish,
    offers: &Offers,
    incomplete: bool,
) -> Vec<Declared> {
    let path = root.path.key("resource");
    let entries = root.table("resource").into_iter().flatten();
    entries
        .filter_map(|(name, value)| {
            let path = path.key(name);
            match value {
                Value::Dict(_, table) => {
                    let section = Section::new(root.report, path, table, RESOURCE);
                    read(section, name, table, defaults, offers, incomplete)
                }
                other => {
                    let problem = format!("is {}", describe(other));
                    root.report.find(&path, problem, format!("write a table: [{path}]"));
                    None
                }
            }
        })
        .collect()
}

fn read(
    section: Section<'_>,
    name: &str,
    table: &Dict,
    defaults: &Wish,
    offers: &Offers,
    incomplete: bool,
) -> Option<Declared> {
    let checked: Result<ResourceName, NameError> = name.parse();
    if let Err(error) = &checked {
        let problem = format!("the name {error}");
        section.report.find(&section.path, problem, "choose another name for the resource");
    }
    let stated = section.parsed("kind", kind);
    let kind = stated.unwrap_or_else(|| usual(table));
    let policy = Wish::read(&section).policy(defaults, name);
    let is_disk = kind == Kind::Disk && section.has("kind") == stated.is_some();
    let plan = offers.plan_of(&section, is_disk);
    let blueprint = offers.blueprint_of(&section, is_disk);
    let tags = tags::read(&section);
    let hooks = Hooks::read(&section);
    let bound = bind(&section, table, incomplete);
    let backends = backends(table);
    for (key, value) in section.rest().filter(|(key, _)| !backends.contains(key)) {
        if backends.is_empty() && similar(key, names(RESOURCE)).is_none() {
            let problem = format!("is {} and no known key", describe(value));
            let known = names(RESOURCE).collect::<Vec<_>>().join(", ");
            let hint = format!("known here: {known}; or make it a table if it is the backend");
            section.find(key, problem, hint);
        } else {
            section.unknown(key);
        }
    }
    let (backend, options) = bound?;
    let text = Json::Object(options.clone()).to_string();
    let backend = Binding { kind: backend, options: text };
    let resource = Resource {
        name: checked.ok()?,
        kind,
        backend,
        policy,
        tags,
        plan,
        blueprint,
        enrolled: section.report.layers.is_enrolled(&section.path),
    };
    Some(Declared { resource, options, hooks })
}

/// What a resource of this technology is where nothing is said: the technology itself knows, but is
/// not asked before its options have been read. An own test holds the two together.
fn usual(table: &Dict) -> Kind {
    let has = |backend: &str, key: &str| match table.get(backend) {
        Some(Value::Dict(_, options)) => options.contains_key(key),
        _ => false,
    };
    let is = |backend: &str| matches!(table.get(backend), Some(Value::Dict(..)));
    match () {
        () if is("postgres") || is("sqlite") => Kind::Database,
        () if has("libvirt", "domain") => Kind::Instance,
        () => Kind::Disk,
    }
}

fn kind(text: &str) -> Result<Kind, Refusal> {
    Kind::ALL.into_iter().find(|kind| kind.word() == text).ok_or_else(|| {
        let words: Vec<String> = Kind::ALL.iter().map(|kind| format!("\"{kind}\"")).collect();
        (format!("is the text {}", quote(text)), format!("write one of {}", words.join(", ")))
    })
}

/// The keys of a resource's table that name a backend: tables that are no common key, nor look
/// like a slip for one.
pub(super) fn backends(table: &Dict) -> Vec<&String> {
    let names = |(key, value): &(&String, &Value)| {
        matches!(value, Value::Dict(..))
            && names(RESOURCE).all(|known| known != **key)
            && similar(key, names(RESOURCE)).is_none()
    };
    table.iter().filter(names).map(|(key, _)| key).collect()
}

/// The backend's name and options.
fn bind(
    section: &Section<'_>,
    table: &Dict,
    incomplete: bool,
) -> Option<(String, serde_json::Map<String, Json>)> {
    let report = section.report;
    let names = backends(table);
    let Some((first, others)) = names.split_first() else {
        if !incomplete {
            let hint = "add one table named after its backend, such as \
                        btrfs = { path = \"/home\" }";
            report.find(&section.path, "has no backend", hint);
        }
        return None;
    };
    let path = section.path.key(first);
    if !others.is_empty() {
        second(section, &names);
        return None;
    }
    if !is_backend_name(first) {
        let hint = "a name of a resource with a dot in it stands in quotes: [resource.\"web.2\"]";
        report.find(&path, "is not the name of a backend", hint);
        return None;
    }
    match json(report, &path, table.get(*first)?) {
        Some(Json::Object(options)) => Some(((*first).clone(), options)),
        _ => None,
    }
}

/// Records all but the first of several backends. Those of different files are a clash of files,
/// which is told there.
fn second(section: &Section<'_>, names: &[&String]) {
    let layers = section.report.layers;
    let mut placed: Vec<(Option<usize>, KeyPath, &String)> = names
        .iter()
        .map(|name| (section.path.key(name), *name))
        .map(|(path, name)| (layers.rank(&path), path, name))
        .collect();
    let line = |path: &KeyPath| layers.finding(path, "", "").line;
    placed.sort_by_key(|(rank, path, _)| (*rank, line(path)));
    let Some(((rank, _, first), others)) = placed.split_first() else {
        return;
    };
    for (_, path, _) in others.iter().filter(|(other, _, _)| other == rank) {
        let problem = format!("is a second backend beside {first}");
        section.report.find(path, problem, "remove one; a resource has exactly one backend");
    }
}

fn is_backend_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(plain)
}

/// An option as JSON; keys come sorted. `None` after a finding.
fn json(report: &Report<'_>, path: &KeyPath, value: &Value) -> Option<Json> {
    match value {
        Value::String(_, text) => Some(Json::from(text.as_str())),
        Value::Bool(_, flag) => Some(Json::from(*flag)),
        Value::Num(_, Num::I64(number)) => Some(Json::from(*number)),
        Value::Num(_, Num::F64(number)) => Some(Json::from(*number)),
        Value::Array(_, values) => {
            let each = values.iter().enumerate();
            let each: Vec<_> = each.map(|(n, v)| json(report, &path.index(n), v)).collect();
            each.into_iter().collect::<Option<Vec<Json>>>().map(Json::Array)
        }
        Value::Dict(_, table) => {
            let each = table.iter().map(|(key, v)| (key, json(report, &path.key(key), v)));
            let each: Vec<_> = each.collect();
            let each = each.into_iter().map(|(key, value)| Some((key.clone(), value?)));
            each.collect::<Option<serde_json::Map<_, _>>>().map(Json::Object)
        }
        other => {
            report.find(path, format!("is {}", describe(other)), format!("write {TEXT}"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_is_no_common_key_names_the_backend() {
        let check = |keys: &[&str], want: &[&str]| {
            let table = |key: &&str| ((*key).to_owned(), Value::from(Dict::new()));
            let mut dict: Dict = keys.iter().map(table).collect();
            dict.insert("path".into(), Value::from("/home"));
            assert_eq!(backends(&dict), want, "{keys:?}");
        };
        check(&["btrfs"], &["btrfs"]);
        check(&["files", "tags"], &["files"]);
        check(&["tag", "exec"], &["exec"]);
        check(&["btrfs", "files"], &["btrfs", "files"]);
        check(&[], &[]);
    }
}
