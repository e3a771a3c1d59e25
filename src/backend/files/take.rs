//! Taking a snapshot: of the live resource, or of one of its snapshots.

use super::super::{Object, TakeOrder};
use super::detail::{Detail, data};
use super::grounds::Grounds;
use super::index::{Line, Writer};
use super::past::Past;
use super::settings::Settings;
use super::{DATA, INDEX, verify};
use crate::domain::operation::Fault;
use crate::domain::snapshot::Handle;
use crate::fs::tree::{Copy, Entry, Flow, Meta, Report, Share, Time, Visitor, copy_tree};
use crate::fs::{Doing, Progress, StorageError};
use crate::store::Seal;
use crate::store::identity;
use crate::store::{Filled, Growing, Item, Store, Taking};
use std::collections::HashSet;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

pub(super) fn take(
    settings: &Settings,
    store: &Store,
    order: &TakeOrder<'_>,
    progress: &dyn Progress,
) -> Result<Object, StorageError> {
    let taking = Taking { store, card: order.card, progress };
    let manifest = match order.source {
        None => taking.live(
            || identity::open(&settings.path),
            |(live, _), growing| {
                copy_live(settings, store, growing, live.as_fd(), (order.previous, progress))
            },
        ),
        Some(source) => taking
            .kept(source, verify::verify, |item, growing| copy_snapshot(growing, item, progress)),
    }?;
    Ok(Object::of(&manifest))
}

fn copy_live(
    settings: &Settings,
    store: &Store,
    growing: &Growing<'_>,
    live: BorrowedFd<'_>,
    (previous, progress): (Option<&Handle>, &dyn Progress),
) -> Result<Filled, StorageError> {
    let root = Meta::of(live).doing(|| format!("looking at {}", settings.path.display()))?;
    let (mut notes, mut earlier) = (Vec::new(), None);
    let past = previous.and_then(|previous| {
        let past = store.whole(previous).and_then(|item| {
            earlier = Detail::of(&item.manifest);
            Past::open(&item, &root)
        });
        past.inspect_err(|error| {
            notes.push(format!("snapshot {} was of no use: {error}", previous.seq));
        })
        .ok()
    });
    let mut grounds = Grounds::default();
    // As if all of it had been changed just now: whoever goes by this index compares it.
    let begun = grounds.begin(live, &root).map_or(Time::default(), |_| growing.begun);
    let index = Writer::create(growing.path.join(INDEX), begun)?;
    let mut scribe = Scribe { past, grounds, index };
    let exclude = settings.excluded();
    let store = std::fs::File::open(store.root()).doing(|| "opening the store".into())?;
    let store = Meta::of(&store).doing(|| "looking at the store".into())?;
    let options = Copy {
        flow: Flow::IntoStore,
        exclude: &exclude,
        cross_mounts: settings.cross_mounts,
        own_store: Some(store),
        progress,
        // What it was the last time is about what it will be.
        total: earlier.map(|detail| detail.bytes),
    };
    let report = copy(live, growing, &options, &mut scribe)
        .map_err(|error| inside(error, &settings.path.display().to_string()))?;
    let index_bytes = scribe.index.finish(report.entries, report.bytes)?;
    notes.insert(0, report.how());
    notes.splice(1..1, report.losses());
    let detail = look(growing, &report, index_bytes)?;
    Ok(Filled::new(detail, notes)?.lacking(report.incomplete()))
}

/// Names the tree in an error about something in it.
fn inside(error: StorageError, place: &str) -> StorageError {
    StorageError { doing: format!("{} (of {place})", error.doing), ..error }
}

fn copy(
    from: BorrowedFd<'_>,
    growing: &Growing<'_>,
    options: &Copy<'_>,
    visitor: &mut dyn Visitor,
) -> Result<Report, StorageError> {
    let doing = || format!("copying to {}", growing.path.display());
    let name = CString::new(DATA).map_err(std::io::Error::from).doing(doing)?;
    copy_tree(from, growing.dir.as_fd(), &name, options, visitor)
}

fn look(growing: &Growing<'_>, report: &Report, index_bytes: u64) -> Result<Detail, StorageError> {
    let looking = || format!("looking at {}", growing.path.display());
    let root = data(&growing.path).and_then(Meta::of).doing(looking)?;
    Ok(Detail::new(report, index_bytes, &root))
}

/// Keeps the index while the live tree is copied.
struct Scribe {
    past: Option<Past>,
    grounds: Grounds,
    index: Writer,
}

impl Visitor for Scribe {
    fn unchanged(&mut self, file: &Entry<'_>) -> Result<Option<OwnedFd>, StorageError> {
        // Also without an earlier one: the next one goes by what is seen now.
        let times = self.grounds.of(file);
        Ok(self.past.as_ref().and_then(|past| past.unchanged(file, times)))
    }

    fn stored(&mut self, path: &[u8], was: &Meta, is: &Meta) -> Result<(), StorageError> {
        self.index.add(&Line::new(path, was, is))
    }
}

/// A kept snapshot has its original's index: stamps of the live files, and looks of the copies.
fn copy_snapshot(
    growing: &Growing<'_>,
    source: &Item,
    progress: &dyn Progress,
) -> Result<Filled, StorageError> {
    let doing = || format!("copying snapshot {}", source.seq);
    let from = data(&source.path).doing(doing)?;
    let expected = Detail::of(&source.manifest);
    let options = Copy {
        flow: Flow::WithinStore,
        exclude: &HashSet::new(),
        cross_mounts: true,
        own_store: None,
        progress,
        total: expected.as_ref().map(|detail| detail.bytes),
    };
    let report = copy(from.as_fd(), growing, &options, &mut Share)?;
    let counts = expected.as_ref().map(|detail| (detail.entries, detail.bytes));
    let mut losses = report.missing();
    losses.extend(report.bare());
    if counts != Some((report.entries, report.bytes)) {
        losses.push("it is not what its manifest says".into());
    }
    if !losses.is_empty() {
        return Err(StorageError::new(Fault::Permanent, doing(), losses.join("; ")));
    }
    let index_bytes = std::fs::copy(source.path.join(INDEX), growing.path.join(INDEX));
    let mut detail = look(growing, &report, index_bytes.doing(doing)?)?;
    detail.flags = expected.is_some_and(|detail| detail.flags);
    let mut notes = vec![format!("{} of snapshot {}", report.how(), source.seq)];
    notes.extend(source.manifest.notes.iter().skip(1).cloned());
    Filled::new(detail, notes)
}
