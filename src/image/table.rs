//! Partition tables: GPT, and MBR with logical partitions.

use super::block::Stretch;

/// More than any operating system makes; a table that claims more is somebody's trap.
const MOST: usize = 256;
const SECTOR: u32 = 512;

/// The partitions with their numbers as Linux counts them; none where there is no table.
pub(super) fn partitions(disk: &Stretch) -> Vec<(u32, Stretch)> {
    let found = guid(disk).or_else(|| classic(disk)).unwrap_or_default();
    found.into_iter().take(MOST).collect()
}

fn guid(disk: &Stretch) -> Option<Vec<(u32, Stretch)>> {
    let table = gptman::GPT::find_from(&mut disk.clone()).ok()?;
    let used = table.iter().filter(|(_, entry)| entry.is_used());
    let part = |(number, entry): (u32, &gptman::GPTPartitionEntry)| {
        let start = entry.starting_lba.checked_mul(table.sector_size)?;
        let length = entry.size().ok()?.checked_mul(table.sector_size)?;
        Some((number, disk.part(start, length)))
    };
    Some(used.filter_map(part).collect())
}

fn classic(disk: &Stretch) -> Option<Vec<(u32, Stretch)>> {
    let table = mbrman::MBR::read_from(&mut disk.clone(), SECTOR).ok()?;
    let used = table.iter().filter(|(_, entry)| entry.is_used() && !entry.is_extended());
    let part = |(number, entry): (usize, &mbrman::MBRPartitionEntry)| {
        let bytes = |sectors: u32| u64::from(sectors) * u64::from(SECTOR);
        let number = u32::try_from(number).ok()?;
        Some((number, disk.part(bytes(entry.starting_lba), bytes(entry.sectors))))
    };
    Some(used.filter_map(part).collect())
}
