//! What is at a place that somebody wants protected. It may take as long as its disk likes, so it
//! runs on a thread of its own and needs nothing of the daemon.

use crate::backend::Backend;
use crate::backend::options::Context;
use crate::backend::recognise::{Place, Recognised};
use crate::backend::registry;
use crate::backend::registry::recognise;
use crate::domain::name::ResourceName;
use crate::domain::operation::Fault;
use crate::domain::protect::{Target, Unprotectable};
use crate::fs::StorageError;
use crate::host::mounts::Mounts;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// File systems that show the kernel itself, or its devices.
const KERNELS: [&str; 17] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "proc",
    "pstore",
    "securityfs",
    "sysfs",
];

/// What is at a place, and what is to be said of it.
pub(super) struct Look {
    pub place: Place,
    pub found: Recognised,
    pub identity: String,
    pub notes: Vec<String>,
}

/// # Errors
/// [`Unprotectable`], where nothing is or nothing that a backend takes.
pub(super) fn look(target: &Target, state: &Path) -> Result<Look, Unprotectable> {
    let (place, notes) = place(target)?;
    let shown = shown(&place);
    let found = recognise(&place).map_err(|error| unfit(&shown, target, error))?;
    // Its name does not matter to a look.
    let name = "a0".parse().map_err(|_| Unprotectable::Unwritten { why: shown.clone() })?;
    let backend = build(&found, &name, state, &shown)?;
    let probe = backend.probe().map_err(|error| unfit(&shown, target, error))?;
    Ok(Look { place, found, identity: probe.identity, notes })
}

/// Where it really is.
fn place(target: &Target) -> Result<(Place, Vec<String>), Unprotectable> {
    let path = match target {
        Target::Domain(name) => return Ok((Place::Domain(name.clone()), Vec::new())),
        Target::Path(path) => Path::new(path),
    };
    let real = std::fs::canonicalize(path).map_err(|error| absent(path, &error))?;
    let table =
        Mounts::read().map_err(|error| Unprotectable::Unwritten { why: error.to_string() })?;
    let fs_type = table.of(&real).map(|mount| mount.fs_type.as_str()).unwrap_or_default();
    let shown = real.display().to_string();
    if KERNELS.contains(&fs_type) {
        let what = format!("it lies on {fs_type}, where the kernel shows itself");
        return Err(Unprotectable::NotContent { place: shown, what });
    }
    let mut notes = Vec::new();
    if real != path.components().collect::<PathBuf>() {
        notes.push(format!("{} leads to {shown}", path.display()));
    }
    if matches!(fs_type, "tmpfs" | "ramfs") {
        notes.push("it lies in memory: a restart of this host empties it".into());
    }
    Ok((Place::Path(real), notes))
}

fn absent(path: &Path, error: &std::io::Error) -> Unprotectable {
    let place = path.display().to_string();
    if error.kind() != ErrorKind::NotFound {
        let hint = "name a directory, a file, or a guest of libvirt".into();
        return Unprotectable::Unfit { place, problem: error.to_string(), hint };
    }
    Unprotectable::NoSuchPlace { place }
}

pub(super) fn shown(place: &Place) -> String {
    match place {
        Place::Path(path) => path.display().to_string(),
        Place::Domain(name) => format!("guest {name}"),
    }
}

fn unfit(shown: &str, target: &Target, error: StorageError) -> Unprotectable {
    let place = shown.to_owned();
    match (error.fault, target) {
        (Fault::Absent, Target::Domain(_)) => Unprotectable::NoSuchPlace { place },
        // Perhaps it was meant for a path.
        (_, Target::Domain(_)) => {
            let problem = format!(
                "no guest of libvirt is found, and nothing here has the name: {}",
                error.detail
            );
            let hint = "name a path that is there, or what `virsh list --all` shows".into();
            Unprotectable::Unfit { place, problem, hint }
        }
        (_, Target::Path(_)) => {
            Unprotectable::Unfit { place, problem: error.detail, hint: String::new() }
        }
    }
}

pub(super) fn build(
    found: &Recognised,
    name: &ResourceName,
    state: &Path,
    shown: &str,
) -> Result<Arc<dyn Backend>, Unprotectable> {
    let context = Context { resource: name.clone(), state: state.to_owned() };
    registry::build(found.backend, &found.options, &context).map_err(|findings| {
        let first = findings.into_iter().next();
        let (problem, hint) = first.map(|f| (f.problem, f.hint)).unwrap_or_default();
        Unprotectable::Unfit { place: shown.to_owned(), problem, hint }
    })
}
