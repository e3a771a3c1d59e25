//! The index beside a snapshot: what was copied, and what the original was at that moment.
//!
//! Text, one line per entry, children before their directory, names in byte order:
//! `KIND MODE UID GID SIZE MTIME INODE WAS-MTIME WAS-CTIME PATH`. The first six describe the copy,
//! the next three the original. Bytes of the path outside of printable ASCII, and `%`, are `%XX`;
//! the root is `.`. The first line names the format and when it was begun; the last one counts, so
//! that a file cut short is noticed.

use crate::domain::operation::Fault;
use crate::fs::tree::{Kind, Meta, Time};
use crate::fs::{Doing, StorageError};
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const FORMAT: &str = "heptad-index 1";

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub kind: Kind,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Of files and symbolic links; 0 for others.
    pub size: u64,
    pub mtime: Time,
    /// The original's stamps.
    pub was: Stamps,
    pub path: Vec<u8>,
}

/// What tells a changed file from an unchanged one. Its mode, owner and attributes need no place
/// here: whatever changes them moves the change time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stamps {
    pub ino: u64,
    pub mtime: Time,
    pub ctime: Time,
}

impl From<&Meta> for Stamps {
    fn from(meta: &Meta) -> Self {
        Self { ino: meta.ino, mtime: meta.mtime, ctime: meta.ctime }
    }
}

impl Line {
    pub(super) fn new(path: &[u8], was: &Meta, is: &Meta) -> Self {
        Self {
            kind: is.kind,
            mode: is.mode,
            uid: is.uid,
            gid: is.gid,
            size: size(is),
            mtime: is.mtime,
            was: was.into(),
            path: path.to_vec(),
        }
    }

    /// What about `is` differs from this line, if anything does.
    pub(super) fn difference(&self, is: &Meta) -> Option<&'static str> {
        if self.kind != is.kind {
            Some("its kind")
        } else if self.size != size(is) {
            Some("its size")
        } else if self.mtime != is.mtime {
            Some("its time of modification")
        } else if self.mode != is.mode {
            Some("its mode")
        } else if (self.uid, self.gid) != (is.uid, is.gid) {
            Some("its owner")
        } else {
            None
        }
    }

    fn text(&self) -> String {
        let Self { kind, mode, uid, gid, size, mtime, was, path } = self;
        let (kind, path) = (kind.letter(), escaped(path));
        let Stamps { ino, mtime: was_mtime, ctime } = was;
        format!("{kind} {mode:o} {uid} {gid} {size} {mtime} {ino} {was_mtime} {ctime} {path}\n")
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut words = text.trim_end_matches('\n').split(' ');
        let letter = words.next()?;
        let kind = Kind::ALL.into_iter().find(|kind| letter == kind.letter().to_string());
        let line = Self {
            kind: kind?,
            mode: u32::from_str_radix(words.next()?, 8).ok()?,
            uid: words.next()?.parse().ok()?,
            gid: words.next()?.parse().ok()?,
            size: words.next()?.parse().ok()?,
            mtime: words.next()?.parse().ok()?,
            was: Stamps {
                ino: words.next()?.parse().ok()?,
                mtime: words.next()?.parse().ok()?,
                ctime: words.next()?.parse().ok()?,
            },
            path: unescaped(words.next()?)?,
        };
        words.next().is_none().then_some(line)
    }
}

fn size(meta: &Meta) -> u64 {
    if matches!(meta.kind, Kind::File | Kind::Link) { meta.size } else { 0 }
}

fn escaped(path: &[u8]) -> String {
    if path.is_empty() {
        return ".".into();
    }
    let mut text = String::with_capacity(path.len());
    for byte in path {
        if byte.is_ascii_graphic() && *byte != b'%' {
            text.push(char::from(*byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

fn unescaped(text: &str) -> Option<Vec<u8>> {
    if text == "." {
        return Some(Vec::new());
    }
    let mut path = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    path.extend_from_slice(parts.next()?.as_bytes());
    for part in parts {
        path.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        path.extend_from_slice(&part.as_bytes()[2..]);
    }
    Some(path)
}

pub(super) struct Writer {
    file: BufWriter<File>,
    path: PathBuf,
    bytes: u64,
}

impl Writer {
    /// `begun`: the file systems' clock before anything was read.
    pub(super) fn create(path: PathBuf, begun: Time) -> Result<Self, StorageError> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = BufWriter::new(file.doing(|| format!("writing {}", path.display()))?);
        let mut writer = Self { file, path, bytes: 0 };
        writer.put(&format!("{FORMAT} {begun}\n"))?;
        Ok(writer)
    }

    pub(super) fn add(&mut self, line: &Line) -> Result<(), StorageError> {
        self.put(&line.text())
    }

    /// The file's length. Not durable until the caller syncs the file system.
    pub(super) fn finish(mut self, entries: u64, bytes: u64) -> Result<u64, StorageError> {
        self.put(&format!("end {entries} {bytes}\n"))?;
        self.file.flush().doing(|| format!("writing {}", self.path.display()))?;
        Ok(self.bytes)
    }

    fn put(&mut self, text: &str) -> Result<(), StorageError> {
        self.bytes += text.len() as u64;
        self.file.write_all(text.as_bytes()).doing(|| format!("writing {}", self.path.display()))
    }
}

/// Reads an index from its beginning to its end.
pub(super) struct Reader {
    file: BufReader<File>,
    path: PathBuf,
    /// Where the next line begins.
    pub offset: u64,
    pub begun: Time,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Self, StorageError> {
        let doing = || format!("reading {}", path.display());
        let file = BufReader::new(File::open(path).doing(doing)?);
        let mut reader = Self { file, path: path.into(), offset: 0, begun: Time::default() };
        let head = reader.text()?;
        let begun = head.trim_end().strip_prefix(FORMAT).and_then(|rest| rest.trim().parse().ok());
        reader.begun = begun.ok_or_else(|| reader.damaged())?;
        Ok(reader)
    }

    /// The next entry; `None` at the proper end.
    pub(super) fn next(&mut self) -> Result<Option<Line>, StorageError> {
        let text = self.text()?;
        if text.starts_with("end ") && text.ends_with('\n') {
            return Ok(None);
        }
        Line::parse(&text).map(Some).ok_or_else(|| self.damaged())
    }

    fn text(&mut self) -> Result<String, StorageError> {
        let mut text = String::new();
        let read = self.file.read_line(&mut text);
        self.offset += read.doing(|| format!("reading {}", self.path.display()))? as u64;
        Ok(text)
    }

    fn damaged(&self) -> StorageError {
        let why = format!("it is damaged or cut short before byte {}", self.offset);
        StorageError::new(Fault::Permanent, format!("reading {}", self.path.display()), why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(path: &[u8]) -> Line {
        let time = |secs| Time { secs, nanos: 7 };
        let was = Stamps { ino: 12, mtime: time(-3), ctime: time(5) };
        let path = path.to_vec();
        Line { kind: Kind::File, mode: 0o4755, uid: 0, gid: 5, size: 9, mtime: time(1), was, path }
    }

    #[test]
    fn any_name_of_bytes_survives_in_one_line() {
        let all: Vec<u8> = (1..=255).filter(|byte| *byte != b'/').collect();
        for path in [&b""[..], b"a", b"a b/c\nd", b"%41", b"\xff\xfe", b"..a", &all] {
            let text = line(path).text();
            assert_eq!(text.matches('\n').count(), 1, "{text:?}");
            assert_eq!(Line::parse(&text).unwrap(), line(path));
        }
    }

    #[test]
    fn what_is_not_a_line_is_refused() {
        for text in [
            "",
            "f",
            "x 1 0 0 0 0.0 1 0.0 0.0 a",
            "f 644 0 0 0 0.0 1 0.0 0.0 a b",
            "f 644 0 0 0 0.0 1 0.0 0.0 %4",
            "f 644 0 0 0 0.0 1 0.0 0.0 %é",
        ] {
            assert_eq!(Line::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_index_that_was_cut_short_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index");
        let mut writer = Writer::create(path.clone(), Time { secs: 4, nanos: 2 }).unwrap();
        writer.add(&line(b"a")).unwrap();
        let length = writer.finish(1, 9).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), length);

        let mut reader = Reader::open(&path).unwrap();
        assert_eq!(reader.begun, Time { secs: 4, nanos: 2 });
        assert_eq!(reader.next().unwrap(), Some(line(b"a")));
        assert_eq!(reader.next().unwrap(), None);

        File::options().write(true).open(&path).unwrap().set_len(length - 1).unwrap();
        let mut reader = Reader::open(&path).unwrap();
        reader.next().unwrap();
        assert_eq!(reader.next().unwrap_err().fault, Fault::Permanent);
    }
}
