//! Whether a database file and a copy of it hold the same.
//!
//! SQLite's backup copies page by page and then writes of itself into the first page of the copy.
//! What says nothing of the content is left out here (sqlite.org/fileformat.html, section 1.3), and
//! so is whatever no page is: the page of locks, and room behind the last page.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::ops::Range;

/// Of the header: the kind of journal, how often the file was written, its size in pages (compared
/// for itself), the number that makes others read the schema again (the backup counts anew; the
/// schema is compared), the writing that the size is valid for, and the SQLite of the last writer.
const NOT_CONTENT: [Range<usize>; 5] = [18..20, 24..28, 28..32, 40..44, 92..100];
const HEADER: usize = 100;
/// Compared at a time; a multiple of every page size.
const CHUNK: usize = 1 << 16;
/// Where locks are set; its page is never written to.
const LOCKS: u64 = 1 << 30;

/// Whether all that `live` holds is in the `copy`. Both are read from where they stand.
pub(super) fn same(live: &mut impl Read, live_bytes: u64, copy: &mut File) -> io::Result<bool> {
    if live_bytes == 0 {
        // Of nothing the backup makes an empty database.
        return Ok(true);
    }
    let (mut left, mut right) = (vec![0; CHUNK], vec![0; CHUNK]);
    read_full(live, &mut left)?;
    read_full(copy, &mut right)?;
    let (Some(one), Some(two)) =
        (Layout::of(&left, live_bytes), Layout::of(&right, copy.metadata()?.len()))
    else {
        return Ok(false);
    };
    if one != two {
        return Ok(false);
    }
    for page in [&mut left, &mut right] {
        NOT_CONTENT.into_iter().for_each(|range| page[range].fill(0));
    }
    let bytes = one.pages.saturating_mul(one.page);
    let mut at = 0;
    loop {
        if at == LOCKS {
            let page = usize::try_from(one.page).unwrap_or(CHUNK).min(CHUNK);
            left[..page].fill(0);
            right[..page].fill(0);
        }
        let count = usize::try_from(bytes - at).unwrap_or(CHUNK).min(CHUNK);
        if left[..count] != right[..count] {
            return Ok(false);
        }
        at += u64::try_from(count).unwrap_or(bytes);
        if at >= bytes {
            return Ok(true);
        }
        read_full(live, &mut left)?;
        read_full(copy, &mut right)?;
    }
}

/// Page size and number of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    page: u64,
    pages: u64,
}

impl Layout {
    /// None where that is no database. A file is larger than its pages where room was reserved for
    /// it; one that an old SQLite wrote does not say how many there are.
    fn of(head: &[u8], bytes: u64) -> Option<Self> {
        let head = head.get(..HEADER).filter(|head| head.starts_with(b"SQLite format 3\0"))?;
        let page = match u16::from_be_bytes([head[16], head[17]]) {
            1 => 65_536,
            size => u64::from(size),
        };
        if !page.is_power_of_two() || !(512..=65_536).contains(&page) {
            return None;
        }
        let told = u64::from(u32::from_be_bytes([head[28], head[29], head[30], head[31]]));
        let valid = told > 0 && head[24..28] == head[92..96];
        let pages = if valid { told } else { bytes / page };
        (pages > 0).then_some(Self { page, pages })
    }
}

/// Fills the buffer; behind the end of the file there are zeros, as SQLite has it.
fn read_full(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buffer[filled..].fill(0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    fn file(page: u16, pages: u32, patches: &[(u64, &[u8])]) -> File {
        let file = tempfile::tempfile().unwrap();
        let size = if page == 1 { 65_536 } else { u64::from(page) };
        file.set_len(size * u64::from(pages)).unwrap();
        file.write_all_at(b"SQLite format 3\0", 0).unwrap();
        file.write_all_at(&page.to_be_bytes(), 16).unwrap();
        file.write_all_at(&pages.to_be_bytes(), 28).unwrap();
        patches.iter().for_each(|(at, bytes)| file.write_all_at(bytes, *at).unwrap());
        file
    }

    #[test]
    fn only_what_a_page_holds_is_compared() {
        let check = |what: &str, page: u16, pages: u32, patches: &[(u64, &[u8])], want: bool| {
            let (mut live, mut copy) = (file(page, pages, patches), file(page, pages, &[]));
            let bytes = live.metadata().unwrap().len();
            assert_eq!(same(&mut live, bytes, &mut copy).unwrap(), want, "{what}");
        };
        check("nothing", 4096, 3, &[], true);
        check("kind of journal", 4096, 3, &[(18, &[2, 2])], true);
        check("schema cookie", 4096, 3, &[(40, &[0, 0, 9, 9])], true);
        check("writings", 4096, 3, &[(24, &[0, 0, 0, 9]), (92, &[0, 0, 0, 9])], true);
        check("a size that is not valid", 4096, 3, &[(24, &[9]), (28, &[9])], true);
        check("SQLite's number", 4096, 3, &[(96, &[9])], true);
        check("room behind", 4096, 3, &[(3 * 4096 + 5, b"x")], true);
        check("a page more", 4096, 3, &[(28, &[0, 0, 0, 4]), (3 * 4096 + 5, b"x")], false);
        check("schema format", 4096, 3, &[(47, &[4])], false);
        check("user version", 4096, 3, &[(63, &[4])], false);
        check("the last byte", 512, 300, &[(300 * 512 - 1, b"x")], false);
        check("page of locks", 1, 16_386, &[(LOCKS + 9, b"x")], true);
        check("behind the locks", 1, 16_386, &[(LOCKS + 65_536, b"x")], false);
        check("page of locks", 4096, 262_146, &[(LOCKS + 9, b"x")], true);
        check("behind the locks", 4096, 262_146, &[(LOCKS + 4096, b"x")], false);
        check("no page size", 4096, 3, &[(16, &[3, 3])], false);
        check("no database", 4096, 3, &[(0, b"x")], false);
    }
}
