//! The commented reference file and the text of heptad.toml(5), printed from the table of keys.

use super::keys::TABLES;
use super::table::{Group, Table};
use crate::domain::setting::{Setting, Shape};
use std::collections::HashSet;
use std::fmt::Write;

/// Columns of the reference file.
const WIDTH: usize = 100;

/// Where the schema is installed; an editor looks for this in the first line.
const SCHEMA: &str = "#:schema /usr/share/heptad/heptad.schema.json";

/// The file, in which every setting is explained and none is set.
pub fn reference() -> String {
    let mut file = File {
        by_example: false,
        text: format!("{SCHEMA}\n\n{}", include_str!("samples/intro.toml")),
        told: HashSet::new(),
    };
    TABLES.iter().for_each(|table| file.table(table));
    file.text
}

struct File {
    text: String,
    /// In a table that a person names, examples are shown; elsewhere what is built in.
    by_example: bool,
    /// Nothing is explained twice.
    told: HashSet<&'static str>,
}

impl File {
    fn table(&mut self, table: &'static Table) {
        self.by_example = table.path.contains('.');
        self.text.push_str("\n\n");
        self.comment(table.about);
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "#[{}]", table.sample);
        for group in table.keys.iter().filter(|group| group.is_shown) {
            self.group(group, table.sample);
        }
        self.text.push_str(table.more);
    }

    fn group(&mut self, group: &'static Group, head: &str) {
        if !group.about.is_empty() {
            self.text.push('\n');
            self.comment(group.about);
        }
        group.settings.iter().for_each(|setting| self.setting(setting, head));
        self.text.push_str(group.more);
    }

    fn setting(&mut self, setting: &'static Setting, head: &str) {
        // Of two that take each other's place one is shown.
        if setting.instead_of.is_some() {
            return;
        }
        if self.told.insert(setting.about) {
            self.text.push('\n');
            self.comment(&explained(setting));
        }
        if let Shape::Tables(_, keys) = setting.shape {
            let _ = writeln!(self.text, "#[[{head}.{}]]", setting.name);
            return keys.iter().for_each(|key| self.setting(key, head));
        }
        let value = match self.by_example || setting.default.is_empty() {
            true => setting.shown(),
            false => setting.default,
        };
        let _ = writeln!(self.text, "#{} = {value}", setting.name);
    }

    fn comment(&mut self, text: &str) {
        let mut line = "#".to_owned();
        for word in text.split_whitespace() {
            if line.len() + 1 + word.len() > WIDTH {
                let _ = writeln!(self.text, "{line}");
                line = "#".into();
            }
            let _ = write!(line, " {word}");
        }
        let _ = writeln!(self.text, "{line}");
    }
}

/// With what the shape says beyond the words.
fn explained(setting: &Setting) -> String {
    let about = setting.about;
    match setting.shape {
        Shape::Whole(from, to) => format!("{about} From {from} to {to}."),
        Shape::Seconds(from, to) => format!("{about} Seconds, from {from} to {to}."),
        Shape::Decimal(from, to) => format!("{about} From {from} to {to}."),
        Shape::Words(words) => {
            let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
            format!("{about} One of {}.", words.join(", "))
        }
        _ => about.to_owned(),
    }
}

/// The text of heptad.toml(5), in the Markdown of the topics; each backend comes with its name and
/// its options.
pub fn manual(backends: &[(&str, &[Setting])]) -> String {
    let mut text = include_str!("samples/manual.md").to_owned();
    let mut listed: Vec<&[Setting]> = Vec::new();
    for table in TABLES {
        let _ = write!(text, "\n## [{}]\n\n{}\n", table.path, prose(table.about));
        for group in table.keys {
            if !group.about.is_empty() {
                let _ = write!(text, "\n{}\n", prose(group.about));
            }
            if listed.contains(&group.settings) {
                continue;
            }
            listed.push(group.settings);
            rows("", group.settings, &mut text);
        }
    }
    for (name, options) in backends {
        let _ = write!(text, "\n## [resource.NAME.{name}]\n");
        rows("", options, &mut text);
    }
    text
}

/// A table of keys and what they mean.
fn rows(before: &str, settings: &[Setting], text: &mut String) {
    let _ = write!(text, "\n| key | meaning |\n|---|---|\n");
    settings.iter().for_each(|setting| row(before, setting, text));
}

fn row(before: &str, setting: &Setting, text: &mut String) {
    let mut meaning = prose(&explained(setting)).replace('|', "\\|");
    if !setting.default.is_empty() {
        let _ = write!(meaning, " Left out: `{}`.", setting.default);
    } else if setting.required {
        meaning.push_str(" It has to be there.");
    }
    if !setting.example.is_empty() {
        let _ = write!(meaning, " Example: `{}`", setting.example);
    }
    let _ = writeln!(text, "| `{before}{}` | {meaning} |", setting.name);
    if let Shape::Tables(_, keys) = setting.shape {
        let before = format!("{}.", setting.name);
        keys.iter().for_each(|key| row(&before, key, text));
    }
}

/// What Markdown would take for its own.
fn prose(text: &str) -> String {
    text.replace('*', "\\*").replace('[', "\\[")
}
