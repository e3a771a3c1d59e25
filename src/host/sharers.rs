//! Who has one file open, whatever name each has it by; and by what other names it is mounted. The
//! file itself is asked for, so that further names of it and mounts of it alone are seen through.
//! It is read from `/proc`, see proc(5).
//!
//! Not seen: a further name that nobody has open and that is not mounted, and an overlay's own view
//! of a file that lies in one of its layers.

use super::holders::{self, Holder, Place};
use super::mounts::{Mount, Mounts};
use super::privileges::{Right, missing};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, StatxFlags};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The end of the name that the kernel shows for what has lost it.
const DELETED: &[u8] = b" (deleted)";

const TOO_LONG: i32 = Errno::NAMETOOLONG.raw_os_error();

/// One file of those on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId {
    dev: (u32, u32),
    ino: u64,
}

impl FileId {
    /// Of what a path leads to.
    pub fn at(path: &Path) -> io::Result<Self> {
        let flags = AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT;
        let stat = rustix::fs::statx(CWD, path, flags, StatxFlags::INO)?;
        Ok(Self { dev: (stat.stx_dev_major, stat.stx_dev_minor), ino: stat.stx_ino })
    }
}

/// A name of the file, as a process sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    pub path: PathBuf,
    /// In the same directory, under the same name, that we know it by.
    pub is_ours: bool,
    /// What the path begins at, seen from here.
    root: PathBuf,
}

/// A process that has the file open, or what goes with it.
#[derive(Debug)]
pub struct Sharer {
    pub holder: Holder,
    /// Of the file; none where it has only the other open.
    pub names: Vec<Name>,
    /// All that it has open.
    pub open: Vec<Open>,
}

/// Something that a process has open.
#[derive(Debug)]
pub struct Open {
    /// By the name that it had last.
    pub path: PathBuf,
    fd: PathBuf,
}

#[derive(Debug, Default)]
pub struct Sharers {
    pub found: Vec<Sharer>,
    /// Other names by which it is mounted somewhere.
    pub mounted: Vec<Name>,
    /// Others may have it open whom this process may not look into.
    pub blind: bool,
}

/// Every process but this one that has the file at `path` open, or the one that goes `with` it.
///
/// # Errors
/// [`ErrorKind::NotFound`] when it is not there.
pub fn sharers(path: &Path, with: Option<FileId>) -> io::Result<Sharers> {
    let mut search = Search::new(path, with)?;
    let mut all = Sharers { blind: !missing(&[Right::Ptrace]).is_empty(), ..Sharers::default() };
    for pid in holders::processes()?.into_iter().filter(|pid| *pid != std::process::id()) {
        let proc = PathBuf::from(format!("/proc/{pid}"));
        match holders::look(|| search.look_into(pid, &proc)) {
            Ok(found) => all.found.extend(found.flatten()),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                all.blind |= pid != holders::INIT;
            }
            Err(error) => return Err(error),
        }
    }
    let seen = search.views.into_values().flat_map(|view| view.others);
    all.mounted = seen.filter(|name| name.id().is_ok_and(|id| id == search.id)).collect();
    Ok(all)
}

impl Name {
    fn id(&self) -> io::Result<FileId> {
        let file = self.open(&self.path)?;
        FileId::at(Path::new(&format!("/proc/self/fd/{}", file.as_raw_fd())))
    }

    /// As this process sees it.
    pub fn here(path: PathBuf) -> Self {
        Self { path, is_ours: false, root: "/".into() }
    }

    /// Whether this process can go there, too, when whoever has it by this name has ended.
    pub fn is_here(&self) -> bool {
        self.root == Path::new("/")
    }

    /// The first byte of the file whose name is this one and ends like that; none where there is no
    /// such file, or nothing in it.
    ///
    /// # Errors
    /// Where that cannot be told.
    pub fn first_byte(&self, end: &str) -> io::Result<Option<u8>> {
        let mut path = self.path.clone().into_os_string();
        path.push(end);
        let file = match self.open(Path::new(&path)) {
            Err(Errno::NOENT) => return Ok(None),
            file => file?,
        };
        let kind = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode);
        if !kind.is_file() {
            return Err(io::Error::other("it is not a file"));
        }
        let mut byte = [0];
        let read = File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))?.read(&mut byte)?;
        Ok((read > 0).then_some(byte[0]))
    }

    /// A reference; links of a container lead nowhere out of it.
    fn open(&self, path: &Path) -> rustix::io::Result<OwnedFd> {
        let (how, mode) = (OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
        let root = rustix::fs::open(&self.root, how | OFlags::DIRECTORY, mode)?;
        let within = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        rustix::fs::openat2(root, path, how | OFlags::NOFOLLOW, mode, within)
    }
}

impl Open {
    pub fn id(&self) -> io::Result<FileId> {
        FileId::at(&self.fd)
    }
}

struct Search {
    id: FileId,
    with: Option<FileId>,
    /// Where the file lies, and where its directory does: another place where it is a mount.
    place: Option<Place>,
    dir: Option<Place>,
    name: PathBuf,
    here: PathBuf,
    views: BTreeMap<PathBuf, View>,
}

/// What a namespace of mounts shows of the file.
#[derive(Default)]
struct View {
    ours: Vec<PathBuf>,
    others: Vec<Name>,
}

impl Search {
    fn new(path: &Path, with: Option<FileId>) -> io::Result<Self> {
        let path = std::fs::canonicalize(path)?;
        let table = Mounts::read().map_err(io::Error::other)?;
        let here = std::fs::read_link("/proc/self/ns/mnt")?;
        let mut search = Self {
            id: FileId::at(&path)?,
            with,
            place: holders::place(&table, &path),
            dir: path.parent().and_then(|dir| holders::place(&table, dir)),
            name: path.file_name().unwrap_or_default().into(),
            here: here.clone(),
            views: BTreeMap::new(),
        };
        let view = search.view(&table, Path::new("/"));
        search.views.insert(here, view);
        Ok(search)
    }

    fn view(&self, table: &Mounts, root: &Path) -> View {
        let shown = |(device, place): &Place| -> Vec<PathBuf> {
            let rest = |mount: &Mount| place.strip_prefix(&mount.root).ok().map(Path::to_owned);
            let point = |mount: &Mount| Some(holders::joined(&mount.point, &rest(mount)?));
            table.on(device).filter_map(point).collect()
        };
        let dirs = self.dir.as_ref().map(shown).unwrap_or_default();
        let ours: Vec<PathBuf> = dirs.iter().map(|dir| dir.join(&self.name)).collect();
        let all = self.place.as_ref().map(shown).unwrap_or_default().into_iter();
        let others = all.filter(|path| !ours.contains(path));
        let name = |path| Name { path, is_ours: false, root: root.to_owned() };
        View { others: others.map(name).collect(), ours }
    }

    fn look_into(&mut self, pid: u32, proc: &Path) -> io::Result<Option<Sharer>> {
        let namespace = std::fs::read_link(proc.join("ns/mnt"))?;
        let root = match namespace == self.here {
            true => PathBuf::from("/"),
            false => proc.join("root"),
        };
        if !self.views.contains_key(&namespace) {
            let view = self.view(&holders::mounts_of(proc)?, &root);
            self.views.insert(namespace.clone(), view);
        }
        let ours = self.views.get(&namespace).map_or(&[][..], |view| &view.ours);
        let (mut open, mut names, mut first) = (Vec::new(), Vec::new(), None);
        for entry in std::fs::read_dir(proc.join("fd"))? {
            let fd = entry?.path();
            let link = match std::fs::read_link(&fd) {
                // Of so long a name no database was ever opened: SQLite's end at 512 bytes.
                Err(error) if error.raw_os_error() == Some(TOO_LONG) => continue,
                link => holders::gone(link)?,
            };
            let Some(link) = link.filter(|link| link.has_root()) else { continue };
            let path = undeleted(&link);
            let id = self.sought(proc, &fd)?;
            if id == Some(self.id) {
                let is_ours = link == path && ours.contains(&path);
                names.push(Name { path: path.clone(), is_ours, root: root.clone() });
            }
            first = first.or_else(|| id.map(|_| path.clone()));
            open.push(Open { path, fd });
        }
        let Some(first) = names.first().map(|name| name.path.clone()).or(first) else {
            return Ok(None);
        };
        Ok(Some(Sharer { holder: holders::holder(pid, proc, first), names, open }))
    }

    /// What a descriptor leads to, if it is what is looked for. The file's own system is asked only
    /// where the number is the same: others may hang.
    fn sought(&self, proc: &Path, fd: &Path) -> io::Result<Option<FileId>> {
        let info = proc.join("fdinfo").join(fd.file_name().unwrap_or_default());
        let Some(info) = holders::gone(std::fs::read_to_string(info))? else { return Ok(None) };
        let number = info.lines().find_map(|line| line.strip_prefix("ino:"));
        let is_sought = |ino: u64| ino == self.id.ino || self.with.is_some_and(|w| w.ino == ino);
        // Kernels before 5.14 do not tell.
        if number.is_some_and(|number| !number.trim().parse().is_ok_and(is_sought)) {
            return Ok(None);
        }
        let found = holders::gone(FileId::at(fd))?;
        Ok(found.filter(|found| *found == self.id || self.with == Some(*found)))
    }
}

fn undeleted(link: &Path) -> PathBuf {
    let bytes = link.as_os_str().as_bytes();
    PathBuf::from(OsStr::from_bytes(bytes.strip_suffix(DELETED).unwrap_or(bytes)))
}
