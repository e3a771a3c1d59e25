//! Configuration files that lie outside of the data directory, as Debian has them: a data
//! directory alone would not start.

use super::super::shelf::Growing;
use super::super::{BackendError, Doing};
use super::session::Facts;
use super::take::Source;
use super::tools::Tools;
use crate::host::process::{GRACE, Limits, Overflow, Spawn};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// The copies beside the data.
pub const DIR: &str = "config";
/// Under their usual names, whatever they are called where they are.
pub const NAMES: [&str; 3] = ["postgresql.conf", "pg_hba.conf", "pg_ident.conf"];
const LARGEST: usize = 4 << 20;
/// Also for what is no file, and never ends or never begins.
const QUICK: Duration = Duration::from_secs(20);
const CAT: &str = "/bin/cat";

/// Copies those that the server reads from elsewhere. Returns what is to be remarked.
pub fn keep_outside(
    source: &Source<'_>,
    facts: &Facts,
    growing: &Growing<'_>,
) -> Result<Vec<String>, BackendError> {
    let mut notes = Vec::new();
    for (from, name) in facts.config.iter().zip(NAMES) {
        let is_there = || std::fs::symlink_metadata(from).is_ok();
        if from.as_os_str().is_empty() || lies_in(from, &source.cluster.path) || !is_there() {
            continue;
        }
        let Some(text) = read(&source.tools, from)? else {
            let from = from.display();
            notes.push(format!("{from} is not in it: the data directory's owner may not read it"));
            continue;
        };
        let dir = growing.path.join(DIR);
        let doing = || format!("copying {}", from.display());
        match std::fs::DirBuilder::new().mode(0o700).create(&dir) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(BackendError::io(doing(), &error));
            }
            _ => {}
        }
        let mut file = std::fs::OpenOptions::new();
        let file = file.write(true).create_new(true).mode(0o600).open(dir.join(name));
        std::io::Write::write_all(&mut file.doing(doing)?, &text).doing(doing)?;
    }
    Ok(notes)
}

/// By whatever way to its directory the server was given.
fn lies_in(file: &Path, data: &Path) -> bool {
    let above = file.parent().and_then(|above| std::fs::canonicalize(above).ok());
    file.starts_with(data) || above.is_some_and(|above| above.starts_with(data))
}

/// By the owner: the server says which file it is, the server is theirs, and heptad could read what
/// they cannot, by its mode or by where it lies. Whoever gets a copy gets nothing else.
fn read(tools: &Tools, path: &Path) -> Result<Option<Vec<u8>>, BackendError> {
    let limits = Limits {
        deadline: QUICK,
        grace: GRACE,
        stdout: LARGEST,
        stderr: 4 << 10,
        overflow: Overflow::End,
    };
    let args = vec!["--".into(), path.into()];
    let spawn = Spawn { args, user: tools.user(), ..Spawn::new(Path::new(CAT), limits) };
    let read = spawn.run().map_err(std::io::Error::other);
    let read = read.doing(|| format!("reading {}", path.display()))?;
    Ok((read.status.success() && !read.timed_out).then_some(read.stdout.bytes))
}
