//! Declares the resources that commands make, in files of heptad's own: durable when reported, whole
//! or not at all, and never over something else. What is in them is the configuration's business.

use crate::config::{ENROLLED, Enrolment, Unwritable, enrolled_file};
use crate::domain::name::{ENROLLED_NAME_LIMIT, ResourceName};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Why a resource is not enrolled, or still is.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    #[error("{} declares {name} already, otherwise; heptactl forget {name} ends that", .path.display())]
    Taken { name: ResourceName, path: PathBuf },
    #[error(
        "a resource made by a command has a name of up to {ENROLLED_NAME_LIMIT} characters, and this \
         one has {0}; choose a shorter one"
    )]
    LongName(usize),
    #[error("the backend's option {0}")]
    Option(#[from] Unwritable),
    #[error("{doing} {}: {source}", .path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
}

/// Declares a resource; on return the declaration is durable. Enrolling the same once more, after a
/// crash, changes nothing.
///
/// # Errors
/// [`EnrolError`]; nothing is declared then, unless syncing the directory was what failed.
pub fn enroll(state: &Path, declared: &Enrolment) -> Result<PathBuf, EnrolError> {
    let name = &declared.name;
    if name.as_str().len() > ENROLLED_NAME_LIMIT {
        return Err(EnrolError::LongName(name.as_str().len()));
    }
    let text = declared.text()?;
    let (dir, path) = (state.join(ENROLLED), enrolled_file(state, name));
    make_dir(state, &dir)?;
    let stage = dir.join(format!(".{name}.new"));
    write(&stage, &text).map_err(failed("writing", &stage))?;
    match renameat_with(CWD, &stage, CWD, &path, RenameFlags::NOREPLACE) {
        Ok(()) => {}
        Err(Errno::EXIST) => {
            remove(&stage)?;
            let there = std::fs::read(&path).map_err(failed("reading", &path))?;
            if there != text.as_bytes() {
                return Err(EnrolError::Taken { name: name.clone(), path });
            }
            // Whoever wrote it may have been stopped before it was durable.
            let synced = File::open(&path).and_then(|file| file.sync_all());
            synced.map_err(failed("syncing", &path))?;
        }
        Err(error) => {
            remove(&stage)?;
            return Err(failed("creating", &path)(error.into()));
        }
    }
    sync(&dir)?;
    Ok(path)
}

/// Ends the declaration of a resource, durably; one that is not enrolled stays so.
///
/// # Errors
/// [`EnrolError::Io`]; it may be declared still.
pub fn withdraw(state: &Path, name: &ResourceName) -> Result<(), EnrolError> {
    let dir = state.join(ENROLLED);
    remove(&enrolled_file(state, name))?;
    match sync(&dir) {
        Err(EnrolError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn make_dir(state: &Path, dir: &Path) -> Result<(), EnrolError> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(failed("creating", dir)).and_then(|()| sync(state)),
    }
}

fn write(stage: &Path, text: &str) -> io::Result<()> {
    match std::fs::remove_file(stage) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        // What a crash left.
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(stage)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn remove(path: &Path) -> Result<(), EnrolError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        // A name that cannot be a file's names none.
        Err(error) if error.kind() == ErrorKind::InvalidFilename => Ok(()),
        removed => removed.map_err(failed("removing", path)),
    }
}

fn sync(dir: &Path) -> Result<(), EnrolError> {
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(failed("syncing", dir))
}

fn failed<'a>(doing: &'static str, path: &'a Path) -> impl Fn(io::Error) -> EnrolError + 'a {
    move |source| EnrolError::Io { doing, path: path.into(), source }
}
