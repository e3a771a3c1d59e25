//! Files inside a snapshot, as they are shown and compared: names are bytes, never text.

use std::fmt;

/// Longest path in bytes: the kernel's `PATH_MAX` without its end mark.
pub const LONGEST: usize = 4_095;

/// A path from the top of a snapshot's content: plain names with `/` between them. Empty: the top.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreePath(Vec<u8>);

/// Why bytes are not such a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("begins with /: write it from the top of the snapshot")]
    Absolute,
    #[error("has a part \"..\" or \".\": write where it leads to")]
    Detour,
    #[error("has two / in a row")]
    Empty,
    #[error("contains a zero byte, which no name does")]
    Zero,
    #[error("has {0} bytes; at most {LONGEST} can be asked for")]
    Long(usize),
}

impl TreePath {
    /// Checks a path. `.` alone means the top, and one `/` at the end is left out.
    pub fn new(bytes: &[u8]) -> Result<Self, PathError> {
        if bytes.starts_with(b"/") {
            return Err(PathError::Absolute);
        }
        let bytes = bytes.strip_suffix(b"/").unwrap_or(bytes);
        if bytes.is_empty() || bytes == b"." {
            return Ok(Self::default());
        }
        if bytes.len() > LONGEST {
            return Err(PathError::Long(bytes.len()));
        }
        if bytes.contains(&0) {
            return Err(PathError::Zero);
        }
        for part in bytes.split(|byte| *byte == b'/') {
            match part {
                b"" => return Err(PathError::Empty),
                b"." | b".." => return Err(PathError::Detour),
                _ => {}
            }
        }
        Ok(Self(bytes.into()))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn is_top(&self) -> bool {
        self.0.is_empty()
    }

    /// The last name; empty for the top.
    pub fn name(&self) -> &[u8] {
        self.0.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
    }

    /// The names from the top on.
    pub fn names(&self) -> Vec<&[u8]> {
        if self.is_top() { Vec::new() } else { self.0.split(|byte| *byte == b'/').collect() }
    }

    /// What is below this one under `name`, which has no `/` in it.
    #[must_use]
    pub fn join(&self, name: &[u8]) -> Self {
        let mut path = self.0.clone();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        Self(path)
    }

    /// The rest of this path below `top`, if it is `top` or below it.
    pub fn below(&self, top: &Self) -> Option<Self> {
        let rest = self.0.strip_prefix(top.as_bytes())?;
        match rest {
            _ if top.is_top() => Some(Self(rest.into())),
            [] => Some(Self::default()),
            [b'/', rest @ ..] => Some(Self(rest.into())),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Directory,
    File,
    Link,
    Fifo,
    Socket,
    Block,
    Char,
}

impl Kind {
    /// With its article, for sentences.
    pub fn words(self) -> &'static str {
        match self {
            Kind::Directory => "a directory",
            Kind::File => "a file",
            Kind::Link => "a symbolic link",
            Kind::Fifo => "a named pipe",
            Kind::Socket => "a socket",
            Kind::Block | Kind::Char => "a device node",
        }
    }
}

/// A file's time stamp: seconds since 1970, which may lie beyond any calendar, and nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    pub secs: i64,
    pub nanos: u32,
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.secs, self.nanos)
    }
}

/// What is under one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Empty for the top.
    pub name: Vec<u8>,
    pub kind: Kind,
    /// Logical bytes.
    pub size: u64,
    pub mtime: Stamp,
    /// Permission bits with set-user-id, set-group-id and sticky.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Where a symbolic link says it leads; it is never followed.
    pub target: Option<Vec<u8>>,
}

/// One page of a directory in byte order of the names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// What was asked for itself.
    pub top: Entry,
    pub entries: Vec<Entry>,
    /// There are more after the last one.
    pub more: bool,
}

/// In what two entries of one path differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aspect {
    Kind,
    Size,
    Mtime,
    Mode,
    Owner,
    /// The bytes differ though the sizes do not.
    Content,
    /// The bytes may differ: there are too many of them to be compared in one answer.
    ContentNotCompared,
    /// Of a symbolic link.
    Target,
    /// Of a device node.
    Device,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// With all that is in it.
    Added,
    /// With all that was in it.
    Removed,
    Changed(Vec<Aspect>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// From the top of both snapshots.
    pub path: TreePath,
    /// In the newer one, unless it is gone there.
    pub kind: Kind,
    pub change: Change,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// In byte order of the names, a directory before what is in it.
    pub found: Vec<Difference>,
    /// It ended early: all up to this path was compared.
    pub resume: Option<TreePath>,
}

/// Why something in a snapshot is not shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrowseError {
    #[error("there is nothing of this name in it")]
    NotThere,
    #[error("a part of this path is a symbolic link, and links are not followed")]
    ThroughLink,
    #[error("another file system is mounted there")]
    Elsewhere,
    #[error("it is {}, not a file", .0.words())]
    NotAFile(Kind),
    #[error("it is {} and not a directory", .0.words())]
    NotADirectory(Kind),
    #[error("it is being destroyed")]
    Going,
    #[error("no backend serves its resource now")]
    NoBackend,
    #[error("too many readers on this pool; try again later")]
    Crowded,
    /// The backend cannot show its files, ever.
    #[error("{0}")]
    Never(String),
    /// Its content is not what it was.
    #[error("{0}")]
    Changed(String),
    /// It could not be read now.
    #[error("{0}")]
    Unreadable(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_never_leads_out_of_its_snapshot() {
        let check = |bytes: &[u8], want: Result<&[u8], PathError>| {
            let got = TreePath::new(bytes);
            assert_eq!(got.as_ref().map(TreePath::as_bytes), want.as_ref().copied(), "{bytes:?}");
        };
        check(b"", Ok(b""));
        check(b".", Ok(b""));
        check(b"etc/hosts", Ok(b"etc/hosts"));
        check(b"etc/", Ok(b"etc"));
        check(b"caf\xe9/...", Ok(b"caf\xe9/..."));
        check(b"/", Err(PathError::Absolute));
        check(b"/etc/shadow", Err(PathError::Absolute));
        for detour in [&b".."[..], b"../x", b"a/../../x", b"a/..", b"./a", b"a/./b"] {
            check(detour, Err(PathError::Detour));
        }
        check(b"a//b", Err(PathError::Empty));
        check(b"a\0b", Err(PathError::Zero));
        check(&[b'a'; 4_096], Err(PathError::Long(4_096)));
    }

    #[test]
    fn a_path_knows_what_is_below_it() {
        let path = |text: &str| TreePath::new(text.as_bytes()).unwrap();
        let check = |whole: &str, top: &str, want: Option<&str>| {
            assert_eq!(path(whole).below(&path(top)), want.map(path), "{whole} below {top}");
        };
        check("a/b", "", Some("a/b"));
        check("a/b", "a", Some("b"));
        check("a/b", "a/b", Some(""));
        check("ab", "a", None);
        check("a", "a/b", None);
        assert_eq!(path("a/b").name(), b"b");
        assert_eq!(path("").join(b"x").join(b"y"), path("x/y"));
    }
}
