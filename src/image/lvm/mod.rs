//! LVM: volumes that are put together from pieces of disks.
//!
//! Linear volumes only, on any number of the disks of a snapshot. The crates lvm2 and lamlvm know
//! groups of one disk only.

mod text;

use super::block::Stretch;
use std::collections::HashMap;
use text::{Section, Value};

const SECTOR: u64 = 512;
/// Sectors in which a label may be.
const LABELS: u64 = 4;
const LABEL: &[u8] = b"LABELONE";
const KIND: &[u8] = b"LVM2 001";
/// In a label: its kind, and where the header is.
const LABEL_KIND: usize = 24;
const LABEL_HEADER: usize = 20;
/// In a header: an identity, a size, and two lists of areas, for data and for descriptions.
const IDENTITY: usize = 32;
const AREAS: usize = 40;
/// In a description's area: its start, and which stretch of it is the description.
const AREA_MAGIC: &[u8] = b" LVM2 x[5A%r0N*>";
const AREA_MAGIC_AT: usize = 4;
const TEXT_AT: usize = 40;
const TEXT_SIZE: usize = 48;
const TEXT_FLAGS: usize = 60;
/// Bytes of a description, of which some hundred volumes need a tenth, and of all together.
const LONGEST: u64 = 4 << 20;
const ALL: usize = 16 << 20;
/// Volumes that begin on one member; more are somebody's trap.
const MOST: usize = 256;

/// The physical volumes of a snapshot, and what they say of their groups.
#[derive(Default)]
pub(super) struct Members {
    disks: HashMap<String, Stretch>,
    groups: Vec<Section>,
    /// Bytes of descriptions.
    read: usize,
}

/// A logical volume, or why it is not shown.
pub(super) type Volume = (String, Result<Stretch, String>);

pub(super) fn is_member(part: &Stretch) -> bool {
    identity(part).is_some()
}

impl Members {
    /// Takes a disk or partition in, if it is one.
    pub(super) fn add(&mut self, part: &Stretch) {
        let Some((identity, header)) = identity(part) else { return };
        let text = description(part, &header).unwrap_or_default();
        self.read = self.read.saturating_add(text.len());
        if self.read <= ALL {
            self.groups.extend(text::parse(&text));
        }
        self.disks.insert(identity, part.clone());
    }

    /// The volumes that begin on a member; none where nothing says so.
    pub(super) fn volumes(&self, part: &Stretch) -> Result<Vec<Volume>, String> {
        let (identity, _) = identity(part).ok_or("it has no label")?;
        let (name, group) = self.group(&identity).ok_or("nothing describes its group")?;
        let volumes = group.section("logical_volumes").into_iter().flat_map(Section::sections);
        let seen = volumes.filter(|(_, volume)| {
            let visible = |flag: &Value| matches!(flag, Value::Text(flag) if flag == "VISIBLE");
            volume.list("status").iter().any(visible)
        });
        let here =
            seen.filter(|(_, volume)| self.begins(group, volume).is_none_or(|id| id == identity));
        let found: Vec<Volume> =
            here.take(MOST).map(|(name, volume)| (name.into(), self.join(group, volume))).collect();
        if found.is_empty() {
            return Err(format!("no volume of its group {name} begins on it"));
        }
        Ok(found)
    }

    /// The newest description of the group that has this member.
    fn group(&self, identity: &str) -> Option<(&str, &Section)> {
        let groups = self.groups.iter().flat_map(Section::sections);
        let ours = groups.filter(|(_, group)| {
            let members = group.section("physical_volumes").into_iter().flat_map(Section::sections);
            members.into_iter().any(|(_, member)| plain(member) == identity)
        });
        ours.max_by_key(|(_, group)| group.number("seqno"))
    }

    /// The member on which a volume begins.
    fn begins(&self, group: &Section, volume: &Section) -> Option<String> {
        let mut segments = volume.sections().map(|(_, segment)| segment);
        let first = segments.find(|segment| segment.number("start_extent") == Some(0))?;
        let [Value::Text(member), ..] = first.list("stripes") else { return None };
        Some(plain(group.section("physical_volumes")?.section(member)?))
    }

    fn join(&self, group: &Section, volume: &Section) -> Result<Stretch, String> {
        let bad = || "its description is not understood".to_owned();
        let extent = group.number("extent_size").and_then(|size| size.checked_mul(SECTOR));
        let extent = extent.ok_or_else(bad)?;
        let members = group.section("physical_volumes").ok_or_else(bad)?;
        let mut segments: Vec<&Section> = volume.sections().map(|(_, segment)| segment).collect();
        segments.sort_by_key(|segment| segment.number("start_extent"));
        let mut pieces = Vec::new();
        let mut next = 0;
        for segment in segments {
            let kind = segment.text("type").unwrap_or("unknown");
            if kind != "striped" || segment.number("stripe_count") != Some(1) {
                return Err(format!("it is not a linear volume, but {kind}"));
            }
            let [Value::Text(member), Value::Number(first)] = segment.list("stripes") else {
                return Err(bad());
            };
            let count = segment.number("extent_count").ok_or_else(bad)?;
            if segment.number("start_extent") != Some(next) {
                return Err(bad());
            }
            next = next.checked_add(count).ok_or_else(bad)?;
            let member = members.section(member).ok_or_else(bad)?;
            let disk = self.disks.get(&plain(member));
            let disk = disk.ok_or("some of it is on a disk that is not in this snapshot")?;
            let start = member.number("pe_start").and_then(|start| start.checked_mul(SECTOR));
            let start = start.zip(first.checked_mul(extent)).and_then(|(a, b)| a.checked_add(b));
            let length = count.checked_mul(extent).ok_or_else(bad)?;
            let piece = disk.part(start.ok_or_else(bad)?, length);
            if piece.length() != length {
                return Err("some of it is beyond the end of its disk".into());
            }
            pieces.push(piece);
        }
        Stretch::joined(pieces).ok_or_else(bad)
    }
}

/// A member's identity in a description, as it is in its own header.
fn plain(member: &Section) -> String {
    member.text("id").unwrap_or_default().replace('-', "")
}

/// A member's identity and header.
fn identity(part: &Stretch) -> Option<(String, Vec<u8>)> {
    let mut sector = vec![0; usize::try_from(SECTOR).ok()?];
    let label = (0..LABELS).find(|number| {
        let read = part.read_at(number * SECTOR, &mut sector).is_ok();
        read && sector.starts_with(LABEL) && sector[LABEL_KIND..].starts_with(KIND)
    });
    label?;
    let at = sector.get(LABEL_HEADER..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))?;
    let header = sector.get(usize::try_from(at).ok()?..)?.to_vec();
    let identity = std::str::from_utf8(header.get(..IDENTITY)?).ok()?.to_owned();
    Some((identity, header))
}

/// The text in the first area that has one.
fn description(part: &Stretch, header: &[u8]) -> Option<String> {
    // Each list of areas ends with zeros.
    let mut areas = header.get(AREAS..)?.chunks_exact(16);
    let mut next = || {
        let area = areas.next()?;
        Some((number(area, 0)?, number(area, 8)?))
    };
    while next()?.0 != 0 {}
    loop {
        let (at, size) = next()?;
        if at == 0 {
            return None;
        }
        if let Some(text) = described(&part.part(at, size)) {
            return Some(text);
        }
    }
}

fn described(area: &Stretch) -> Option<String> {
    let mut head = vec![0; usize::try_from(SECTOR).ok()?];
    area.read_at(0, &mut head).ok()?;
    let (at, size) = (number(&head, TEXT_AT)?, number(&head, TEXT_SIZE)?);
    let ignored = head[TEXT_FLAGS] & 1 != 0;
    if !head[AREA_MAGIC_AT..].starts_with(AREA_MAGIC) || ignored || size > LONGEST || size == 0 {
        return None;
    }
    // It goes on behind the head where the area ends.
    let ring = area.part(SECTOR, u64::MAX);
    let at = at.checked_sub(SECTOR).filter(|at| *at < ring.length())?;
    let first = size.min(ring.length() - at);
    let mut text = vec![0; usize::try_from(size).ok()?];
    let (one, other) = text.split_at_mut(usize::try_from(first).ok()?);
    ring.read_at(at, one).ok()?;
    ring.read_at(0, other).ok()?;
    let text = String::from_utf8(text).ok()?;
    Some(text.trim_end_matches('\0').to_owned())
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}
