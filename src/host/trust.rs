//! Is a program safe to run with heptad's rights? Only if nobody with fewer rights can change it,
//! replace it, or put something else in its place.

use std::ffi::OsString;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// As the kernel counts (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// Write permission for group or others. A POSIX ACL that gives write permission to anybody shows
/// in the group's bits too, as those are then its mask.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Why a program is not run. Each names the path that is at fault and the way out.
#[derive(Debug, thiserror::Error)]
pub enum Distrust {
    #[error("{} is not an absolute path; write it from / on", path.display())]
    Relative { path: PathBuf },
    #[error("{} cannot be examined: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{} belongs to uid {owner}, who could change what runs; chown it to {wanted}", path.display())]
    Owner { path: PathBuf, owner: u32, wanted: u32 },
    #[error("{} can be written by others (mode {mode:04o}); chmod go-w it, or move the program where only its owner writes", path.display())]
    Writable { path: PathBuf, mode: u32 },
    #[error("{} is not a regular file; name the program itself", path.display())]
    NotAFile { path: PathBuf },
    #[error("{} may not be executed ({source}); chmod +x it", path.display())]
    NotExecutable { path: PathBuf, source: std::io::Error },
    #[error("{} leads through more than {MOST_LINKS} symbolic links; name the program itself", path.display())]
    TooManyLinks { path: PathBuf },
}

/// Checks the program, every directory on the way to it, and every symbolic link with the way that
/// it points: owned by root, or in user mode by heptad's own user, and written by nobody else. A
/// sticky directory such as /tmp is not safe: anybody can put the next program there.
///
/// # Errors
/// The first thing on the way that is not to be trusted.
pub fn trusted_program(path: &Path) -> Result<(), Distrust> {
    trusted_for(path, rustix::process::geteuid().as_raw())
}

fn trusted_for(path: &Path, us: u32) -> Result<(), Distrust> {
    if !path.is_absolute() {
        return Err(Distrust::Relative { path: path.into() });
    }
    let mut ahead = parts(path);
    let mut at = PathBuf::from("/");
    let mut found = examine(&at, us)?;
    let mut links = 0;
    while let Some(part) = ahead.pop() {
        if part == ".." {
            at.pop();
            found = examine(&at, us)?;
            continue;
        }
        let next = at.join(part);
        found = examine(&next, us)?;
        if !found.is_symlink() {
            at = next;
            continue;
        }
        links += 1;
        if links > MOST_LINKS {
            return Err(Distrust::TooManyLinks { path: path.into() });
        }
        let target = std::fs::read_link(&next)
            .map_err(|source| Distrust::Unreadable { path: next.clone(), source })?;
        if target.is_absolute() {
            at = PathBuf::from("/");
        }
        ahead.extend(parts(&target));
    }
    if !found.is_file() {
        return Err(Distrust::NotAFile { path: at });
    }
    rustix::fs::access(&at, rustix::fs::Access::EXEC_OK)
        .map_err(|error| Distrust::NotExecutable { path: at, source: error.into() })
}

/// The names on the way, last one first.
fn parts(path: &Path) -> Vec<OsString> {
    let part = |component: Component<'_>| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
    };
    path.components().rev().filter_map(part).collect()
}

fn examine(path: &Path, us: u32) -> Result<Metadata, Distrust> {
    let found = std::fs::symlink_metadata(path)
        .map_err(|source| Distrust::Unreadable { path: path.into(), source })?;
    if found.uid() != 0 && found.uid() != us {
        return Err(Distrust::Owner { path: path.into(), owner: found.uid(), wanted: us });
    }
    // A symbolic link's own mode means nothing.
    if !found.is_symlink() && found.mode() & WRITABLE_BY_OTHERS != 0 {
        return Err(Distrust::Writable { path: path.into(), mode: found.mode() & 0o7777 });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_else_can_change_is_trusted() {
        let check = |path: &str, want: Option<&str>| {
            let found = trusted_for(Path::new(path), 0).err().map(|error| error.to_string());
            assert_eq!(found.as_deref().map(|_| ()), want.map(|_| ()), "{path}: {found:?}");
            let named = want.is_none_or(|want| found.clone().unwrap().contains(want));
            assert!(named, "{path}: {found:?}");
        };
        check("/bin/sh", None);
        check("/usr/bin/../bin/env", None);
        check("bin/sh", Some("not an absolute path"));
        check("/usr/bin", Some("/usr/bin is not a regular file"));
        check("/etc/passwd", Some("/etc/passwd may not be executed"));
        check("/no/such/program", Some("/no cannot be examined"));
        check("/tmp/x", Some("/tmp can be written by others (mode 1777)"));
        check("/dev/null", Some("/dev/null can be written by others"));
    }
}
