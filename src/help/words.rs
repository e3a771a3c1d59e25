//! What is typed behind a program's name, where it asks for help or is wrong.

use super::Topic;
use super::topics::TOPICS;
use crate::domain::similar::similar;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Command};
use std::ffi::OsString;

/// What a command line says, or what is wrong with it, with what was probably meant. `help TOPIC`
/// shows that topic; where a command has the same name, its help comes first.
///
/// # Errors
/// clap's: help, the version, or what is wrong.
pub fn parse(command: &Command, args: &[OsString]) -> Result<ArgMatches, clap::Error> {
    let read = command.clone().try_get_matches_from(args);
    let Some(topic) = asked(args) else {
        return read.map_err(|error| guess(command, error));
    };
    let program = command.get_name();
    let of_command = match read {
        Err(error) if error.kind() == ErrorKind::DisplayHelp => format!("{error}\n"),
        _ => String::new(),
    };
    Err(shown(program, of_command + &topic.shown(program)))
}

/// The topic in `heptad help TOPIC`.
fn asked(args: &[OsString]) -> Option<&'static Topic> {
    match args {
        [_, help, word] if help == "help" => Topic::of(word.to_str()?),
        _ => None,
    }
}

/// clap prints it where help goes.
fn shown(program: &str, text: String) -> clap::Error {
    let help = Command::new("help").override_help(text);
    match help.try_get_matches_from([program, "--help"]) {
        Err(error) => error,
        Ok(_) => clap::Error::new(ErrorKind::DisplayHelp),
    }
}

/// clap guesses at a command that it does not know, but not behind `help`; and it knows no topics.
fn guess(command: &Command, error: clap::Error) -> clap::Error {
    let Some(ContextValue::String(wrong)) = error.get(ContextKind::InvalidSubcommand) else {
        return error;
    };
    let wrong = wrong.clone();
    let alone = [command.get_name().into(), OsString::from(&wrong)];
    let guessed = command.clone().try_get_matches_from(alone).err();
    let mut error = guessed.filter(|guessed| guessed.kind() == error.kind()).unwrap_or(error);
    if let Some(topic) = similar(&wrong, TOPICS.iter().map(|topic| topic.name)) {
        let way = format!("there is a topic: {} help {topic}", command.get_name());
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![way.into()]));
    }
    error
}
