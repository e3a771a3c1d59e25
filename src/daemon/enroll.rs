//! Declares the resources that commands make, in files of heptad's own: durable when reported,
//! whole or not at all, and never over something else. What is in them is the configuration's
//! business.

use crate::config::{ENROLLED, Enrolment, Unwritable, enrolled_file};
use crate::domain::name::{ENROLLED_NAME_LIMIT, ResourceName};
use crate::host::durable;
use std::fs::DirBuilder;
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
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
    match durable::create(&path, text.as_bytes()) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let there = std::fs::read(&path).map_err(failed("reading", &path))?;
            if there != text.as_bytes() {
                return Err(EnrolError::Taken { name: name.clone(), path });
            }
            // Whoever wrote it may have been stopped before it was durable.
            durable::sync(&path).and_then(|()| durable::sync(&dir))
        }
        created => created,
    }
    .map_err(failed("writing", &path))?;
    Ok(path)
}

/// Ends the declaration of a resource, durably; one that is not enrolled stays so.
///
/// # Errors
/// [`EnrolError::Io`]; it may be declared still.
pub fn withdraw(state: &Path, name: &ResourceName) -> Result<(), EnrolError> {
    let path = enrolled_file(state, name);
    match durable::remove(&path) {
        // Nothing was ever enrolled; or the name cannot be a file's and so names none.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == ErrorKind::InvalidFilename => Ok(()),
        removed => removed.map_err(failed("removing", &path)),
    }
}

fn make_dir(state: &Path, dir: &Path) -> Result<(), EnrolError> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made.and_then(|()| durable::sync(state)).map_err(failed("creating", dir)),
    }
}

fn failed<'a>(doing: &'static str, path: &'a Path) -> impl Fn(io::Error) -> EnrolError + 'a {
    move |source| EnrolError::Io { doing, path: path.into(), source }
}
