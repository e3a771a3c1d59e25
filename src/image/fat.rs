//! FAT: the partitions that machines boot from.

use super::block::Stretch;
use super::errno;
use super::files::{Answer, Files, Names, Stat, split};
use fatfs::{Dir, DirEntry, FileSystem, FsOptions};
use fuser::{Errno, FileType};
use std::io::{Read, Seek, SeekFrom};

pub(super) struct Fat(FileSystem<Stretch>);

impl Fat {
    pub(super) fn open(part: &Stretch) -> Result<Self, String> {
        let options = FsOptions::new().update_accessed_date(false);
        FileSystem::new(part.clone(), options).map(Self).map_err(|error| error.to_string())
    }

    fn dir(&self, path: &[u8]) -> Answer<Dir<'_, Stretch>> {
        let root = self.0.root_dir();
        if path.is_empty() { Ok(root) } else { root.open_dir(text(path)?).map_err(failed) }
    }

    fn entry(&self, path: &[u8]) -> Answer<DirEntry<'_, Stretch>> {
        let (above, name) = split(path);
        let name = text(name)?;
        for entry in self.dir(above)?.iter() {
            let entry = entry.map_err(failed)?;
            if entry.file_name() == name {
                return Ok(entry);
            }
        }
        Err(Errno::ENOENT)
    }
}

impl Files for Fat {
    fn stat(&self, path: &[u8]) -> Answer<Stat> {
        if path.is_empty() {
            return Ok(Stat::directory());
        }
        let entry = self.entry(path)?;
        let stat = if entry.is_dir() { Stat::directory() } else { Stat::file(entry.len()) };
        Ok(Stat { mtime: (seconds(&entry.modified()), 0), ..stat })
    }

    fn list(&self, path: &[u8]) -> Answer<Names> {
        let mut found = Vec::new();
        for entry in self.dir(path)?.iter() {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().into_bytes();
            let kind = if entry.is_dir() { FileType::Directory } else { FileType::RegularFile };
            if !matches!(name.as_slice(), b"." | b"..") {
                found.push((name, kind));
            }
        }
        Ok(found)
    }

    fn link(&self, _: &[u8]) -> Answer<Vec<u8>> {
        Err(Errno::EINVAL)
    }

    fn read(&self, path: &[u8], offset: u64, size: usize) -> Answer<Vec<u8>> {
        let entry = self.entry(path)?;
        if entry.is_dir() {
            return Err(Errno::EISDIR);
        }
        let mut file = entry.to_file();
        file.seek(SeekFrom::Start(offset.min(entry.len()))).map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(size as u64).read_to_end(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }
}

fn text(name: &[u8]) -> Answer<&str> {
    std::str::from_utf8(name).map_err(|_| Errno::ENOENT)
}

fn failed(error: std::io::Error) -> Errno {
    errno::of_io(&error)
}

/// FAT knows no time zone; its times are taken for UTC.
fn seconds(at: &fatfs::DateTime) -> i64 {
    let small = |number: u16| i8::try_from(number).unwrap_or(0);
    let year = i16::try_from(at.date.year).unwrap_or(1980);
    let date = jiff::civil::Date::new(year, small(at.date.month), small(at.date.day));
    let time =
        jiff::civil::Time::new(small(at.time.hour), small(at.time.min), small(at.time.sec), 0);
    let both = date.and_then(|date| Ok(date.to_datetime(time?)));
    let zoned = both.and_then(|both| both.to_zoned(jiff::tz::TimeZone::UTC));
    zoned.map_or(0, |zoned| zoned.timestamp().as_second())
}
