//! Taking a snapshot: of the live database, or of one of its snapshots.

use super::super::{Object, TakeOrder};
use super::detail::Detail;
use super::protocol::Act;
use super::settings::Settings;
use super::{DATA, WORD, elsewhere, keep, owner, run, seal, verify};
use crate::fs::growth::{Growth, allocated, telling};
use crate::fs::tree::Meta;
use crate::fs::{Doing, Progress, StorageError};
use crate::host::process::User;
use crate::store::manifest::Manifest;
use crate::store::{Growing, Item, Store};
use std::os::fd::OwnedFd;

enum Source<'a> {
    Live((OwnedFd, Meta), Option<User>, elsewhere::Before<'a>),
    Snapshot(Item),
}

pub fn take(
    settings: &Settings,
    store: &Store,
    order: &TakeOrder<'_>,
    progress: &dyn Progress,
) -> Result<Object, StorageError> {
    let handle = &order.card.handle;
    if let Some(done) = store.already(handle)? {
        return Ok(Object::of(&done.manifest));
    }
    // Before anything is made: a source that is away leaves nothing behind.
    let source = match order.source {
        None => {
            let file = owner::open(&settings.path)?;
            let user = owner::of_live(settings, &settings.path, &file.1)?;
            let before = elsewhere::before(&settings.path, store)?;
            Source::Live(file, user, before)
        }
        Some(source) => {
            let item = store.whole(source)?;
            // A copy of something changed would pass for the snapshot that it was.
            verify::verify(settings, &item, progress)?;
            Source::Snapshot(item)
        }
    };
    store.make()?;
    store.sweep()?;
    store.expect_free(handle.seq)?;
    store.raise(handle.seq)?;
    let mut manifest = Manifest::new(store.resource(), WORD, order.card);
    let growing = Growing::begin(store, &manifest)?;
    let (detail, notes) = match source {
        Source::Live(file, user, before) => {
            let (detail, mut notes) = copy_live(settings, &growing, &file, user, progress)?;
            let (more, lacks) = before.after()?;
            notes.extend(more);
            manifest.incomplete = lacks;
            (Some(detail), notes)
        }
        Source::Snapshot(item) => {
            manifest.incomplete.clone_from(&item.manifest.incomplete);
            keep::keep(&growing, &item, progress)?
        }
    };
    let writing = || "writing the manifest".to_owned();
    manifest.detail = serde_json::to_value(detail).map_err(std::io::Error::from).doing(writing)?;
    manifest.notes = notes;
    progress.wanted()?;
    growing.commit(&manifest)?;
    Ok(Object::of(&manifest))
}

fn copy_live(
    settings: &Settings,
    growing: &Growing<'_>,
    file: &(OwnedFd, Meta),
    user: Option<User>,
    progress: &dyn Progress,
) -> Result<(Detail, Vec<String>), StorageError> {
    seal::open_up(&growing.path, user)?;
    let act = Act::Copy {
        path: settings.path.clone(),
        into: growing.path.join(DATA),
        hold_ms: u64::try_from(settings.hold.as_millis()).unwrap_or(u64::MAX),
    };
    let copied = growing.path.join(DATA);
    let whole = |over: &_| Some(allocated(&settings.path, over));
    let growth = Growth { now: &|over| allocated(&copied, over), whole: &whole };
    let answer = telling(progress, &growth, || run::ask(settings, user, act, progress))?;
    let (copy, lost) = seal::seal(&growing.path, file, user)?;
    let detail = Detail::new(&answer, &copy);
    Ok((detail, answer.notes.into_iter().chain(lost).collect()))
}
