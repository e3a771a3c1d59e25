//! This program, started as a helper: a process of its own for what the daemon had better not do
//! itself. It is reached by the hidden command `heptad helper NAME`.

use super::process::{Limits, Spawn};
use super::trust::{Distrust, trusted_program};
use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::path::Path;

/// The hidden command.
pub const COMMAND: &str = "helper";
/// This very program, also after its file was replaced.
const OURSELVES: &str = "/proc/self/exe";

/// What a helper gets: the words behind its name, and its streams.
pub struct Call<'a> {
    pub args: &'a [OsString],
    pub input: Box<dyn Read + Send>,
    pub out: &'a mut dyn Write,
    pub err: &'a mut dyn Write,
}

/// A helper's work; returns the exit code.
pub type Serve = fn(Call<'_>) -> u8;

#[derive(Debug, thiserror::Error)]
#[error("the helper is not run: {0}")]
pub struct Distrusted(#[from] Distrust);

/// The helper of this name, to be run: in this very program, unless another one is named.
///
/// # Errors
/// [`Distrusted`] where others could have changed the program that is named.
pub fn helper(name: &str, program: Option<&Path>, limits: Limits) -> Result<Spawn, Distrusted> {
    if let Some(program) = program {
        trusted_program(program)?;
    }
    let program = program.unwrap_or(Path::new(OURSELVES));
    let args = [COMMAND, name].map(OsString::from).to_vec();
    Ok(Spawn { args, ..Spawn::new(program, limits) })
}

/// Whether a command line, its words each ended by a zero as in `/proc/PID/cmdline`, is of the
/// helper of this name.
pub fn is_helper(command_line: &[u8], name: &str) -> bool {
    let mut words = command_line.split(|byte| *byte == 0).skip(1);
    words.next() == Some(COMMAND.as_bytes())
        && words.next() == Some(OsStr::new(name).as_encoded_bytes())
}
