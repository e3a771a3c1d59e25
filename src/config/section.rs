//! Reading one table key by key: every finding is recorded, and what nobody took is unknown.

use super::finding::{Effect, Finding};
use super::key::KeyPath;
use super::layer::Layers;
use super::table::{Keys, names, settings};
use super::values::{Refusal, quote, size};
use crate::domain::plan::Size;
use crate::domain::setting::{Setting, Shape};
use crate::domain::similar::similar;
use figment::value::{Dict, Value};
use std::cell::RefCell;

/// Collects what is found while tables are read.
#[derive(Debug)]
pub(super) struct Report<'a> {
    pub layers: &'a Layers,
    findings: RefCell<Vec<Finding>>,
}

impl<'a> Report<'a> {
    pub(super) fn new(layers: &'a Layers) -> Self {
        Self { layers, findings: RefCell::default() }
    }

    pub(super) fn find(&self, path: &KeyPath, problem: impl Into<String>, hint: impl Into<String>) {
        self.add(self.layers.finding(path, problem, hint));
    }

    pub(super) fn add(&self, finding: Finding) {
        self.findings.borrow_mut().push(finding);
    }

    pub(super) fn into_findings(self) -> Vec<Finding> {
        self.findings.into_inner()
    }
}

/// What is wanted of a text that needs no example.
pub(super) const TEXT: &str = "a text in quotes";

/// One table.
#[derive(Debug)]
pub(super) struct Section<'a> {
    pub path: KeyPath,
    pub report: &'a Report<'a>,
    table: &'a Dict,
    keys: Keys,
}

impl<'a> Section<'a> {
    /// A table in which exactly these keys may stand.
    pub(super) fn new(report: &'a Report<'a>, path: KeyPath, table: &'a Dict, keys: Keys) -> Self {
        Self { path, report, table, keys }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    pub(super) fn find(&self, key: &str, problem: impl Into<String>, hint: impl Into<String>) {
        self.report.find(&self.path.key(key), problem, hint);
    }

    /// Something that hampers what this table declares, and nothing else.
    pub(super) fn find_hampering(
        &self,
        key: &str,
        problem: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let finding = self.report.layers.finding(&self.path.key(key), problem, hint);
        self.report.add(Finding { effect: Effect::Hampers, ..finding });
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        self.take(key, &self.wanted(key), Value::to_bool)
    }

    /// A whole number within the range of its setting.
    pub(super) fn number(&self, key: &str) -> Option<u32> {
        let (least, most) = self.shape(key).range();
        self.take(key, &self.wanted(key), |value| {
            let number = u32::try_from(value.to_i128()?).ok()?;
            (least..=most).contains(&number).then_some(number)
        })
    }

    /// A number with or without decimals, within the range of its setting.
    pub(super) fn decimal(&self, key: &str) -> Option<f64> {
        let Shape::Decimal(least, most) = self.shape(key) else { return None };
        self.take(key, &self.wanted(key), |value| {
            let number = match value.to_i128() {
                Some(whole) => whole as f64,
                None => value.to_f64()?,
            };
            (least..=most).contains(&number).then_some(number)
        })
    }

    pub(super) fn list(&self, key: &str, wanted: &str) -> Option<&'a [Value]> {
        self.take(key, wanted, Value::as_array)
    }

    /// A table without a finding where it is none.
    pub(super) fn peek(&self, key: &str) -> Option<&'a Dict> {
        self.table.get(key).and_then(Value::as_dict)
    }

    /// A size in bytes or with a unit, of at least so many bytes.
    pub(super) fn size(&self, key: &str, least: u64) -> Option<Size> {
        let text = self.take(key, &self.wanted(key), |value| match value {
            Value::String(_, text) => Some(text.clone()),
            _ => value.to_i128().map(|bytes| bytes.to_string()),
        })?;
        size(&text, least).map_err(|(problem, hint)| self.find(key, problem, hint)).ok()
    }

    pub(super) fn table(&self, key: &str) -> Option<&'a Dict> {
        self.take(key, "a table", Value::as_dict)
    }

    pub(super) fn sub(&self, key: &str, keys: Keys) -> Option<Section<'a>> {
        let table = self.table(key)?;
        Some(Section::new(self.report, self.path.key(key), table, keys))
    }

    /// A text that must mean something.
    pub(super) fn parsed<T>(
        &self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, Refusal>,
    ) -> Option<T> {
        let wanted = match self.shape(key) {
            Shape::Time | Shape::Duration => self.wanted(key),
            _ => TEXT.into(),
        };
        match parse(self.take(key, &wanted, Value::as_str)?) {
            Ok(meaning) => Some(meaning),
            Err((problem, hint)) => {
                self.find(key, problem, hint);
                None
            }
        }
    }

    /// The keys that are not known.
    pub(super) fn rest(&self) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
        let keys = self.keys;
        self.table.iter().filter(move |(key, _)| names(keys).all(|known| known != **key))
    }

    /// Records a key as unknown, with a suggestion.
    pub(super) fn unknown(&self, key: &str) {
        let hint = match similar(key, names(self.keys)) {
            Some(known) => format!("did you mean {known}?"),
            None => format!("known here: {}", names(self.keys).collect::<Vec<_>>().join(", ")),
        };
        self.find(key, "is not a known key", hint);
    }

    /// Records every key that is left as unknown.
    pub(super) fn finish(self) {
        self.rest().for_each(|(key, _)| self.unknown(key));
    }

    fn setting(&self, key: &str) -> Option<&'static Setting> {
        settings(self.keys).find(|setting| setting.name == key)
    }

    fn shape(&self, key: &str) -> Shape {
        self.setting(key).map_or(Shape::Text, |setting| setting.shape)
    }

    fn wanted(&self, key: &str) -> String {
        self.setting(key).map_or_else(|| TEXT.into(), Setting::wanted)
    }

    fn take<T>(
        &self,
        key: &str,
        wanted: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.table.get(key)?;
        let read = read(value);
        if read.is_none() {
            self.find(key, format!("is {}", describe(value)), format!("write {wanted}"));
        }
        read
    }
}

/// Shows a value in a sentence, escaped and short.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::String(_, text) => format!("the text {}", quote(text)),
        Value::Bool(_, flag) => flag.to_string(),
        Value::Num(..) => match (value.to_i128(), value.to_f64()) {
            (Some(whole), _) => format!("the number {whole}"),
            (None, number) => format!("the number {:?}", number.unwrap_or_default()),
        },
        Value::Dict(..) => "a table".into(),
        Value::Array(..) => "a list".into(),
        Value::Empty(..) => "a date or time without quotes".into(),
        Value::Char(_, char) => format!("the character {char:?}"),
    }
}
