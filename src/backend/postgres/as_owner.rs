//! Reading what lies elsewhere as the data's owner does.

use super::tools::Tools;
use crate::host::process::{GRACE, Limits, Overflow, Spawn};
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

pub(super) fn text(tools: &Tools, path: &Path) -> Result<Vec<u8>, Option<String>> {
    run(tools, CAT, vec!["--".into(), path.into()])
}

/// Of one file, in bytes.
pub(super) const LARGEST: usize = 4 << 20;

/// Also for what is no file, and never ends or never begins.
pub(super) const QUICK: Duration = Duration::from_secs(20);

pub(super) const CAT: &str = "/bin/cat";

pub(super) const UNREADABLE: &str = "the data directory's owner may not read it";

/// By the owner: the server says which file it is, the server is theirs, and heptad could read what
/// they cannot, by its mode or by where it lies. Whoever gets a copy gets nothing else. What fails
/// is [`UNREADABLE`], or has the reason why it could not be tried.
pub(super) fn run(
    tools: &Tools,
    program: &str,
    args: Vec<OsString>,
) -> Result<Vec<u8>, Option<String>> {
    let limits = Limits {
        deadline: QUICK,
        grace: GRACE,
        stdout: LARGEST,
        stderr: 4 << 10,
        overflow: Overflow::End,
    };
    let spawn = Spawn { args, user: tools.user(), ..Spawn::new(Path::new(program), limits) };
    let read = spawn.run().map_err(|error| Some(error.to_string()))?;
    if read.status.success() && !read.timed_out { Ok(read.stdout.bytes) } else { Err(None) }
}
