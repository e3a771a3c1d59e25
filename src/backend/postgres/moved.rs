//! The configuration of a new cluster: every file of the original's in the new data directory, and
//! each leads to the others there.
//!
//! What lay beside the main file goes to the same place beside the new one, all else below
//! [`ELSEWHERE`]. Paths are whole, so that the main files may be moved away again, as Debian's
//! `pg_createcluster` does.

use super::as_owner::LARGEST;
use super::assemble::deep;
use super::conf::{Becomes, Grammar, Include, Leads, rewritten, settings};
use super::config::{GRAMMARS, stored, target};
use super::copy::open;
use super::detail::Detail;
use super::mains::{Mains, NAMES};
use super::rewrite::{at_home, write};
use crate::domain::operation::Fault;
use crate::fs::tree::{Kind, below, names, open_file};
use crate::fs::{Doing, StorageError};
use rustix::io::Errno;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// For what lay in no place that the new data directory could have as well.
const ELSEWHERE: &str = "heptad-config";

pub(super) struct Moved<'a> {
    data: &'a OwnedFd,
    detail: &'a Detail,
    /// The copies in the snapshot.
    kept: PathBuf,
    /// The data directory that was, and that will be.
    old: &'a Path,
    new: &'a Path,
    /// The directory of the main file, where that was outside.
    home: Option<PathBuf>,
    /// What the data directory has of its own, which nothing may replace.
    own: HashSet<OsString>,
    /// By what it was, where each goes, as a path from the data directory.
    places: HashMap<PathBuf, PathBuf>,
    queue: VecDeque<(PathBuf, Grammar)>,
    /// Which of the three main files lay outside, and come in.
    pub came_in: [bool; 3],
    /// All that is set somewhere, with the values in the order in which they were found.
    pub settings: BTreeMap<String, Vec<Vec<u8>>>,
    pub notes: Vec<String>,
}

/// The whole configuration but the main file, whose text is returned: more is to be added to it.
pub(super) fn bring<'a>(
    data: &'a OwnedFd,
    detail: &'a Detail,
    kept: PathBuf,
    (old, new): (&'a Path, &'a Path),
) -> Result<(Moved<'a>, Option<Vec<u8>>), StorageError> {
    let unknown = || Mains(NAMES.map(|name| old.join(name)));
    let mains = detail.config.clone().unwrap_or_else(unknown);
    let own = names(data).doing(|| "looking at what was made".into())?;
    let own = own.iter().map(|name| OsStr::from_bytes(name.to_bytes()).to_owned());
    let home = mains.0[0].parent().filter(|home| !home.starts_with(old)).map(Path::to_owned);
    let mut moved = Moved {
        data,
        detail,
        kept,
        old,
        new,
        home,
        own: own.chain(NAMES.map(OsString::from)).collect(),
        places: HashMap::new(),
        queue: VecDeque::new(),
        came_in: [false; 3],
        settings: BTreeMap::new(),
        notes: Vec::new(),
    };
    let mut main = None;
    for (at, (path, grammar)) in mains.0.iter().zip(GRAMMARS).enumerate() {
        if let Some((text, place)) = moved.main(at, path)? {
            let text = moved.text(&text, path, grammar);
            match at {
                0 => main = Some(text),
                _ => moved.put(&place, &text)?,
            }
        }
    }
    while let Some((path, grammar)) = moved.queue.pop_front() {
        let (Some(text), Some(place)) = (moved.read(&path)?, moved.places.get(&path).cloned())
        else {
            continue;
        };
        let text = moved.text(&text, &path, grammar);
        moved.put(&place, &text)?;
    }
    Ok((moved, main))
}

impl Moved<'_> {
    /// The text of one of the three, and where it goes.
    fn main(&mut self, at: usize, path: &Path) -> Result<Option<(Vec<u8>, PathBuf)>, StorageError> {
        let name = Path::new(NAMES[at]);
        if let Some(text) = file(&self.kept.join(name))? {
            self.came_in[at] = true;
            return Ok(Some((text, name.to_owned())));
        }
        let place = path.strip_prefix(self.old).unwrap_or(name);
        Ok(self.inside(place)?.map(|text| (text, place.to_owned())))
    }

    /// As it shall be in the copy.
    fn text(&mut self, text: &[u8], by: &Path, grammar: Grammar) -> Vec<u8> {
        let text = match grammar {
            Grammar::Settings => at_home(text, self.old, self.new),
            Grammar::Access => text.to_owned(),
        };
        if grammar == Grammar::Settings {
            for (name, value) in settings(&text) {
                self.settings.entry(name).or_default().push(value);
            }
        }
        rewritten(&text, grammar, &mut |include| self.becomes(include, by, grammar))
    }

    fn becomes(&mut self, include: &Include, by: &Path, grammar: Grammar) -> Becomes {
        let mut target = target(by, include);
        // What was set at home already.
        if let Ok(inside) = target.strip_prefix(self.new) {
            target = self.old.join(inside);
        }
        let known = match include.leads {
            Leads::Dir => self.dir(&target, grammar),
            _ => self.file(&target, grammar),
        };
        if let Some(place) = known {
            return Becomes::Path(self.new.join(place));
        }
        // The copy must not read the data directory of the original, but the same place in its own.
        let inside = target.strip_prefix(self.old);
        let there = inside.map_or_else(|_| target.clone(), |inside| self.new.join(inside));
        // What may be read is in a snapshot, unless it is from before that was so.
        let is_old = self.detail.config.is_none();
        if include.leads == Leads::FileIfThere || is_old && std::fs::metadata(&target).is_ok() {
            return Becomes::Path(there);
        }
        let (gone, by) = (target.display(), by.display());
        self.notes.push(format!("{gone}, which {by} includes, is not in the snapshot"));
        match grammar {
            Grammar::Settings => Becomes::Comment,
            // A line less could let somebody in.
            Grammar::Access => Becomes::Path(there),
        }
    }

    fn file(&mut self, path: &Path, grammar: Grammar) -> Option<PathBuf> {
        let is_there = match path.strip_prefix(self.old) {
            Ok(inside) => below(self.data, inside.as_os_str().as_bytes()).is_ok(),
            Err(_) => self.kept.join(stored(path)).is_file(),
        };
        is_there.then(|| self.placed(path, Some(grammar)))
    }

    fn dir(&mut self, path: &Path, grammar: Grammar) -> Option<PathBuf> {
        let (dir, inside) = match path.strip_prefix(self.old) {
            Ok(inside) => (open(self.data, inside.to_str()?).ok()?, true),
            Err(_) => (File::open(self.kept.join(stored(path))).ok()?.into(), false),
        };
        let place = self.placed(path, None);
        let names = names(dir).ok()?.into_iter();
        let names = names.map(|name| OsStr::from_bytes(name.to_bytes()).to_owned());
        let is_conf = |name: &OsString| {
            name.as_bytes().ends_with(b".conf") && !name.as_bytes().starts_with(b".")
        };
        for name in names.filter(is_conf) {
            self.placed(&path.join(name), Some(grammar));
        }
        if !inside && let Some(text) = place.to_str() {
            // Also where nothing is in it: a server insists on it.
            deep(self.data, text, self.detail).ok()?;
        }
        Some(place)
    }

    /// Where it goes. A file that was not seen before is brought there in its turn.
    fn placed(&mut self, path: &Path, grammar: Option<Grammar>) -> PathBuf {
        if let Some(place) = self.places.get(path) {
            return place.clone();
        }
        let beside = self.home.as_ref().and_then(|home| path.strip_prefix(home).ok());
        let is_free = |place: &&Path| {
            place.components().next().is_some_and(|first| !self.own.contains(first.as_os_str()))
        };
        let place = match (path.strip_prefix(self.old), beside.filter(is_free)) {
            (Ok(inside), _) => inside.to_owned(),
            (_, Some(beside)) => beside.to_owned(),
            _ => Path::new(ELSEWHERE).join(path.strip_prefix("/").unwrap_or(path)),
        };
        self.places.insert(path.to_owned(), place.clone());
        if let Some(grammar) = grammar {
            self.queue.push_back((path.to_owned(), grammar));
        }
        place
    }

    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, StorageError> {
        match path.strip_prefix(self.old) {
            Ok(inside) => self.inside(inside),
            Err(_) => file(&self.kept.join(stored(path))),
        }
    }

    /// Of the data directory itself, through no link.
    fn inside(&self, place: &Path) -> Result<Option<Vec<u8>>, StorageError> {
        let doing = || format!("reading {}", place.display());
        match below(self.data, place.as_os_str().as_bytes()) {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            found => {
                let (reference, meta) = found.doing(doing)?;
                if meta.kind != Kind::File {
                    return Ok(None);
                }
                whole(File::from(open_file(reference).doing(doing)?), place).map(Some)
            }
        }
    }

    fn put(&self, place: &Path, text: &[u8]) -> Result<(), StorageError> {
        if self.inside(place)?.is_some_and(|is| is == text) {
            return Ok(());
        }
        let doing = format!("writing {}", place.display());
        let name = |part: Option<&OsStr>| part.and_then(OsStr::to_str).map(str::to_owned);
        let above = name(place.parent().map(Path::as_os_str));
        let (Some(above), Some(file)) = (above, name(place.file_name())) else {
            let why = "its name is not UTF-8: give it another";
            return Err(StorageError::new(Fault::Permanent, doing, why));
        };
        write(&deep(self.data, &above, self.detail)?, &file, text, self.detail)
    }
}

/// A copy in the store; `None` where there is none.
fn file(path: &Path) -> Result<Option<Vec<u8>>, StorageError> {
    match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        opened => whole(opened.doing(|| format!("reading {}", path.display()))?, path).map(Some),
    }
}

fn whole(file: File, path: &Path) -> Result<Vec<u8>, StorageError> {
    let doing = || format!("reading {}", path.display());
    let mut text = Vec::new();
    file.take(LARGEST as u64 + 1).read_to_end(&mut text).doing(doing)?;
    if text.len() > LARGEST {
        let why = format!("a configuration file of more than {} MiB is none", LARGEST >> 20);
        return Err(StorageError::new(Fault::Permanent, doing(), why));
    }
    Ok(text)
}
