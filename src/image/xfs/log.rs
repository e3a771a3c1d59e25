//! Whether a log ends in the middle of giving a file other pieces: where it shares some with
//! another (reflink) or exchanges them. Linux finishes that when it mounts; the crate's replay
//! passes over it, and the file may have a hole there.

use super::super::block::Stretch;
use fs_xfs::{Superblock, log};
use std::collections::HashSet;

const SECTOR: u64 = 512;
/// In the header of a record (struct xlog_rec_header); large ones have more headers.
const MAGIC: u32 = 0xfeed_babe;
const VERSION: usize = 8;
const LENGTH: usize = 12;
const TAIL: usize = 28;
const OPERATIONS: usize = 40;
const WORDS: usize = 44;
const SIZE: usize = 320;
const PER_HEADER: u32 = 32 << 10;
const LONGEST: u32 = 256 << 10;
/// Words of a record's sectors in each header, and where they are in the later ones.
const COUNT: usize = 64;
const MORE_WORDS: usize = 4;
/// An operation: a transaction's number, its length and flags. One that goes on from the record
/// before has one of these.
const OPERATION: usize = 12;
const GOES_ON: u8 = 0x18;

/// What is begun, and what says that it is done: for pieces, and for exchanges. All have an
/// identity.
const BEGUN: [u16; 2] = [0x1244, 0x1248];
const DONE: [u16; 2] = [0x1245, 0x1249];
const IDENTITY: usize = 8;
const DONE_LENGTH: usize = 16;

/// Nothing, if it cannot be told.
pub(super) fn unfinished(part: &Stretch, superblock: &Superblock) -> Option<bool> {
    let start = superblock.fsblock_offset(superblock.logstart);
    let length = u64::from(superblock.logblocks) * u64::from(superblock.blocksize);
    let ring = Ring { log: part.part(start, length) };
    let newest = u64::from(log::head(part, superblock).ok()?.prev_block);
    let mut at = u64::from(number(&ring.sectors(newest, 1)?, TAIL)?);
    let mut open = HashSet::new();
    for _ in 0..length / SECTOR {
        let (operations, data, next) = ring.record(at)?;
        follow(operations, &data, &mut open)?;
        if at == newest {
            return Some(!open.is_empty());
        }
        at = next;
    }
    None
}

struct Ring {
    log: Stretch,
}

impl Ring {
    /// Sectors, of which the first comes after the last.
    fn sectors(&self, at: u64, count: u64) -> Option<Vec<u8>> {
        let all = self.log.length() / SECTOR;
        let at = at.checked_rem(all)?;
        let mut bytes = vec![0; usize::try_from(count.min(all) * SECTOR).ok()?];
        let first = usize::try_from((all - at) * SECTOR).ok()?.min(bytes.len());
        let (one, other) = bytes.split_at_mut(first);
        self.log.read_at(at * SECTOR, one).ok()?;
        self.log.read_at(0, other).ok()?;
        Some(bytes)
    }

    /// A record: how many operations it has, their bytes, and where the next one is.
    fn record(&self, at: u64) -> Option<(u32, Vec<u8>, u64)> {
        let first = self.sectors(at, 1)?;
        let (length, size) = (number(&first, LENGTH)?, number(&first, SIZE)?);
        if number(&first, 0)? != MAGIC || length > LONGEST || size > LONGEST {
            return None;
        }
        let large = number(&first, VERSION)? & 2 != 0 && size > PER_HEADER;
        let headers = if large { u64::from(size.div_ceil(PER_HEADER)) } else { 1 };
        let heads = self.sectors(at, headers)?;
        let count = u64::from(length).div_ceil(SECTOR);
        let mut data = self.sectors(at + headers, count)?;
        // Each sector's first word is in the headers, since the log has its own there.
        for (index, sector) in data.chunks_exact_mut(512).enumerate() {
            let words = if index < COUNT { WORDS } else { index / COUNT * 512 + MORE_WORDS };
            let word = words + index % COUNT * 4;
            sector[..4].copy_from_slice(heads.get(word..word + 4)?);
        }
        data.truncate(usize::try_from(length).ok()?);
        let next = (at + headers + count).checked_rem(self.log.length() / SECTOR)?;
        Some((number(&first, OPERATIONS)?, data, next))
    }
}

/// Goes through the operations of a record, and keeps what is begun and not yet done.
fn follow(operations: u32, data: &[u8], open: &mut HashSet<(u16, u64)>) -> Option<()> {
    let mut rest = data;
    for _ in 0..operations {
        let (head, after) = rest.split_at_checked(OPERATION)?;
        let (body, after) = after.split_at_checked(usize::try_from(number(head, 4)?).ok()?)?;
        rest = after;
        if head[9] & GOES_ON != 0 || body.len() < DONE_LENGTH {
            continue;
        }
        let short = |at: usize| u16::from_le_bytes([body[at], body[at + 1]]);
        let identity = body.get(IDENTITY..)?.first_chunk().map(|id| u64::from_le_bytes(*id))?;
        // Both are one operation each.
        let kind = short(0);
        if short(2) != 1 {
            continue;
        }
        if BEGUN.contains(&kind) && body.len() > DONE_LENGTH {
            open.insert((kind, identity));
        } else if DONE.contains(&kind) && body.len() == DONE_LENGTH {
            open.remove(&(kind - 1, identity));
        }
    }
    Some(())
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(kind: u16, identity: u64, length: usize) -> Vec<u8> {
        let mut body = vec![0; length];
        body[..2].copy_from_slice(&kind.to_le_bytes());
        body[2] = 1;
        body[8..16].copy_from_slice(&identity.to_le_bytes());
        let mut head = vec![0; OPERATION];
        head[7] = u8::try_from(length).unwrap();
        [head, body].concat()
    }

    #[test]
    fn what_is_begun_stays_open_until_it_is_done() {
        let mut open = HashSet::new();
        let mut check = |parts: &[Vec<u8>], left: usize| {
            let count = u32::try_from(parts.len()).unwrap();
            follow(count, &parts.concat(), &mut open).unwrap();
            assert_eq!(open.len(), left);
        };
        check(&[operation(0x1244, 7, 48), operation(0x1236, 8, 48)], 1);
        check(&[operation(0x1248, 7, 88), operation(0x1245, 9, 16)], 2);
        check(&[operation(0x1245, 7, 16), operation(0x1249, 7, 16)], 0);
        assert!(follow(2, &operation(0x1244, 7, 48), &mut open).is_none());
    }
}
