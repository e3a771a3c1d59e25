//! What help texts and manual pages say beside what the tree of commands knows by itself: groups,
//! examples, exit codes, the environment, files; and the topics, long texts in Markdown that both
//! programs show and that become manual pages.
//!
//! This room must not know any command. Each program hands in its tree of commands and a
//! [`Manual`]; a test holds that every command has an example.

mod document;
mod page;
mod roff;
mod shown;
mod terminal;
mod topics;
mod words;

pub use page::page;
pub use topics::{TOPICS, Topic};
pub use words::parse;

use clap::Command;
use std::fmt::Write;
use unicode_width::UnicodeWidthStr;

/// Help is as wide as a terminal surely is.
const WIDTH: usize = 80;

/// What is typed, and what it is for.
pub type Example = (&'static str, &'static str);

/// Words that belong to a title.
pub type Group = (&'static str, &'static [&'static str]);

/// A word, and what it means.
pub type Meaning = (&'static str, &'static str);

/// What one program says about itself.
pub struct Manual {
    /// Of the manual pages.
    pub section: &'static str,
    /// The commands, each in one; without any they stand in one list.
    pub groups: &'static [Group],
    /// By the command's name; those of the program itself have an empty one.
    pub examples: fn(&str) -> &'static [Example],
    pub exit: &'static [Meaning],
    pub environment: &'static [Meaning],
    pub files: &'static [Meaning],
    /// Pages as they are called, `heptad(8)`.
    pub see_also: &'static [&'static str],
    /// What holds for all commands.
    pub notes: &'static [&'static str],
    /// Whether the topics' manual pages are written with its own.
    pub has_topics: bool,
}

impl Manual {
    /// The tree with groups, examples and exit codes in its help.
    pub fn dress(&self, command: Command) -> Command {
        let template = (!self.groups.is_empty()).then(|| self.template(&command));
        let command = command.after_help(self.after_all()).max_term_width(WIDTH);
        let command = match template {
            Some(template) => command.help_template(template),
            None => command,
        };
        command.mut_subcommands(|sub| {
            let examples = examples((self.examples)(sub.get_name()));
            if examples.is_empty() { sub } else { sub.after_help(examples) }
        })
    }

    fn template(&self, command: &Command) -> String {
        let mut text = "{about-with-newline}\n{usage-heading} {usage}\n".to_owned();
        for (title, names) in self.groups {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "\n{title}:");
            for name in *names {
                let about = match command.find_subcommand(name) {
                    Some(sub) => sub.get_about().map(ToString::to_string).unwrap_or_default(),
                    // clap's own.
                    None => "Show help of all, of a command, or of a topic".into(),
                };
                text.push_str(&two_columns(name, &about, 14));
            }
        }
        text + "\nOptions:\n{options}{after-help}"
    }

    fn after_all(&self) -> String {
        let mut text = topics();
        text.push_str(&examples((self.examples)("")));
        text.push_str("\nExit codes:\n");
        for (code, meaning) in self.exit {
            text.push_str(&two_columns(code, meaning, 4));
        }
        for note in self.notes {
            text.push('\n');
            for line in wrap(note, WIDTH) {
                let _ = writeln!(text, "{line}");
            }
        }
        text.trim_end().to_owned()
    }
}

/// `  name   what it is`, wrapped in its own column.
fn two_columns(name: &str, meaning: &str, column: usize) -> String {
    let mut lines = wrap(meaning, WIDTH - column - 2).into_iter();
    let mut text = format!("  {name:column$}{}\n", lines.next().unwrap_or_default());
    lines.for_each(|line| {
        let _ = writeln!(text, "  {:column$}{line}", "");
    });
    text
}

fn topics() -> String {
    let mut text = "Topics, for help TOPIC:\n".to_owned();
    for topic in TOPICS {
        text.push_str(&two_columns(topic.name, topic.title(), 14));
    }
    text + "\n"
}

fn examples(examples: &[Example]) -> String {
    if examples.is_empty() {
        return String::new();
    }
    let mut text = "Examples:\n".to_owned();
    for (line, what) in examples {
        let _ = writeln!(text, "  {line}");
        for piece in wrap(what, WIDTH - 6) {
            let _ = writeln!(text, "      {piece}");
        }
    }
    text
}

/// Broken at spaces.
fn wrap(text: &str, limit: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split([' ', '\n']).filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.width() + 1 + word.width() <= limit => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
