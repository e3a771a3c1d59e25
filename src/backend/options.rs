//! Reading a backend's options table: every finding at once, unknown keys with a suggestion.

use crate::domain::name::ResourceName;
use crate::domain::setting::{Setting, Shape};
use crate::domain::similar::similar;
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::time::Duration;

/// What a backend may need beside its own options.
#[derive(Clone, Debug)]
pub struct Context {
    pub resource: ResourceName,
    /// heptad's state directory, for stores without a configured place.
    pub state: PathBuf,
}

/// One thing wrong with an options table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionFinding {
    /// The key in the backend's table; empty for the table itself.
    pub key: String,
    pub problem: String,
    /// What to write instead.
    pub hint: String,
}

/// Takes keys out of a table one by one, each as its setting says; what has none is unknown.
pub struct Reader<'a> {
    table: &'a Map<String, Value>,
    settings: &'static [Setting],
    findings: Vec<OptionFinding>,
}

impl<'a> Reader<'a> {
    pub fn new(table: &'a Map<String, Value>, settings: &'static [Setting]) -> Self {
        Self { table, settings, findings: Vec::new() }
    }

    /// An absolute path.
    pub fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        let text = self.text(key)?;
        let path = PathBuf::from(&text);
        let plain = path.components().all(|part| !matches!(part, std::path::Component::ParentDir));
        if path.is_absolute() && plain && !text.contains('\0') {
            return Some(path.components().collect());
        }
        self.find(
            key,
            format!("{text:?} is not an absolute path without \"..\""),
            "write it from / on",
        );
        None
    }

    pub fn required_path(&mut self, key: &'static str) -> Option<PathBuf> {
        if !self.table.contains_key(key) {
            self.find(key, "is missing".into(), &format!("add {key} = \"/…\""));
            return None;
        }
        self.path(key)
    }

    pub fn text(&mut self, key: &'static str) -> Option<String> {
        self.take(key, |value| value.as_str().map(str::to_owned))
    }

    pub fn flag(&mut self, key: &'static str) -> Option<bool> {
        self.take(key, Value::as_bool)
    }

    /// A whole number within the range of its setting.
    pub fn number(&mut self, key: &'static str) -> Option<u32> {
        let (least, most) = self.setting(key).map_or((0, u32::MAX), |of| of.shape.range());
        self.take(key, |value| {
            let number = u32::try_from(value.as_u64()?).ok()?;
            (least..=most).contains(&number).then_some(number)
        })
    }

    /// Seconds within the range of their setting.
    pub fn seconds(&mut self, key: &'static str) -> Option<Duration> {
        self.number(key).map(|seconds| Duration::from_secs(seconds.into()))
    }

    pub fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        self.take(key, |value| {
            value.as_array()?.iter().map(|v| v.as_str().map(str::to_owned)).collect()
        })
    }

    /// A table of its own, as it is.
    pub fn table(&mut self, key: &'static str) -> Option<Map<String, Value>> {
        self.take(key, |value| value.as_object().cloned())
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let found = choices.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice);
        if found.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            self.find(
                key,
                format!("{text:?} is not known"),
                &format!("write one of {}", words.join(", ")),
            );
        }
        found
    }

    fn setting(&self, key: &str) -> Option<&'static Setting> {
        self.settings.iter().find(|setting| setting.name == key)
    }

    pub fn find(&mut self, key: &str, problem: String, hint: &str) {
        self.findings.push(OptionFinding { key: key.into(), problem, hint: hint.into() });
    }

    /// What was built, or everything that is wrong. `built` is `None` only after a finding.
    pub fn finish<T>(mut self, built: Option<T>) -> Result<T, Vec<OptionFinding>> {
        let known: Vec<&str> = self.settings.iter().map(|setting| setting.name).collect();
        for key in self.table.keys().filter(|key| !known.contains(&key.as_str())) {
            let hint = match similar(key, &known) {
                Some(known) => format!("did you mean {known}?"),
                None => format!("known are {}", known.join(", ")),
            };
            self.find(key, "is not an option of this backend".into(), &hint);
        }
        match built {
            Some(built) if self.findings.is_empty() => Ok(built),
            _ => Err(self.findings),
        }
    }

    fn take<T>(&mut self, key: &'static str, read: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        let value = self.table.get(key)?;
        let read = read(value);
        if read.is_none() {
            let shape = self.setting(key).map_or(Shape::Text, |setting| setting.shape);
            // A text that is none of the words is told by whoever knows them.
            let wanted = match shape {
                Shape::Words(_) => Shape::Text.wanted(),
                shape => shape.wanted(),
            };
            self.find(key, format!("{value} is not {wanted}"), &format!("write {wanted}"));
        }
        read
    }
}
