//! Bytes of a disk, whatever format its image has.

use super::protocol::Format;
use imago::file::File;
use imago::qcow2::Qcow2;
use imago::raw::Raw;
use imago::storage::StorageOpenOptions;
use imago::{DenyImplicitOpenGate, FormatAccess, FormatDriverBuilder};
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::sync::Arc;

enum Source {
    Image(FormatAccess<File>),
    /// Pieces, and where each ends.
    Joined(Vec<(u64, Stretch)>),
}

impl Source {
    fn read(&self, mut at: u64, mut buffer: &mut [u8]) -> Result<()> {
        let pieces = match self {
            Self::Image(image) => return image.read(buffer, at),
            Self::Joined(pieces) => pieces,
        };
        let first = pieces.partition_point(|(end, _)| *end <= at);
        for (end, piece) in &pieces[first..] {
            let left = usize::try_from(end - at).unwrap_or(usize::MAX).min(buffer.len());
            let (here, later) = buffer.split_at_mut(left);
            piece.read_at(piece.length - (end - at), here)?;
            if later.is_empty() {
                return Ok(());
            }
            (at, buffer) = (*end, later);
        }
        Err(Error::from(ErrorKind::UnexpectedEof))
    }
}

/// A stretch of a disk: all of it, or a partition. Never read beyond its ends.
#[derive(Clone)]
pub(super) struct Stretch {
    source: Arc<Source>,
    start: u64,
    length: u64,
    at: u64,
}

impl Stretch {
    /// # Errors
    /// `PermissionDenied` for an image whose content lies in other files.
    pub(super) fn of_image(file: std::fs::File, format: Format) -> Result<Self> {
        let storage = File::from_open_file(file, StorageOpenOptions::new())?;
        let deny = DenyImplicitOpenGate::default();
        let disk = match format {
            Format::Raw => FormatAccess::new(Raw::builder(storage).open(deny)?),
            Format::Qcow2 => FormatAccess::new(Qcow2::<File>::builder(storage).open(deny)?),
        };
        let length = disk.size();
        Ok(Self { source: Arc::new(Source::Image(disk)), start: 0, length, at: 0 })
    }

    /// One after the other.
    pub(super) fn joined(pieces: Vec<Self>) -> Option<Self> {
        let mut length = 0_u64;
        let mut ends = Vec::with_capacity(pieces.len());
        for piece in pieces {
            length = length.checked_add(piece.length)?;
            ends.push((length, piece));
        }
        Some(Self { source: Arc::new(Source::Joined(ends)), start: 0, length, at: 0 })
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// A part of it, as far as it goes.
    pub(super) fn part(&self, start: u64, length: u64) -> Self {
        let start = start.min(self.length);
        let length = length.min(self.length - start);
        Self { source: Arc::clone(&self.source), start: self.start + start, length, at: 0 }
    }

    /// Fills the buffer from a place on.
    pub(super) fn read_at(&self, at: u64, buffer: &mut [u8]) -> Result<()> {
        let end = at.checked_add(buffer.len() as u64);
        if end.is_none_or(|end| end > self.length) {
            return Err(Error::new(ErrorKind::UnexpectedEof, "beyond the end of the disk"));
        }
        if buffer.is_empty() {
            return Ok(());
        }
        self.source.read(self.start + at, buffer)
    }
}

impl Read for Stretch {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let left = usize::try_from(self.length.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let count = buffer.len().min(left);
        self.read_at(self.at.min(self.length), &mut buffer[..count])?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Stretch {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| Error::from(ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

/// For a reader that wants to be able to write; it never gets to.
impl Write for Stretch {
    fn write(&mut self, _: &[u8]) -> Result<usize> {
        Err(Error::from(ErrorKind::ReadOnlyFilesystem))
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl ext4_view::Ext4Read for Stretch {
    fn read(
        &mut self,
        at: u64,
        buffer: &mut [u8],
    ) -> std::result::Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.read_at(at, buffer)?)
    }
}

impl fs_core::BlockRead for Stretch {
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> fs_core::Result<()> {
        Ok(Stretch::read_at(self, at, buffer)?)
    }

    fn size_bytes(&self) -> u64 {
        self.length
    }
}
