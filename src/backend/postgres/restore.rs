//! A new cluster at a path of the user's, ready to be started.
//!
//! It has a port of its own: the first above the original's that nothing listens on. It neither
//! archives nor replicates: a second server must not write into the first one's archive.

use super::super::shelf::{Item, Target};
use super::super::tree::remove_tree;
use super::super::{BackendError, Doing, Progress};
use super::assemble::{Place, assemble, give};
use super::cluster::read;
use super::config::{DIR, NAMES};
use super::copy::open;
use super::detail::Detail;
use crate::domain::operation::Fault;
use rustix::fs::{Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::ffi::{CString, OsString};
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What a person finds in the new data directory.
const README: &str = "RESTORED.txt";
const AUTO: &str = "postgresql.auto.conf";

/// # Errors
/// [`Fault::Permanent`] where the target or its tablespaces' directory exists. Then nothing is
/// left.
pub fn restore(
    item: &Item,
    detail: &Detail,
    path: &Path,
    progress: &dyn Progress,
) -> Result<(), BackendError> {
    let target = Target::open(item, path)?;
    let spaces = Spaces::open(item, detail, path, &target)?;
    let made = fill(item, detail, path, &target, &spaces, progress)
        .and_then(|()| spaces.appear(&target))
        .and_then(|()| target.appear());
    if made.is_err() {
        // The first error is the one to tell; a second try clears what this leaves.
        let _ = target.clear().and_then(|()| spaces.clear(&target));
    }
    made?;
    spaces.finish(&target)
}

fn fill(
    item: &Item,
    detail: &Detail,
    path: &Path,
    target: &Target,
    spaces: &Spaces,
    progress: &dyn Progress,
) -> Result<(), BackendError> {
    let link = |oid: &str| spaces.path.join(oid).display().to_string();
    let into = spaces.make(target, detail)?;
    let place = Place {
        dir: target.dir.as_fd(),
        data: &target.hidden,
        spaces: into.as_ref().map(AsFd::as_fd),
        link: &link,
    };
    let data = assemble(item, detail, &place, progress)?;
    configure(item, detail, path, &data, spaces)
}

/// Writes what makes it another server than the original.
fn configure(
    item: &Item,
    detail: &Detail,
    path: &Path,
    data: &OwnedFd,
    spaces: &Spaces,
) -> Result<(), BackendError> {
    let port = free_port(detail.port);
    let kept = item.path.join(DIR);
    let mut main = read(data, NAMES[0]).doing(|| "reading postgresql.conf".into())?;
    for (name, setting) in NAMES.iter().zip([None, Some("hba_file"), Some("ident_file")]) {
        let text = match std::fs::read_to_string(kept.join(name)) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).doing(|| format!("reading {name}")),
        };
        match setting {
            None => main = Some(text),
            Some(setting) => {
                write(data, name, &text, detail)?;
                // The last line of a setting is the one that counts.
                let line = format!("{setting} = '{}'\n", quoted(&path.join(name)));
                main.get_or_insert_default().push_str(&format!("\n{line}"));
            }
        }
    }
    if let Some(mut main) = main {
        let own = quoted(path);
        main.push_str(&format!(
            "\n# Restored by heptad.\ndata_directory = '{own}'\nexternal_pid_file = ''\n"
        ));
        write(data, NAMES[0], &main, detail)?;
    }
    let auto = read(data, AUTO).doing(|| format!("reading {AUTO}"))?.unwrap_or_default();
    write(data, AUTO, &settings(&auto, port), detail)?;
    let text = readme(item, path, port, detail, spaces);
    write(data, README, &text, detail)
}

/// The server's own settings, without those that would make it the original's twin.
fn settings(auto: &str, port: u16) -> String {
    const CHANGED: [&str; 6] = [
        "port",
        "archive_mode",
        "primary_conninfo",
        "primary_slot_name",
        "restore_command",
        "recovery_target_timeline",
    ];
    let is_kept = |line: &&str| {
        let name = line.split(['=', ' ', '\t']).next().unwrap_or_default();
        !CHANGED.contains(&name.to_ascii_lowercase().as_str())
    };
    let mut text: String = auto.lines().filter(is_kept).map(|line| format!("{line}\n")).collect();
    text.push_str(&format!("port = '{port}'\narchive_mode = 'off'\n"));
    text
}

fn readme(item: &Item, path: &Path, port: u16, detail: &Detail, spaces: &Spaces) -> String {
    let (path, major) = (path.display(), detail.major);
    let mut text = format!(
        "This PostgreSQL {major} cluster was restored by heptad from snapshot {} of {}, taken {}.\n\
         Its port is {port} and archiving is off, both in {AUTO}.\n\
         Start it as its owner: pg_ctl -D {path} start\n",
        item.seq, item.manifest.resource, item.manifest.taken_at,
    );
    if !detail.tablespaces.is_empty() {
        text.push_str(&format!("Its tablespaces are in {}\n", spaces.path.display()));
        for space in &detail.tablespaces {
            text.push_str(&format!("  {} was {}\n", space.oid, space.location));
        }
    }
    text
}

/// The first port above the original's that nothing listens on at this moment.
fn free_port(original: u16) -> u16 {
    let is_free = |port: &u16| {
        TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()
            && ["/run/postgresql", "/tmp"]
                .iter()
                .all(|dir| !Path::new(dir).join(format!(".s.PGSQL.{port}.lock")).exists())
    };
    (original.saturating_add(1)..=u16::MAX).find(is_free).unwrap_or(original)
}

/// For a setting in single quotes.
fn quoted(path: &Path) -> String {
    path.display().to_string().replace('\'', "''")
}

fn write(data: &OwnedFd, file: &str, text: &str, detail: &Detail) -> Result<(), BackendError> {
    let doing = || format!("writing {file}");
    remove_tree(data.as_fd(), &super::copy::name(file)?)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(data, file, flags, Mode::RUSR | Mode::WUSR).doing(doing)?;
    std::fs::File::from(opened).write_all(text.as_bytes()).doing(doing)?;
    give(data, file, detail).doing(doing)
}

/// `TARGET.tablespaces`, which appears just before the target. Until the target is there, a
/// file in it says whose remains it would be.
struct Spaces {
    path: PathBuf,
    name: OsString,
    hidden: CString,
    mark: String,
    wanted: bool,
}

impl Spaces {
    fn open(
        item: &Item,
        detail: &Detail,
        path: &Path,
        target: &Target,
    ) -> Result<Self, BackendError> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".tablespaces");
        let mut hidden = target.hidden.as_bytes().to_vec();
        hidden.extend_from_slice(b".tablespaces");
        let doing = || format!("restoring the tablespaces beside {}", path.display());
        let hidden = CString::new(hidden).map_err(std::io::Error::from).doing(doing)?;
        let mark = format!(".unfinished-{}", item.manifest.id.simple());
        let wanted = !detail.tablespaces.is_empty();
        let spaces = Self { path: path.with_file_name(&name), name, hidden, mark, wanted };
        if wanted {
            spaces.clear(target)?;
            if std::fs::symlink_metadata(&spaces.path).is_ok() {
                let why = format!("{} exists already", spaces.path.display());
                return Err(BackendError::new(Fault::Permanent, doing(), why));
            }
        }
        Ok(spaces)
    }

    /// Removes what an interrupted attempt left, under either name.
    fn clear(&self, target: &Target) -> Result<(), BackendError> {
        if !self.wanted {
            return Ok(());
        }
        remove_tree(target.dir.as_fd(), &self.hidden)?;
        if std::fs::symlink_metadata(self.path.join(&self.mark)).is_err() {
            return Ok(());
        }
        let name = CString::new(self.name.as_bytes()).map_err(std::io::Error::from);
        remove_tree(target.dir.as_fd(), &name.doing(|| "naming the tablespaces".into())?)
    }

    fn make(&self, target: &Target, detail: &Detail) -> Result<Option<OwnedFd>, BackendError> {
        if !self.wanted {
            return Ok(None);
        }
        let doing = || format!("making {}", self.path.display());
        let hidden = self.hidden.to_string_lossy();
        super::assemble::make(&target.dir, &hidden, detail)?;
        let dir = open(&target.dir, &hidden).doing(doing)?;
        rustix::fs::mkdirat(&dir, &*self.mark, Mode::RWXU).doing(doing)?;
        Ok(Some(dir))
    }

    fn appear(&self, target: &Target) -> Result<(), BackendError> {
        if !self.wanted {
            return Ok(());
        }
        let flags = RenameFlags::NOREPLACE;
        let (dir, hidden) = (&target.dir, &self.hidden);
        rustix::fs::renameat_with(dir, hidden, dir, &self.name, flags)
            .doing(|| format!("making {}", self.path.display()))
    }

    fn finish(&self, target: &Target) -> Result<(), BackendError> {
        if !self.wanted {
            return Ok(());
        }
        let doing = || format!("finishing {}", self.path.display());
        match std::fs::remove_dir(self.path.join(&self.mark)) {
            Err(error) if error.raw_os_error() != Some(Errno::NOENT.raw_os_error()) => {
                return Err(BackendError::io(doing(), &error));
            }
            _ => {}
        }
        rustix::fs::fsync(&target.dir).doing(doing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_keeps_its_settings_but_not_its_place_in_the_world() {
        let auto = "# Do not edit\nwork_mem = '8MB'\nport = '5432'\nPORT=1\nport_x = '1'\n\
                    primary_conninfo = 'host=a'\narchive_mode = 'on'\n";
        let want = "# Do not edit\nwork_mem = '8MB'\nport_x = '1'\nport = '5433'\n\
                    archive_mode = 'off'\n";
        assert_eq!(settings(auto, 5433), want);
        assert_eq!(quoted(Path::new("/it's")), "/it''s");
    }
}
