//! One text, parsed once: its values, and the place of every key for the findings.
//!
//! Values and places come from the same parser, so they cannot disagree about what is valid.

use super::finding::{Finding, Origin};
use super::key::KeyPath;
use super::layer::Layer;
use super::values::quote;
use figment::value::{Dict, Empty, Num, Tag, Value};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use toml::de::{DeArray, DeTable, DeValue};

/// Reads TOML into a layer.
///
/// # Errors
/// Every syntax error, at most one per line; such a text has no meaning.
pub(super) fn parse(file: &Path, text: &str) -> Result<Layer, Vec<Finding>> {
    let lines = Lines::of(file, text);
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(syntax(&lines, errors));
    }
    let mut walk = Walk { lines, origins: BTreeMap::new(), findings: Vec::new() };
    let values = walk.table(table.get_ref(), &KeyPath::root());
    if walk.findings.is_empty() {
        let (name, origins) = (file.display().to_string(), walk.origins);
        Ok(Layer { name, values, origins, enrolled: false })
    } else {
        Err(walk.findings)
    }
}

/// How often a text is parsed again without the broken lines that were found.
const ROUNDS: usize = 20;

/// The parser gives up on a table at a line without a value, and would leave the rest of it for
/// the next run. A line with no quote or bracket opens nothing that goes on in the next line, so
/// it can be blanked and the text parsed again.
fn syntax(lines: &Lines<'_>, errors: Vec<toml::de::Error>) -> Vec<Finding> {
    let mut found: BTreeMap<usize, Finding> = BTreeMap::new();
    let (mut text, mut errors) = (lines.text.to_owned(), errors);
    for _ in 0..ROUNDS {
        let mut blanked = false;
        for error in &errors {
            let span = error.span().unwrap_or_default();
            let line = lines.line(span.start);
            // One slip often trips the parser several times in its line; the first report is it.
            found.entry(line).or_insert_with(|| slip(lines, error, &span));
            let range = lines.range(line);
            let whole = text.get(range.clone()).unwrap_or_default();
            if !whole.trim().is_empty() && !whole.contains(['"', '\'', '[', ']', '{', '}']) {
                text.replace_range(range.clone(), &" ".repeat(range.len()));
                blanked = true;
            }
        }
        if !blanked {
            break;
        }
        errors = DeTable::parse_recoverable(&text).1;
    }
    found.into_values().collect()
}

fn slip(lines: &Lines<'_>, error: &toml::de::Error, span: &Range<usize>) -> Finding {
    let word = lines.text.get(span.clone()).unwrap_or_default();
    let before = lines.text.get(..span.start).unwrap_or_default().trim_end();
    let bare = word.starts_with(|c: char| c.is_alphabetic() || "/~.$".contains(c));
    // The parser takes a text without quotes for a number or a truth gone wrong, by its first
    // letter.
    let (problem, hint) = if before.ends_with('=') && (bare || word.contains(':')) {
        let hint = format!("put a text in quotes: {}", quote(word));
        ("a text stands without quotes".to_owned(), hint)
    } else {
        (error.message().to_owned(), "mend this line".into())
    };
    let problem = format!("is not TOML: {problem}");
    Finding::at(Some(&lines.origin(span)), &KeyPath::root(), problem, hint)
}

struct Walk<'a> {
    lines: Lines<'a>,
    origins: BTreeMap<KeyPath, Origin>,
    findings: Vec<Finding>,
}

impl Walk<'_> {
    fn table(&mut self, table: &DeTable<'_>, path: &KeyPath) -> Dict {
        let mut values = Dict::new();
        for (key, value) in table {
            let path = path.key(key.get_ref());
            self.origins.insert(path.clone(), self.lines.origin(&key.span()));
            if let Some(value) = self.value(value.get_ref(), &path, &value.span()) {
                values.insert(key.get_ref().to_string(), value);
            }
        }
        values
    }

    /// `None` only after a finding.
    fn value(&mut self, value: &DeValue<'_>, at: &KeyPath, span: &Range<usize>) -> Option<Value> {
        Some(match value {
            DeValue::String(text) => Value::from(text.as_ref()),
            DeValue::Boolean(flag) => Value::from(*flag),
            DeValue::Table(table) => Value::from(self.table(table, at)),
            DeValue::Array(array) => Value::from(self.array(array, at)),
            DeValue::Integer(text) => match i64::from_str_radix(text.as_str(), text.radix()) {
                Ok(number) => Value::Num(Tag::Default, Num::I64(number)),
                Err(_) => return self.refuse(at, span, &text.to_string(), "is too large a number"),
            },
            DeValue::Float(text) => match text.as_str().parse::<f64>() {
                Ok(number) if number.is_finite() => Value::from(number),
                _ => return self.refuse(at, span, text.as_str(), "is not a finite number"),
            },
            // No key takes one; the empty value stands for it until its reader refuses it.
            DeValue::Datetime(_) => Value::Empty(Tag::Default, Empty::Unit),
        })
    }

    fn array(&mut self, array: &DeArray<'_>, path: &KeyPath) -> Vec<Value> {
        let mut values = Vec::new();
        for (index, value) in array.iter().enumerate() {
            let path = path.index(index);
            if matches!(value.get_ref(), DeValue::Table(_)) {
                self.origins.insert(path.clone(), self.lines.origin(&value.span()));
            }
            values.extend(self.value(value.get_ref(), &path, &value.span()));
        }
        values
    }

    fn refuse(
        &mut self,
        path: &KeyPath,
        span: &Range<usize>,
        number: &str,
        why: &str,
    ) -> Option<Value> {
        let shown: String = number.chars().take(40).collect();
        let origin = self.lines.origin(span);
        let problem = format!("{shown} {why}");
        self.findings.push(Finding::at(Some(&origin), path, problem, "write another one"));
        None
    }
}

/// Where the lines of a text begin.
struct Lines<'a> {
    file: Arc<Path>,
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(file: &Path, text: &'a str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
        Self { file: file.into(), text, starts }
    }

    /// The line of a byte, from 1. The end of the text counts to the last line with something in
    /// it: that is where an unclosed list is missing its end.
    fn line(&self, byte: usize) -> usize {
        let at = byte.min(self.text.trim_end().len());
        self.starts.partition_point(|start| *start <= at).max(1)
    }

    /// The bytes of a line, without its line break.
    fn range(&self, line: usize) -> Range<usize> {
        let start = self.starts.get(line - 1).copied().unwrap_or(self.text.len());
        let next = self.starts.get(line).map_or(self.text.len(), |next| next - 1);
        start..next.max(start)
    }

    /// The place where a span begins.
    fn origin(&self, span: &Range<usize>) -> Origin {
        let line = self.line(span.start);
        let range = self.range(line);
        let column = span.start.min(range.end).saturating_sub(range.start) + 1;
        Origin::File { path: self.file.clone(), line, column }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_place() {
        let text = "[a]\r\nb = 1\r\n[[c.d]]\nx = 1\n[[c.d]]\nx = { y = 'z' }\n";
        let layer = parse(Path::new("/f"), text).unwrap();
        let check = |key: KeyPath, line, column| {
            let want = Origin::File { path: Path::new("/f").into(), line, column };
            assert_eq!(layer.origins.get(&key), Some(&want), "{key}");
        };
        check(KeyPath::of(&["a", "b"]), 2, 1);
        let list = KeyPath::of(&["c", "d"]);
        check(list.index(0).key("x"), 4, 1);
        check(list.index(1), 5, 1);
        check(list.index(1).key("x").key("y"), 6, 7);
    }

    #[test]
    fn every_broken_line_is_told_once() {
        let check = |text: &str, want: &[usize]| {
            let findings = parse(Path::new("/f"), text).unwrap_err();
            let lines: Vec<usize> = findings.iter().filter_map(|f| f.line).collect();
            assert_eq!(lines, want, "{findings:?}");
        };
        check("keep 7\na = 1\ntime = noon\n", &[1, 3]);
        check("keep 7\n\nc 7\r\ne = 1\ntime\n\u{fc} 8\nx = 'a\n", &[1, 3, 5, 6, 7]);
        check("x = 1 y = two\n", &[1]);
        check("a = 1\na = 2\n", &[2]);
        check("a = [1,\n\n\n", &[1]);
        check("\0", &[1]);
        check("a = 99999999999999999999\nb = nan\nc = -1e999\n", &[1, 2, 3]);
        check(&("a.".repeat(200_000) + "a = 1"), &[1]);
        check(&("a = ".to_owned() + &"[".repeat(200_000)), &[1]);
    }
}
