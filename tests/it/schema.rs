//! The table of keys: the reference file, the manual page and the schema that are printed from it
//! say what the checker does, by a validator that is not ours.

use crate::support::source::{files, root};
use heptad::backend::options::Context;
use heptad::backend::registry::{build, options};
use heptad::config::{Locations, load, manual, reference, schema};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Compares with a file of the repository. With `HEPTAD_BLESS=1` it is written instead.
fn printed(path: &str, text: &str) {
    let path = root().join(path);
    if std::env::var_os("HEPTAD_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(there, text, "{}: HEPTAD_BLESS=1 writes it anew", path.display());
}

#[test]
fn the_reference_file_and_the_manual_page_are_what_the_table_prints() {
    printed("config/heptad.toml", &reference());
    printed("src/help/heptad.toml.md", &manual(&options()));
}

#[test]
fn heptad_prints_the_schema() {
    let out = Command::new(env!("CARGO_BIN_EXE_heptad")).arg("schema").output().unwrap();
    let printed: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(printed, schema(&options()));
    let first = reference().lines().next().unwrap().to_owned();
    let place = first.strip_prefix("#:schema ").unwrap();
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.contains(&format!("heptad schema > {place}\n")), "{place}");
}

/// Reads TOML and validates it with Python's own reader and its jsonschema.
const VALIDATE: &str = "
import json, sys, tomllib
from jsonschema import Draft7Validator
with open(sys.argv[1]) as file: schema = json.load(file)
Draft7Validator.check_schema(schema)
for name in sys.argv[2:]:
    with open(name, 'rb') as file: document = tomllib.load(file)
    errors = [error.json_path + ': ' + error.message
              for error in Draft7Validator(schema).iter_errors(document)]
    print(json.dumps(errors))
";

/// What the validator says of each text.
fn validated(texts: &[String]) -> Vec<Vec<String>> {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("schema.json");
    std::fs::write(&place, schema(&options()).to_string()).unwrap();
    let write = |(n, text): (usize, &String)| {
        let path = dir.path().join(format!("{n}.toml"));
        std::fs::write(&path, text).unwrap();
        path
    };
    let paths: Vec<PathBuf> = texts.iter().enumerate().map(write).collect();
    let mut python = Command::new("/usr/bin/python3");
    let ran = python.args(["-c", VALIDATE]).arg(&place).args(&paths).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let said = String::from_utf8(ran.stdout).unwrap();
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What the checker says of a text, with the backends' options.
fn checked(text: &str) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("heptad.toml");
    std::fs::write(&file, text).unwrap();
    let locations = Locations { drop_ins: dir.path().join("none"), file, ..Locations::system() };
    match heptad::daemon::check::prepare(&locations, &[]) {
        Ok(_) => Vec::new(),
        Err(findings) => findings.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn everything_shown_is_valid_by_the_schema() {
    let uncommented = |text: String| {
        let setting = |line: &str| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with([' ', ':']) => rest.to_owned(),
            _ => line.to_owned(),
        };
        text.lines().map(setting).collect::<Vec<_>>().join("\n")
    };
    let mut shown: Vec<(String, String)> = vec![
        ("the reference".into(), reference()),
        ("the reference, uncommented".into(), uncommented(reference())),
    ];
    let examples = files("config/examples", "toml").into_iter();
    shown.extend(examples.map(|file| (file.path, file.text)));
    for topic in files("src/help", "md") {
        let blocks = topic.text.split("\n```toml\n").skip(1);
        let blocks = blocks.filter_map(|rest| rest.split_once("\n```"));
        shown.extend(blocks.map(|(block, _)| (topic.path.clone(), block.to_owned())));
    }
    assert!(shown.len() >= 12, "{}", shown.len());
    let texts: Vec<String> = shown.iter().map(|(_, text)| text.clone()).collect();
    for ((place, _), errors) in shown.iter().zip(validated(&texts)) {
        assert!(errors.is_empty(), "{place}: {errors:#?}");
    }
}

/// One key of the schema in a document that is right but for what a test does to it.
struct Case {
    /// Tables from the top to the one that has the key.
    path: Vec<String>,
    key: String,
    shape: Value,
    /// The other keys of that table.
    beside: Map<String, Value>,
}

impl Case {
    /// As the schema itself shows it.
    fn example(&self) -> Value {
        example(&self.shape)
    }

    /// The document with the key at a value, or without the key.
    fn with(&self, value: Option<Value>) -> String {
        let mut table = self.beside.clone();
        table.extend(value.map(|value| (self.key.clone(), value)));
        let mut document = Value::Object(table);
        for step in self.path.iter().rev() {
            document = match step.as_str() {
                "[]" => json!([document]),
                step => json!({ step: document }),
            };
        }
        let Value::Object(mut document) = document else { unreachable!() };
        if let Some(some) = document.get_mut("resource").and_then(|all| all.get_mut("some")) {
            let some = some.as_object_mut().unwrap();
            if !options().iter().any(|(backend, _)| some.contains_key(*backend)) {
                some.entry("kind").or_insert(json!("database"));
                some.insert("files".into(), json!({ "path": "/srv/some" }));
            }
            document.insert("plan".into(), json!({ "small": plan() }));
            document.insert("blueprint".into(), json!({ "ghost": {} }));
        }
        toml::to_string(&document).unwrap()
    }

    fn name(&self) -> String {
        format!("{}.{}", self.path.join("."), self.key)
    }

    /// Values that are none of it.
    fn wrong(&self) -> Vec<Value> {
        let shape = &self.shape;
        let mut wrong = match shape["type"].as_str() {
            Some("boolean") => vec![json!("yes"), json!(1)],
            _ => vec![json!(true)],
        };
        let is_number = shape["type"] == "integer" || shape["type"] == "number";
        for bound in ["minimum", "maximum"].into_iter().filter(|_| is_number) {
            let beyond = if bound == "minimum" { -1.0 } else { 1.0 };
            let value = shape[bound].as_f64().unwrap() + beyond;
            wrong.push(json!(value as i64));
        }
        wrong.extend(shape.get("enum").map(|_| json!("nonsense")));
        let is_path = shape["pattern"].as_str().is_some_and(|pattern| pattern.starts_with("^/"));
        wrong.extend(is_path.then(|| json!("relative")));
        wrong
    }
}

fn plan() -> Value {
    json!({ "vcpus": 2, "memory": "1 GiB", "disk": "1 GiB" })
}

fn example(shape: &Value) -> Value {
    match (&shape["examples"][0], &shape["default"]) {
        (Value::Null, Value::Null) if shape["type"] == "array" => {
            json!([required(&shape["items"])])
        }
        (Value::Null, default) => default.clone(),
        (example, _) => example.clone(),
    }
}

/// The keys that a table has to have.
fn required(table: &Value) -> Map<String, Value> {
    let names = table["required"].as_array().into_iter().flatten().map(|name| name.as_str());
    names.flatten().map(|name| (name.into(), example(&table["properties"][name]))).collect()
}

/// What a key needs beside it: `domain` makes an instance, `image` and `format` a disk.
fn beside(path: &[String], key: &str, table: &Value) -> Map<String, Value> {
    let mut beside = required(table);
    match (path.last().map(String::as_str), key) {
        (Some("libvirt"), "image" | "format") => {
            for name in ["image", "format"] {
                beside.insert(name.into(), example(&table["properties"][name]));
            }
        }
        (Some("libvirt"), _) => drop(beside.insert("domain".into(), json!("web"))),
        (Some("some"), _) if path[0] == "plan" => {
            beside.extend(plan().as_object().unwrap().clone())
        }
        _ => {}
    }
    beside.remove(key);
    beside
}

/// Every key below a table.
fn cases(path: &[String], table: &Value, found: &mut Vec<Case>) {
    for (key, shape) in table["properties"].as_object().into_iter().flatten() {
        let mut below = path.to_vec();
        below.push(key.clone());
        if shape["additionalProperties"].get("properties").is_some() {
            below.push("some".into());
            cases(&below, &shape["additionalProperties"], found);
        } else if shape.get("properties").is_some() {
            cases(&below, shape, found);
        } else {
            if shape["items"].get("properties").is_some() {
                below.push("[]".into());
                cases(&below, &shape["items"], found);
            }
            found.push(Case {
                path: path.to_vec(),
                key: key.clone(),
                shape: shape.clone(),
                beside: beside(path, key, table),
            });
        }
    }
}

fn every_case() -> Vec<Case> {
    let mut found = Vec::new();
    cases(&[], &schema(&options()), &mut found);
    found
}

#[test]
fn every_key_of_the_schema_is_taken_by_the_checker_and_by_the_validator() {
    let all = every_case();
    assert!(all.len() > 70, "{}", all.len());
    let texts: Vec<String> = all.iter().map(|case| case.with(Some(case.example()))).collect();
    for ((case, text), errors) in all.iter().zip(&texts).zip(validated(&texts)) {
        assert!(!case.shape["description"].is_null(), "{} says what it is", case.name());
        assert_eq!(checked(text), [""; 0], "{}: {text}", case.name());
        assert!(errors.is_empty(), "{}: {errors:#?}", case.name());
    }
}

#[test]
fn what_is_no_value_of_a_key_is_refused_by_both() {
    let all = every_case();
    let wrong = all.iter().flat_map(|case| case.wrong().into_iter().map(move |one| (case, one)));
    let wrong: Vec<(&Case, Value)> = wrong.collect();
    assert!(wrong.len() > 100, "{}", wrong.len());
    let texts: Vec<String> =
        wrong.iter().map(|(case, value)| case.with(Some(value.clone()))).collect();
    for (((case, value), text), errors) in wrong.iter().zip(&texts).zip(validated(&texts)) {
        let findings = checked(text);
        assert!(!findings.is_empty(), "{} = {value}: the checker takes it", case.name());
        assert!(!errors.is_empty(), "{} = {value}: the schema takes it", case.name());
    }
}

#[test]
fn a_key_that_nobody_knows_is_refused_by_both() {
    let mut tables: Vec<Case> = every_case();
    tables.retain(|case| case.key != "format");
    tables.dedup_by(|a, b| a.path == b.path);
    for case in &mut tables {
        case.key = "no_such_key".into();
    }
    let texts: Vec<String> = tables.iter().map(|case| case.with(Some(json!(1)))).collect();
    for ((case, text), errors) in tables.iter().zip(&texts).zip(validated(&texts)) {
        let findings = checked(text).join("\n");
        assert!(findings.contains("no_such_key"), "{}: {findings}", case.name());
        assert!(errors.join("\n").contains("no_such_key"), "{}: {errors:?}", case.name());
    }
}

/// All that a text means, with the backends that are built of it.
fn meaning(text: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("heptad.toml");
    std::fs::write(&file, text).unwrap();
    let locations =
        Locations { drop_ins: Path::new("/nowhere").into(), file, ..Locations::system() };
    let config = load(&locations, &[]).unwrap_or_else(|findings| panic!("{text}\n{findings}"));
    let context = Context { resource: "some".parse().unwrap(), state: "/state".into() };
    let resources = config.resources.iter().map(|declared| {
        let resource = &declared.resource;
        let backend = build(&resource.backend.kind, &declared.options, &context);
        let backend = format!("{:?}", backend.unwrap_or_else(|found| panic!("{text}\n{found:?}")));
        format!("{:?} {:?} {:?} {backend}", resource.kind, resource.policy, declared.hooks)
    });
    let resources: Vec<String> = resources.collect();
    format!("{:?} {:?} {:?} {resources:?}", config.daemon, config.fee, config.blueprints)
}

#[test]
fn a_default_that_is_written_means_the_same_as_nothing() {
    let all = every_case().into_iter().filter(|case| !case.shape["default"].is_null());
    let all: Vec<Case> = all.collect();
    assert!(all.len() > 25, "{}", all.len());
    for case in all {
        let written = case.with(Some(case.shape["default"].clone()));
        assert_eq!(meaning(&written), meaning(&case.with(None)), "{}", case.name());
    }
}
