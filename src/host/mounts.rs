//! The kernel's table of mounts, read from `/proc`: asking it never touches a file system, so it
//! answers even where one hangs.

use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Of the thread that asks: one may have left the others' namespace.
const TABLE: &str = "/proc/thread-self/mountinfo";

#[derive(Debug, thiserror::Error)]
pub enum MountsError {
    #[error("cannot read the table of mounts: {0}; is /proc mounted?")]
    Unreadable(#[source] std::io::Error),
    #[error("line {0} of the table of mounts is not as proc(5) describes it")]
    Malformed(usize),
}

/// One line of the table; see proc_pid_mountinfo(5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    id: u64,
    parent: u64,
    /// `MAJOR:MINOR` of the file system: the same for all its mounts, another after each boot.
    pub device: String,
    /// The directory of the file system that is mounted; for btrfs from the top of it.
    pub root: PathBuf,
    pub point: PathBuf,
    /// `btrfs`, `ext4`, …
    pub fs_type: String,
    /// What was mounted: a device, for most.
    pub source: PathBuf,
    /// Of this mount alone, separated by commas.
    pub options: String,
    /// Of the file system.
    pub super_options: String,
}

impl Mount {
    /// Whether nothing can be written here: this mount or the whole file system is read-only.
    pub fn is_read_only(&self) -> bool {
        says_read_only(&self.options) || self.is_fs_read_only()
    }

    /// Whether the file system itself is read-only, through whatever mount.
    pub fn is_fs_read_only(&self) -> bool {
        says_read_only(&self.super_options)
    }
}

/// What tells one mount's content from that of any other until the next boot, whoever mounted it
/// wherever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shows {
    device: String,
    root: PathBuf,
    /// A file system that lives in memory gives its device number to another when it ends.
    source: PathBuf,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mounts(Vec<Mount>);

impl Mounts {
    /// The table as it is now.
    pub fn read() -> Result<Self, MountsError> {
        Self::read_of(Path::new(TABLE))
    }

    /// That of another process, `/proc/PID/mountinfo`: of its namespace.
    pub fn read_of(table: &Path) -> Result<Self, MountsError> {
        Self::parse(&std::fs::read(table).map_err(MountsError::Unreadable)?)
    }

    /// # Errors
    /// [`MountsError::Malformed`]: a line that is not understood is never skipped, or a path could
    /// be taken for one of the file system below.
    pub fn parse(text: &[u8]) -> Result<Self, MountsError> {
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let mount = |(at, line)| parse_line(line).ok_or(MountsError::Malformed(at + 1));
        lines.enumerate().map(mount).collect::<Result<_, _>>().map(Self)
    }

    pub fn all(&self) -> impl Iterator<Item = &Mount> {
        self.0.iter()
    }

    /// All mounts of one file system.
    pub fn on(&self, device: &str) -> impl Iterator<Item = &Mount> {
        self.0.iter().filter(move |mount| mount.device == device)
    }

    /// The mount with this id, as statx(2) tells it.
    pub fn with_id(&self, id: u64) -> Option<&Mount> {
        self.0.iter().find(|mount| mount.id == id)
    }

    /// What the mount with this id shows.
    pub fn shown_by(&self, id: u64) -> Option<Shows> {
        let mount = self.with_id(id)?;
        let (device, root) = (mount.device.clone(), mount.root.clone());
        Some(Shows { device, root, source: mount.source.clone() })
    }

    /// Where this is mounted, in the order of mounting.
    pub fn points_of<'a>(&'a self, shows: &'a Shows) -> impl Iterator<Item = &'a Path> {
        let same = |mount: &&Mount| {
            (&mount.device, &mount.root, &mount.source)
                == (&shows.device, &shows.root, &shows.source)
        };
        self.0.iter().filter(same).map(|mount| mount.point.as_path())
    }

    /// All that are mounted somewhere below a directory, not at it.
    pub fn below<'a>(&'a self, dir: &'a Path) -> impl Iterator<Item = &'a Mount> {
        self.0.iter().filter(move |mount| mount.point != dir && mount.point.starts_with(dir))
    }

    /// The mount that an absolute path without symbolic links lies on. It walks from the root mount
    /// to what is mounted on it, so that a mount hidden by a later one above it is not taken.
    pub fn of(&self, path: &Path) -> Option<&Mount> {
        let is_root = |mount: &&Mount| {
            mount.point == Path::new("/")
                && !self.0.iter().any(|m| m.id == mount.parent && m != *mount)
        };
        let mut current = self.0.iter().find(is_root)?;
        // Each step goes to another line; more steps than lines would be a circle.
        for _ in &self.0 {
            let above = |mount: &&Mount| {
                mount.parent == current.id
                    && mount.id != current.id
                    && path.starts_with(&mount.point)
            };
            let first = |mount: &&Mount| mount.point.components().count();
            match self.0.iter().filter(above).min_by_key(first) {
                Some(next) => current = next,
                None => break,
            }
        }
        Some(current)
    }
}

fn says_read_only(options: &str) -> bool {
    options.split(',').any(|option| option == "ro")
}

fn parse_line(line: &[u8]) -> Option<Mount> {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let dash = fields.iter().position(|field| *field == b"-")?;
    let (before, after) = (fields.get(..dash)?, fields.get(dash + 1..)?);
    let text = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
    let number = |field: &[u8]| text(field).parse::<u64>().ok();
    Some(Mount {
        id: number(before.first()?)?,
        parent: number(before.get(1)?)?,
        device: text(before.get(2)?),
        root: unescape(before.get(3)?),
        point: unescape(before.get(4)?),
        options: text(before.get(5)?),
        fs_type: text(after.first()?),
        source: unescape(after.get(1)?),
        super_options: text(after.get(2)?),
    })
}

/// The kernel writes space, tab, newline, backslash and `#` as a backslash and three octal digits.
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        match tail {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] if *first == b'\\' => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
22 1 0:20 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:40 /@home /home rw - btrfs /dev/vdb rw,subvolid=256,subvol=/@home
31 30 0:41 / /home/ann/my\\040disk ro - xfs /dev/vdc rw
40 22 0:42 / /srv rw - ext4 /dev/vdd rw
41 40 0:43 / /srv/web rw - btrfs /dev/vde ro
42 40 0:44 / /srv rw shared:7 master:3 - tmpfs none rw
43 30 0:45 / /home/ann rw - tmpfs none rw
";

    #[test]
    fn a_path_belongs_to_the_mount_that_is_seen_there() {
        let mounts = Mounts::parse(TABLE.as_bytes()).unwrap();
        let check = |path: &str, device: &str| {
            let found = mounts.of(Path::new(path)).map(|mount| mount.device.as_str());
            assert_eq!(found, Some(device), "{path}");
        };
        check("/", "0:20");
        check("/home", "0:40");
        check("/home/bob", "0:40");
        check("/homes", "0:20");
        // Mounted over later, so it hides the disk that lies deeper.
        check("/home/ann/my disk", "0:45");
        check("/home/ann/my other", "0:45");
        // A tmpfs over /srv hides /srv/web.
        check("/srv/web", "0:44");
    }

    #[test]
    fn what_is_mounted_below_a_path_is_found() {
        let mounts = Mounts::parse(TABLE.as_bytes()).unwrap();
        let check = |path: &str, want: &[&str]| {
            let below = mounts.below(Path::new(path));
            assert_eq!(
                below.map(|mount| mount.device.as_str()).collect::<Vec<_>>(),
                want,
                "{path}"
            );
        };
        check("/srv", &["0:43"]);
        check("/home", &["0:41", "0:45"]);
        check("/home/an", &[]);
    }

    #[test]
    fn what_a_mount_shows_is_found_wherever_it_is_mounted() {
        let more = "50 22 0:40 /@home /mnt/old ro - btrfs /dev/vdb rw,subvol=/@home\n";
        let mounts = Mounts::parse(format!("{TABLE}{more}").as_bytes()).unwrap();
        let shows = mounts.shown_by(30).unwrap();
        let points: Vec<_> = mounts.points_of(&shows).collect();
        assert_eq!(points, [Path::new("/home"), Path::new("/mnt/old")]);
        assert_eq!(mounts.shown_by(99), None);
    }

    #[test]
    fn names_come_back_as_they_were_before_escaping() {
        let check =
            |field: &str, want: &str| assert_eq!(unescape(field.as_bytes()), Path::new(want));
        check("/my\\040disk", "/my disk");
        check("/tail\\", "/tail\\");
        check("/\\134040", "/\\040");
        check("/\\09", "/\\09");
        check("/\\777", "/\\777");
    }

    #[test]
    fn read_only_is_told_of_the_mount_and_of_the_file_system() {
        let mounts = Mounts::parse(TABLE.as_bytes()).unwrap();
        let check = |at: usize, want| assert_eq!(mounts.0[at].is_read_only(), want, "line {at}");
        check(1, false);
        check(2, true);
        check(4, true);
    }

    #[test]
    fn a_line_that_is_not_understood_is_an_error() {
        for line in [
            "x",
            "22 1 0:20 / / rw",
            "22 1 0:20 / / rw -",
            "a b 0:1 / / rw - x y z",
            "22 1 0:20 / / rw - ext4 /dev/vda",
        ] {
            assert!(Mounts::parse(line.as_bytes()).is_err(), "{line:?}");
        }
    }

    #[test]
    fn this_machine_has_a_root_mount() {
        assert!(Mounts::read().unwrap().of(Path::new("/")).is_some());
    }
}
