//! A new subvolume where only the resource's own is mounted, as many installers lay systems out
//! (`@www` at `/srv/www`): the directory beside it lies on another file system, or in the resource
//! itself. The new one is made beside it on its own file system, where nothing shows it until
//! somebody mounts it, and the person is told how.

use super::place::{self, Place, Top};
use super::restore::Target;
use crate::domain::operation::Fault;
use crate::domain::sentence::shell_word;
use crate::fs::subvolume;
use crate::fs::{Doing, StorageError};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use uuid::Uuid;

pub(super) struct Unseen {
    /// Where it shall be mounted.
    point: PathBuf,
    /// From the top of its file system.
    path: PathBuf,
    fsid: Uuid,
    top: Arc<Top>,
}

impl Unseen {
    /// `None` where a target is as good as any other.
    ///
    /// # Errors
    /// [`Fault::Permanent`] where it is not absolute, or something is there.
    pub(super) fn find(
        live: &Path,
        target: &Path,
        place: &Place,
    ) -> Result<Option<Self>, StorageError> {
        let (Some(above), Some(name)) = (target.parent(), target.file_name()) else {
            return Ok(None);
        };
        if place.mount.point != live || is_seen(live, above, place)? {
            return Ok(None);
        }
        let own = place.mount.root.file_name().unwrap_or_default();
        let mut named = OsString::new();
        if own.as_bytes().starts_with(b"@") && !name.as_bytes().starts_with(b"@") {
            named.push("@");
        }
        named.push(name);
        expect_free(target)?;
        let path = place.mount.root.parent().unwrap_or(Path::new("/")).join(named);
        Ok(Some(Self { point: target.into(), path, fsid: place.fsid, top: Top::of(place)? }))
    }

    /// Where it is built.
    pub(super) fn target(&self, id: Uuid) -> Result<Target, StorageError> {
        let doing = || format!("making the subvolume {}", self.path.display());
        let name = self.path.file_name().unwrap_or_default();
        let parent = self.top.above(&self.path).doing(doing)?;
        if subvolume::exists(&parent, name).doing(doing)? {
            let why = "there is one of that name on the file system; choose another name";
            return Err(StorageError::new(Fault::Permanent, doing(), why));
        }
        Ok(Target::in_dir(parent, name, id, &self.path))
    }

    /// How it is seen from then on.
    pub(super) fn notes(&self) -> Vec<String> {
        let (point, path, fsid) = (shell_word(&self.point), shell_word(&self.path), self.fsid);
        let mkdir =
            if self.point.is_dir() { String::new() } else { format!("mkdir -p {point} && ") };
        let field = |path: &Path| {
            let text = path.display().to_string();
            text.replace('\\', "\\134").replace(' ', "\\040").replace('\t', "\\011")
        };
        let line =
            format!("UUID={fsid} {} btrfs subvol={} 0 0", field(&self.point), field(&self.path));
        vec![
            format!(
                "it is the subvolume {path}, which is mounted nowhere yet; now: {mkdir}mount -o \
                 subvol={path} UUID={fsid} {point}"
            ),
            format!("for every start, in /etc/fstab: {line}"),
        ]
    }
}

/// Whether a subvolume in this directory would be seen there, and not only within the resource.
fn is_seen(live: &Path, above: &Path, place: &Place) -> Result<bool, StorageError> {
    let dir = match subvolume::open_absolute(above) {
        Ok(dir) => dir,
        // What is wrong with it is told by whoever opens it as a target.
        Err(_) => return Ok(true),
    };
    let doing = || format!("looking at {}", above.display());
    if place::fsid_of(&dir).doing(doing)? != Some(place.fsid) {
        return Ok(false);
    }
    Ok(place::mount_of(above)?.point != live)
}

/// An empty directory may wait there for the mount.
fn expect_free(point: &Path) -> Result<(), StorageError> {
    let is_free = match std::fs::symlink_metadata(point) {
        Ok(meta) => {
            meta.is_dir() && std::fs::read_dir(point).is_ok_and(|mut all| all.next().is_none())
        }
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    if is_free {
        return Ok(());
    }
    let doing = format!("restoring to {}", point.display());
    let why = "something is there already; choose a path that does not exist";
    Err(StorageError::new(Fault::Permanent, doing, why))
}
