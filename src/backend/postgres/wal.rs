//! Which files of the write-ahead log a copy needs.

use super::copy::copy;
use crate::domain::operation::Fault;
use crate::fs::tree::names;
use crate::fs::tree::{Kind, peek};
use crate::fs::{Doing, Progress, StorageError};
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd};

/// Bytes of log per "logical file" of 32 bits, the middle part of a segment's name.
const LOGICAL: u64 = 1 << 32;

/// The name of a segment: timeline, number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    timeline: u32,
    number: u64,
    size: u64,
}

impl Segment {
    pub(super) fn parse(name: &str, size: u64) -> Option<Self> {
        let hex = name.len() == 24 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let part = |at: usize| u64::from_str_radix(name.get(at..at + 8)?, 16).ok();
        let (timeline, high, low) = hex.then(|| Some((part(0)?, part(8)?, part(16)?)))??;
        let number = high * (LOGICAL / size) + low;
        Some(Self { timeline: u32::try_from(timeline).ok()?, number, size })
    }

    pub(super) fn name(&self) -> String {
        let per = LOGICAL / self.size;
        format!("{:08X}{:08X}{:08X}", self.timeline, self.number / per, self.number % per)
    }

    /// All from this one to the one that holds the last byte before `lsn`.
    pub(super) fn until(self, lsn: u64) -> impl Iterator<Item = Self> {
        let last = lsn.saturating_sub(1) / self.size;
        (self.number..=last).map(move |number| Self { number, ..self })
    }
}

/// The segment at which recovery begins, by a backup label:
/// `START WAL LOCATION: 0/2000028 (file 000000010000000000000002)`.
pub(super) fn first(label: &str, size: u64) -> Option<Segment> {
    let line = label.lines().find_map(|line| line.strip_prefix("START WAL LOCATION: "))?;
    Segment::parse(line.split_once("(file ")?.1.trim_end_matches(')'), size)
}

/// Copies the segments from a label's first to the last before `lsn`, and the timelines' history.
///
/// # Errors
/// [`Fault::Transient`] where one is not there any more: the server has used it again.
pub(super) fn copy_between(
    wal: BorrowedFd<'_>,
    into: BorrowedFd<'_>,
    first: Segment,
    lsn: u64,
    progress: &dyn Progress,
) -> Result<(), StorageError> {
    for segment in first.until(lsn) {
        let name = CString::new(segment.name()).map_err(std::io::Error::from);
        let name = name.doing(|| "naming a log file".into())?;
        let gone = || {
            let why = "it is gone or cut short; raise max_replication_slots or wal_keep_size";
            StorageError::new(Fault::Transient, format!("copying {}", segment.name()), why)
        };
        let (file, meta) = peek(wal, &name).map_err(|_| gone())?;
        if meta.size != segment.size {
            return Err(gone());
        }
        copy(file.as_fd(), into, &name, progress)?;
    }
    copy_where(wal, into, &|name| name.ends_with(".history"), progress)
}

/// Copies the files from the one named `first` on. Names are in the order of the log within a
/// timeline, and a later timeline's come after.
pub(super) fn copy_from(
    wal: BorrowedFd<'_>,
    into: BorrowedFd<'_>,
    first: &str,
    progress: &dyn Progress,
) -> Result<(), StorageError> {
    let wanted = |name: &str| {
        name.ends_with(".history") || name.len() == 24 && name.get(8..) >= first.get(8..)
    };
    copy_where(wal, into, &wanted, progress)
}

fn copy_where(
    wal: BorrowedFd<'_>,
    into: BorrowedFd<'_>,
    wanted: &dyn Fn(&str) -> bool,
    progress: &dyn Progress,
) -> Result<(), StorageError> {
    let doing = || "reading the write-ahead log's directory".to_owned();
    for name in names(wal).doing(doing)? {
        if !name.to_str().is_ok_and(wanted) {
            continue;
        }
        let (file, meta) = peek(wal, &name).doing(doing)?;
        if meta.kind == Kind::File {
            copy(file.as_fd(), into, &name, progress)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn segments_are_named_as_the_server_names_them() {
        let check = |label: &str, size: u64, lsn: u64, want: &[&str]| {
            let text = format!("START WAL LOCATION: 0/2000028 (file {label})\nLABEL: x\n");
            let names: Vec<String> =
                first(&text, size).unwrap().until(lsn).map(|segment| segment.name()).collect();
            assert_eq!(names, want, "{label} until {lsn:x}");
        };
        let two = "000000010000000000000002";
        check(two, 16 * MIB, 0x0200_0128, &[two]);
        // The end of a segment belongs to it.
        check(two, 16 * MIB, 0x0300_0000, &[two]);
        check(two, 16 * MIB, 0x0300_0001, &[two, "000000010000000000000003"]);
        check(
            "0000000A00000001000000FF",
            16 * MIB,
            0x2_0000_0028,
            &["0000000A00000001000000FF", "0000000A0000000200000000"],
        );
        check(
            "000000010000000000000FFF",
            MIB,
            0x1_0000_0001,
            &["000000010000000000000FFF", "000000010000000100000000"],
        );
        assert_eq!(first("LABEL: x", 16 * MIB), None);
        assert_eq!(Segment::parse("00000001000000000000000g", 16 * MIB), None);
    }
}
