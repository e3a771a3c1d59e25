//! The whole tree: disks, their partitions, and the files in them.

use super::block::Stretch;
use super::files::{Answer, Files, Names, Stat};
use super::protocol::Format;
use super::table::partitions;
use super::volume::{Content, look};
use fuser::{Errno, FileType};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// An image that is open for reading.
#[derive(Debug)]
pub struct Image {
    pub name: String,
    pub file: std::fs::File,
    pub format: Format,
}

pub enum Place {
    Rooms(Vec<(String, Place)>),
    Files(Box<dyn Files>),
    /// Says why there are no files.
    Note(String),
}

/// The ending of the name of a note.
const NOTE: &str = ".not-shown";

impl Place {
    pub fn of_images(images: Vec<Image>) -> Self {
        let mut rooms = Vec::new();
        for image in images {
            let Image { name, file, format } = image;
            let opened = careful(|| match Stretch::of_image(file, format) {
                Ok(disk) => Self::of_disk(&disk),
                Err(error) => Self::Note(format!("an image that cannot be read: {error}")),
            });
            rooms.push(opened.named(name));
        }
        Self::Rooms(rooms)
    }

    fn of_disk(disk: &Stretch) -> Self {
        match look(disk) {
            Content::Files(files) => return Self::Files(files),
            Content::Closed(why) => return Self::Note(why),
            Content::Unknown => {}
        }
        let parts = partitions(disk).into_iter().map(|(number, part)| {
            let place = careful(|| match look(&part) {
                Content::Files(files) => Self::Files(files),
                Content::Closed(why) => Self::Note(why),
                Content::Unknown => Self::Note("nothing that heptad knows".into()),
            });
            place.named(format!("p{number}"))
        });
        let parts: Vec<_> = parts.collect();
        if parts.is_empty() {
            let size = disk.length();
            return Self::Note(format!("{size} bytes without a file system or partitions"));
        }
        Self::Rooms(parts)
    }

    fn named(self, name: String) -> (String, Self) {
        match self {
            Self::Note(why) => (name + NOTE, Self::Note(why + ".\n")),
            place => (name, place),
        }
    }

    pub fn stat(&self, path: &[u8]) -> Answer<Stat> {
        match self.walk(path)? {
            (Self::Rooms(_), _) => Ok(Stat::directory()),
            (Self::Files(files), rest) => files.stat(rest),
            (Self::Note(text), _) => Ok(Stat::file(text.len() as u64)),
        }
    }

    pub fn list(&self, path: &[u8]) -> Answer<Names> {
        match self.walk(path)? {
            (Self::Rooms(rooms), _) => Ok(rooms
                .iter()
                .map(|(name, place)| {
                    let note = matches!(place, Self::Note(_));
                    let kind = if note { FileType::RegularFile } else { FileType::Directory };
                    (name.clone().into_bytes(), kind)
                })
                .collect()),
            (Self::Files(files), rest) => files.list(rest),
            (Self::Note(_), _) => Err(Errno::ENOTDIR),
        }
    }

    pub fn link(&self, path: &[u8]) -> Answer<Vec<u8>> {
        match self.walk(path)? {
            (Self::Files(files), rest) => files.link(rest),
            _ => Err(Errno::EINVAL),
        }
    }

    pub fn read(&self, path: &[u8], offset: u64, size: usize) -> Answer<Vec<u8>> {
        match self.walk(path)? {
            (Self::Rooms(_), _) => Err(Errno::EISDIR),
            (Self::Files(files), rest) => files.read(rest, offset, size),
            (Self::Note(text), _) => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX).min(text.len());
                Ok(text.as_bytes()[from..].iter().take(size).copied().collect())
            }
        }
    }

    /// The place that a path leads to, and the rest of the path in there.
    fn walk<'a, 'b>(&'a self, path: &'b [u8]) -> Answer<(&'a Self, &'b [u8])> {
        match self {
            Self::Rooms(rooms) if !path.is_empty() => {
                let end = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
                let rest = path.get(end + 1..).unwrap_or_default();
                let room = rooms.iter().find(|(name, _)| name.as_bytes() == &path[..end]);
                room.ok_or(Errno::ENOENT)?.1.walk(rest)
            }
            Self::Note(_) if !path.is_empty() => Err(Errno::ENOTDIR),
            place => Ok((place, path)),
        }
    }
}

/// One image that makes a reader panic does not hide the others.
fn careful(open: impl FnOnce() -> Place) -> Place {
    let bad = |_| Place::Note("something so damaged that reading it had to be broken off".into());
    catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(bad)
}
