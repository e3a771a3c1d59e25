//! Who holds something below a path: has it open, works in it, runs it, has it in memory. It is
//! read from `/proc`, see proc(5).
//!
//! Places are compared by file system and path within it, so that a bind mount and a container's
//! own view of the same directory are seen through. Not seen: what the kernel itself holds (a loop
//! device's file, swap), another name of the same file, and who comes a moment later.

use super::drop_in::DropIn;
use super::mounts::{Mounts, MountsError};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// It works on no resource's content, and some sandboxes let nobody look into it.
pub(super) const INIT: u32 = 1;
/// Times that a process is looked at which seems not to allow it.
const TRIES: u32 = 3;
/// The capability to look into the processes of others.
const SEEING: &str = "CAP_SYS_PTRACE";
/// More are counted, not named.
const NAMED: usize = 10;
/// Stands for a path that the kernel does not tell.
const UNTOLD: &str = "something in a directory nested too deeply for its path to be told";
/// `BTRFS_SUPER_MAGIC`.
const BTRFS: i64 = 0x9123_683e;

/// Whose processes are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    All,
    /// Those that we may look into without any right: where nobody else can be in question.
    Ours,
}

/// A process that holds something, by the first thing found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub pid: u32,
    /// Its name as `ps` shows it, at most 15 bytes.
    pub program: String,
    /// What it holds, as that process sees it.
    pub path: PathBuf,
    /// The system's unit that it belongs to.
    pub unit: Option<String>,
}

/// Every process but this one that holds `root` or something below it, by rising number.
///
/// # Errors
/// [`ErrorKind::PermissionDenied`] when not every process can be looked into: that is never
/// "nobody". [`ErrorKind::NotFound`] when `root` is not there.
pub fn holders(root: &Path) -> io::Result<Vec<Holder>> {
    holders_among(root, Whom::All)
}

/// The same among those who are looked at.
pub fn holders_among(root: &Path, whom: Whom) -> io::Result<Vec<Holder>> {
    if whom == Whom::All {
        must_see_all()?;
    }
    let table = Mounts::read().map_err(io::Error::other)?;
    let places = places(&table, &std::fs::canonicalize(root)?);
    let mut windows = BTreeMap::new();
    let mut found = Vec::new();
    for pid in processes()? {
        if pid == std::process::id() {
            continue;
        }
        let proc = PathBuf::from(format!("/proc/{pid}"));
        let path = match look(|| held(&proc, &places, &mut windows)) {
            Ok(path) => path.flatten(),
            Err(error)
                if (pid == INIT || whom == Whom::Ours)
                    && error.kind() == ErrorKind::PermissionDenied =>
            {
                None
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return Err(blind(&format!("process {pid} cannot be looked into")));
            }
            Err(error) => return Err(error),
        };
        if let Some(path) = path {
            found.push(holder(pid, &proc, path));
        }
    }
    Ok(found)
}

/// Whether a process has this number, also one that is hidden from us.
pub fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().filter(|pid| *pid > 0).map(nix::unistd::Pid::from_raw);
    pid.is_some_and(|pid| nix::sys::signal::kill(pid, None) != Err(nix::errno::Errno::ESRCH))
}

/// The unit of the system's manager that a process belongs to.
pub fn unit_of(pid: u32) -> Option<String> {
    let cgroup = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    unit(&cgroup).map(str::to_owned)
}

/// One sentence for each unit or process, with what to do.
pub fn describe(holders: &[Holder]) -> Vec<String> {
    let mut units: BTreeMap<&str, Vec<&Holder>> = BTreeMap::new();
    let mut said = Vec::new();
    for holder in holders {
        match &holder.unit {
            Some(unit) => units.entry(unit).or_default().push(holder),
            None => said.push(format!("{holder}; end it")),
        }
    }
    let of_units = units.into_iter().map(|(unit, all)| {
        let more = match all.len() {
            1 => String::new(),
            n => format!(" and {} more of its processes", n - 1),
        };
        format!("{}{more}; try: systemctl stop {unit}", all[0])
    });
    let mut sentences: Vec<String> = of_units.chain(said).collect();
    if sentences.len() > NAMED {
        let more = sentences.len() - NAMED;
        sentences.truncate(NAMED);
        let process = if more == 1 { "process" } else { "processes" };
        sentences.push(format!("{more} more {process}"));
    }
    sentences
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {}) holds {}", self.program, self.pid, self.path.display())
    }
}

/// A place on a file system: its device as the table of mounts has it, and the path from its top.
pub type Place = (String, PathBuf);

/// Where a path lies.
pub fn place(table: &Mounts, root: &Path) -> Option<Place> {
    let mount = table.of(root)?;
    let rest = root.strip_prefix(&mount.point).unwrap_or(Path::new(""));
    Some((mount.device.clone(), joined(&mount.root, rest)))
}

/// Where a path lies, and all that is mounted below it.
fn places(table: &Mounts, root: &Path) -> Vec<Place> {
    let own = place(table, root);
    let below = table.below(root).map(|mount| (mount.device.clone(), mount.root.clone()));
    own.into_iter().chain(below).collect()
}

/// The paths under which a table of mounts shows the places.
pub(super) fn windows(table: &Mounts, places: &[Place]) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for (device, place) in places {
        for mount in table.on(device) {
            match place.strip_prefix(&mount.root) {
                Ok(rest) => all.push(joined(&mount.point, rest)),
                Err(_) if mount.root.starts_with(place) => all.push(mount.point.clone()),
                Err(_) => {}
            }
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// Without the slash at the end that an empty rest would leave.
pub(super) fn joined(path: &Path, rest: &Path) -> PathBuf {
    if rest.as_os_str().is_empty() { path.to_owned() } else { path.join(rest) }
}

/// The first thing in the places that a process holds. `windows` keeps what each namespace of
/// mounts shows.
fn held(
    proc: &Path,
    places: &[Place],
    windows: &mut BTreeMap<OsString, Vec<PathBuf>>,
) -> io::Result<Option<PathBuf>> {
    let namespace = std::fs::read_link(proc.join("ns/mnt"))?.into_os_string();
    if !windows.contains_key(&namespace) {
        windows.insert(namespace.clone(), self::windows(&mounts_of(proc)?, places));
    }
    let shown = windows.get(&namespace).map_or(&[][..], |shown| shown);
    if shown.is_empty() {
        return Ok(None);
    }
    let is_in = |path: &Path| shown.iter().any(|window| path.starts_with(window));
    let inside = |path: &Path| match link(path) {
        Err(error) if error.raw_os_error() == Some(Errno::NAMETOOLONG.raw_os_error()) => {
            Ok(may_be_on(path, places).then(|| PathBuf::from(UNTOLD)))
        }
        found => found.map(|path| path.filter(|path| is_in(path))),
    };
    for entry in std::fs::read_dir(proc.join("fd"))? {
        if let Some(path) = inside(&entry?.path())? {
            return Ok(Some(path));
        }
    }
    for name in ["cwd", "root", "exe"] {
        if let Some(path) = inside(&proc.join(name))? {
            return Ok(Some(path));
        }
    }
    Ok(mapped(&std::fs::read(proc.join("maps"))?).find(|path| is_in(path)))
}

/// Whether what a link in `/proc` leads to may lie on the file system of one of the places: more
/// cannot be known of what is nested so deeply that the kernel does not tell its path.
fn may_be_on(link: &Path, places: &[Place]) -> bool {
    let Ok(meta) = std::fs::metadata(link) else { return false };
    let (major, minor) = (rustix::fs::major(meta.dev()), rustix::fs::minor(meta.dev()));
    let device = format!("{major}:{minor}");
    // A btrfs shows other devices than the table of mounts.
    let is_btrfs = rustix::fs::statfs(link).is_ok_and(|fs| fs.f_type == BTRFS);
    is_btrfs || places.iter().any(|(there, _)| *there == device)
}

/// The mounts that a process sees.
pub(super) fn mounts_of(proc: &Path) -> io::Result<Mounts> {
    Mounts::read_of(&proc.join("mountinfo")).map_err(|error| match error {
        MountsError::Unreadable(error) => error,
        malformed => io::Error::other(malformed),
    })
}

/// The namespace of mounts that a process lives in; none where it ended.
pub(super) fn namespace(pid: u32, proc: &Path, whom: Whom) -> io::Result<Option<PathBuf>> {
    match link(&proc.join("ns/mnt")) {
        Err(error)
            if error.kind() == ErrorKind::PermissionDenied
                && (pid == INIT || whom == Whom::Ours) =>
        {
            Ok(None)
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Err(blind(&format!("process {pid} cannot be looked into")))
        }
        found => found,
    }
}

fn link(path: &Path) -> io::Result<Option<PathBuf>> {
    gone(std::fs::read_link(path))
}

/// What is in memory: the sixth field on, where it is a path.
fn mapped(maps: &[u8]) -> impl Iterator<Item = PathBuf> {
    maps.split(|byte| *byte == b'\n').filter_map(|line| {
        let at = line.iter().position(|byte| *byte == b'/')?;
        Some(PathBuf::from(OsStr::from_bytes(&line[at..])))
    })
}

/// What ended meanwhile holds nothing; a kernel's thread has no program.
pub(super) fn gone<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    let ended = rustix::io::Errno::SRCH.raw_os_error();
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error)
            if error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(ended) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Looks at a process that may end at any moment; none where it has. Between being found and being
/// read it is refused with what means something else: EACCES by its links, EINVAL by its table of
/// mounts (the kernel's proc_pid_readlink, proc_ns_readlink, mounts_open_common). Asked for once
/// more it is gone, and who may not be looked into is refused again.
pub(super) fn look<T>(mut look: impl FnMut() -> io::Result<T>) -> io::Result<Option<T>> {
    for _ in 1..TRIES {
        match gone(look()) {
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::PermissionDenied | ErrorKind::InvalidInput
                ) => {}
            found => return found,
        }
    }
    gone(look())
}

/// All that this process can see, by rising number.
pub(super) fn processes() -> io::Result<Vec<u32>> {
    let mut pids = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        pids.extend(entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    pids.sort_unstable();
    Ok(pids)
}

pub(super) fn holder(pid: u32, proc: &Path, path: PathBuf) -> Holder {
    let program = std::fs::read_to_string(proc.join("comm")).unwrap_or_default();
    let (program, unit) = (program.trim_end().to_owned(), unit_of(pid));
    Holder {
        pid,
        program: if program.is_empty() { "a program".into() } else { program },
        path,
        unit,
    }
}

/// `0::/system.slice/system-postgresql.slice/postgresql@15-main.service` and what lies below it.
fn unit(cgroup: &str) -> Option<&str> {
    let path = cgroup.lines().find_map(|line| line.strip_prefix("0::/system.slice/"))?;
    path.split('/').find(|part| part.ends_with(".service"))
}

/// Without a capability a process of another user is not to be looked into, or even not to be seen
/// at all, where /proc is mounted with hidepid (a unit's ProtectProc=).
///
/// # Errors
/// [`ErrorKind::PermissionDenied`] where this process does not have it.
pub fn must_see_all() -> io::Result<()> {
    if DropIn::Rollback.lacking().is_empty() {
        return Ok(());
    }
    Err(blind("the processes of others cannot be looked into"))
}

fn blind(what: &str) -> io::Error {
    let way_out = match nix::unistd::geteuid().is_root() {
        true => DropIn::Rollback.way_out(SEEING),
        false => {
            "only a heptad that is root can; or assure it that nobody else has to do with it, by \
                  ours_alone = true (backend files)"
                .into()
        }
    };
    let why = format!("{what}, so nobody can tell whether it is in use: {way_out}");
    io::Error::new(ErrorKind::PermissionDenied, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "\
22 1 0:20 / / rw - ext4 /dev/vda rw
30 22 0:40 /@srv /srv rw - btrfs /dev/vdb rw
31 30 0:41 / /srv/db/wal rw - xfs /dev/vdc rw
";

    #[test]
    fn a_place_is_found_under_every_name_that_a_namespace_has_for_it() {
        let here = Mounts::parse(HERE.as_bytes()).unwrap();
        let check = |root: &str, there: &str, want: &[&str]| {
            let there = Mounts::parse(there.as_bytes()).unwrap();
            let found = windows(&there, &places(&here, Path::new(root)));
            assert_eq!(found, want.iter().map(PathBuf::from).collect::<Vec<_>>(), "{root}");
        };
        check("/srv/db", HERE, &["/srv/db", "/srv/db/wal"]);
        check("/home/ann", HERE, &["/home/ann"]);
        // A container has one directory of it, another has the directory above.
        let container =
            "1 0 0:99 / / rw - overlay overlay rw\n2 1 0:40 /@srv/db/base /data rw - btrfs x rw\n";
        check("/srv/db", container, &["/data"]);
        check("/srv/db/base/1", container, &["/data/1"]);
        check("/srv/web", container, &[]);
        check("/srv/db", "1 0 0:40 / / rw - btrfs /dev/vdb rw\n", &["/@srv/db"]);
        // The same path in a container is another place.
        check("/srv/db", "1 0 0:99 / / rw - overlay overlay rw\n", &[]);
    }

    #[test]
    fn who_ends_while_being_looked_at_holds_nothing_and_who_may_not_be_looked_into_is_an_error() {
        use rustix::io::Errno;
        let check = |answers: &[Result<u32, Errno>], want: Result<Option<u32>, ErrorKind>| {
            let mut answers = answers.iter();
            let seen = look(|| answers.next().copied().unwrap().map_err(io::Error::from));
            assert_eq!(seen.map_err(|error| error.kind()), want);
        };
        check(&[Ok(7)], Ok(Some(7)));
        check(&[Err(Errno::NOENT)], Ok(None));
        check(&[Err(Errno::ACCESS), Err(Errno::NOENT)], Ok(None));
        check(&[Err(Errno::INVAL), Err(Errno::SRCH)], Ok(None));
        check(&[Err(Errno::ACCESS), Ok(7)], Ok(Some(7)));
        check(&[Err(Errno::ACCESS); 3], Err(ErrorKind::PermissionDenied));
        check(&[Err(Errno::MFILE)], Err(io::Error::from(Errno::MFILE).kind()));
    }

    #[test]
    fn holders_are_told_by_what_stops_them() {
        let holder = |pid: u32, unit: Option<&str>| Holder {
            pid,
            program: "postgres".into(),
            path: "/srv/db".into(),
            unit: unit.map(str::to_owned),
        };
        let all = [holder(7, None), holder(8, Some("a.service")), holder(9, Some("a.service"))];
        assert_eq!(
            describe(&all),
            [
                "postgres (process 8) holds /srv/db and 1 more of its processes; try: systemctl \
                 stop a.service",
                "postgres (process 7) holds /srv/db; end it",
            ]
        );
        let many: Vec<Holder> = (0..12).map(|pid| holder(pid, None)).collect();
        assert_eq!(describe(&many).last().unwrap(), "2 more processes");
        assert_eq!(describe(&[]), [""; 0]);
    }

    #[test]
    fn a_unit_is_one_that_systemctl_can_stop() {
        let check = |cgroup: &str, want: Option<&str>| assert_eq!(unit(cgroup), want, "{cgroup}");
        check("0::/system.slice/cron.service\n", Some("cron.service"));
        check("0::/system.slice/system-a.slice/a@1.service/sub\n", Some("a@1.service"));
        check("0::/user.slice/user-7.slice/user@7.service/x.service\n", None);
        check("0::/system.slice/docker-1.scope\n", None);
        check("12:cpu:/system.slice/x.service\n", None);
    }

    #[test]
    fn only_files_in_memory_have_a_path() {
        let maps =
            b"1-2 r-xp 0 fe:00 7 /usr/bin/a b\n3-4 rw-p 0 00:00 0 \n5-6 rw 0 00:00 0 [heap]\n";
        assert_eq!(mapped(maps).collect::<Vec<_>>(), [PathBuf::from("/usr/bin/a b")]);
    }
}
