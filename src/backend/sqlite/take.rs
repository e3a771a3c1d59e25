//! Taking a snapshot: of the live database, or of one of its snapshots.

use super::super::{Object, TakeOrder};
use super::detail::Detail;
use super::protocol::Act;
use super::settings::Settings;
use super::{DATA, elsewhere, keep, owner, run, seal, verify};
use crate::fs::growth::{Growth, allocated, telling};
use crate::fs::tree::Meta;
use crate::fs::{Progress, StorageError};
use crate::host::process::User;
use crate::store::{Filled, Growing, Store, Taking};
use std::os::fd::OwnedFd;

pub(super) fn take(
    settings: &Settings,
    store: &Store,
    order: &TakeOrder<'_>,
    progress: &dyn Progress,
) -> Result<Object, StorageError> {
    let taking = Taking { store, card: order.card, progress };
    let manifest = match order.source {
        None => taking.live(
            || {
                let file = owner::open(&settings.path)?;
                let user = owner::of_live(settings, &settings.path, &file.1)?;
                Ok((file, user, elsewhere::before(&settings.path, store)?))
            },
            |(file, user, before), growing| {
                let (detail, mut notes) = copy_live(settings, growing, &file, user, progress)?;
                let (more, incomplete) = before.after()?;
                notes.extend(more);
                Ok(Filled::new(detail, notes)?.lacking(incomplete))
            },
        ),
        Some(source) => taking.kept(
            source,
            |item| verify::verify(settings, item, progress),
            |item, growing| keep::keep(growing, item, progress),
        ),
    }?;
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
