//! A new cluster at a path of the user's, ready to be started.
//!
//! It has a port of its own, and it neither archives nor replicates: a second server must not write
//! into the first one's archive.

use super::super::{RestoreOrder, Restored};
use super::assemble::{Site, Spot, assemble};
use super::cluster::Cluster;
use super::config::stored;
use super::configure::New;
use super::copy::{DIR, open};
use super::detail::{Detail, Space};
use super::mains::{DEBIAN, MORE};
use super::ports::{self, Original};
use super::settings::Settings;
use super::{tools, verify};
use crate::domain::operation::Fault;
use crate::fs::tree::{Meta, remove_tree};
use crate::fs::{Doing, Progress, StorageError};
use crate::store::{Item, Target};
use rustix::fs::{Mode, RenameFlags};
use rustix::io::Errno;
use std::ffi::{CString, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// # Errors
/// [`Fault::Permanent`] where the target or its tablespaces' directory exists, or the port is in
/// use. Then nothing is left.
pub(super) fn restore(
    settings: &Settings,
    item: &Item,
    detail: &Detail,
    order: &RestoreOrder<'_>,
    progress: &dyn Progress,
) -> Result<Restored, StorageError> {
    // A plan is a promise of what the server will need, nothing that is set here.
    RestoreOrder { plan: None, port: None, ..*order }.is_plain()?;
    let path = order.target;
    let target = Target::open(item, path)?;
    verify::as_stored(item)?;
    let inside = |space: &Space| space.inside(&settings.data);
    let wanted = detail.tablespaces.iter().any(|space| inside(space).is_none());
    let spaces = Spaces::open(item, wanted, path, &target)?;
    let near: Vec<&Path> = path.parent().into_iter().chain(settings.data.parent()).collect();
    let gone = Cluster::open(&settings.data).is_err_and(|error| error.fault == Fault::Absent);
    let original = Original { port: detail.port, gone };
    let chosen = ports::choose(order.port, original, settings.socket.as_deref(), &near)?;
    let start = tools::start(settings, detail.major, detail.uid, path);
    let adopt = adopt(item, detail, path, chosen.port);
    let places = detail.tablespaces.iter().map(|space| match inside(space) {
        Some(inside) => (space, path.join(inside)),
        None => (space, spaces.path.join(&space.oid)),
    });
    let (spaces_at, original) = (places.collect(), &*settings.data);
    let (port, note) = (chosen.port, chosen.note);
    let new = New { item, detail, path, original, port, spaces: spaces_at, start, adopt };
    let made = fill(&new, &target, (&spaces, &inside), progress)
        .and_then(|made| progress.wanted().map(|()| made))
        .and_then(|made| spaces.appear(&target).map(|()| made))
        .and_then(|(made, remarks)| target.appear(&made).map(|_| remarks));
    if made.is_err() {
        // The first error is the one to tell; a second try clears what this leaves.
        let _ = target.clear().and_then(|()| spaces.clear(&target));
    }
    let remarks = made?;
    spaces.finish(&target)?;
    let data = path.display().to_string();
    let options = [("data".to_owned(), data.into()), ("port".to_owned(), port.into())];
    let mut notes = new.notes();
    notes.extend(note.into_iter().chain(remarks));
    notes.extend(order.plan.map(|plan| {
        format!("give it what plan {plan} has room for: shared_buffers in postgresql.conf")
    }));
    Ok(Restored { options: options.into_iter().collect(), notes, ..Restored::default() })
}

/// Where a tablespace lies within the data directory, if it does.
type Inside<'a> = &'a dyn Fn(&Space) -> Option<String>;

fn fill(
    new: &New<'_>,
    target: &Target,
    (spaces, inside): (&Spaces, Inside<'_>),
    progress: &dyn Progress,
) -> Result<(Meta, Vec<String>), StorageError> {
    let into = spaces.make(target, new.detail)?;
    let space = |space: &Space| {
        if let Some(inside) = inside(space) {
            return Ok(Spot::Inside(inside));
        }
        let doing = || format!("restoring tablespace {}", space.oid);
        let dir = into.as_ref().map_or_else(|| target.dir.try_clone(), OwnedFd::try_clone);
        let link = spaces.path.join(&space.oid).display().to_string();
        Ok(Spot::Outside { dir: dir.doing(doing)?, name: super::copy::name(&space.oid)?, link })
    };
    let site = Site {
        dir: target.dir.as_fd(),
        data: &target.hidden,
        path: new.path,
        log_inside: true,
        space: &space,
    };
    let data = assemble(new.item, new.detail, &site, progress)?;
    let remarks = new.configure(&data)?;
    Ok((Meta::of(&data).doing(|| "looking at what was made".into())?, remarks))
}

/// `pg_createcluster` takes the main files of a data directory that is there to where it has those
/// of all clusters, but not what lies in `conf.d` beside them: it makes a new one.
fn adopt(item: &Item, detail: &Detail, path: &Path, port: u16) -> Option<String> {
    let debian = Path::new(DEBIAN).join(detail.major.to_string());
    let is_debians = detail.config.as_ref().is_some_and(|mains| mains.0[0].starts_with(&debian));
    let name = path.file_name()?.to_str()?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
    if !is_debians || !name.chars().all(is_name) || debian.join(name).exists() {
        return None;
    }
    let (major, path) = (detail.major, path.display());
    let home = detail.config.as_ref()?.0[0].with_file_name(MORE);
    let more = match item.path.join(DIR).join(stored(&home)).is_dir() {
        true => format!("cp -a {path}/{MORE}/. {}/{name}/{MORE}/ && ", debian.display()),
        false => String::new(),
    };
    Some(format!(
        "pg_createcluster -d {path} -p {port} {major} {name} && {more}pg_ctlcluster {major} {name} \
         start"
    ))
}

/// For those that lay outside of the data directory: `TARGET.tablespaces`, which appears just
/// before the target. Until the target is there, a file in it says whose remains it would be.
struct Spaces {
    path: PathBuf,
    name: OsString,
    hidden: CString,
    mark: String,
    wanted: bool,
}

impl Spaces {
    fn open(item: &Item, wanted: bool, path: &Path, target: &Target) -> Result<Self, StorageError> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".tablespaces");
        let mut hidden = target.hidden.as_bytes().to_vec();
        hidden.extend_from_slice(b".tablespaces");
        let doing = || format!("restoring the tablespaces beside {}", path.display());
        let hidden = CString::new(hidden).map_err(std::io::Error::from).doing(doing)?;
        let mark = format!(".unfinished-{}", item.manifest.id.simple());
        let spaces = Self { path: path.with_file_name(&name), name, hidden, mark, wanted };
        if wanted {
            spaces.clear(target)?;
            if std::fs::symlink_metadata(&spaces.path).is_ok() {
                let why = format!("{} exists already", spaces.path.display());
                return Err(StorageError::new(Fault::Permanent, doing(), why));
            }
        }
        Ok(spaces)
    }

    /// Removes what an interrupted attempt left, under either name.
    fn clear(&self, target: &Target) -> Result<(), StorageError> {
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

    fn make(&self, target: &Target, detail: &Detail) -> Result<Option<OwnedFd>, StorageError> {
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

    fn appear(&self, target: &Target) -> Result<(), StorageError> {
        if !self.wanted {
            return Ok(());
        }
        let flags = RenameFlags::NOREPLACE;
        let (dir, hidden) = (&target.dir, &self.hidden);
        rustix::fs::renameat_with(dir, hidden, dir, &self.name, flags)
            .doing(|| format!("making {}", self.path.display()))
    }

    fn finish(&self, target: &Target) -> Result<(), StorageError> {
        if !self.wanted {
            return Ok(());
        }
        let doing = || format!("finishing {}", self.path.display());
        match std::fs::remove_dir(self.path.join(&self.mark)) {
            Err(error) if error.raw_os_error() != Some(Errno::NOENT.raw_os_error()) => {
                return Err(StorageError::io(doing(), &error));
            }
            _ => {}
        }
        rustix::fs::fsync(&target.dir).doing(doing)
    }
}
