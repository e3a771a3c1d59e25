//! Completion scripts and manual pages, from the tree of commands itself.

use super::error::CtlError;
use super::session::{Done, Session};
use super::{MANUAL, command, exit};
use crate::help::{self, Manual};
use clap_complete::Shell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub(super) fn completions(session: &mut Session<'_, '_>, shell: Shell) -> Done {
    let mut script = Vec::new();
    let mut tree = with_topics(command());
    clap_complete::generate(shell, &mut tree, "heptactl", &mut script);
    session.io.stdout.write_all(&script)?;
    session.io.stdout.flush()?;
    Ok(exit::OK)
}

/// clap knows that `help` takes a command, not that it takes a topic.
fn with_topics(tree: clap::Command) -> clap::Command {
    let commands = MANUAL.groups.iter().flat_map(|(_, names)| *names).filter_map(|name| {
        let about = tree.find_subcommand(name)?.get_about()?.clone();
        Some(clap::Command::new(*name).about(about))
    });
    let topics = help::TOPICS.iter().filter(|topic| tree.find_subcommand(topic.name).is_none());
    let topics = topics.map(|topic| clap::Command::new(topic.name).about(topic.title()));
    let help = clap::Command::new("help")
        .about("Show help of all, of a command, or of a topic")
        .disable_help_subcommand(true)
        .subcommands(commands.chain(topics).map(|word| word.disable_help_flag(true)));
    tree.disable_help_subcommand(true).subcommand(help)
}

pub(super) fn man(session: &mut Session<'_, '_>, out: Option<&Path>) -> Done {
    let Some(directory) = out else {
        let mut command = command().disable_help_subcommand(true);
        command.build();
        help::page(&MANUAL, &command, true, &mut *session.io.stdout)?;
        session.io.stdout.flush()?;
        return Ok(exit::OK);
    };
    for path in write_pages(command(), &MANUAL, &session.directory.join(directory))? {
        if !session.global.quiet {
            writeln!(session.io.stdout, "{}", path.display())?;
        }
    }
    Ok(exit::OK)
}

/// Writes the manual pages of a whole tree of commands below a directory, as `man` looks for them:
/// `man1/NAME.1`, `man1/NAME-SUBCOMMAND.1`, and those of the topics where the manual brings them.
/// Directories are created. Returns what was written.
///
/// # Errors
/// [`CtlError::File`] names what could not be written.
pub fn write_pages(
    command: clap::Command,
    manual: &Manual,
    directory: &Path,
) -> Result<Vec<PathBuf>, CtlError> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    collect(manual, &command, true, &mut pages).map_err(CtlError::Output)?;
    if manual.has_topics {
        pages.extend(help::TOPICS.iter().map(|topic| Page {
            name: topic.page_name(),
            section: topic.section,
            text: topic.page().into(),
        }));
    }
    pages.iter().map(|page| page.write(directory)).collect()
}

struct Page {
    name: String,
    section: &'static str,
    text: Vec<u8>,
}

impl Page {
    fn write(&self, directory: &Path) -> Result<PathBuf, CtlError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source: io::Error| CtlError::File { path, source }
        };
        let directory = directory.join(format!("man{}", self.section));
        fs::create_dir_all(&directory).map_err(failed(&directory))?;
        let path = directory.join(format!("{}.{}", self.name, self.section));
        fs::write(&path, &self.text).map_err(failed(&path))?;
        Ok(path)
    }
}

fn collect(
    manual: &Manual,
    command: &clap::Command,
    is_top: bool,
    pages: &mut Vec<Page>,
) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let mut text = Vec::new();
    help::page(manual, command, is_top, &mut text)?;
    pages.push(Page { name, section: manual.section, text });
    let mut shown = command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set());
    shown.try_for_each(|subcommand| collect(manual, subcommand, false, pages))
}
