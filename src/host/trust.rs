//! Is a program safe to run with heptad's rights, a directory safe to write to? Only if nobody with
//! fewer rights can change it, replace it, or put something else in its place.

use std::ffi::OsString;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

/// As the kernel counts (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// Write permission for group or others. A POSIX ACL that gives write permission to anybody shows
/// in the group's bits too, as those are then its mask.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Only its owner moves what lies in such a directory (inode(7)).
const STICKY: u32 = 0o1000;

/// Where the kernel keeps a POSIX access list (acl(5)).
const ACCESS_LIST: &str = "system.posix_acl_access";

/// Why a program is not run, or a directory not used. Each names the path that is at fault and the
/// way out.
#[derive(Debug, thiserror::Error)]
pub enum Distrust {
    #[error("{} is not an absolute path; write it from / on", path.display())]
    Relative { path: PathBuf },
    #[error("{} cannot be examined: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{} belongs to uid {owner}, who could put something else there; chown it to {wanted}", path.display())]
    Owner { path: PathBuf, owner: u32, wanted: u32 },
    #[error("{} can be written by others (mode {mode:04o}); chmod go-w it, or use a place where only its owner writes", path.display())]
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
    program_for(path, rustix::process::geteuid().as_raw())
}

/// Checks every directory on the way to a directory or socket of heptad's own, itself included, as
/// far as they exist: nobody else may be able to move it away and put another in its place. What is
/// ours in a sticky directory stays in place.
///
/// # Errors
/// As [`trusted_program`].
pub fn trusted_place(path: &Path) -> Result<(), Distrust> {
    place_for(path, rustix::process::geteuid().as_raw())
}

fn program_for(path: &Path, us: u32) -> Result<(), Distrust> {
    let (at, found) = walk(path, &|path, _| examine(path, us))?;
    if !found.is_file() {
        return Err(Distrust::NotAFile { path: at });
    }
    rustix::fs::access(&at, rustix::fs::Access::EXEC_OK)
        .map_err(|error| Distrust::NotExecutable { path: at, source: error.into() })
}

fn place_for(path: &Path, us: u32) -> Result<(), Distrust> {
    let step = |path: &Path, last: bool| {
        let found = look(path)?;
        expect_owner(path, &found, us)?;
        // Whoever owns what lies in a sticky directory is looked at next.
        let sticky = found.is_dir() && found.mode() & STICKY != 0 && !last;
        let open =
            !found.is_symlink() && is_open(path, &found, us) && !found.file_type().is_socket();
        if open && !sticky {
            return Err(Distrust::Writable { path: path.into(), mode: found.mode() & 0o7777 });
        }
        Ok(found)
    };
    match walk(path, &step) {
        // What is not there yet is made by us.
        Err(Distrust::Unreadable { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(()),
        walked => walked.map(drop),
    }
}

/// Whether others may write to it. The group that heptad runs as is no other, unless an access list
/// stands behind the group's bits.
fn is_open(path: &Path, found: &Metadata, us: u32) -> bool {
    let own = if us == 0 { 0 } else { rustix::process::getegid().as_raw() };
    let listed = rustix::fs::lgetxattr(path, ACCESS_LIST, &mut [0_u8; 0]).is_ok();
    let others = match found.gid() == own && !listed {
        true => 0o002,
        false => WRITABLE_BY_OTHERS,
    };
    found.mode() & others != 0
}

/// Follows a path step by step, through symbolic links. Every step is examined, with whether it is
/// the last; the answer is where it ends, and what is there.
fn walk(
    path: &Path,
    examine: &dyn Fn(&Path, bool) -> Result<Metadata, Distrust>,
) -> Result<(PathBuf, Metadata), Distrust> {
    if !path.is_absolute() {
        return Err(Distrust::Relative { path: path.into() });
    }
    let mut ahead = parts(path);
    let mut at = PathBuf::from("/");
    let mut found = examine(&at, ahead.is_empty())?;
    let mut links = 0;
    while let Some(part) = ahead.pop() {
        if part == ".." {
            at.pop();
            found = examine(&at, ahead.is_empty())?;
            continue;
        }
        let next = at.join(part);
        found = examine(&next, ahead.is_empty())?;
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
    Ok((at, found))
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
    let found = look(path)?;
    expect_owner(path, &found, us)?;
    // A symbolic link's own mode means nothing.
    if !found.is_symlink() && found.mode() & WRITABLE_BY_OTHERS != 0 {
        return Err(Distrust::Writable { path: path.into(), mode: found.mode() & 0o7777 });
    }
    Ok(found)
}

fn look(path: &Path) -> Result<Metadata, Distrust> {
    std::fs::symlink_metadata(path)
        .map_err(|source| Distrust::Unreadable { path: path.into(), source })
}

fn expect_owner(path: &Path, found: &Metadata, us: u32) -> Result<(), Distrust> {
    if found.uid() != 0 && found.uid() != us {
        return Err(Distrust::Owner { path: path.into(), owner: found.uid(), wanted: us });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_what_nobody_else_can_change_is_trusted() {
        let check = |path: &str, want: Option<&str>| {
            let found = program_for(Path::new(path), 0).err().map(|error| error.to_string());
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

    #[test]
    fn a_place_is_safe_where_nobody_else_can_move_what_leads_to_it() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = |name: &str, mode: u32, owner: u32| {
            let path = scratch.path().join(name);
            std::fs::create_dir_all(&path).unwrap();
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&path, mode).unwrap();
            std::os::unix::fs::chown(&path, Some(owner), None).unwrap();
        };
        dir("ours/store", 0o700, 0);
        dir("ours", 0o755, 0);
        dir("group", 0o775, 0);
        dir("foreign/store", 0o700, 0);
        dir("foreign", 0o755, 1000);
        dir("open/store", 0o700, 0);
        dir("open", 0o777, 0);
        dir("sticky/store", 0o700, 0);
        dir("sticky/theirs", 0o700, 1000);
        dir("sticky", 0o1777, 0);
        let link = |name: &str, to: &str| {
            std::os::unix::fs::symlink(scratch.path().join(to), scratch.path().join(name)).unwrap();
        };
        link("astray", "foreign/store");
        link("straight", "ours/store");
        let check = |name: &str, want: Option<&str>| {
            let found = place_for(&scratch.path().join(name), 0).err().map(|e| e.to_string());
            let named = match (want, &found) {
                (None, None) => true,
                (Some(want), Some(found)) => found.contains(want),
                _ => false,
            };
            assert!(named, "{name}: {found:?}");
        };
        check("ours/store", None);
        check("ours/not/yet", None);
        check("group/store", None);
        check("straight/web", None);
        check("sticky/store", None);
        check("sticky/new", None);
        check("foreign/store", Some("foreign belongs to uid 1000"));
        check("foreign/not/yet", Some("foreign belongs to uid 1000"));
        check("astray/web", Some("foreign belongs to uid 1000"));
        check("open/store", Some("open can be written by others (mode 0777)"));
        check("sticky", Some("sticky can be written by others"));
        check("sticky/theirs", Some("theirs belongs to uid 1000"));
    }
}
