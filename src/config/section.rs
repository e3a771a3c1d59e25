//! Reading one table key by key: every finding is recorded, and what nobody took is unknown.

use super::finding::{Effect, Finding};
use super::key::KeyPath;
use super::layer::Layers;
use super::values::size;
use crate::domain::plan::Size;
use figment::value::{Dict, Value};
use std::cell::RefCell;
use std::ops::RangeInclusive;

/// Collects what is found while tables are read.
#[derive(Debug)]
pub struct Report<'a> {
    pub layers: &'a Layers,
    findings: RefCell<Vec<Finding>>,
}

impl<'a> Report<'a> {
    pub fn new(layers: &'a Layers) -> Self {
        Self { layers, findings: RefCell::default() }
    }

    pub fn find(&self, path: &KeyPath, problem: impl Into<String>, hint: impl Into<String>) {
        self.add(self.layers.finding(path, problem, hint));
    }

    pub fn add(&self, finding: Finding) {
        self.findings.borrow_mut().push(finding);
    }

    pub fn into_findings(self) -> Vec<Finding> {
        self.findings.into_inner()
    }
}

/// Why a text was refused: the problem and the way out.
pub type Refusal = (String, String);

/// What is wanted of a text that needs no example.
pub const TEXT: &str = "a text in quotes";

/// One table.
#[derive(Debug)]
pub struct Section<'a> {
    pub path: KeyPath,
    pub report: &'a Report<'a>,
    table: &'a Dict,
    known: &'static [&'static str],
}

impl<'a> Section<'a> {
    /// A table in which exactly the `known` keys may stand.
    pub fn new(
        report: &'a Report<'a>,
        path: KeyPath,
        table: &'a Dict,
        known: &'static [&'static str],
    ) -> Self {
        Self { path, report, table, known }
    }

    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    pub fn find(&self, key: &str, problem: impl Into<String>, hint: impl Into<String>) {
        self.report.find(&self.path.key(key), problem, hint);
    }

    /// Something that hampers what this table declares, and nothing else.
    pub fn find_hampering(&self, key: &str, problem: impl Into<String>, hint: impl Into<String>) {
        let finding = self.report.layers.finding(&self.path.key(key), problem, hint);
        self.report.add(Finding { effect: Effect::Hampers, ..finding });
    }

    pub fn flag(&self, key: &str) -> Option<bool> {
        self.take(key, "true or false", Value::to_bool)
    }

    pub fn number(&self, key: &str, range: RangeInclusive<u32>) -> Option<u32> {
        let wanted = format!("a whole number from {} to {}", range.start(), range.end());
        self.take(key, &wanted, |value| {
            let number = u32::try_from(value.to_i128()?).ok()?;
            range.contains(&number).then_some(number)
        })
    }

    /// A number with or without decimals.
    pub fn decimal(&self, key: &str, range: RangeInclusive<f64>) -> Option<f64> {
        let wanted = format!("a number from {} to {}", range.start(), range.end());
        self.take(key, &wanted, |value| {
            let number = match value.to_i128() {
                Some(whole) => whole as f64,
                None => value.to_f64()?,
            };
            range.contains(&number).then_some(number)
        })
    }

    pub fn list(&self, key: &str, wanted: &str) -> Option<&'a [Value]> {
        self.take(key, wanted, Value::as_array)
    }

    /// A table without a finding where it is none.
    pub fn peek(&self, key: &str) -> Option<&'a Dict> {
        self.table.get(key).and_then(Value::as_dict)
    }

    /// A size in bytes or with a unit, of at least so many bytes.
    pub fn size(&self, key: &str, least: u64) -> Option<Size> {
        let wanted = "a size in quotes, such as \"2 GiB\"";
        let text = self.take(key, wanted, |value| match value {
            Value::String(_, text) => Some(text.clone()),
            _ => value.to_i128().map(|bytes| bytes.to_string()),
        })?;
        size(&text, least).map_err(|(problem, hint)| self.find(key, problem, hint)).ok()
    }

    pub fn table(&self, key: &str) -> Option<&'a Dict> {
        self.take(key, "a table", Value::as_dict)
    }

    pub fn sub(&self, key: &str, known: &'static [&'static str]) -> Option<Section<'a>> {
        let table = self.table(key)?;
        Some(Section::new(self.report, self.path.key(key), table, known))
    }

    /// A text that must mean something; `wanted` names it for those who wrote no text at all.
    pub fn parsed<T>(
        &self,
        key: &str,
        wanted: &str,
        parse: impl FnOnce(&str) -> Result<T, Refusal>,
    ) -> Option<T> {
        match parse(self.take(key, wanted, Value::as_str)?) {
            Ok(meaning) => Some(meaning),
            Err((problem, hint)) => {
                self.find(key, problem, hint);
                None
            }
        }
    }

    /// The keys that are not known.
    pub fn rest(&self) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
        let known = self.known;
        self.table.iter().filter(move |(key, _)| !known.contains(&key.as_str()))
    }

    /// Records a key as unknown, with a suggestion.
    pub fn unknown(&self, key: &str) {
        let hint = match nearest(key, self.known.iter().copied()) {
            Some(known) => format!("did you mean {known}?"),
            None => format!("known here: {}", self.known.join(", ")),
        };
        self.find(key, "is not a known key", hint);
    }

    /// Records every key that is left as unknown.
    pub fn finish(self) {
        self.rest().for_each(|(key, _)| self.unknown(key));
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

/// The known word that was probably meant: one slip in a short word, more in a longer one.
pub fn nearest<'w>(word: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let allowed = (word.chars().count() / 3).max(1);
    known
        .map(|known| (strsim::damerau_levenshtein(word, known), known))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, known)| known)
}

/// Shows a value in a sentence, escaped and short.
pub fn describe(value: &Value) -> String {
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

/// A text in quotes, escaped and cut where it gets long.
pub fn quote(text: &str) -> String {
    const SHOWN: usize = 60;
    let short: String = text.chars().take(SHOWN).collect();
    let dots = if short.len() < text.len() { "..." } else { "" };
    format!("{short:?}{dots}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let check = |word: &str, want: Option<&str>| {
            let known = ["time", "timezone", "keep", "tags", "before", "enabled"];
            assert_eq!(nearest(word, known.into_iter()), want, "{word}");
        };
        check("tmie", Some("time"));
        check("time_zone", Some("timezone"));
        check("Keep", Some("keep"));
        check("tag", Some("tags"));
        check("befor", Some("before"));
        check("enable", Some("enabled"));
        check("btrfs", None);
        check("files", None);
        check("", None);
    }
}
