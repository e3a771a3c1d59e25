//! A manual page: what clap knows, and below it what the manual has.

use super::roff::plain;
use super::{Example, Manual, Meaning, TOPICS, Topic};
use clap::Command;
use clap_mangen::Man;
use std::io::{self, Write};

/// The page of a command; `is_top` where it is the program itself.
///
/// # Errors
/// Where it cannot be written.
pub fn page(
    manual: &Manual,
    command: &Command,
    is_top: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let source = format!("heptad {}", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).section(manual.section).source(source).manual("heptad");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    // No word is broken, as it may be one to be typed.
    page.extend(b".nh\n");
    man.render_name_section(&mut page)?;
    let mut text = String::new();
    synopsis(command, &name, is_top, &mut text);
    page.extend(std::mem::take(&mut text).into_bytes());
    // Else it would say again what stands beside the name.
    if command.get_long_about().is_some() {
        man.render_description_section(&mut page)?;
    }
    if is_top && !manual.groups.is_empty() {
        commands(manual, command, &mut text);
    }
    page.extend(std::mem::take(&mut text).into_bytes());
    man.render_options_section(&mut page)?;
    if is_top && manual.groups.is_empty() {
        man.render_subcommands_section(&mut page)?;
    }
    let key = if is_top { "" } else { command.get_name() };
    examples((manual.examples)(key), &mut text);
    notes(if is_top { manual.notes } else { &[] }, &mut text);
    meanings("EXIT STATUS", manual.exit, &mut text);
    meanings("ENVIRONMENT", manual.environment, &mut text);
    meanings("FILES", manual.files, &mut text);
    see_also(manual, command, &name, is_top, &mut text);
    page.extend(text.into_bytes());
    out.write_all(&page)
}

/// As help has it: clap's own page leaves out what an option takes.
fn synopsis(command: &Command, name: &str, is_top: bool, text: &mut String) {
    let usage = command.clone().render_usage().to_string();
    let line = usage.lines().next().unwrap_or_default();
    let line = line.strip_prefix("Usage: ").unwrap_or(line);
    let words = line.split_once('[').map_or(line, |(words, _)| words);
    let words = words.split_once('<').map_or(words, |(words, _)| words);
    let words = words.split_once(" --").map_or(words, |(words, _)| words).trim_end();
    let rest = line.get(words.len()..).unwrap_or_default();
    let typed = match (is_top, name.split_once('-')) {
        (false, Some((program, sub))) => format!("{program} {sub}"),
        _ => name.to_owned(),
    };
    text.push_str(&format!(".SH SYNOPSIS\n\\fB{}\\fR{}\n", plain(&typed), plain(rest)));
}

fn commands(manual: &Manual, command: &Command, text: &mut String) {
    text.push_str(".SH COMMANDS\n");
    for (title, names) in manual.groups {
        text.push_str(&format!(".SS {}\n", plain(title)));
        for name in *names {
            let Some(sub) = command.find_subcommand(name) else { continue };
            let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
            let section = manual.section;
            let page = plain(&format!("{}-{name}", command.get_name()));
            text.push_str(&format!(".TP\n\\fB{page}\\fR({section})\n{}\n", plain(&about)));
        }
    }
}

fn examples(examples: &[Example], text: &mut String) {
    if examples.is_empty() {
        return;
    }
    text.push_str(".SH EXAMPLES\n");
    for (line, what) in examples {
        text.push_str(&format!(
            ".PP\n{}:\n.PP\n.RS 4\n.nf\n{}\n.fi\n.RE\n",
            plain(&sentence(what)),
            plain(line)
        ));
    }
}

/// A text that begins a line begins with a capital.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

fn notes(notes: &[&str], text: &mut String) {
    if !notes.is_empty() {
        text.push_str(".SH NOTES\n");
        notes.iter().for_each(|note| text.push_str(&format!(".PP\n{}\n", plain(note))));
    }
}

fn meanings(title: &str, all: &[Meaning], text: &mut String) {
    if !all.is_empty() {
        text.push_str(&format!(".SH {title}\n"));
        for (word, meaning) in all {
            text.push_str(&format!(".TP\n\\fB{}\\fR\n{}\n", plain(word), plain(meaning)));
        }
    }
}

fn see_also(manual: &Manual, command: &Command, name: &str, is_top: bool, text: &mut String) {
    let mut pages: Vec<String> = Vec::new();
    if is_top {
        let shown = command.get_subcommands().filter(|sub| !sub.is_hide_set());
        pages.extend(shown.map(|sub| format!("{name}-{}({})", sub.get_name(), manual.section)));
    } else if let Some((program, _)) = name.split_once('-') {
        pages.push(format!("{program}({})", manual.section));
    }
    let own = |topic: &&Topic| is_top || topic.name == command.get_name();
    let topics = TOPICS.iter().filter(own);
    pages.extend(topics.map(|topic| format!("{}({})", topic.page_name(), topic.section)));
    pages.extend(manual.see_also.iter().map(|page| (*page).to_owned()));
    let pages: Vec<String> = pages.iter().map(|page| plain(page)).collect();
    text.push_str(&format!(".SH \"SEE ALSO\"\n{}\n", pages.join(", ")));
}
