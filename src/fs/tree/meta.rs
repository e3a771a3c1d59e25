//! What the kernel tells of one file, in plain types.

use rustix::fs::{AtFlags, FileType, Statx, StatxAttributes, StatxFlags, StatxTimestamp};
use std::ffi::CStr;
use std::fmt;
use std::os::fd::AsFd;
use std::str::FromStr;

/// A file's time stamp: seconds since 1970, nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    pub secs: i64,
    pub nanos: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Dir,
    File,
    Link,
    Fifo,
    Socket,
    Block,
    Char,
}

impl Kind {
    pub fn is_device(self) -> bool {
        matches!(self, Kind::Block | Kind::Char)
    }

    pub const ALL: [Kind; 7] =
        [Kind::Dir, Kind::File, Kind::Link, Kind::Fifo, Kind::Socket, Kind::Block, Kind::Char];

    /// A letter as `ls` and `find` print it.
    pub fn letter(self) -> char {
        match self {
            Kind::Dir => 'd',
            Kind::File => 'f',
            Kind::Link => 'l',
            Kind::Fifo => 'p',
            Kind::Socket => 's',
            Kind::Block => 'b',
            Kind::Char => 'c',
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Kind::Dir => "a directory",
            Kind::File => "a file",
            Kind::Link => "a symbolic link",
            Kind::Fifo => "a named pipe",
            Kind::Socket => "a socket",
            Kind::Block | Kind::Char => "a device node",
        }
    }
}

/// One file as it was at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    pub kind: Kind,
    /// Permission bits only, with set-user-id, set-group-id and sticky.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub size: u64,
    /// Of 512 bytes.
    pub blocks: u64,
    pub ino: u64,
    pub dev: (u32, u32),
    /// The mount's id; 0 where the kernel does not tell.
    pub mount: u64,
    pub nlink: u32,
    pub rdev: (u32, u32),
    pub atime: Time,
    pub mtime: Time,
    pub ctime: Time,
    /// When it came into being, where the file system remembers.
    pub btime: Option<Time>,
    /// Not to be changed or removed by anybody, see chattr(1): immutable, or only appended to.
    pub fixed: bool,
}

const FIXED: StatxAttributes = StatxAttributes::IMMUTABLE.union(StatxAttributes::APPEND);
const MASK: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME).union(StatxFlags::MNT_ID);

impl Meta {
    /// Of an open descriptor, also of one opened with `O_PATH`.
    pub fn of(fd: impl AsFd) -> rustix::io::Result<Self> {
        Self::from_statx(&rustix::fs::statx(fd, c"", AtFlags::EMPTY_PATH, MASK)?)
    }

    /// Of a name in a directory; a symbolic link is not followed.
    pub fn at(dir: impl AsFd, name: &CStr) -> rustix::io::Result<Self> {
        Self::from_statx(&rustix::fs::statx(dir, name, AtFlags::SYMLINK_NOFOLLOW, MASK)?)
    }

    fn from_statx(stat: &Statx) -> rustix::io::Result<Self> {
        let told = StatxFlags::from_bits_retain(stat.stx_mask);
        Ok(Self {
            kind: kind(FileType::from_raw_mode(stat.stx_mode.into()))?,
            mode: u32::from(stat.stx_mode) & 0o7777,
            uid: stat.stx_uid,
            gid: stat.stx_gid,
            size: stat.stx_size,
            blocks: stat.stx_blocks,
            ino: stat.stx_ino,
            dev: (stat.stx_dev_major, stat.stx_dev_minor),
            mount: if told.contains(StatxFlags::MNT_ID) { stat.stx_mnt_id } else { 0 },
            nlink: stat.stx_nlink,
            rdev: (stat.stx_rdev_major, stat.stx_rdev_minor),
            atime: stat.stx_atime.into(),
            mtime: stat.stx_mtime.into(),
            ctime: stat.stx_ctime.into(),
            btime: told.contains(StatxFlags::BTIME).then(|| stat.stx_btime.into()),
            fixed: stat.stx_attributes.intersects(FIXED),
        })
    }

    /// Whether nothing was written to it, nor its mode, owner or attributes changed, between two
    /// looks: each of them moves the change time.
    pub fn unchanged_since(&self, before: &Meta) -> bool {
        let stamps = |meta: &Meta| (meta.size, meta.mtime, meta.ctime);
        stamps(self) == stamps(before)
    }

    pub fn same_inode(&self, other: &Meta) -> bool {
        (self.dev, self.ino) == (other.dev, other.ino)
    }

    /// Whether it lies on the same mount as the directory `other`. A btrfs subvolume counts as a
    /// mount of its own. The device tells nothing of what is no directory: overlayfs shows that of
    /// the layer that a file comes from (Documentation/filesystems/overlayfs.rst, "Inode
    /// properties").
    pub fn same_mount(&self, other: &Meta) -> bool {
        let sure = self.mount != 0 && self.kind != Kind::Dir;
        self.mount == other.mount && (sure || self.dev == other.dev)
    }
}

fn kind(file_type: FileType) -> rustix::io::Result<Kind> {
    Ok(match file_type {
        FileType::Directory => Kind::Dir,
        FileType::RegularFile => Kind::File,
        FileType::Symlink => Kind::Link,
        FileType::Fifo => Kind::Fifo,
        FileType::Socket => Kind::Socket,
        FileType::BlockDevice => Kind::Block,
        FileType::CharacterDevice => Kind::Char,
        FileType::Unknown => return Err(rustix::io::Errno::INVAL),
    })
}

impl From<StatxTimestamp> for Time {
    fn from(stamp: StatxTimestamp) -> Self {
        Self { secs: stamp.tv_sec, nanos: stamp.tv_nsec }
    }
}

impl From<Time> for rustix::fs::Timespec {
    fn from(time: Time) -> Self {
        Self { tv_sec: time.secs, tv_nsec: time.nanos.into() }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.secs, self.nanos)
    }
}

impl FromStr for Time {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (secs, nanos) = text.split_once('.').unwrap_or((text, "0"));
        Ok(Self { secs: secs.parse()?, nanos: nanos.parse()? })
    }
}
