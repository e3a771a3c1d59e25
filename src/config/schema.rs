//! The JSON schema (draft 7) of a configuration file, for editors. It holds for each file alone, so
//! it asks for nothing that another file may say.

use super::keys::TABLES;
use super::table::settings;
use crate::domain::setting::{Setting, Shape};
use serde_json::{Map, Value, json};

/// A name of a resource, a plan or a blueprint.
const NAME: &str = "^[A-Za-z0-9][A-Za-z0-9._-]{0,253}[A-Za-z0-9]$";
const TIME: &str = "^([01][0-9]|2[0-3]):[0-5][0-9]$";
const DURATION: &str = "^([0-9]+(s|min|h|d))+$";
const SIZE: &str = "^ *[0-9]+(\\.[0-9]+)? *([A-Za-z]+)? *$";
/// Below /.
const PATH: &str = "^/+[^/]";

/// The schema; each backend comes with its name and its options.
pub fn schema(backends: &[(&str, &[Setting])]) -> Value {
    let mut properties = Map::new();
    for table in TABLES {
        let mut keys = object(settings(table.keys));
        if table.path == "resource.NAME" {
            add_backends(&mut keys, backends);
        }
        describe(&mut keys, table.about);
        match table.path.split_once('.') {
            None => properties.insert(table.path.into(), keys),
            Some((all, _)) => properties.insert(all.into(), named(&keys, table.about)),
        };
    }
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "heptad.toml",
        "description": "The configuration of heptad; see heptad.toml(5)",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    })
}

/// Tables that a person names.
fn named(keys: &Value, about: &str) -> Value {
    json!({
        "description": about,
        "type": "object",
        "propertyNames": { "pattern": NAME },
        "additionalProperties": keys,
    })
}

fn add_backends(resource: &mut Value, backends: &[(&str, &[Setting])]) {
    let Some(properties) = resource.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    for (name, options) in backends {
        let mut table = object(options.iter());
        describe(&mut table, &format!("The backend {name}. A resource has exactly one backend."));
        properties.insert((*name).into(), table);
    }
}

fn describe(schema: &mut Value, about: &str) {
    if let Some(schema) = schema.as_object_mut().filter(|_| !about.is_empty()) {
        schema.insert("description".into(), about.into());
    }
}

/// A table with these keys and no others.
fn object<'a>(settings: impl Iterator<Item = &'a Setting> + Clone) -> Value {
    let properties: Map<String, Value> =
        settings.clone().map(|setting| (setting.name.to_owned(), of(setting))).collect();
    let required: Vec<&str> =
        settings.clone().filter(|setting| setting.required).map(|setting| setting.name).collect();
    let both = settings
        .filter_map(|setting| Some(json!({ "required": [setting.instead_of?, setting.name] })));
    let both: Vec<Value> = both.collect();
    let mut table = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    if let Some(table) = table.as_object_mut() {
        if !required.is_empty() {
            table.insert("required".into(), required.into());
        }
        if !both.is_empty() {
            table.insert("not".into(), json!({ "anyOf": both }));
        }
    }
    table
}

fn of(setting: &Setting) -> Value {
    let mut schema = shape(&setting.shape);
    describe(&mut schema, setting.about);
    let Some(keys) = schema.as_object_mut() else { return schema };
    if let Some(value) = value(setting.default) {
        keys.insert("default".into(), value);
    }
    if let Some(value) = value(setting.example) {
        keys.insert("examples".into(), json!([value]));
    }
    schema
}

fn shape(shape: &Shape) -> Value {
    match shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Path => json!({ "type": "string", "pattern": PATH }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Whole(from, to) | Shape::Seconds(from, to) => {
            json!({ "type": "integer", "minimum": from, "maximum": to })
        }
        Shape::Decimal(from, to) => json!({ "type": "number", "minimum": from, "maximum": to }),
        Shape::Words(words) => json!({ "enum": words }),
        Shape::Texts(most) => {
            json!({ "type": "array", "maxItems": most, "items": { "type": "string" } })
        }
        Shape::Time => json!({ "type": "string", "pattern": TIME }),
        Shape::Duration => json!({ "type": "string", "pattern": DURATION }),
        Shape::Size => json!({
            "type": ["string", "integer"],
            "pattern": SIZE,
            "minimum": 1,
        }),
        Shape::Pairs => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        Shape::Table => json!({ "type": "object" }),
        Shape::Tables(most, keys) => {
            json!({ "type": "array", "maxItems": most, "items": object(keys.iter()) })
        }
    }
}

/// What a text of TOML means; nothing where there is none.
fn value(text: &str) -> Option<Value> {
    let table: toml::Table = format!("value = {text}").parse().ok()?;
    serde_json::to_value(table.get("value")?).ok()
}
