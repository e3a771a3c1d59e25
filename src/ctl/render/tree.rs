//! Files inside snapshots. Names come as text that is fit to be sent back (see the wire); a span
//! makes safe what is left.

use super::page::{Page, Span, Tone};
use super::table::{Align, Table};
use super::{View, units};
use crate::api::wire::{Aspect, Change, Difference, Entry, EntryKind, Listing, Mounts};

/// As `ls -l` shows it: numbers for owners, because the snapshot's users need not be this host's.
pub fn listing(listing: &Listing, view: &View) -> Page {
    let mut page = view.page();
    let is_directory = listing.entry.kind == EntryKind::Directory;
    if is_directory && listing.entries.is_empty() {
        page.prose(0, &Span::plain("an empty directory"));
        return page;
    }
    let heads = ["MODE", "OWNER", "SIZE", &view.timed("MODIFIED"), "NAME"];
    let aligns = [Align::Left, Align::Left, Align::Right, Align::Left, Align::Left];
    let mut table = Table::new(heads.into_iter().zip(aligns));
    let one = std::slice::from_ref(&listing.entry);
    for entry in if is_directory { &listing.entries } else { one } {
        table.row([
            Span::plain(mode(entry)),
            Span::plain(format!("{}:{}", entry.uid, entry.gid)),
            Span::plain(units::size(entry.size)),
            Span::plain(view.cell(entry.mtime)),
            name(entry, &listing.snapshot),
        ]);
    }
    table.print(&mut page);
    page
}

fn name(entry: &Entry, snapshot: &str) -> Span {
    let name = if entry.name.is_empty() { snapshot } else { &entry.name };
    match (&entry.target, entry.kind) {
        (Some(target), _) => Span::plain(format!("{name} -> {target}")),
        (None, EntryKind::Directory) => Span::strong(format!("{name}/")),
        (None, _) => Span::plain(name),
    }
}

/// `drwxr-xr-x`, from four octal digits; they stand as they are where they are none.
fn mode(entry: &Entry) -> String {
    let letter = match entry.kind {
        EntryKind::Directory => 'd',
        EntryKind::File => '-',
        EntryKind::Link => 'l',
        EntryKind::Fifo => 'p',
        EntryKind::Socket => 's',
        EntryKind::BlockDevice => 'b',
        EntryKind::CharDevice => 'c',
    };
    let Ok(bits) = u32::from_str_radix(&entry.mode, 8) else {
        return format!("{letter} {}", entry.mode);
    };
    let mut text = String::from(letter);
    for (shift, special, set) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let part = bits >> shift;
        text.push(if part & 4 == 0 { '-' } else { 'r' });
        text.push(if part & 2 == 0 { '-' } else { 'w' });
        text.push(match (bits & special != 0, part & 1 != 0) {
            (false, false) => '-',
            (false, true) => 'x',
            (true, false) => set.to_ascii_uppercase(),
            (true, true) => set,
        });
    }
    text
}

/// One line for each: `+` added, `-` removed, `~` changed with what differs.
pub fn differences(all: &[Difference], view: &View) -> Page {
    let mut page = view.page();
    for one in all {
        let (tone, mark) = match one.change {
            Change::Added => (Tone::Good, '+'),
            Change::Removed => (Tone::Bad, '-'),
            Change::Changed => (Tone::Warn, '~'),
        };
        let slash = if one.kind == EntryKind::Directory { "/" } else { "" };
        let path = if one.path.is_empty() { "." } else { &one.path };
        let aspects: Vec<&str> = one.aspects.iter().map(|aspect| word(*aspect)).collect();
        let why =
            if aspects.is_empty() { String::new() } else { format!("  ({})", aspects.join(", ")) };
        page.line([Span::new(tone, format!("{mark} {path}{slash}")), Span::dim(why)]);
    }
    page
}

/// Where snapshots are mounted.
pub fn mounts(all: &Mounts, view: &View) -> Page {
    let mut page = view.page();
    if all.mounts.is_empty() {
        page.prose(0, &Span::plain("no snapshot is mounted"));
        return page;
    }
    let mut table = Table::new([("SNAPSHOT", Align::Left), ("DIRECTORY", Align::Left)]);
    for mount in &all.mounts {
        table.row([Span::strong(&mount.snapshot), Span::plain(&mount.path)]);
    }
    table.print(&mut page);
    page
}

fn word(aspect: Aspect) -> &'static str {
    match aspect {
        Aspect::Kind => "another kind",
        Aspect::Size => "size",
        Aspect::Mtime => "time",
        Aspect::Mode => "mode",
        Aspect::Owner => "owner",
        Aspect::Content => "content",
        Aspect::ContentNotCompared => "too large to compare its content",
        Aspect::Target => "target",
        Aspect::Device => "device",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn modes_read_as_in_ls() {
        let check = |kind, bits: &str, want: &str| {
            let entry = Entry {
                name: String::new(),
                kind,
                size: 0,
                mtime: Timestamp::UNIX_EPOCH,
                mode: bits.into(),
                uid: 0,
                gid: 0,
                target: None,
            };
            assert_eq!(mode(&entry), want, "{bits}");
        };
        check(EntryKind::Directory, "0755", "drwxr-xr-x");
        check(EntryKind::File, "4755", "-rwsr-xr-x");
        check(EntryKind::File, "6644", "-rwSr-Sr--");
        check(EntryKind::Directory, "1777", "drwxrwxrwt");
        check(EntryKind::Link, "0777", "lrwxrwxrwx");
        check(EntryKind::File, "?", "- ?");
    }
}
