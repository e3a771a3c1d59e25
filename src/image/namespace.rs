//! The whole tree: disks, their partitions, and the files in them.

use super::block::Stretch;
use super::files::{Answer, Files, Names, Stat};
use super::lvm::Members;
use super::protocol::Format;
use super::table::partitions;
use super::volume::{Content, look};
use fuser::{Errno, FileType};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// An image that is open for reading.
#[derive(Debug)]
pub(super) struct Image {
    pub name: String,
    pub file: std::fs::File,
    pub format: Format,
}

pub(super) enum Node {
    Directory(Directory),
    Files(Box<dyn Files>),
    /// Says why there are no files, or not all.
    Note(String),
}

/// The endings of names: of a note instead of files, of one beside them, and of the directory of
/// all subvolumes, where the other is of the one that an ordinary mount shows.
const INSTEAD: &str = ".not-shown";
const BESIDE: &str = ".note";
const ALL: &str = ".all";

type Directory = Vec<(String, Node)>;

impl Node {
    pub(super) fn of_images(images: Vec<Image>) -> Self {
        let opened = images.into_iter().map(|Image { name, file, format }| {
            (name, Stretch::of_image(file, format).map_err(|error| error.to_string()))
        });
        let opened: Vec<_> = opened.collect();
        let mut members = Members::default();
        for disk in opened.iter().filter_map(|(_, disk)| disk.as_ref().ok()) {
            // What is so damaged that it panics is told of below.
            let _ = catch_unwind(AssertUnwindSafe(|| {
                members.add(disk);
                partitions(disk).iter().for_each(|(_, part)| members.add(part));
            }));
        }
        let rooms = opened.iter().flat_map(|(name, disk)| match disk {
            Ok(disk) => careful(name, || of_disk(name, disk, &members)),
            Err(error) => instead(name, &format!("an image that cannot be read: {error}")),
        });
        Self::Directory(rooms.collect())
    }

    pub(super) fn stat(&self, path: &[u8]) -> Answer<Stat> {
        match self.walk(path)? {
            (Self::Directory(_), _) => Ok(Stat::directory()),
            (Self::Files(files), rest) => files.stat(rest),
            (Self::Note(text), _) => Ok(Stat::file(text.len() as u64)),
        }
    }

    pub(super) fn list(&self, path: &[u8]) -> Answer<Names> {
        match self.walk(path)? {
            (Self::Directory(rooms), _) => Ok(rooms
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

    pub(super) fn link(&self, path: &[u8]) -> Answer<Vec<u8>> {
        match self.walk(path)? {
            (Self::Files(files), rest) => files.link(rest),
            _ => Err(Errno::EINVAL),
        }
    }

    pub(super) fn read(&self, path: &[u8], offset: u64, size: usize) -> Answer<Vec<u8>> {
        match self.walk(path)? {
            (Self::Directory(_), _) => Err(Errno::EISDIR),
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
            Self::Directory(rooms) if !path.is_empty() => {
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

fn of_disk(name: &str, disk: &Stretch, members: &Members) -> Directory {
    let content = look(disk, members);
    if !matches!(content, Content::Unknown) {
        return of_content(name, content);
    }
    let parts = partitions(disk).into_iter().flat_map(|(number, part)| {
        let name = format!("p{number}");
        careful(&name, || of_content(&name, look(&part, members)))
    });
    let parts: Directory = parts.collect();
    if parts.is_empty() {
        let size = disk.length();
        return instead(name, &format!("{size} bytes without a file system or partitions"));
    }
    vec![(name.into(), Node::Directory(parts))]
}

fn of_content(name: &str, content: Content) -> Directory {
    let found = match content {
        Content::Files(found) => found,
        Content::Volumes(volumes) => {
            let rooms = volumes.into_iter().flat_map(|(name, volume)| of_volume(&name, volume));
            return vec![(name.into(), Node::Directory(rooms.collect()))];
        }
        Content::Closed(why) => return instead(name, &why),
        Content::Unknown => return instead(name, "nothing that heptad knows"),
    };
    let mut rooms = vec![(name.into(), Node::Files(found.files))];
    rooms.extend(found.all.map(|all| (format!("{name}{ALL}"), Node::Files(all))));
    rooms.extend(found.remark.map(|text| note(name, BESIDE, &text)));
    rooms
}

/// A logical volume. One that is a member of another group is not looked into.
fn of_volume(name: &str, volume: Result<Stretch, String>) -> Directory {
    match volume {
        Ok(volume) => careful(name, || of_content(name, look(&volume, &Members::default()))),
        Err(why) => instead(name, &why),
    }
}

fn instead(name: &str, why: &str) -> Directory {
    vec![note(name, INSTEAD, why)]
}

fn note(name: &str, ending: &str, text: &str) -> (String, Node) {
    (format!("{name}{ending}"), Node::Note(format!("{text}.\n")))
}

/// One image that makes a reader panic does not hide the others.
fn careful(name: &str, open: impl FnOnce() -> Directory) -> Directory {
    let bad = |_| instead(name, "something so damaged that reading it had to be broken off");
    catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(bad)
}
