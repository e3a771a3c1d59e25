//! Configuration files that lie outside of the data directory, as Debian has them: a data
//! directory alone would not start.

use super::super::shelf::Growing;
use super::super::tree::{Kind, Meta, open_file, open_nosymlink};
use super::super::{BackendError, Doing};
use super::session::Facts;
use super::take::Source;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// The copies beside the data.
pub const DIR: &str = "config";
/// Under their usual names, whatever they are called where they are.
pub const NAMES: [&str; 3] = ["postgresql.conf", "pg_hba.conf", "pg_ident.conf"];
const LARGEST: u64 = 4 << 20;

/// Copies those that the server reads from elsewhere.
pub fn keep_outside(
    source: &Source<'_>,
    facts: &Facts,
    growing: &Growing<'_>,
) -> Result<(), BackendError> {
    for (from, name) in facts.config.iter().zip(NAMES) {
        if from.starts_with(&source.cluster.path) || from.as_os_str().is_empty() {
            continue;
        }
        let Some(text) = read(from, source.cluster.uid)? else { continue };
        let dir = growing.path.join(DIR);
        let doing = || format!("copying {}", from.display());
        match std::fs::DirBuilder::new().mode(0o700).create(&dir) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(BackendError::io(doing(), &error));
            }
            _ => {}
        }
        std::fs::write(dir.join(name), text).doing(doing)?;
    }
    Ok(())
}

/// Only what the owner may read anyway: the server says which file it is, and the server is theirs.
fn read(path: &Path, owner: u32) -> Result<Option<Vec<u8>>, BackendError> {
    let doing = || format!("reading {}", path.display());
    let Ok(real) = std::fs::canonicalize(path) else { return Ok(None) };
    let reference = open_nosymlink(&real)?;
    let meta = Meta::of(&reference).doing(doing)?;
    let readable = meta.uid == owner || meta.mode & 0o004 != 0;
    if meta.kind != Kind::File || !readable {
        return Ok(None);
    }
    let mut text = Vec::new();
    let file = File::from(open_file(&reference).doing(doing)?);
    file.take(LARGEST).read_to_end(&mut text).doing(doing)?;
    Ok(Some(text))
}
