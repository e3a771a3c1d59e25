//! A data directory, looked at without asking its server.

use super::checksum;
use crate::domain::operation::Fault;
use crate::fs::tree::{Kind, Meta, below, names, open_dir, open_file, open_nosymlink};
use crate::fs::{Doing, StorageError, subvolume};
use crate::host::drop_in::DropIn;
use crate::host::holders::is_alive;
use crate::host::process::{GRACE, Limits, Overflow, Spawn, User};
use rustix::io::Errno;
use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The oldest version whose functions are known here.
const OLDEST: u32 = 13;
/// `DB_SHUTDOWNED` and `DB_SHUTDOWNED_IN_RECOVERY` of `catalog/pg_control.h`.
const STOPPED: [u32; 2] = [1, 2];
/// Directories that a cluster is nothing without.
const CONTENT: [&str; 9] = [
    "base",
    "global",
    "pg_commit_ts",
    "pg_logical",
    "pg_multixact",
    "pg_replslot",
    TABLESPACES,
    "pg_twophase",
    "pg_xact",
];
const STAT: &str = "/usr/bin/stat";
const QUICK: Duration = Duration::from_secs(10);
/// How often a control file is read again before it is called damaged.
const READ_AGAIN: u32 = 20;
/// No file that is read whole here is longer.
const SMALL: u64 = 64 << 10;

/// A data directory, open.
#[derive(Debug)]
pub(super) struct Cluster {
    pub path: PathBuf,
    pub dir: Arc<OwnedFd>,
    /// The owner, as whom everything about it is done.
    pub uid: u32,
    pub gid: u32,
    /// 15 of 15.18.
    pub major: u32,
}

/// The head of `global/pg_control`, which is the same in all versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Control {
    /// Drawn by initdb.
    pub system: u64,
    state: u32,
}

/// A server that runs on a data directory, by its `postmaster.pid`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Postmaster {
    pub pid: u32,
    pub port: u16,
    /// Its first socket directory; none: it has no Unix socket.
    pub socket: Option<PathBuf>,
    /// It accepts connections.
    pub ready: bool,
}

/// A directory that holds tables, by a link in the data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tablespace {
    pub oid: String,
    /// As the link says it.
    pub location: PathBuf,
    pub place: Place,
}

impl Control {
    pub(super) fn is_stopped(self) -> bool {
        STOPPED.contains(&self.state)
    }
}

impl Cluster {
    /// # Errors
    /// [`Fault::Absent`] where no data directory is, as on an empty mount point;
    /// [`Fault::Permanent`] for a version that is not known.
    pub(super) fn open(path: &Path) -> Result<Self, StorageError> {
        let doing = || format!("opening data directory {}", path.display());
        let reference = open_nosymlink(path)?;
        let meta = Meta::of(&reference).doing(doing)?;
        if meta.kind != Kind::Dir {
            return Err(StorageError::new(Fault::Absent, doing(), "it is not a directory"));
        }
        let dir = Arc::new(open_dir(&reference).doing(doing)?);
        let Some(text) = read(&dir, "PG_VERSION").doing(doing)? else {
            let why = "it holds no PG_VERSION: is its file system mounted?";
            return Err(StorageError::new(Fault::Absent, doing(), why));
        };
        let (path, uid, gid) = (path.to_owned(), meta.uid, meta.gid);
        match text.trim().parse() {
            Ok(major) if major >= OLDEST => Ok(Self { path, dir, uid, gid, major }),
            _ => {
                let why = format!(
                    "its version is {:?}; those from {OLDEST} on are protected",
                    text.trim()
                );
                Err(StorageError::new(Fault::Permanent, doing(), why))
            }
        }
    }

    /// # Errors
    /// A [`StorageError::damaged`] one where its checksum is wrong: then nothing in it says whose
    /// it is.
    pub(super) fn control(&self) -> Result<Control, StorageError> {
        let doing = || format!("reading global/pg_control of {}", self.path.display());
        let read = || {
            let opened =
                below(&self.dir, b"global/pg_control").and_then(|(file, _)| open_file(file));
            let mut bytes = Vec::new();
            File::from(opened?).take(checksum::LONGEST).read_to_end(&mut bytes)?;
            Ok::<_, std::io::Error>(bytes)
        };
        // A running server may be in the middle of writing it.
        let mut bytes = read().doing(doing)?;
        for _ in 0..READ_AGAIN {
            if checksum::is_sound(&bytes) {
                break;
            }
            bytes = read().doing(doing)?;
        }
        let Some(head) = bytes.get(..20).filter(|_| checksum::is_sound(&bytes)) else {
            let why = "it is damaged: its checksum is wrong";
            return Err(StorageError::damaged(doing(), why));
        };
        let (system, state) = head.split_at(16);
        let word =
            |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
        // In the byte order of the machine; all that heptad runs on are little-endian.
        Ok(Control {
            system: word(&system[..8]),
            state: u32::try_from(word(state)).unwrap_or(u32::MAX),
        })
    }

    /// The server that runs on it, if one does. A file left by one that died is seen through: a
    /// postmaster's working directory is its data directory.
    pub(super) fn postmaster(&self) -> Result<Option<Postmaster>, StorageError> {
        let doing = || format!("reading postmaster.pid of {}", self.path.display());
        let Some(text) = read(&self.dir, "postmaster.pid").doing(doing)? else {
            return Ok(None);
        };
        let lines: Vec<&str> = text.lines().collect();
        let line = |at: usize| lines.get(at).map_or("", |line| line.trim());
        let Ok(pid) = line(0).parse::<u32>() else { return Ok(None) };
        let us = Meta::of(&self.dir).doing(doing)?;
        match std::fs::metadata(format!("/proc/{pid}/cwd")) {
            Ok(cwd) if cwd.ino() == us.ino => {}
            // Another process has that number now, or none.
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let hidden = !Path::new(&format!("/proc/{pid}")).exists() && is_alive(pid);
                return if hidden { Err(blind(doing(), pid)) } else { Ok(None) };
            }
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                match self.seen_by_owner(pid) {
                    Some(cwd) if cwd == us.ino => {}
                    Some(_) => return Ok(None),
                    None => return Err(blind(doing(), pid)),
                }
            }
            Err(error) => return Err(StorageError::io(doing(), &error)),
        }
        Ok(Some(Postmaster {
            pid,
            port: line(3).parse().unwrap_or(5432),
            socket: Some(PathBuf::from(line(4))).filter(|dir| dir.is_absolute()),
            ready: line(7) == "ready",
        }))
    }

    /// The inode of a process's working directory, 0 where it is somebody else's process: whoever
    /// owns a process may look at it, also where heptad may not.
    fn seen_by_owner(&self, pid: u32) -> Option<u64> {
        let runs_as = std::fs::metadata(format!("/proc/{pid}")).ok()?.uid();
        if runs_as != self.uid {
            return Some(0);
        }
        let us = nix::unistd::geteuid();
        let user = us.is_root().then_some(User { uid: self.uid, gid: self.gid })?;
        let limits = Limits {
            deadline: QUICK,
            grace: GRACE,
            stdout: 64,
            stderr: 64,
            overflow: Overflow::End,
        };
        let cwd = format!("/proc/{pid}/cwd");
        let args = ["--dereference", "--format=%i", &cwd].map(Into::into).into();
        let spawn = Spawn { args, user: Some(user), ..Spawn::new(Path::new(STAT), limits) };
        let looked = spawn.run().ok().filter(|looked| looked.status.success())?;
        looked.stdout.text().trim().parse().ok()
    }

    /// By rising oid, as text.
    pub(super) fn tablespaces(&self) -> Result<Vec<Tablespace>, StorageError> {
        let doing = || format!("reading {TABLESPACES} of {}", self.path.display());
        let dir = below(&self.dir, TABLESPACES.as_bytes()).and_then(|(dir, _)| open_dir(dir));
        let mut found = Vec::new();
        for name in dir.and_then(names).doing(doing)? {
            let oid = name.to_string_lossy().into_owned();
            // One that is a directory is copied with the data directory.
            if oid.bytes().all(|byte| byte.is_ascii_digit())
                && let Some((location, place)) = self.leads(&format!("{TABLESPACES}/{oid}"))?
            {
                found.push(Tablespace { oid, location, place });
            }
        }
        Ok(found)
    }

    /// That every part which links lead to is there: a server starts, and a copy can be made, also
    /// without a tablespace.
    ///
    /// # Errors
    /// [`Fault::Absent`] with the one that is not.
    pub(super) fn expect_whole(&self) -> Result<(), StorageError> {
        self.expect_at_home()?;
        for space in self.tablespaces()? {
            let place = space.location.display();
            let lacks = |why: &str| {
                let doing = format!("opening tablespace {} of {}", space.oid, self.path.display());
                let why = format!(
                    "{place} {why}: is its disk mounted? If it is lost, make a new cluster of a \
                     snapshot that has it (heptactl create), or drop what was in it"
                );
                StorageError::new(Fault::Absent, doing, why)
            };
            let link = format!("{TABLESPACES}/{}", space.oid);
            let dir = match self.open_part(&link) {
                Err(error) if error.fault == Fault::Absent => return Err(lacks("is not there")),
                dir => dir?,
            };
            let ours = self.version_dir();
            let is_ours = |name: &CString| name.to_bytes().starts_with(ours.as_bytes());
            let names = names(&dir).doing(|| format!("reading {place}"))?;
            if !names.iter().any(is_ours) {
                // The server makes it with the tablespace.
                return Err(lacks(&format!("has nothing of PostgreSQL {} in it", self.major)));
            }
        }
        self.wal().map(drop)
    }

    /// That nothing else of its content lies elsewhere by way of a link, where no copy would have
    /// it: PostgreSQL knows of no links but those to tablespaces and the log.
    fn expect_at_home(&self) -> Result<(), StorageError> {
        let doing = || format!("looking at {}", self.path.display());
        let base = below(&self.dir, b"base").and_then(|(base, _)| open_dir(base));
        let databases = base.and_then(names).unwrap_or_default();
        let databases = databases.iter().map(|name| [b"base/", name.to_bytes()].concat());
        let all = CONTENT.iter().map(|name| name.as_bytes().to_vec()).chain(databases);
        for name in all {
            let text = String::from_utf8_lossy(&name).into_owned();
            if let Some((said, _)) = self.leads(&text)? {
                let why = format!(
                    "{text} is a link to {}, whose content no snapshot would have: stop the server \
                     and move it back, or move its tables to a tablespace",
                    said.display()
                );
                return Err(StorageError::new(Fault::Permanent, doing(), why));
            }
        }
        Ok(())
    }

    /// How the directory begins that this version has in each tablespace.
    pub(super) fn version_dir(&self) -> String {
        format!("PG_{}_", self.major)
    }

    /// A directory that belongs to the cluster, though it may lie elsewhere: the owner's. What
    /// the owner links to is not enough: with heptad's rights they could have anything copied.
    pub(super) fn open_own(&self, path: &Path) -> Result<OwnedFd, StorageError> {
        let doing = || format!("opening {}, a part of {}", path.display(), self.path.display());
        let real = std::fs::canonicalize(path).doing(doing)?;
        let reference = open_nosymlink(&real)?;
        let meta = Meta::of(&reference).doing(doing)?;
        if meta.uid != self.uid {
            let why = "it is not the data directory's owner's; give it to them";
            return Err(StorageError::new(Fault::Permanent, doing(), why));
        }
        open_dir(&reference).doing(doing)
    }

    /// The directory of the write-ahead log, also where `pg_wal` is a link to it.
    pub(super) fn wal(&self) -> Result<OwnedFd, StorageError> {
        self.open_part(WAL)
    }

    /// What a name in the data directory leads to.
    fn open_part(&self, name: &str) -> Result<OwnedFd, StorageError> {
        self.open_own(&subvolume::path_of(&self.dir).join(name))
    }
}

/// To take a server that runs for one that does not would make a snapshot that is none.
fn blind(doing: String, pid: u32) -> StorageError {
    let way_out = DropIn::Databases.way_out("CAP_SYS_PTRACE");
    let why = format!("process {pid} may be its server, and heptad may not look at it: {way_out}");
    StorageError::new(Fault::Permanent, doing, why)
}

/// A small file below a directory, never through a link; `None` where it is not.
pub(super) fn read(dir: impl AsFd, name: &str) -> std::io::Result<Option<String>> {
    let bytes = read_bytes(dir, name)?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// The same with what is no text.
pub(super) fn read_bytes(dir: impl AsFd, name: &str) -> std::io::Result<Option<Vec<u8>>> {
    let file = match below(dir, name.as_bytes()) {
        Ok((file, meta)) if meta.kind == Kind::File => File::from(open_file(file)?),
        Ok(_) | Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut bytes = Vec::new();
    file.take(SMALL).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// The directory of the links to the tablespaces.
pub(super) const TABLESPACES: &str = "pg_tblspc";

/// The write-ahead log, which is copied by itself.
pub(super) const WAL: &str = "pg_wal";

/// The end of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Below the data directory, by the path from there.
    Inside(String),
    /// Elsewhere, by its real path.
    Outside(PathBuf),
}

impl Place {
    /// Its path, for a data directory that lies there.
    pub(super) fn path(&self, data: &Path) -> PathBuf {
        match self {
            Place::Inside(inside) => data.join(inside),
            Place::Outside(path) => path.clone(),
        }
    }

    pub(super) fn inside(&self) -> Option<&str> {
        match self {
            Place::Inside(inside) => Some(inside),
            Place::Outside(_) => None,
        }
    }
}
