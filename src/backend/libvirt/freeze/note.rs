//! What is under way in a guest, written down before it is: the only thing that a SIGKILL of heptad
//! and of its helper leaves.

use crate::domain::name::ResourceName;
use crate::domain::operation::Fault;
use crate::fs::{Doing, StorageError};
use crate::host::durable;
use crate::store::sync_dir;
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, File};
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The kind of note of guests that are held.
pub(crate) const HELD: &str = "held";

/// Of taking a lock, and the time between two.
const TRIES: u32 = 5;
const REST: Duration = Duration::from_millis(100);

/// Letters of the address of a libvirt in a note's name. Two that look alike share a lock.
const LIBVIRT: usize = 100;

/// How what lies beside a note ends: what an older heptad left of its next one, and the lock.
const BESIDE: [char; 2] = ['.', '~'];

/// A guest that is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub uri: String,
    /// The domain's UUID.
    pub domain: String,
    /// The number of its run: a guest that was started anew is not held any more.
    pub run: String,
    pub frozen: bool,
    /// A pause was asked for; whether it came to pass, and when, its state tells.
    pub paused: bool,
    /// The process that holds it; 0 by a heptad that did not tell.
    #[serde(default)]
    pub holder: u32,
}

/// Where the notes of one kind about one resource, or about one guest, lie: in heptad's state
/// directory, and not in a store, which may be away when a guest must be let go.
#[derive(Clone, Debug)]
pub(crate) struct Notes {
    pub path: PathBuf,
}

impl Notes {
    pub(crate) fn new(state: &Path, kind: &str, resource: &ResourceName) -> Self {
        Self { path: state.join(kind).join(resource.as_str()) }
    }

    /// About a guest that is held: one for all resources that are parts of it, which so exclude one
    /// another. No resource's name has such a sign in it.
    pub(crate) fn of_domain(state: &Path, uri: &str, uuid: &str) -> Self {
        let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
        let uri: String = uri.chars().take(LIBVIRT).map(plain).collect();
        Self { path: state.join(HELD).join(format!("{uuid}@{uri}")) }
    }

    /// All notes of a kind that there are.
    pub(crate) fn all(state: &Path, kind: &str) -> Result<Vec<Self>, StorageError> {
        let dir = state.join(kind);
        let doing = || format!("reading {}", dir.display());
        let entries = match std::fs::read_dir(&dir) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.doing(doing)?,
        };
        let mut notes = Vec::new();
        for entry in entries {
            let path = entry.doing(doing)?.path();
            // Not what lies beside a note: no resource's name begins or ends so.
            let name = path.file_name().and_then(|name| name.to_str());
            if name.is_some_and(|name| !name.starts_with('.') && !name.ends_with(BESIDE)) {
                notes.push(Self { path });
            }
        }
        Ok(notes)
    }

    /// Makes room for a note.
    pub(crate) fn make(&self) -> Result<(), StorageError> {
        let Some(dir) = self.path.parent() else { return Ok(()) };
        match DirBuilder::new().mode(0o700).create(dir) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(StorageError::io(format!("making {}", dir.display()), &error)),
            Ok(()) => dir.parent().map_or(Ok(()), sync_dir),
        }
    }

    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<Option<T>, StorageError> {
        let doing = || format!("reading {}", self.path.display());
        match std::fs::read(&self.path) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|error| StorageError::new(Fault::Permanent, doing(), error.to_string())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StorageError::io(doing(), &error)),
        }
    }

    /// Whether what is written down is still of the hold that `note` is of, and not of a later one.
    pub(crate) fn is_of(&self, note: &Note) -> Result<bool, StorageError> {
        Ok(self.read::<Note>()?.is_some_and(|found| found.holder == note.holder))
    }

    /// Durably replaces it.
    pub(crate) fn write<T: Serialize>(&self, note: &T) -> Result<(), StorageError> {
        let text = serde_json::to_vec(note).map_err(std::io::Error::from);
        text.and_then(|text| durable::replace(&self.path, &text))
            .doing(|| format!("writing {}", self.path.display()))
    }

    /// Whoever has this may act on what is written down. It ends with the process at the latest.
    /// `None` where somebody else has it and `wait` is false.
    pub(crate) fn lock(&self, wait: bool) -> Result<Option<OwnedFd>, StorageError> {
        self.make()?;
        let path = self.ending(BESIDE[1]);
        let doing = || format!("locking {}", path.display());
        let mut options = File::options();
        let file = options.write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.doing(doing)?;
        let how = FlockOperation::LockExclusive;
        let how = if wait { how } else { FlockOperation::NonBlockingLockExclusive };
        match rustix::fs::flock(&file, how) {
            Ok(()) => Ok(Some(file.into())),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(StorageError::io(doing(), &error.into())),
        }
    }

    /// As [`Notes::lock`] without waiting, but for a moment: of a heptad that was killed, a child
    /// that has not become another program yet may still have it.
    pub(crate) fn lock_soon(&self) -> Result<Option<OwnedFd>, StorageError> {
        for _ in 0..TRIES {
            if let Some(mine) = self.lock(false)? {
                return Ok(Some(mine));
            }
            std::thread::park_timeout(REST);
        }
        self.lock(false)
    }

    /// As [`Notes::lock`], for as long as others may need it.
    ///
    /// # Errors
    /// [`Fault::Busy`] where somebody has it still.
    pub(crate) fn lock_within(&self, wait: Duration, doing: &str) -> Result<OwnedFd, StorageError> {
        let until = Instant::now() + wait;
        loop {
            if let Some(mine) = self.lock(false)? {
                return Ok(mine);
            }
            if Instant::now() >= until {
                let why = "another snapshot has its guest; try again when that is done";
                return Err(StorageError::new(Fault::Busy, doing, why));
            }
            std::thread::park_timeout(REST);
        }
    }

    fn ending(&self, with: char) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(with.to_string());
        path.into()
    }

    pub(crate) fn clear(&self) -> Result<(), StorageError> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(StorageError::io(format!("removing {}", self.path.display()), &error))
            }
            // Its return after a power cut would do no harm: no guest survives one.
            _ => Ok(()),
        }
    }
}
