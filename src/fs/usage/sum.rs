//! What several trees of one file system occupy together, and what of it another one holds too.

use super::super::tree::{Kind, Meta, open_dir, open_file};
use super::super::{Doing, StorageError};
use super::pieces::{SubvolumePieces, extents};
use super::ranges::{MOST, Ranges, TooMany};
use super::scan::{Seen, Tree, Visitor, scan};
use super::{Sharing, Unmeasurable, fsid};
use crate::domain::operation::Fault;
use crate::domain::usage::TotalUsage;
use crate::host::sys::Extent;
use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, BorrowedFd};

/// Counts the blocks of trees, each once.
pub struct UsageSum {
    sharing: Sharing,
    device: (u32, u32),
    fsid: Option<[u8; 16]>,
    /// Bytes of what cannot be elsewhere too.
    own: u64,
    places: Ranges,
    named: HashSet<((u32, u32), u64)>,
    pieces: SubvolumePieces,
}

impl UsageSum {
    /// For trees of the file system that the open directory `store` lies on.
    pub fn new(store: impl AsFd) -> Result<Self, StorageError> {
        let meta = Meta::of(&store).doing(|| "looking at a store".into())?;
        Ok(Self {
            sharing: Sharing::of(&store)?,
            device: meta.dev,
            fsid: fsid(&store),
            own: 0,
            places: Ranges::default(),
            named: HashSet::new(),
            pieces: SubvolumePieces::new(),
        })
    }

    /// Counts a tree that nobody changes.
    pub fn add(&mut self, root: impl AsFd) -> Result<(), Unmeasurable> {
        if self.sharing == Sharing::Unknown {
            return Err(Unmeasurable::Silent);
        }
        scan(root, Tree::Still, &mut Counting(self))
    }

    /// Counts a whole subvolume of btrfs by its id.
    pub fn add_subvolume(&mut self, fs: impl AsFd, id: u64) -> Result<(), Unmeasurable> {
        let places = &mut self.places;
        self.pieces.of_all(fs, id, &mut |start, length| Ok(places.add(start, length)?))
    }

    /// Whether anything was found that another tree might hold too.
    pub fn may_share(&self) -> bool {
        !self.places.is_empty()
    }

    /// The sum, when all that might be elsewhere too has been looked for there.
    pub fn beside(mut self) -> Result<Beside, Unmeasurable> {
        self.places.settle()?;
        Ok(Beside { tally: self, elsewhere: Ranges::default(), known: HashMap::new() })
    }
}

/// A finished tally beside trees that hold some of it too.
pub struct Beside {
    tally: UsageSum,
    elsewhere: Ranges,
    /// Devices, and whether they are the store's file system.
    known: HashMap<(u32, u32), bool>,
}

impl Beside {
    /// Looks into a tree that people work with, but for what is in `skip`: files there are not even
    /// opened.
    pub fn holds(&mut self, root: impl AsFd, skip: &[Meta]) -> Result<(), Unmeasurable> {
        scan(root, Tree::Changing, &mut Looking { beside: self, skip })
    }

    pub fn subvolume_holds(&mut self, fs: impl AsFd, id: u64) -> Result<(), Unmeasurable> {
        let Self { tally, elsewhere, .. } = self;
        let places = &tally.places;
        tally.pieces.of_all(fs, id, &mut |start, length| Ok(places.cut(start, length, elsewhere)?))
    }

    /// What would become free without all that was counted.
    pub fn occupied(mut self) -> Result<TotalUsage, Unmeasurable> {
        let placed = self.tally.places.total()?.saturating_sub(self.elsewhere.total()?);
        let bytes = self.tally.own.saturating_add(placed);
        Ok(TotalUsage { bytes, exact: self.tally.sharing != Sharing::Btrfs })
    }

    /// Whether an entry lies on the store's file system, of which a btrfs shows several devices.
    fn is_here(&mut self, entry: BorrowedFd<'_>, meta: &Meta) -> bool {
        let UsageSum { sharing, device, fsid: here, .. } = self.tally;
        let look = || {
            let open = if meta.kind == Kind::Dir { open_dir(entry) } else { open_file(entry) };
            let there = open.ok().and_then(fsid);
            there.is_some() && there == here
        };
        meta.dev == device
            || (sharing == Sharing::Btrfs && *self.known.entry(meta.dev).or_insert_with(look))
    }
}

struct Counting<'a>(&'a mut UsageSum);

impl Visitor for Counting<'_> {
    type Error = Unmeasurable;

    fn visit(&mut self, seen: &Seen<'_>) -> Result<bool, Unmeasurable> {
        let UsageSum { sharing, own, places, named, pieces, .. } = &mut *self.0;
        let meta = seen.meta;
        if meta.kind != Kind::Dir && meta.nlink > 1 {
            if named.len() >= MOST {
                return Err(TooMany.into());
            }
            if !named.insert((meta.dev, meta.ino)) {
                return Ok(false);
            }
        }
        if *sharing == Sharing::Never || meta.kind != Kind::File {
            *own += sharing.of_inode(meta);
            return Ok(true);
        }
        if meta.blocks == 0 {
            return Ok(false);
        }
        each_place(*sharing, pieces, seen, &mut |start, length| match start {
            Some(start) => Ok(places.add(start, length)?),
            None => {
                *own += length;
                Ok(())
            }
        })?;
        Ok(false)
    }
}

struct Looking<'a> {
    beside: &'a mut Beside,
    skip: &'a [Meta],
}

impl Visitor for Looking<'_> {
    type Error = Unmeasurable;

    fn visit(&mut self, seen: &Seen<'_>) -> Result<bool, Unmeasurable> {
        let meta = seen.meta;
        let file = meta.kind == Kind::File && meta.blocks > 0;
        if !(file || meta.kind == Kind::Dir)
            || self.skip.iter().any(|skip| skip.same_inode(meta))
            || !self.beside.is_here(seen.entry, meta)
        {
            return Ok(false);
        }
        if !file {
            return Ok(true);
        }
        let Beside { tally, elsewhere, .. } = &mut *self.beside;
        let (sharing, places) = (tally.sharing, &tally.places);
        let found = each_place(sharing, &mut tally.pieces, seen, &mut |start, length| {
            start.map_or(Ok(()), |start| Ok(places.cut(start, length, elsewhere)?))
        });
        match found {
            Err(Unmeasurable::Failed(error)) if error.fault == Fault::Absent => Ok(false),
            found => found.map(|()| false),
        }
    }
}

/// Hears of each piece of a file: where it begins, if it may be elsewhere too, and its length.
fn each_place(
    sharing: Sharing,
    pieces: &mut SubvolumePieces,
    seen: &Seen<'_>,
    hear: &mut dyn FnMut(Option<u64>, u64) -> Result<(), Unmeasurable>,
) -> Result<(), Unmeasurable> {
    match (sharing, seen.dir) {
        (Sharing::Btrfs, Some(dir)) => {
            pieces.of_one(dir, seen.meta.ino, &mut |start, length| hear(Some(start), length))
        }
        (Sharing::Btrfs, None) => {
            let doing = || "opening a file".to_owned();
            let file = open_file(seen.entry).doing(doing)?;
            pieces.of_one(file, seen.meta.ino, &mut |start, length| hear(Some(start), length))
        }
        _ => {
            let mut heard = Ok(());
            extents(seen.entry, &mut |Extent { start, length, shared, .. }| {
                if heard.is_ok() {
                    heard = hear(start.filter(|_| shared), length);
                }
            })?;
            heard
        }
    }
}
