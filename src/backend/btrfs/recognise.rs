//! The root of a subvolume, where heptad may snapshot one.

use super::super::recognise::{Answer, Recognised, Seen};
use super::stored::BACKEND;
use crate::domain::resource::Kind;
use crate::fs::Doing;
use crate::fs::subvolume::Subvolume;
use crate::fs::tree::{Kind as Entry, open_dir};

pub(crate) fn recognise(seen: &Seen<'_>) -> Answer {
    let Seen::Entry { path, reference, kind: Entry::Dir } = seen else { return Ok(None) };
    // An ordinary user's daemon copies files.
    if !nix::unistd::geteuid().is_root() {
        return Ok(None);
    }
    let doing = || format!("looking at {path}");
    let found = Subvolume::new(open_dir(reference).doing(doing)?).doing(doing)?;
    let is = |_| Recognised::new(BACKEND, Kind::Disk, "a btrfs subvolume", &[("path", path)]);
    Ok(found.map(is))
}
