//! A tree as a tar stream (POSIX ustar, with extended headers where a field is too small).

use super::walk::Sink;
use crate::api::wire::Entry;
use std::io::{self, Write};

const BLOCK: usize = 512;

/// The largest number in eleven octal digits.
const LARGEST: u64 = 0o77_777_777_777;

pub(super) struct Stream<'a> {
    out: &'a mut dyn Write,
    /// Where the walk is, from the top down.
    path: Vec<Vec<u8>>,
    /// What the last file still lacks to a whole block.
    padding: usize,
}

/// The fields of a header.
struct Header<'a> {
    path: &'a [u8],
    mode: u32,
    uid: u32,
    gid: u32,
    size: u64,
    seconds: i64,
    kind: u8,
    link: &'a [u8],
}

impl<'a> Stream<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self { out, path: Vec::new(), padding: 0 }
    }

    /// Two empty blocks end it.
    pub(super) fn finish(self) -> io::Result<()> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        self.out.flush()
    }

    fn entry(
        &mut self,
        path: &[u8],
        entry: &Entry,
        size: u64,
        kind: u8,
        link: &[u8],
    ) -> io::Result<()> {
        let header = Header {
            path,
            mode: u32::from_str_radix(&entry.mode, 8).unwrap_or(0o600),
            uid: entry.uid,
            gid: entry.gid,
            size,
            seconds: entry.mtime.as_second(),
            kind,
            link,
        };
        let extended = extended(&header);
        if !extended.is_empty() {
            let size = extended.len() as u64;
            let name = b"pax-header";
            let before = Header { path: name, size, kind: b'x', link: b"", ..header };
            self.out.write_all(&before.block())?;
            self.out.write_all(&extended)?;
            self.out.write_all(&vec![0; to_a_block(size)])?;
        }
        self.out.write_all(&header.block())
    }

    fn below(&self, name: &[u8]) -> Vec<u8> {
        let mut path = self.path.join(&b'/');
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        path
    }
}

fn to_a_block(size: u64) -> usize {
    let over = usize::try_from(size % BLOCK as u64).unwrap_or(0);
    if over == 0 { 0 } else { BLOCK - over }
}

impl Header<'_> {
    fn block(&self) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        let mut put = |at: usize, room: usize, bytes: &[u8]| {
            let bytes = &bytes[..bytes.len().min(room)];
            block[at..at + bytes.len()].copy_from_slice(bytes);
        };
        let octal = |number: u64, digits: usize| format!("{number:0digits$o}").into_bytes();
        put(0, 100, self.path);
        put(100, 8, &octal(u64::from(self.mode & 0o7777), 7));
        put(108, 8, &octal(u64::from(self.uid & 0o7_777_777), 7));
        put(116, 8, &octal(u64::from(self.gid & 0o7_777_777), 7));
        put(124, 12, &octal(self.size.min(LARGEST), 11));
        put(136, 12, &octal(u64::try_from(self.seconds).unwrap_or(0).min(LARGEST), 11));
        put(148, 8, b"        ");
        put(156, 1, &[self.kind]);
        put(157, 100, self.link);
        put(257, 8, b"ustar\x0000");
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }
}

/// The records of what does not fit into a header.
fn extended(header: &Header<'_>) -> Vec<u8> {
    let mut records = Vec::new();
    let mut add = |key: &str, value: &[u8]| records.extend(record(key, value));
    if header.path.len() > 100 {
        add("path", header.path);
    }
    if header.link.len() > 100 {
        add("linkpath", header.link);
    }
    if header.size > LARGEST {
        add("size", header.size.to_string().as_bytes());
    }
    if header.seconds < 0 || header.seconds.unsigned_abs() > LARGEST {
        add("mtime", header.seconds.to_string().as_bytes());
    }
    for (key, id) in [("uid", header.uid), ("gid", header.gid)] {
        if id > 0o7_777_777 {
            add(key, id.to_string().as_bytes());
        }
    }
    records
}

/// `LENGTH KEY=VALUE`; the length counts itself.
fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    let mut record = format!("{length} {key}=").into_bytes();
    record.extend_from_slice(value);
    record.push(b'\n');
    record
}

impl Sink for Stream<'_> {
    fn enter(&mut self, name: &[u8], entry: &Entry) -> io::Result<()> {
        let name = if self.path.is_empty() && name.is_empty() { b"." } else { name };
        let mut path = self.below(name);
        path.push(b'/');
        self.path.push(name.to_vec());
        self.entry(&path, entry, 0, b'5', b"")
    }

    fn leave(&mut self, _: &Entry) -> io::Result<()> {
        self.path.pop();
        Ok(())
    }

    fn file(&mut self, name: &[u8], entry: &Entry, size: u64) -> io::Result<()> {
        self.padding = to_a_block(size);
        self.entry(&self.below(name), entry, size, b'0', b"")
    }

    fn piece(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    fn end_file(&mut self, _: &Entry) -> io::Result<()> {
        self.out.write_all(&vec![0; self.padding])
    }

    fn link(&mut self, name: &[u8], target: &[u8], entry: &Entry) -> io::Result<()> {
        self.entry(&self.below(name), entry, 0, b'2', target)
    }
}
