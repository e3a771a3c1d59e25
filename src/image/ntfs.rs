//! NTFS: what Windows guests have.

use super::block::Stretch;
use super::errno;
use super::files::{Answer, Files, Names, Stat};
use fuser::{Errno, FileType};
use ntfs::indexes::NtfsFileNameIndex;
use ntfs::structured_values::NtfsFileNamespace;
use ntfs::{KnownNtfsFileRecordNumber, Ntfs, NtfsError, NtfsFile, NtfsReadSeek, NtfsTime};
use std::io::SeekFrom;

/// 100-nanosecond steps between 1601, where NTFS counts from, and 1970.
const UNIX_EPOCH: i128 = 116_444_736_000_000_000;
const STEPS: i128 = 10_000_000;

pub(super) struct Windows {
    fs: Ntfs,
    part: Stretch,
}

impl Windows {
    pub(super) fn open(part: &Stretch) -> Result<Self, String> {
        let mut part = part.clone();
        let mut fs = Ntfs::new(&mut part).map_err(|error| error.to_string())?;
        fs.read_upcase_table(&mut part).map_err(|error| error.to_string())?;
        Ok(Self { fs, part })
    }

    fn find(&self, path: &[u8]) -> Answer<NtfsFile<'_>> {
        let path = std::str::from_utf8(path).map_err(|_| Errno::ENOENT)?;
        let mut part = self.part.clone();
        let mut at = self.fs.root_directory(&mut part).map_err(failed)?;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let index = at.directory_index(&mut part).map_err(failed)?;
            let mut finder = index.finder();
            let found = NtfsFileNameIndex::find(&mut finder, &self.fs, &mut part, name);
            let entry = found.ok_or(Errno::ENOENT)?.map_err(failed)?;
            // NTFS does not mind the case of a name; the kernel would take each for another file.
            let key = entry.key().ok_or(Errno::EIO)?.map_err(failed)?;
            if key.name().to_string_lossy() != name {
                return Err(Errno::ENOENT);
            }
            let next = entry.to_file(&self.fs, &mut part).map_err(failed)?;
            drop(index);
            at = next;
        }
        Ok(at)
    }
}

impl Files for Windows {
    fn stat(&self, path: &[u8]) -> Answer<Stat> {
        let file = self.find(path)?;
        let mtime = file.info().map(|info| unix(info.modification_time())).unwrap_or((0, 0));
        if file.is_directory() {
            return Ok(Stat { mtime, ..Stat::directory() });
        }
        let size = match file.data(&mut self.part.clone(), "") {
            Some(item) => item.and_then(|item| Ok(item.to_attribute()?.value_length())),
            None => Ok(0),
        };
        Ok(Stat { mtime, ..Stat::file(size.map_err(failed)?) })
    }

    fn list(&self, path: &[u8]) -> Answer<Names> {
        let dir = self.find(path)?;
        let mut part = self.part.clone();
        let index = dir.directory_index(&mut part).map_err(failed)?;
        let mut entries = index.entries();
        let mut found = Vec::new();
        while let Some(entry) = entries.next(&mut part) {
            let entry = entry.map_err(failed)?;
            let key = entry.key().ok_or(Errno::EIO)?.map_err(failed)?;
            let own = entry.file_reference().file_record_number();
            // The short names of DOS are second names, and the first records are NTFS's own.
            let hidden = key.namespace() == NtfsFileNamespace::Dos || own < FIRST_OF_USERS;
            let name = key.name().to_string_lossy();
            if !hidden && name != "." {
                let kind =
                    if key.is_directory() { FileType::Directory } else { FileType::RegularFile };
                found.push((name.into_bytes(), kind));
            }
        }
        Ok(found)
    }

    fn link(&self, _: &[u8]) -> Answer<Vec<u8>> {
        Err(Errno::EINVAL)
    }

    fn read(&self, path: &[u8], offset: u64, size: usize) -> Answer<Vec<u8>> {
        let file = self.find(path)?;
        let mut part = self.part.clone();
        let Some(item) = file.data(&mut part, "") else { return Ok(Vec::new()) };
        let item = item.map_err(failed)?;
        let attribute = item.to_attribute().map_err(failed)?;
        let mut value = attribute.value(&mut part).map_err(failed)?;
        if offset >= value.len() {
            return Ok(Vec::new());
        }
        value.seek(&mut part, SeekFrom::Start(offset)).map_err(failed)?;
        let mut bytes = vec![0; size];
        let mut filled = 0;
        while filled < size {
            match value.read(&mut part, &mut bytes[filled..]).map_err(failed)? {
                0 => break,
                more => filled += more,
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }
}

/// Those below are NTFS's own ($MFT and others), except its root.
const FIRST_OF_USERS: u64 = KnownNtfsFileRecordNumber::Extend as u64 + 1;

fn unix(time: NtfsTime) -> (i64, u32) {
    let steps = i128::from(time.nt_timestamp()) - UNIX_EPOCH;
    let seconds = i64::try_from(steps.div_euclid(STEPS)).unwrap_or(0);
    (seconds, u32::try_from(steps.rem_euclid(STEPS) * 100).unwrap_or(0))
}

fn failed(error: NtfsError) -> Errno {
    match error {
        NtfsError::Io(error) => errno::of_kind(error.kind()),
        NtfsError::NotADirectory { .. } => Errno::ENOTDIR,
        _ => Errno::EIO,
    }
}
