//! The disk as the reader of XFS gets it: with bounds on what it takes to replay a log, or without
//! one.

use super::super::block::Stretch;
use fs_core::BlockRead;
use fs_xfs::{Error, Superblock};
use std::io::{Error as IoError, ErrorKind};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Log {
    Replayed,
    Ignored,
}

/// Bytes that may be read of a log and of what it changes, until it is replayed. All of it is kept
/// in memory meanwhile, and the log is read twice.
const LOG: u64 = 384 << 20;
const CHANGED: u64 = 256 << 20;

/// A record of a log: how it begins, where it says how long it is, and the most that may be. Such a
/// start is read by itself.
const RECORD: [u8; 4] = [0xfe, 0xed, 0xba, 0xbe];
const RECORD_LENGTH: Range<usize> = 12..16;
const LONGEST: u32 = 256 << 10;
const SECTOR: u64 = 512;

/// In the header of the inodes of an allocation group (struct xfs_agi): the lists of inodes that
/// are open but in no directory, which are not empty where a log is to be replayed, and the
/// checksum.
const HEADER: u64 = 2;
const UNLINKED: Range<usize> = 40..296;
const CHECKSUM: Range<usize> = 312..316;

pub(super) struct Device {
    part: Stretch,
    log: Range<u64>,
    treated: Log,
    superblock: Superblock,
    limits: Arc<Limits>,
}

pub(super) struct Limits {
    lifted: AtomicBool,
    log: AtomicU64,
    changed: AtomicU64,
}

impl Limits {
    pub(super) fn lift(&self) {
        self.lifted.store(true, Ordering::Relaxed);
    }

    fn take(&self, from: &AtomicU64, bytes: u64) -> fs_core::Result<()> {
        let taken = |left: u64| left.checked_sub(bytes);
        let enough = from.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_ok();
        if enough || self.lifted.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(refused("it takes more memory than heptad allows"))
    }
}

fn refused(why: &str) -> fs_core::Error {
    fs_core::Error::Io(IoError::new(ErrorKind::Unsupported, why.to_owned()))
}

impl Device {
    pub(super) fn new(part: &Stretch, treated: Log) -> Result<(Arc<Self>, Arc<Limits>), Error> {
        let mut first = vec![0; 4_096];
        BlockRead::read_at(part, 0, &mut first)?;
        let superblock = Superblock::parse(&first)?;
        let start = superblock.fsblock_offset(superblock.logstart);
        let length = u64::from(superblock.logblocks) * u64::from(superblock.blocksize);
        let limits = Arc::new(Limits {
            lifted: AtomicBool::new(false),
            log: AtomicU64::new(LOG),
            changed: AtomicU64::new(CHANGED),
        });
        let log =
            if superblock.has_internal_log() { start..start.saturating_add(length) } else { 0..0 };
        let part = part.clone();
        Ok((Arc::new(Self { part, log, treated, superblock, limits: limits.clone() }), limits))
    }

    fn bound(&self, at: u64, length: u64) -> fs_core::Result<()> {
        let limits = &self.limits;
        limits.take(if self.log.contains(&at) { &limits.log } else { &limits.changed }, length)
    }

    /// Without a log there are no inodes that it would free.
    fn forget(&self, at: u64, bytes: &mut [u8]) {
        let superblock = &self.superblock;
        let sector = u64::from(superblock.sectsize);
        let group = u64::from(superblock.agblocks) * u64::from(superblock.blocksize);
        if at % group == HEADER * sector && bytes.len() as u64 == sector {
            bytes[UNLINKED].fill(0xff);
            if superblock.is_v5() {
                bytes[CHECKSUM].fill(0);
                let sum = crc32c::crc32c(bytes).to_le_bytes();
                bytes[CHECKSUM].copy_from_slice(&sum);
            }
        }
    }
}

impl BlockRead for Device {
    fn read_at(&self, at: u64, bytes: &mut [u8]) -> fs_core::Result<()> {
        if self.treated == Log::Ignored {
            let end = at.saturating_add(bytes.len() as u64);
            if self.log.start <= at && end <= self.log.end {
                bytes.fill(0);
                return Ok(());
            }
            BlockRead::read_at(&self.part, at, bytes)?;
            self.forget(at, bytes);
            return Ok(());
        }
        self.bound(at, bytes.len() as u64)?;
        BlockRead::read_at(&self.part, at, bytes)?;
        if bytes.len() as u64 == SECTOR && self.log.contains(&at) && bytes[..4] == RECORD {
            let length = &bytes[RECORD_LENGTH];
            let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]);
            if length > LONGEST {
                return Err(refused("a record of its log is longer than any"));
            }
        }
        Ok(())
    }

    fn size_bytes(&self) -> u64 {
        self.part.length()
    }
}
