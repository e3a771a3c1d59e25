//! Which snapshots are mounted for people, so that none is destroyed under its reader. What was
//! handed out is noted in the state directory before it is; whether and where it is mounted at this
//! moment is the kernel's word alone, so a restart of heptad changes nothing.

use crate::domain::name::ResourceName;
use crate::domain::snapshot::Seq;
use crate::host::durable;
use crate::host::mounts::{Mounts, MountsError, Shows};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Error;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// In the state directory.
const NOTES: &str = "mounts.json";
/// Changes at each boot, and no mount outlives one (proc_sys_kernel(5)).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

type Key = (ResourceName, Seq);

/// As long as it lives, the one who got a mount may still be about to attach it.
#[derive(Debug)]
pub(super) struct OnItsWay;

#[derive(Debug)]
struct Handed {
    shows: Shows,
    on_its_way: Weak<OnItsWay>,
}

/// Where a snapshot is mounted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub resource: ResourceName,
    pub seq: Seq,
    pub point: PathBuf,
    /// What is mounted below it, in the order of mounting.
    pub below: Vec<PathBuf>,
}

#[derive(Debug, Default)]
struct Notes {
    handed: BTreeMap<Key, Vec<Handed>>,
    /// What could not be read of an earlier life; nothing is destroyed as long as it is unknown.
    unread: Option<String>,
}

#[derive(Debug)]
pub(super) struct Mounted {
    file: PathBuf,
    notes: Mutex<Notes>,
}

/// The file.
#[derive(Default, Serialize, Deserialize)]
struct OnDisk {
    boot: String,
    handed: Vec<(String, u64, Shows)>,
}

impl Mounted {
    /// Reads what an earlier life of the daemon noted since the host was started.
    pub(super) fn open(state: &Path) -> Self {
        let file = state.join(NOTES);
        let notes = match read(&file) {
            Ok(handed) => Notes { handed, unread: None },
            Err(error) => {
                let unread = format!("{} cannot be read: {error}", file.display());
                tracing::error!("{unread}; nothing is destroyed until it is mended or removed");
                Notes { handed: BTreeMap::new(), unread: Some(unread) }
            }
        };
        Self { file, notes: Mutex::new(notes) }
    }

    /// Notes durably that a mount of this snapshot is about to be handed out.
    pub(super) fn note(
        &self,
        resource: &ResourceName,
        seq: Seq,
        shows: Shows,
    ) -> Result<Arc<OnItsWay>, Error> {
        let on_its_way = Arc::new(OnItsWay);
        let mounts = Mounts::read().map_err(Error::other)?;
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(unread) = &notes.unread {
            return Err(Error::other(unread.clone()));
        }
        for handed in notes.handed.values_mut() {
            handed.retain(|one| one.is_awaited() || mounts.points_of(&one.shows).next().is_some());
        }
        notes.handed.retain(|_, handed| !handed.is_empty());
        let handed = notes.handed.entry((resource.clone(), seq)).or_default();
        handed.retain(|one| one.shows != shows || one.is_awaited());
        handed.push(Handed { shows, on_its_way: Arc::downgrade(&on_its_way) });
        write(&self.file, &notes.handed)?;
        Ok(on_its_way)
    }

    /// Why a snapshot may not be destroyed, if it is mounted somewhere.
    ///
    /// # Errors
    /// A sentence too, where that is not known.
    pub(super) fn forbids(
        &self,
        resource: &ResourceName,
        seq: Seq,
    ) -> Result<Option<String>, String> {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(unread) = &notes.unread {
            return Err(unread.clone());
        }
        let Some(handed) = notes.handed.get(&(resource.clone(), seq)) else { return Ok(None) };
        let mounts = Mounts::read().map_err(|error| error.to_string())?;
        let mut points = handed.iter().flat_map(|one| mounts.points_of(&one.shows));
        Ok(points.next().map(|point| {
            let point = point.display();
            format!("it is mounted at {point}: `heptactl umount {point}` frees it")
        }))
    }

    /// Where snapshots are mounted now, by resource and age.
    ///
    /// # Errors
    /// [`MountsError`]
    pub(super) fn all(&self) -> Result<Vec<Place>, MountsError> {
        let mounts = Mounts::read()?;
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::new();
        for ((resource, seq), handed) in &notes.handed {
            let points = handed.iter().flat_map(|one| mounts.points_of(&one.shows));
            all.extend(points.map(|point| Place {
                resource: resource.clone(),
                seq: *seq,
                point: point.to_owned(),
                below: mounts.below(point).map(|mount| mount.point.clone()).collect(),
            }));
        }
        all.sort();
        all.dedup();
        Ok(all)
    }
}

impl Handed {
    fn is_awaited(&self) -> bool {
        self.on_its_way.strong_count() > 0
    }
}

fn boot_id() -> Result<String, Error> {
    std::fs::read_to_string(BOOT_ID).map(|text| text.trim().to_owned())
}

fn read(file: &Path) -> Result<BTreeMap<Key, Vec<Handed>>, Error> {
    let text = match std::fs::read(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        text => text?,
    };
    let noted: OnDisk = serde_json::from_slice(&text)?;
    let mut all: BTreeMap<Key, Vec<Handed>> = BTreeMap::new();
    if noted.boot != boot_id()? {
        return Ok(all);
    }
    for (resource, seq, shows) in noted.handed {
        let resource = resource.parse().map_err(Error::other)?;
        let handed = all.entry((resource, Seq(seq))).or_default();
        handed.push(Handed { shows, on_its_way: Weak::new() });
    }
    Ok(all)
}

/// Replaces the file at once, durably.
fn write(file: &Path, all: &BTreeMap<Key, Vec<Handed>>) -> Result<(), Error> {
    let rows = all.iter().flat_map(|((resource, seq), handed)| {
        handed.iter().map(|one| (resource.to_string(), seq.0, one.shows.clone()))
    });
    let text = serde_json::to_vec(&OnDisk { boot: boot_id()?, handed: rows.collect() })?;
    durable::replace(file, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Something that is certainly mounted, and something that is not.
    fn shown() -> (Shows, Shows) {
        let id = crate::fs::tree::Meta::of(std::fs::File::open("/").unwrap()).unwrap().mount;
        let here = Mounts::read().unwrap().shown_by(id).unwrap();
        let text = serde_json::to_string(&here).unwrap();
        let gone = text.replace("\"root\":\"", "\"root\":\"/no/such/directory");
        (here, serde_json::from_str(&gone).unwrap())
    }

    #[test]
    fn what_is_mounted_is_not_destroyed_also_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let (here, gone) = shown();
        let name: ResourceName = "home".parse().unwrap();
        let mounted = Mounted::open(dir.path());
        assert_eq!(mounted.forbids(&name, Seq(1)), Ok(None));
        mounted.note(&name, Seq(1), here).unwrap();
        mounted.note(&name, Seq(2), gone).unwrap();
        for mounted in [mounted, Mounted::open(dir.path())] {
            let why = mounted.forbids(&name, Seq(1)).unwrap().unwrap();
            assert!(why.contains("heptactl umount /"), "{why}");
            assert_eq!(mounted.forbids(&name, Seq(2)), Ok(None));
            assert_eq!(mounted.forbids(&"mail".parse().unwrap(), Seq(1)), Ok(None));
            assert!(mounted.all().unwrap().iter().all(|place| place.seq == Seq(1)));
        }
    }

    #[test]
    fn a_boot_ends_all_mounts_and_an_unreadable_note_forbids_everything() {
        let dir = tempfile::tempdir().unwrap();
        let name: ResourceName = "home".parse().unwrap();
        let mounted = Mounted::open(dir.path());
        mounted.note(&name, Seq(1), shown().0).unwrap();
        let file = dir.path().join(NOTES);
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace(&boot_id().unwrap(), "an-earlier-one")).unwrap();
        assert_eq!(Mounted::open(dir.path()).forbids(&name, Seq(1)), Ok(None));
        std::fs::write(&file, "{").unwrap();
        assert!(Mounted::open(dir.path()).forbids(&name, Seq(1)).is_err());
    }

    #[test]
    fn what_nobody_mounted_is_forgotten_unless_it_is_on_its_way() {
        let dir = tempfile::tempdir().unwrap();
        let (here, gone) = shown();
        let name: ResourceName = "home".parse().unwrap();
        let mounted = Mounted::open(dir.path());
        let handed = || mounted.notes.lock().unwrap().handed.len();
        let waits = mounted.note(&name, Seq(1), gone).unwrap();
        mounted.note(&name, Seq(2), here.clone()).unwrap();
        assert_eq!(handed(), 2);
        drop(waits);
        mounted.note(&name, Seq(2), here).unwrap();
        assert_eq!(handed(), 1);
    }
}
